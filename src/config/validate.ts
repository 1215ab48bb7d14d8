// Judging changes of configuration: what CreateTopics, IncrementalAlterConfigs and AlterConfigs may
// store.
//
// A change is judged by the whole that it leaves behind, and either all of it is taken or none.
// What is not built and concerns security, durability or placement is refused when it is set, never
// when it is removed. Error names are rows of the protocol's errors; the messages mean what Kafka's
// mean.
// Kafka: ConfigurationControlManager, ConfigAdminManager, ControllerConfigurationValidator,
// DynamicBrokerConfig.validateConfigs, LogConfig.validate, GroupConfig.validate,
// ClientMetricsConfigs.validate.

import { clientMetricsTable } from './client.ts'
import type { BrokerConfig, ConfigKey, DynamicLayers } from './config.ts'
import { nodeRow, nodeTable } from './config.ts'
import { derive } from './derive.ts'
import { groupTable } from './group.ts'
import { objectionTo } from './objection.ts'
import type { Row, Table } from './rows.ts'
import { isSensitive } from './rows.ts'
import { LISTENER_KEY } from './synonyms.ts'
import { readValue } from './text/values.ts'
import { topicTable } from './topic.ts'
import type { TopicKey } from './topic_config.ts'
import { effectiveTopicValue } from './topic_config.ts'
import { isSecurityKey } from './unknown.ts'

/** What is configured: a broker's name is its id, and the empty name is the cluster's default. */
export interface ConfigResource {
  readonly type: 'topic' | 'broker' | 'group' | 'client-metrics'
  readonly name: string
}

/** One operation of IncrementalAlterConfigs. */
export interface ConfigOp {
  readonly key: string
  readonly op: 'set' | 'delete' | 'append' | 'subtract'
  readonly value: string | null
}

/** Why nothing is changed: the name of a protocol error, and a sentence for people. */
export interface ConfigRefusal {
  readonly error: 'INVALID_CONFIG' | 'INVALID_REQUEST'
  readonly message: string
}

/** The outcome: the records to write (null removes a key), or the refusal. */
export type ConfigChange =
  | { readonly ok: true; readonly changes: ReadonlyMap<string, string | null> }
  | { readonly ok: false; readonly refusal: ConfigRefusal }

type Stored = ReadonlyMap<string, string>

const VALUE_BYTES_MAX = 32767

/** Judges the operations of one resource in IncrementalAlterConfigs. */
export function alterConfigs(
  resource: ConfigResource,
  stored: Stored,
  ops: readonly ConfigOp[],
  broker: BrokerConfig,
): ConfigChange {
  const malformed = malformedOps(ops)
  if (malformed !== null) return { ok: false, refusal: malformed }
  const wanted = new Map<string, string | null>()
  for (const op of ops) {
    const applied = applyOp(resource, stored.get(op.key) ?? null, op)
    if (typeof applied === 'object' && applied !== null) return { ok: false, refusal: applied }
    wanted.set(op.key, applied)
  }
  return judgeChange(resource, stored, wanted, broker)
}

/** Judges AlterConfigs, which replaces everything that is stored. */
export function replaceConfigs(
  resource: ConfigResource,
  stored: Stored,
  next: ReadonlyMap<string, string | null>,
  broker: BrokerConfig,
): ConfigChange {
  const nulls = [...next].filter(([, value]) => value === null).map(([key]) => key)
  if (nulls.length > 0) {
    return { ok: false, refusal: request(`Null value not supported for: ${nulls.join(', ')}`) }
  }
  const wanted = new Map<string, string | null>([...stored.keys()].map((key) => [key, null]))
  for (const [key, value] of next) wanted.set(key, value)
  return judgeChange(resource, stored, wanted, broker)
}

/** Judges the settings a topic is created with; null when they may be stored. */
export function refuseTopicConfigs(
  configs: ReadonlyMap<string, string | null>,
  broker: BrokerConfig,
): ConfigRefusal | null {
  const nulls = [...configs].filter(([, value]) => value === null).map(([key]) => key)
  if (nulls.length > 0) {
    return invalid(`Null value not supported for topic configs: ${nulls.join(', ')}`)
  }
  const change = judgeChange({ type: 'topic', name: '' }, new Map(), configs, broker)
  return change.ok ? null : change.refusal
}

