// Listeners and endpoints as text: `NAME://host:port`, `id@host:port`, `host:port`, and
// name-to-value maps.
//
// Hosts may be names, IPv4, or IPv6 with or without brackets; an empty host means every interface
// when binding, and "find out" when advertising. Names are upper-cased, ports are 0 (any) to 65535.
// Kafka: SocketServerConfigs.listenerListToEndPoints, AbstractKafkaConfig.listenerListToEndPoints,
// Csv, Utils.getHost.

/** Security protocols of Kafka; only PLAINTEXT is built. */
export const SECURITY_PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
export type SecurityProtocol = (typeof SECURITY_PROTOCOLS)[number]

/** A listener: a name, its protocol, and where it is. An empty host is every interface. */
export interface Listener {
  readonly name: string
  readonly protocol: SecurityProtocol
  readonly host: string
  readonly port: number
}

/** A host and a port. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** A voter of a static quorum. */
export interface Voter extends HostPort {
  readonly id: number
}

const LISTENER = /^(.*):\/\/\[?([0-9a-zA-Z\-%._:]*)\]?:(-?\d{1,9})$/
const HOST_PORT = /^\[?([0-9a-zA-Z\-%._:]+)\]?:(\d{1,5})$/
const PORT_MAX = 65535

/** Reads a list of listeners; problems are added to `problems` and their elements left out. */
export function parseListeners(
  elements: readonly string[],
  protocols: ReadonlyMap<string, SecurityProtocol>,
  problems: string[],
): Listener[] {
  const listeners: Listener[] = []
  for (const element of elements) {
    const match = LISTENER.exec(element)
    const port = Number(match?.[3])
    if (match === null) {
      problems.push(`${element} is not of the form NAME://host:port`)
    } else if (port < 0 || port > PORT_MAX) {
      problems.push(`port ${port} of ${element} is not between 0 and ${PORT_MAX}`)
    } else {
      const name = match[1]!.toUpperCase()
      const protocol = protocols.get(name)
      if (protocol === undefined) {
        problems.push(`no security protocol is given for listener ${name}`)
      } else {
        listeners.push({ name, protocol, host: match[2]!, port })
      }
    }
  }
  return listeners
}

/** Names that occur twice, and ports too unless one host is IPv4 and the other IPv6. */
export function listenerClashes(listeners: readonly Listener[], distinctPorts: boolean): string[] {
  const clashes: string[] = []
  const names = listeners.map(({ name }) => name)
  for (const name of new Set(names.filter((one, index) => names.indexOf(one) !== index))) {
    clashes.push(`listener ${name} is named more than once`)
  }
  if (!distinctPorts) return clashes
  for (const port of new Set(listeners.map((listener) => listener.port))) {
    const sharing = listeners.filter((listener) => listener.port === port)
    if (port !== 0 && sharing.length > 1 && !isDualStack(sharing.map(({ host }) => host))) {
      clashes.push(`port ${port} is shared, which only one IPv4 and one IPv6 address may do`)
    }
  }
  return clashes
}

function isDualStack(hosts: readonly string[]): boolean {
  return hosts.length === 2 && hosts.some(isIpv4) && hosts.some((host) => host.includes(':'))
}

const IPV6 = /^(?=(.*:){2})[0-9a-fA-F:]*(:\d{1,3}(\.\d{1,3}){3})?$/

/** IPv4 with four parts, or IPv6 without brackets or zone: eight groups, or fewer around one `::`. */
export function isNumericAddress(host: string): boolean {
  if (isIpv4(host)) return true
  if (!IPV6.test(host) || host.includes(':::')) return false
  const tail = /[^:]*\.[^:]*$/.exec(host)?.[0]
  if (tail !== undefined && !isIpv4(tail)) return false
  const halves = (tail === undefined ? host : host.replace(tail, '0:0')).split('::')
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const isWhole = groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))
  return (
    isWhole &&
    (halves.length === 1 ? groups.length === 8 : halves.length === 2 && groups.length < 8)
  )
}

function isIpv4(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) && host.split('.').every((part) => Number(part) < 256)
}

/** Reads `host:port`; null when it has another form. */
export function parseHostPort(text: string): HostPort | null {
  const match = HOST_PORT.exec(text)
  return match === null ? null : { host: match[1]!, port: Number(match[2]) }
}

/** Reads `id@host:port`; null when it has another form. */
export function parseVoter(text: string): Voter | null {
  const at = text.indexOf('@')
  const place = parseHostPort(text.slice(at + 1))
  const id = /^\d{1,9}$/.test(text.slice(0, at)) && at > 0 ? Number(text.slice(0, at)) : null
  return place === null || id === null ? null : { id, ...place }
}

/** Reads `name:value,name:value`, the value after the last colon; a later name wins. */
export function parsePairs(text: string, problems: string[]): Map<string, string> {
  const pairs = new Map<string, string>()
  if (text.trim() === '') return pairs
  for (const element of text.split(/\s*,\s*/)) {
    const colon = element.lastIndexOf(':')
    if (colon < 0) problems.push(`${element} is not of the form name:value`)
    else pairs.set(element.slice(0, colon).trim(), element.slice(colon + 1).trim())
  }
  return pairs
}

/** Prints a listener as it is written in a file; IPv6 hosts get brackets. */
export function printListener({ name, host, port }: Omit<Listener, 'protocol'>): string {
  return `${name}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
