// What follows from the configuration as a whole: roles, listeners, quorum, directories, and
// whether the values agree with each other.
//
// A rule names the keys it reads and is passed over when one of them is already mistaken, so that
// one error is reported once. Invariant: the rules are those of Kafka 4.3.1 (judged in
// derive.test.ts), made stricter where Kafka fails later or where security would be promised and
// not given.
// Kafka: KafkaConfig.validateValues, AbstractKafkaConfig, QuorumConfig, GroupCoordinatorConfig,
// ShareGroupConfig.

import type { BrokerConfig, ConfigKey } from './config.ts'
import type { ConfigWarning, Mistake } from './mistakes.ts'
import { protocolMap } from './protocol_map.ts'
import { RELATIONS } from './relations.ts'
import type { HostPort, Listener, SecurityProtocol, Voter } from './text/endpoints.ts'
import {
  isNumericAddress,
  listenerClashes,
  parseHostPort,
  parseListeners,
  parsePairs,
  parseVoter,
} from './text/endpoints.ts'

/** What a node needs to know about itself, computed once at start. */
export interface Derived {
  readonly nodeId: number
  readonly isBroker: boolean
  readonly isController: boolean
  /** Listeners to bind, by who serves them. */
  readonly brokerListeners: readonly Listener[]
  readonly controllerListeners: readonly Listener[]
  /** What is told to others; an empty host means that the host's own name must be found. */
  readonly advertisedBrokerListeners: readonly Listener[]
  readonly advertisedControllerListeners: readonly Listener[]
  /** The name by which other brokers reach this one; null without the broker role. */
  readonly interBrokerListener: string | null
  /** Listener names of the controllers, in order; a broker uses the first. */
  readonly controllerListenerNames: readonly string[]
  readonly protocols: ReadonlyMap<string, SecurityProtocol>
  /** Voters of a static quorum; empty when the quorum is dynamic. */
  readonly voters: readonly Voter[]
  readonly bootstrapServers: readonly HostPort[]
  readonly logDirs: readonly string[]
  readonly metadataLogDir: string
  readonly maxConnectionsOf: ReadonlyMap<string, number>
}

/** The outcome: what was derived, and everything that does not fit together. */
export interface Derivation {
  readonly derived: Derived
  readonly mistakes: readonly Mistake[]
  readonly warnings: readonly ConfigWarning[]
}

/** Derives and judges; keys in `broken` are already reported and their rules are passed over. */
export function derive(config: BrokerConfig, broken: ReadonlySet<string> = new Set()): Derivation {
  const judge = new Judge(config, broken)
  const derived = read(config, judge)
  judgeRoles(config, derived, judge)
  judgeAdvertised(config, derived, judge)
  judgeProtocols(derived, judge)
  judgeNumbers(config, derived, judge)
  return { derived, mistakes: judge.mistakes, warnings: judge.warnings }
}

class Judge {
  readonly mistakes: Mistake[] = []
  readonly warnings: ConfigWarning[] = []
  private readonly config: BrokerConfig
  private readonly broken: ReadonlySet<string>

  constructor(config: BrokerConfig, broken: ReadonlySet<string>) {
    this.config = config
    this.broken = broken
  }

  /** Reports the key unless it, or another key that was read to judge it, is already mistaken. */
  refuse(key: ConfigKey, problem: string, allowed = '', alsoRead: readonly ConfigKey[] = []): void {
    if ([key, ...alsoRead].some((one) => this.broken.has(one))) return
    const setting = this.config.settings.get(key)
    this.mistakes.push({
      key,
      value: setting?.value ?? null,
      problem,
      allowed,
      source: setting?.source ?? 'not set',
    })
  }

  warn(key: ConfigKey, problem: string): void {
    this.warnings.push({ key, problem, source: this.config.settings.get(key)?.source ?? 'not set' })
  }
}

const LISTENER_KEYS: readonly ConfigKey[] = [
  'listeners',
  'listener.security.protocol.map',
  'controller.listener.names',
]