/** What stands against settings that are already stored, as a foreign log may hold them. */
export function objectionsToStored(
  resource: ConfigResource,
  stored: Stored,
): readonly { readonly key: string; readonly refused: boolean; readonly problem: string }[] {
  return [...stored].flatMap(([key, value]) => {
    const row = rowOf(resource, key)
    const objection = row === undefined ? null : objectionTo(key, row, value)
    return objection === null ? [] : [{ key, ...objection }]
  })
}

function malformedOps(ops: readonly ConfigOp[]): ConfigRefusal | null {
  if (new Set(ops.map(({ key }) => key)).size < ops.length) {
    return request('Error due to duplicate config keys')
  }
  const nulls = ops.filter(({ op, value }) => op !== 'delete' && value === null)
  if (nulls.length === 0) return null
  return request(`Null value not supported for: ${nulls.map(({ key }) => key).join(', ')}`)
}

/** The value an operation leaves behind; null removes the key. */
function applyOp(
  resource: ConfigResource,
  current: string | null,
  { key, op, value }: ConfigOp,
): string | null | ConfigRefusal {
  if (op === 'delete') return null
  if (op === 'set') return value
  const row = rowOf(resource, key)
  if (row?.type !== 'LIST') {
    return invalid(`Can't ${op.toUpperCase()} to key ${key} because its type is not LIST.`)
  }
  const parts = splitList(current ?? row.fallback ?? '')
  // Nothing appended is an empty element, which no list takes; nothing subtracted is nothing.
  const given = op === 'append' && value === '' ? [''] : splitList(value ?? '')
  const next =
    op === 'append'
      ? [...parts, ...given.filter((part) => !parts.includes(part))]
      : parts.filter((part) => !given.includes(part))
  return next.join(',')
}

function splitList(text: string): string[] {
  return text.split(/\s*,\s*/).filter((part) => part !== '')
}

function judgeChange(
  resource: ConfigResource,
  stored: Stored,
  wanted: ReadonlyMap<string, string | null>,
  broker: BrokerConfig,
): ConfigChange {
  const next = new Map(stored)
  const changes = new Map<string, string | null>()
  for (const [key, value] of wanted) {
    // A broker's record is written even when equal, so that what a path points at is read again.
    const isSame = (stored.get(key) ?? null) === value
    if (!isSame || (resource.type === 'broker' && value !== null)) changes.set(key, value)
    if (value === null) next.delete(key)
    else next.set(key, value)
  }
  const set = [...changes].flatMap(([key, value]) => (value === null ? [] : [{ key, value }]))
  const refusal =
    set.map(({ key, value }) => refuseSetting(resource, key, value)).find((one) => one !== null) ??
    judgeWhole(resource, stored, next, broker)
  return refusal === null ? { ok: true, changes } : { ok: false, refusal }
}

/** Judges one setting by itself: length, and whether something unbuilt would be promised. */
function refuseSetting(resource: ConfigResource, key: string, value: string): ConfigRefusal | null {
  if (new TextEncoder().encode(value).length > VALUE_BYTES_MAX) {
    return invalid(`The value of ${key} is larger than the maximum of ${VALUE_BYTES_MAX} bytes.`)
  }
  const row = rowOf(resource, key)
  if (row === undefined) {
    const isSecurity =
      resource.type === 'broker' && isSecurityKey(LISTENER_KEY.exec(key)?.[2] ?? key)
    return isSecurity ? invalid(`${key} is not known here, and security would depend on it.`) : null
  }
  const objection = objectionTo(key, row, value)
  return objection?.refused === true ? invalid(`${key} is refused: ${objection.problem}.`) : null
}

function judgeWhole(
  resource: ConfigResource,
  stored: Stored,
  next: Stored,
  broker: BrokerConfig,
): ConfigRefusal | null {
  switch (resource.type) {
    case 'topic':
      return judgeTopic(stored, next, broker)
    case 'broker':
      return judgeBroker(resource, next, broker)
    case 'group':
      return judgeGroup(next, broker)
    case 'client-metrics':
      return judgeClientMetrics(next)
  }
}

function rowOf(resource: ConfigResource, key: string): Row | undefined {
  if (resource.type === 'broker') return nodeRow(key)
  const table = TABLES[resource.type]
  return Object.hasOwn(table, key) ? table[key] : undefined
}

