// Addresses as people write them: `host:port,host:port`, IPv6 in brackets. A port left out is Kafka's 9092.
// Kafka: ClientUtils.parseAndValidateAddresses, which has no default port.

import { ClientError } from './client_error.ts'

/** Where a broker listens. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

export const DEFAULT_PORT = 9092

/** Reads a bootstrap list. Raises INVALID_ARGUMENT and says which entry is wrong. */
export function parseBootstrap(text: string | readonly string[]): Endpoint[] {
  const entries = (typeof text === 'string' ? text.split(',') : [...text])
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  if (entries.length === 0) {
    throw new ClientError('INVALID_ARGUMENT', 'no bootstrap server was given; say host:port')
  }
  return entries.map(parseEndpoint)
}

function parseEndpoint(entry: string): Endpoint {
  // [v6]:port | host:port | host; a bare v6 address has colons and no port.
  const match =
    /^\[([^\]\s]+)\](?::(\d+))?$/.exec(entry) ??
    /^([^:[\]\s/]+)(?::(\d+))?$/.exec(entry) ??
    /^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)()$/.exec(entry)
  const port = match?.[2] ? Number(match[2]) : DEFAULT_PORT
  if (match === null || port < 1 || port > 65_535) {
    throw new ClientError(
      'INVALID_ARGUMENT',
      `'${entry}' is no bootstrap server; say host:port, or [address]:port for IPv6`,
    )
  }
  return { host: match[1]!, port }
}

/** host:port, with brackets around an IPv6 address. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