function read(config: BrokerConfig, judge: Judge): Derived {
  const roles = new Set(config.get('process.roles') ?? [])
  const controllerNames = config.get('controller.listener.names') ?? []
  const protocols = protocolMap(config, (problem, allowed) =>
    judge.refuse('listener.security.protocol.map', problem, allowed),
  )
  const bound = readListeners(config, 'listeners', protocols, judge)
  const advertised =
    config.get('advertised.listeners') === null
      ? bound
      : readListeners(config, 'advertised.listeners', protocols, judge)
  const isControllers = ({ name }: Listener) => controllerNames.includes(name)
  const controllerListeners = bound.filter(isControllers)
  const logDirs = config.get('log.dirs') ?? config.get('log.dir')
  return {
    nodeId: config.get('node.id') ?? -1,
    isBroker: roles.has('broker'),
    isController: roles.has('controller'),
    brokerListeners: bound.filter((listener) => !isControllers(listener)),
    controllerListeners,
    advertisedBrokerListeners: advertised.filter((listener) => !isControllers(listener)),
    advertisedControllerListeners: controllerNames.flatMap((name) => {
      const own = (listener: Listener) => listener.name === name.toUpperCase()
      return advertised.filter(isControllers).find(own) ?? controllerListeners.find(own) ?? []
    }),
    interBrokerListener: roles.has('broker') ? interBrokerListener(config, protocols, judge) : null,
    controllerListenerNames: controllerNames,
    protocols,
    voters: (config.get('controller.quorum.voters') ?? []).flatMap((one) => parseVoter(one) ?? []),
    bootstrapServers: (config.get('controller.quorum.bootstrap.servers') ?? []).flatMap(
      (one) => parseHostPort(one) ?? [],
    ),
    logDirs,
    metadataLogDir: config.get('metadata.log.dir') ?? logDirs[0] ?? '',
    maxConnectionsOf: maxConnectionsOf(config, judge),
  }
}

function readListeners(
  config: BrokerConfig,
  key: 'listeners' | 'advertised.listeners',
  protocols: ReadonlyMap<string, SecurityProtocol>,
  judge: Judge,
): Listener[] {
  const problems: string[] = []
  const listeners = parseListeners(config.get(key) ?? [], protocols, problems)
  problems.push(...listenerClashes(listeners, key === 'listeners'))
  for (const problem of problems) {
    judge.refuse(key, problem, 'NAME://host:port, separated by commas', LISTENER_KEYS)
  }
  return listeners
}

function interBrokerListener(
  config: BrokerConfig,
  protocols: ReadonlyMap<string, SecurityProtocol>,
  judge: Judge,
): string {
  const name = config.get('inter.broker.listener.name')
  if (name === null) return config.get('security.inter.broker.protocol')
  if (config.isSet('security.inter.broker.protocol')) {
    judge.refuse(
      'inter.broker.listener.name',
      'it and security.inter.broker.protocol exclude each other',
      'one of the two',
    )
  }
  if (!protocols.has(name.toUpperCase())) {
    judge.refuse(
      'inter.broker.listener.name',
      'no security protocol is given for this listener',
      [...protocols.keys()].join(', '),
      LISTENER_KEYS,
    )
  }
  return name.toUpperCase()
}

function maxConnectionsOf(config: BrokerConfig, judge: Judge): Map<string, number> {
  const key = 'max.connections.per.ip.overrides'
  const problems: string[] = []
  const counts = new Map<string, number>()
  for (const [host, count] of parsePairs(config.get(key), problems)) {
    if (!isNumericAddress(host) && host.toLowerCase() !== 'localhost') {
      problems.push(`${host} is not an address; names are not looked up`)
    }
    // Java's integers: a sign and leading zeros are allowed.
    else if (/^[+-]?\d{1,9}$/.test(count)) counts.set(host, Number(count))
    else problems.push(`${count} is not a count of connections`)
  }
  for (const problem of problems) judge.refuse(key, problem, 'address:count, separated by commas')
  return counts
}

function judgeRoles(config: BrokerConfig, derived: Derived, judge: Judge): void {
  const { isBroker, isController, nodeId, voters } = derived
  if (!isBroker && !isController) return
  if (config.get('broker.id') !== nodeId && nodeId >= 0) {
    judge.refuse('broker.id', `it differs from node.id, which is ${nodeId}`, String(nodeId), [
      'node.id',
    ])
  }
  const quorumKeys = ['controller.quorum.voters', 'controller.quorum.bootstrap.servers'] as const
  if (voters.length === 0 && derived.bootstrapServers.length === 0) {
    judge.refuse(
      'controller.quorum.bootstrap.servers',
      'the node cannot find its controllers',
      'host:port of one controller or more; or controller.quorum.voters for a static quorum',
      quorumKeys,
    )
  }
  const isVoter = voters.some(({ id }) => id === nodeId)
  if (isController && voters.length > 0 && !isVoter) {
    judge.refuse(quorumKeys[0], `a controller must be among the voters, and ${nodeId} is not`, '', [
      'node.id',
    ])
  }
  if (!isController && isVoter) {
    judge.refuse(quorumKeys[0], `${nodeId} is a voter but has no controller role`, '', [
      'node.id',
      'process.roles',
    ])
  }
  if (voters.some(({ host }) => host === '0.0.0.0')) {
    judge.refuse(quorumKeys[0], '0.0.0.0 is not an address that others can reach')
  }
  if (!isController && config.get('controller.quorum.auto.join.enable')) {
    judge.refuse('controller.quorum.auto.join.enable', 'only a controller can join the voters')
  }
  if (isController) judgeControllerListeners(derived, judge)
  else judgeBrokerOnly(derived, judge)
}