const TABLES: Readonly<Record<'topic' | 'group' | 'client-metrics', Table>> = {
  topic: topicTable,
  group: groupTable,
  'client-metrics': clientMetricsTable,
}

function invalid(message: string): ConfigRefusal {
  return { error: 'INVALID_CONFIG', message }
}

function request(message: string): ConfigRefusal {
  return { error: 'INVALID_REQUEST', message }
}

function invalidValue(row: Row, key: string, value: string): string | null {
  const reading = readValue(row, value)
  const shown = isSensitive(row) ? '[hidden]' : value
  return reading.ok ? null : `Invalid value ${shown} for configuration ${key}: ${reading.problem}`
}

function firstInvalid(table: Table, configs: Stored): ConfigRefusal | null {
  for (const [key, value] of configs) {
    const message = invalidValue(table[key]!, key, value)
    if (message !== null) return invalid(message)
  }
  return null
}

function unknownIn(table: Table, configs: Stored): string | undefined {
  return [...configs.keys()].find((key) => !Object.hasOwn(table, key))
}

function judgeTopic(stored: Stored, next: Stored, broker: BrokerConfig): ConfigRefusal | null {
  const unknown = unknownIn(topicTable, next)
  if (unknown !== undefined) return invalid(`Unknown topic config name: ${unknown}`)
  const bad = firstInvalid(topicTable, next)
  if (bad !== null) return bad
  const value = (key: TopicKey) => effectiveTopicValue(key, next, broker).value
  const least = value('min.compaction.lag.ms') as number
  const most = value('max.compaction.lag.ms') as number
  if (least > most) {
    return invalid(
      `min.compaction.lag.ms (${least}) must not be more than max.compaction.lag.ms (${most})`,
    )
  }
  if (value('remote.storage.enable') === true) {
    return invalid('Tiered storage is not built, and remote.storage.enable asks for it')
  }
  const wasRemote = stored.get('remote.storage.enable')?.trim().toLowerCase() === 'true'
  if (wasRemote && value('remote.log.delete.on.disable') !== true) {
    return invalid('Turning remote.storage.enable off would lose sight of what is stored remotely')
  }
  return null
}

/** Keys that Kafka changes while running and that change only at a restart here. */
const RESTART_KEYS: readonly string[] = ['listeners', 'listener.security.protocol.map']

function judgeBroker(
  resource: ConfigResource,
  next: Stored,
  broker: BrokerConfig,
): ConfigRefusal | null {
  const isCluster = resource.name === ''
  const unchangeable = [...next.keys()].filter(isFixed)
  if (unchangeable.length > 0) {
    return request(`Cannot update these configs dynamically: [${unchangeable.join(', ')}]`)
  }
  const local = isCluster ? [...next.keys()].filter(isPerBroker) : []
  if (local.length > 0) {
    const where = 'at default cluster level, broker id must be specified'
    return request(`Cannot update these configs ${where}: [${local.join(', ')}]`)
  }
  for (const [key, value] of next) {
    const message = brokerProblem(key, value)
    if (message !== null) return request(message)
  }
  if (!isCluster && broker.get('node.id') !== Number(resource.name)) return null
  const layers: DynamicLayers = isCluster
    ? { ...broker.layers, clusterDefault: next }
    : { ...broker.layers, thisBroker: next }
  const before = new Set(derive(broker).mistakes.map(({ key }) => key))
  const after = broker.withLayers(layers)
  const mistake = derive(after).mistakes.find(({ key }) => !before.has(key))
  if (mistake !== undefined) return request(`${mistake.key}: ${mistake.problem}`)
  return judgeThreads(broker, after)
}

const THREAD_KEYS = [
  'num.network.threads',
  'num.io.threads',
  'background.threads',
  'num.replica.fetchers',
  'num.recovery.threads.per.data.dir',
  'log.cleaner.threads',
] as const

/** Threads at most double or halve in one step, also where they are nobody's. */
function judgeThreads(before: BrokerConfig, after: BrokerConfig): ConfigRefusal | null {
  for (const key of THREAD_KEYS) {
    const [old, wanted] = [before.get(key), after.get(key)]
    const failed = `Dynamic thread count update validation failed for ${key}=${wanted}, value should`
    if (wanted < Math.trunc(old / 2)) {
      return request(`${failed} be at least half the current value ${old}`)
    }
    if (wanted > old * 2)
      return request(`${failed} not be greater than double the current value ${old}`)
  }
  return null
}

