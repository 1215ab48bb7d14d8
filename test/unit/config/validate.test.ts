// Changes of configuration: what is stored, what is refused and with which error.

import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../../src/config/parse.ts'
import type { ConfigOp, ConfigResource } from '../../../src/config/validate.ts'
import {
  alterConfigs,
  objectionsToStored,
  refuseTopicConfigs,
  replaceConfigs,
} from '../../../src/config/validate.ts'

const broker = parseConfig({
  options: {
    'process.roles': 'broker,controller',
    'node.id': 1,
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': 'localhost:9093',
  },
}).config

const topic: ConfigResource = { type: 'topic', name: 't' }
const cluster: ConfigResource = { type: 'broker', name: '' }
const thisBroker: ConfigResource = { type: 'broker', name: '1' }
const group: ConfigResource = { type: 'group', name: 'g' }
const subscription: ConfigResource = { type: 'client-metrics', name: 's' }

const set = (key: string, value: string | null): ConfigOp => ({ key, op: 'set', value })

function outcome(resource: ConfigResource, ops: ConfigOp[], stored: Record<string, string> = {}) {
  const change = alterConfigs(resource, new Map(Object.entries(stored)), ops, broker)
  return change.ok
    ? Object.fromEntries(change.changes)
    : `${change.refusal.error}: ${change.refusal.message}`
}