function judgeControllerListeners(derived: Derived, judge: Judge): void {
  const key = 'controller.listener.names'
  const bound = [...derived.brokerListeners, ...derived.controllerListeners]
  const names = bound.map(({ name }) => name).join(', ')
  const missing = derived.controllerListenerNames.filter(
    (name) => !derived.controllerListeners.some((listener) => listener.name === name),
  )
  if (missing.length > 0) {
    judge.refuse(key, `${missing.join(', ')} is not among the listeners`, names, LISTENER_KEYS)
  }
  if (!derived.isBroker && derived.brokerListeners.length > 0) {
    const extra = derived.brokerListeners.map(({ name }) => name).join(', ')
    judge.refuse(
      'listeners',
      `${extra} is not a controller listener, and this node is a controller only`,
      derived.controllerListenerNames.join(', '),
      LISTENER_KEYS,
    )
  }
}

function judgeBrokerOnly(derived: Derived, judge: Judge): void {
  const key = 'controller.listener.names'
  const own = derived.controllerListeners.map(({ name }) => name)
  if (own.length > 0) {
    judge.refuse(key, `${own.join(', ')} is bound here, and this node is not a controller`, '', [
      ...LISTENER_KEYS,
      'process.roles',
    ])
  }
  for (const name of derived.controllerListenerNames) {
    if (!derived.protocols.has(name.toUpperCase())) {
      judge.refuse(key, `no security protocol is given for ${name}`, '', LISTENER_KEYS)
    }
  }
  if (derived.controllerListenerNames.length > 1) {
    judge.warn(key, 'only the first name is used, since this node is not a controller')
  }
}

function judgeAdvertised(config: BrokerConfig, derived: Derived, judge: Judge): void {
  const key = config.isSet('advertised.listeners') ? 'advertised.listeners' : 'listeners'
  const advertised = derived.advertisedBrokerListeners
  const everyone = [...advertised, ...derived.advertisedControllerListeners]
  // Bound to 0.0.0.0 and not advertised is how Kafka's controllers are often set up, so only what
  // is told.
  const told = key === 'listeners' ? advertised : everyone
  if (told.some(({ host }) => host === '0.0.0.0')) {
    judge.refuse(
      key,
      '0.0.0.0 is not an address that others can reach',
      'a host name or address in advertised.listeners',
      LISTENER_KEYS,
    )
  }
  if (!derived.isBroker) return
  if (advertised.length === 0) {
    judge.refuse(key, 'a broker needs a listener that is not a controller listener', '', [
      ...LISTENER_KEYS,
      'process.roles',
    ])
    return
  }
  const names = advertised.map(({ name }) => name)
  const bound = [...derived.brokerListeners, ...derived.controllerListeners]
  const unbound = names.filter((name) => !bound.some((listener) => listener.name === name))
  if (unbound.length > 0) {
    judge.refuse(key, `${unbound.join(', ')} is not among the listeners`, '', LISTENER_KEYS)
  }
  if (!names.includes(derived.interBrokerListener ?? '')) {
    judge.refuse(
      'inter.broker.listener.name',
      `${derived.interBrokerListener} is not an advertised listener of this broker`,
      names.join(', '),
      [...LISTENER_KEYS, 'advertised.listeners', 'security.inter.broker.protocol'],
    )
  }
}

function judgeProtocols(derived: Derived, judge: Judge): void {
  const used = new Set([
    ...[...derived.brokerListeners, ...derived.controllerListeners].map(({ name }) => name),
    ...derived.advertisedBrokerListeners.map(({ name }) => name),
    ...derived.controllerListenerNames.map((name) => name.toUpperCase()),
  ])
  for (const name of used) {
    const protocol = derived.protocols.get(name)
    if (protocol === undefined || protocol === 'PLAINTEXT') continue
    judge.refuse(
      'listener.security.protocol.map',
      `listener ${name} uses ${protocol}, which is not built and would leave it open`,
      'PLAINTEXT',
      LISTENER_KEYS,
    )
  }
}

function judgeNumbers(config: BrokerConfig, derived: Derived, judge: Judge): void {
  for (const { key, holds, problem, reads = [] } of RELATIONS) {
    if (!holds(config)) judge.refuse(key, problem, '', reads)
  }
  if (config.get('max.connections.per.ip') === 0 && derived.maxConnectionsOf.size === 0) {
    const problem = '0 lets nobody in, unless max.connections.per.ip.overrides names someone'
    judge.refuse('max.connections.per.ip', problem, 'at least 1', [
      'max.connections.per.ip.overrides',
    ])
  }
  const names = new Set([...derived.protocols.keys()])
  for (const name of config.get('early.start.listeners') ?? []) {
    if (names.has(name.toUpperCase())) continue
    judge.refuse('early.start.listeners', `${name} is not among the listeners`, '', LISTENER_KEYS)
  }
  if (config.get('broker.heartbeat.interval.ms') >= config.get('broker.session.timeout.ms')) {
    judge.warn(
      'broker.heartbeat.interval.ms',
      'not below broker.session.timeout.ms: the broker will be fenced between heartbeats',
    )
  }
}