const isPlain = (key: string) => !LISTENER_KEY.test(key)
const isFixed = (key: string) => isPlain(key) && nodeRow(key)?.update === 'read-only'

function isPerBroker(key: string): boolean {
  const update = nodeRow(key)?.update
  return (
    update === 'per-broker' || (update !== undefined && update !== 'cluster-wide' && !isPlain(key))
  )
}

function brokerProblem(key: string, value: string): string | null {
  const row = nodeRow(key)
  if (row === undefined) return null
  if (isPlain(key) && RESTART_KEYS.includes(key)) {
    return `${key} changes only at a restart of the broker`
  }
  return invalidValue(row, key, value)
}

function judgeGroup(next: Stored, broker: BrokerConfig): ConfigRefusal | null {
  const unknown = unknownIn(groupTable, next)
  if (unknown !== undefined) return invalid(`Unknown group config name: ${unknown}`)
  const bad = firstInvalid(groupTable, next)
  if (bad !== null) return bad
  const own = (key: string) => {
    const text = next.get(key)
    return text === undefined ? broker.get(`group.${key}` as ConfigKey) : Number(text)
  }
  for (const [key] of next) {
    const dot = key.indexOf('.')
    for (const bound of ['min', 'max'] as const) {
      const limitKey = `group.${key.slice(0, dot)}.${bound}.${limitName(key.slice(dot + 1))}`
      if (!Object.hasOwn(nodeTable, limitKey)) continue
      const limit = broker.get(limitKey as ConfigKey) as number
      const value = own(key) as number
      if (bound === 'min' ? value < limit : value > limit) {
        const words = bound === 'min' ? 'greater than or equal to' : 'less than or equal to'
        return invalid(`${key} must be ${words} ${limitKey}`)
      }
    }
  }
  for (const kind of ['consumer', 'share', 'streams']) {
    const [session, pace] = [`${kind}.session.timeout.ms`, `${kind}.heartbeat.interval.ms`]
    if ((own(session) as number) <= (own(pace) as number)) {
      return invalid(`${session} must be greater than ${pace}`)
    }
  }
  return null
}

/** The bound of `num.standby.replicas` is `max.standby.replicas`; the others keep their names. */
function limitName(name: string): string {
  return name.replace(/^num\./, '')
}

const PUSH_INTERVAL_MS_MIN = 100
const PUSH_INTERVAL_MS_MAX = 3_600_000
const MATCHABLE = [
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
]

function judgeClientMetrics(next: Stored): ConfigRefusal | null {
  const unknown = unknownIn(clientMetricsTable, next)
  if (unknown !== undefined) return request(`Unknown client metrics configuration: ${unknown}`)
  const bad = firstInvalid(clientMetricsTable, next)
  if (bad !== null) return bad
  const interval = Number(next.get('interval.ms') ?? PUSH_INTERVAL_MS_MIN)
  if (interval < PUSH_INTERVAL_MS_MIN || interval > PUSH_INTERVAL_MS_MAX) {
    const range = `${PUSH_INTERVAL_MS_MIN} and ${PUSH_INTERVAL_MS_MAX}`
    return request(`Invalid value ${interval} for interval.ms: it must be between ${range}`)
  }
  const illegal = splitList(next.get('match') ?? '').find((pattern) => !isMatchPattern(pattern))
  return illegal === undefined ? null : invalid(`Illegal client matching pattern: ${illegal}`)
}

function isMatchPattern(text: string): boolean {
  const [name, pattern, ...rest] = text.split('=')
  if (pattern === undefined || rest.length > 0 || !MATCHABLE.includes(name!.trim())) return false
  return isRegularExpression(pattern.trim())
}

// The pattern is Java's; what both dialects refuse is an unclosed or dangling construct.
function isRegularExpression(text: string): boolean {
  let depth = 0
  let inClass = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '\\') at++
    else if (char === '[') inClass = true
    else if (char === ']') inClass = false
    else if (!inClass && char === '(') depth++
    else if (!inClass && char === ')' && --depth < 0) return false
  }
  return depth === 0 && !inClass && !/^[*+?]/.test(text) && !/(^|[^\\])(\\\\)*\\$/.test(text)
}