describe('config: validate', () => {
  test('config: validate: set, delete, append and subtract', () => {
    expect(outcome(topic, [set('segment.bytes', '2000000')])).toEqual({
      'segment.bytes': '2000000',
    })
    const remove: ConfigOp = { key: 'segment.bytes', op: 'delete', value: null }
    expect(outcome(topic, [remove], { 'segment.bytes': '2000000' })).toEqual({
      'segment.bytes': null,
    })
    const append: ConfigOp = { key: 'cleanup.policy', op: 'append', value: 'compact' }
    expect(outcome(topic, [append])).toEqual({ 'cleanup.policy': 'delete,compact' })
    const stored = { 'cleanup.policy': 'compact, delete' }
    expect(outcome(topic, [{ ...append, op: 'subtract' }], stored)).toEqual({
      'cleanup.policy': 'delete',
    })
    expect(outcome(topic, [{ key: 'segment.bytes', op: 'append', value: '1' }])).toBe(
      "INVALID_CONFIG: Can't APPEND to key segment.bytes because its type is not LIST.",
    )
  })

  test('config: validate: what is equal writes nothing, except for a broker', () => {
    const same = { 'segment.bytes': '2000000' }
    expect(outcome(topic, [set('segment.bytes', '2000000')], same)).toEqual({})
    const limit = { 'max.connections': '10' }
    expect(outcome(cluster, [set('max.connections', '10')], limit)).toEqual(limit)
  })

  test('config: validate: malformed requests', () => {
    const twice = [set('segment.ms', '1'), set('segment.ms', '2')]
    expect(outcome(topic, twice)).toMatch(/^INVALID_REQUEST: .*duplicate/)
    expect(outcome(topic, [set('segment.ms', null)])).toBe(
      'INVALID_REQUEST: Null value not supported for: segment.ms',
    )
  })

  test('config: validate: topic keys and values', () => {
    expect(outcome(topic, [set('segment.byte', '1')])).toBe(
      'INVALID_CONFIG: Unknown topic config name: segment.byte',
    )
    expect(outcome(topic, [set('retention.ms', 'a')])).toBe(
      'INVALID_CONFIG: Invalid value a for configuration retention.ms: Not a number of type LONG',
    )
    expect(outcome(topic, [set('retention.ms', '-2')])).toMatch(/must be at least -1/)
    expect(outcome(topic, [set('compression.type', 'lz')])).toMatch(/must be one of: uncompressed/)
    expect(outcome(topic, [set('max.message.bytes', ' 5 ')])).toEqual({
      'max.message.bytes': ' 5 ',
    })
    expect(outcome(topic, [set('segment.ms', 'x'.repeat(40_000))])).toMatch(/32767 bytes/)
  })

  test('config: validate: a topic is judged by the whole that is left behind', () => {
    const stored = { 'min.compaction.lag.ms': '10' }
    expect(outcome(topic, [set('max.compaction.lag.ms', '5')], stored)).toBe(
      'INVALID_CONFIG: min.compaction.lag.ms (10) must not be more than max.compaction.lag.ms (5)',
    )
    expect(outcome(topic, [set('max.compaction.lag.ms', '10')], stored)).toEqual({
      'max.compaction.lag.ms': '10',
    })
    const remote = { 'remote.storage.enable': 'true' }
    expect(outcome(topic, [set('segment.bytes', '2000000')], remote)).toMatch(/Tiered storage/)
    const off: ConfigOp = { key: 'remote.storage.enable', op: 'delete', value: null }
    expect(outcome(topic, [off], remote)).toMatch(/lose sight/)
  })

  test('config: validate: what is not built and protects something is refused', () => {
    expect(outcome(topic, [set('remote.storage.enable', 'true')])).toMatch(
      /^INVALID_CONFIG: remote\.storage\.enable is refused: .*durability/,
    )
    expect(outcome(topic, [set('remote.storage.enable', 'false')])).toEqual({
      'remote.storage.enable': 'false',
    })
    expect(outcome(thisBroker, [set('listener.name.x.ssl.keystore.location', '/k')])).toMatch(
      /^INVALID_CONFIG: .*security/,
    )
    expect(outcome(thisBroker, [set('sasl.something', 'x')])).toMatch(/^INVALID_CONFIG/)
    expect(outcome(thisBroker, [set('sasl.kerberos.service.name', 'k')])).toMatch(/security/)
    // Pacing what cannot be turned on promises nothing; librdkafka's admin test sets it.
    const pace = { 'sasl.kerberos.min.time.before.relogin': '58000' }
    expect(
      outcome(
        thisBroker,
        Object.entries(pace).map(([key, v]) => set(key, v)),
      ),
    ).toEqual(pace)
    expect(outcome(thisBroker, [set('cordoned.log.dirs', '*')])).toEqual({
      'cordoned.log.dirs': '*',
    })
    for (const bad of ['/elsewhere', '*,/elsewhere']) {
      expect(outcome(thisBroker, [set('cordoned.log.dirs', bad)])).toMatch(
        /^INVALID_REQUEST: cordoned\.log\.dirs: each of its entries must be one of log\.dirs/,
      )
    }
    expect(outcome(topic, [set('retention.ms', '1000')])).toEqual({ 'retention.ms': '1000' })
  })

  test('config: validate: what a foreign log holds may stay and may be removed', () => {
    const stored = { 'remote.log.copy.disable': 'true' }
    expect(outcome(topic, [set('retention.ms', '5')], stored)).toEqual({ 'retention.ms': '5' })
    const remove: ConfigOp = { key: 'remote.log.copy.disable', op: 'delete', value: null }
    expect(outcome(topic, [remove], stored)).toEqual({ 'remote.log.copy.disable': null })
    const held = new Map([
      ...Object.entries(stored),
      ['unclean.leader.election.enable', 'true'],
      ['segment.bytes', '9'],
    ])
    expect(objectionsToStored(topic, held)).toMatchObject([
      { key: 'remote.log.copy.disable', refused: true },
      { key: 'unclean.leader.election.enable', refused: false },
    ])
  })

  test('config: validate: broker keys by their update mode', () => {
    expect(outcome(cluster, [set('num.partitions', '3')])).toBe(
      'INVALID_REQUEST: Cannot update these configs dynamically: [num.partitions]',
    )
    expect(outcome(cluster, [set('principal.builder.class', 'x')])).toMatch(/^INVALID_CONFIG/)
    expect(outcome(cluster, [set('log.segment.bytes', '1')])).toMatch(/at least 1048576/)
    expect(outcome(cluster, [set('message.max.bytes', '100')])).toEqual({
      'message.max.bytes': '100',
    })
    expect(outcome(thisBroker, [set('listeners', 'PLAINTEXT://:1')])).toMatch(/restart/)
    expect(outcome(cluster, [set('cordoned.log.dirs', '')])).toMatch(/broker id must be specified/)
    expect(outcome(cluster, [set('my.own.plugin.key', 'x')])).toEqual({ 'my.own.plugin.key': 'x' })
    expect(outcome(cluster, [set('leader.replication.throttled.rate', '-1')])).toMatch(
      /Invalid value/,
    )
  })

  test('config: validate: a broker is judged by the whole that is left behind', () => {
    expect(outcome(cluster, [set('max.connections.per.ip', '0')])).toMatch(
      /^INVALID_REQUEST: max\.connections\.per\.ip: /,
    )
    const overrides = { 'max.connections.per.ip.overrides': '127.0.0.1:5' }
    expect(outcome(cluster, [set('max.connections.per.ip', '0')], overrides)).toEqual({
      'max.connections.per.ip': '0',
    })
    expect(outcome(cluster, [set('log.retention.ms', '0')])).toMatch(/log\.retention\.ms/)
    expect(outcome(thisBroker, [set('max.connections.per.ip.overrides', '127.0.0.1:b')])).toMatch(
      /count/,
    )
  })

  test('config: validate: groups stay within the bounds of the broker', () => {
    expect(outcome(group, [set('consumer.session.timeout.ms', '1')])).toBe(
      'INVALID_CONFIG: consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms',
    )
    expect(outcome(group, [set('consumer.heartbeat.interval.ms', '15001')])).toMatch(/less than/)
    expect(outcome(group, [set('streams.num.standby.replicas', '3')])).toBe(
      'INVALID_CONFIG: streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas',
    )
    expect(outcome(group, [set('share.delivery.count.limit', '11')])).toMatch(/max\.delivery/)
    expect(outcome(group, [set('share.isolation.level', 'x')])).toMatch(/read_committed/)
    expect(outcome(group, [set('x', '1')])).toBe('INVALID_CONFIG: Unknown group config name: x')
    expect(outcome(group, [set('consumer.session.timeout.ms', '45000')])).toEqual({
      'consumer.session.timeout.ms': '45000',
    })
  })

  test('config: validate: metrics subscriptions', () => {
    const of = (key: string, value: string) => outcome(subscription, [set(key, value)])
    expect(of('interval.ms', '99')).toMatch(/^INVALID_REQUEST: .*between 100 and 3600000/)
    expect(of('interval.ms', 'a')).toMatch(/^INVALID_CONFIG/)
    expect(of('x', '1')).toMatch(/^INVALID_REQUEST: Unknown client metrics/)
    for (const bad of [
      'a',
      'client_id=[',
      'foo=a',
      'client_id=a=b',
      'client_id=(',
      'client_id=*',
    ]) {
      expect({ bad, outcome: of('match', bad) }).toMatchObject({
        outcome: `INVALID_CONFIG: Illegal client matching pattern: ${bad}`,
      })
    }
    for (const good of ['client_id=a', '', ' client_id = a ', 'client_id=a,client_id=b.*']) {
      expect(of('match', good)).toEqual({ match: good })
    }
  })

  test('config: validate: replacing removes what is not named', () => {
    const stored = new Map([
      ['segment.bytes', '2000000'],
      ['retention.ms', '5'],
    ])
    expect(replaceConfigs(topic, stored, new Map([['retention.ms', '6']]), broker)).toEqual({
      ok: true,
      changes: new Map<string, string | null>([
        ['segment.bytes', null],
        ['retention.ms', '6'],
      ]),
    })
    const nothing = replaceConfigs(topic, stored, new Map([['retention.ms', null]]), broker)
    expect(nothing).toMatchObject({ ok: false, refusal: { error: 'INVALID_REQUEST' } })
  })

  test('config: validate: settings of a new topic', () => {
    expect(refuseTopicConfigs(new Map([['segment.bytes', '2000000']]), broker)).toBeNull()
    expect(refuseTopicConfigs(new Map([['remote.storage.enable', 'true']]), broker)?.error).toBe(
      'INVALID_CONFIG',
    )
    expect(refuseTopicConfigs(new Map([['segment.bytes', null]]), broker)?.error).toBe(
      'INVALID_CONFIG',
    )
  })
})
