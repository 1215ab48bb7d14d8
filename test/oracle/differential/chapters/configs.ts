// DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.

import {
  AlterConfigs,
  DescribeConfigs,
  IncrementalAlterConfigs,
  ListConfigResources,
} from '../../../../src/protocol/messages/configs.ts'
import type { Listener } from '../sides.ts'
import type { Talk } from '../talk.ts'

const TOPIC = 2
const BROKER = 4
const LOGGER = 8
const METRICS = 16
const GROUP = 32
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3]

const NAME = 'configured'

export async function configs(talk: Talk): Promise<void> {
  await talk.haveTopics(
    [NAME, 'replaced', 'listed'].map((name) => ({
      name,
      numPartitions: 1,
      configs: { 'retention.ms': '100000' },
    })),
  )
  await describe(talk, 'at first')
  await incremental(talk)
  await replacing(talk)
  await listing(talk)
  await describe(talk, 'in the end')
  for (const listener of ['broker', 'controller'] as const) {
    await alter(talk, 'clean', BROKER, '', [['message.max.bytes', DELETE, null]], listener)
    await alter(talk, 'clean', BROKER, '1', [['message.max.bytes', DELETE, null]], listener)
  }
}

async function describe(talk: Talk, when: string): Promise<void> {
  const ask = (
    label: string,
    resourceType: number,
    resourceName: string,
    configurationKeys: string[] | null = null,
    range = '1-4',
    listener: Listener = 'broker',
  ) =>
    talk.ask(
      `describe ${when}: ${label}`,
      DescribeConfigs,
      range,
      (v) => ({
        resources: [{ resourceType, resourceName, configurationKeys }],
        includeSynonyms: v !== 2,
        ...(v >= 3 ? { includeDocumentation: v === 4 } : {}),
      }),
      listener,
    )
  await ask('a topic', TOPIC, NAME)
  await ask('a topic, some keys', TOPIC, NAME, ['retention.ms', 'no.such.key', 'retention.ms'])
  await ask('a topic, no keys', TOPIC, NAME, [])
  await ask('an unknown topic', TOPIC, 'nowhere')
  await ask('a bad topic', TOPIC, 'not good')
  await ask('an empty topic', TOPIC, '')
  await ask('the broker', BROKER, '1')
  await ask('the broker, some keys', BROKER, '1', ['message.max.bytes', 'log.retention.ms', 'x'])
  await ask('the cluster default', BROKER, '')
  await ask('the cluster default, some keys', BROKER, '', ['message.max.bytes', 'node.id'])
  for (const name of ['2', 'one', '-1', '01', ' 1']) await ask(`broker '${name}'`, BROKER, name)
  await ask('loggers of another', LOGGER, '2')
  await ask('loggers of none', LOGGER, '')
  await ask('metrics', METRICS, 'sub')
  await ask('metrics of none', METRICS, '')
  await ask('group', GROUP, 'g')
  await ask('group of none', GROUP, '')
  for (const type of [0, 1, 3, 64, -1]) await ask(`type ${type}`, type, 'x')
  await ask('at the controller: the broker', BROKER, '1', null, '1-4', 'controller')
  await ask('at the controller: the default', BROKER, '', null, '1-4', 'controller')
  await ask('at the controller: a topic', TOPIC, NAME, null, '1-4', 'controller')
  await ask('at the controller: broker 2', BROKER, '2', null, '1-4', 'controller')
  await talk.ask(`describe ${when}: several`, DescribeConfigs, '1-4', {
    resources: [
      { resourceType: TOPIC, resourceName: NAME, configurationKeys: ['retention.ms'] },
      { resourceType: TOPIC, resourceName: NAME, configurationKeys: ['cleanup.policy'] },
      { resourceType: BROKER, resourceName: '1', configurationKeys: ['node.id'] },
      { resourceType: BROKER, resourceName: '7', configurationKeys: ['node.id'] },
    ],
  })
  await talk.ask(`describe ${when}: nothing`, DescribeConfigs, '1-4', { resources: [] })
}

type Op = readonly [name: string, configOperation: number, value: string | null]

function alter(
  talk: Talk,
  label: string,
  resourceType: number,
  resourceName: string,
  ops: readonly Op[],
  listener: Listener = 'broker',
  validateOnly = false,
) {
  return talk.ask(
    `alter: ${label}`,
    IncrementalAlterConfigs,
    '0-1',
    {
      resources: [
        {
          resourceType,
          resourceName,
          configs: ops.map(([name, configOperation, value]) => ({ name, configOperation, value })),
        },
      ],
      validateOnly,
    },
    listener,
  )
}

async function incremental(talk: Talk): Promise<void> {
  const topic: Record<string, readonly Op[]> = {
    set: [['retention.ms', SET, '5000']],
    'set and delete': [
      ['retention.bytes', SET, '5000'],
      ['retention.ms', DELETE, null],
    ],
    'delete what is not set': [['segment.ms', DELETE, null]],
    'delete with a value': [['segment.ms', DELETE, '7']],
    'delete an unknown key': [['no.such.key', DELETE, null]],
    'set an unknown key': [['no.such.key', SET, '1']],
    'set null': [['retention.ms', SET, null]],
    'set a bad value': [['retention.ms', SET, 'soon']],
    'set an empty value': [['retention.ms', SET, '']],
    'set with spaces': [['retention.ms', SET, ' 6000 ']],
    append: [['cleanup.policy', APPEND, 'compact']],
    'append again': [['cleanup.policy', APPEND, 'compact']],
    'append a bad value': [['cleanup.policy', APPEND, 'shred']],
    'append several': [['cleanup.policy', APPEND, 'compact,delete']],
    'append null': [['cleanup.policy', APPEND, null]],
    'append nothing': [['cleanup.policy', APPEND, '']],
    subtract: [['cleanup.policy', SUBTRACT, 'delete']],
    'subtract again': [['cleanup.policy', SUBTRACT, 'delete']],
    'subtract the last': [['cleanup.policy', SUBTRACT, 'compact']],
    'subtract null': [['cleanup.policy', SUBTRACT, null]],
    'append to no list': [['retention.ms', APPEND, '1']],
    'subtract from no list': [['retention.ms', SUBTRACT, '1']],
    'subtract from an unset list': [['leader.replication.throttled.replicas', SUBTRACT, '0:1']],
    'append to an unset list': [['leader.replication.throttled.replicas', APPEND, '0:1']],
    'a key twice': [
      ['retention.ms', SET, '1'],
      ['retention.ms', SET, '2'],
    ],
    'a key twice, two operations': [
      ['retention.ms', SET, '1'],
      ['retention.ms', DELETE, null],
    ],
    'unknown operation': [['retention.ms', 4, '1']],
    'negative operation': [['retention.ms', -1, '1']],
    nothing: [],
    'an empty key': [['', SET, '1']],
    'a broker key': [['log.retention.ms', SET, '1']],
    'min isr': [['min.insync.replicas', SET, '2']],
    'min isr back': [['min.insync.replicas', DELETE, null]],
    'crossed lags': [
      ['min.compaction.lag.ms', SET, '10'],
      ['max.compaction.lag.ms', SET, '5'],
    ],
  }
  for (const [label, ops] of Object.entries(topic)) {
    await alter(talk, `topic: ${label}, validate only`, TOPIC, NAME, ops, 'broker', true)
    await alter(talk, `topic: ${label}`, TOPIC, NAME, ops)
    await talk.ask(`after ${label}`, DescribeConfigs, '4', {
      resources: [{ resourceType: TOPIC, resourceName: NAME, configurationKeys: null }],
      includeSynonyms: true,
    })
  }
  await alter(talk, 'unknown topic', TOPIC, 'nowhere', topic['set']!)
  await alter(talk, 'bad topic', TOPIC, 'not good', topic['set']!)
  await alter(talk, 'empty topic', TOPIC, '', topic['set']!)
  await alter(talk, 'topic at the controller', TOPIC, NAME, topic['set']!, 'controller')
  await brokers(talk)
  await others(talk)
  await resources(talk)
}

async function brokers(talk: Talk): Promise<void> {
  const ops: Record<string, readonly Op[]> = {
    dynamic: [['message.max.bytes', SET, '20001']],
    'cluster wide': [['log.retention.ms', SET, '700000']],
    'read only': [['node.id', SET, '7']],
    'read only, deleted': [['node.id', DELETE, null]],
    'per broker': [['max.connections.per.ip', SET, '1000']],
    'only per broker': [
      ['listener.security.protocol.map', SET, 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT'],
    ],
    unknown: [['no.such.key', SET, '1']],
    'unknown, deleted': [['no.such.key', DELETE, null]],
    'bad value': [['message.max.bytes', SET, 'big']],
    'null value': [['message.max.bytes', SET, null]],
    'below range': [['message.max.bytes', SET, '-1']],
    append: [['log.cleanup.policy', APPEND, 'compact']],
    'a topic key': [['retention.ms', SET, '1']],
    threads: [['num.io.threads', SET, '9']],
    'many threads': [['num.io.threads', SET, '1000']],
    'no threads': [['num.io.threads', SET, '0']],
    'min isr': [['min.insync.replicas', SET, '2']],
    'unclean election': [['unclean.leader.election.enable', SET, 'true']],
    throttle: [['leader.replication.throttled.rate', SET, '1000']],
    interceptors: [['metric.reporters', SET, '']],
    nothing: [],
  }
  for (const [label, changes] of Object.entries(ops)) {
    for (const id of ['', '1']) {
      const whose = id === '' ? 'default' : 'broker'
      await alter(talk, `${whose}: ${label}, validate only`, BROKER, id, changes, 'broker', true)
      await alter(talk, `${whose}: ${label}`, BROKER, id, changes)
      // Kafka's controller leaves the values to the broker that was asked: kept, they would poison it.
      await alter(
        talk,
        `${whose}: ${label}, validate only`,
        BROKER,
        id,
        changes,
        'controller',
        true,
      )
    }
    await talk.settle(
      DescribeConfigs,
      4,
      { resources: [{ resourceType: TOPIC, resourceName: NAME, configurationKeys: null }] },
      () => true,
    )
  }
  await describe(talk, 'with broker settings')
  for (const id of ['', '1']) {
    const keys = [
      'message.max.bytes',
      'log.retention.ms',
      'max.connections.per.ip',
      'log.cleanup.policy',
      'num.io.threads',
      'min.insync.replicas',
      'unclean.leader.election.enable',
      'leader.replication.throttled.rate',
      'metric.reporters',
      'listener.security.protocol.map',
      'no.such.key',
      'retention.ms',
    ]
    for (const key of keys) await alter(talk, `reset ${key}`, BROKER, id, [[key, DELETE, null]])
  }
  for (const name of ['2', 'one', '-1', '01', '1 ', '99999999999']) {
    await alter(talk, `broker '${name}'`, BROKER, name, [['message.max.bytes', SET, '30000']])
    await alter(
      talk,
      `broker '${name}'`,
      BROKER,
      name,
      [['message.max.bytes', SET, '30000']],
      'controller',
    )
  }
}

async function others(talk: Talk): Promise<void> {
  const group: Record<string, readonly Op[]> = {
    good: [['consumer.session.timeout.ms', SET, '50000']],
    'too low': [['consumer.session.timeout.ms', SET, '1']],
    'not a number': [['consumer.session.timeout.ms', SET, 'x']],
    unknown: [['no.such.key', SET, '1']],
    deleted: [['consumer.session.timeout.ms', DELETE, null]],
    'below the heartbeat': [
      ['consumer.session.timeout.ms', SET, '45000'],
      ['consumer.heartbeat.interval.ms', SET, '50000'],
    ],
  }
  for (const [label, ops] of Object.entries(group)) {
    await alter(talk, `group: ${label}`, GROUP, 'g', ops)
    await alter(talk, `group of none: ${label}`, GROUP, '', ops)
  }
  const metrics: Record<string, readonly Op[]> = {
    good: [
      ['interval.ms', SET, '5000'],
      ['metrics', SET, 'org.apache.kafka.producer.'],
      ['match', SET, 'client_id=.*'],
    ],
    'interval too low': [['interval.ms', SET, '10']],
    'interval too high': [['interval.ms', SET, '3600001']],
    'bad match': [['match', SET, 'nobody=x']],
    'bad pattern': [['match', SET, 'client_id=[']],
    'match without value': [['match', SET, 'client_id']],
    unknown: [['no.such.key', SET, '1']],
    append: [['metrics', APPEND, 'org.apache.kafka.consumer.']],
  }
  for (const [label, ops] of Object.entries(metrics)) {
    await alter(talk, `metrics: ${label}`, METRICS, 'sub', ops)
    await alter(talk, `metrics of none: ${label}`, METRICS, '', ops)
  }
  for (const type of [0, 1, 3, 64, -1]) {
    await alter(talk, `type ${type}`, type, 'x', [['a', SET, 'b']])
  }
  const logger = 'org.apache.kafka.nothing'
  await alter(talk, 'logger of another', LOGGER, '2', [[logger, SET, 'INFO']])
  await alter(talk, 'logger of none', LOGGER, '', [[logger, SET, 'INFO']])
}

async function resources(talk: Talk): Promise<void> {
  const set = [{ name: 'retention.ms', configOperation: SET, value: '7000' }]
  await talk.ask('alter: a resource twice', IncrementalAlterConfigs, '0-1', {
    resources: [
      { resourceType: TOPIC, resourceName: NAME, configs: set },
      { resourceType: TOPIC, resourceName: NAME, configs: set },
      { resourceType: TOPIC, resourceName: 'listed', configs: set },
    ],
  })
  await talk.ask('alter: good and bad', IncrementalAlterConfigs, '0-1', {
    resources: [
      { resourceType: TOPIC, resourceName: NAME, configs: set },
      { resourceType: TOPIC, resourceName: 'nowhere', configs: set },
      { resourceType: 64, resourceName: 'x', configs: set },
    ],
  })
  await talk.ask('alter: no resource', IncrementalAlterConfigs, '0-1', { resources: [] })
}

async function replacing(talk: Talk): Promise<void> {
  const ask = (
    label: string,
    resourceType: number,
    resourceName: string,
    entries: readonly (readonly [string, string | null])[],
    validateOnly = false,
  ) =>
    talk.ask(`replace: ${label}`, AlterConfigs, '0-2', {
      resources: [
        {
          resourceType,
          resourceName,
          configs: entries.map(([name, value]) => ({ name, value })),
        },
      ],
      validateOnly,
    })
  const topic: Record<string, readonly (readonly [string, string | null])[]> = {
    good: [['segment.ms', '50000']],
    same: [['segment.ms', '50000']],
    null: [['segment.ms', null]],
    bad: [['segment.ms', 'x']],
    unknown: [['no.such.key', '1']],
    twice: [
      ['segment.ms', '60000'],
      ['segment.ms', '70000'],
    ],
    nothing: [],
  }
  for (const [label, entries] of Object.entries(topic)) {
    await ask(`topic: ${label}, validate only`, TOPIC, 'replaced', entries, true)
    await ask(`topic: ${label}`, TOPIC, 'replaced', entries)
    await talk.ask(`after replace ${label}`, DescribeConfigs, '4', {
      resources: [{ resourceType: TOPIC, resourceName: 'replaced', configurationKeys: null }],
    })
  }
  await ask('unknown topic', TOPIC, 'nowhere', topic['good']!)
  for (const id of ['', '1', '2', 'one']) {
    await ask(`broker '${id}'`, BROKER, id, [['message.max.bytes', '20002']])
    await ask(`broker '${id}', read only`, BROKER, id, [['node.id', '2']])
    await ask(`broker '${id}', unknown`, BROKER, id, [['no.such.key', '2']])
    await ask(`broker '${id}', nothing`, BROKER, id, [])
  }
  await ask('logger', LOGGER, '1', [['root', 'INFO']])
  await ask('group', GROUP, 'h', [['consumer.session.timeout.ms', '50000']])
  await ask('metrics', METRICS, 'sub2', [['interval.ms', '5000']])
  for (const type of [0, 3, 64]) await ask(`type ${type}`, type, 'x', [['a', 'b']])
  await talk.ask('replace: a resource twice', AlterConfigs, '0-2', {
    resources: [
      { resourceType: TOPIC, resourceName: 'replaced', configs: [] },
      { resourceType: TOPIC, resourceName: 'replaced', configs: [] },
    ],
  })
}

async function listing(talk: Talk): Promise<void> {
  await talk.ask('list: metrics', ListConfigResources, '0', {})
  for (const types of [[], [TOPIC], [BROKER], [LOGGER], [METRICS], [GROUP], [TOPIC, BROKER]]) {
    await talk.ask(`list: ${types}`, ListConfigResources, '1', { resourceTypes: types })
  }
  for (const types of [[0], [1], [3], [64], [-1], [TOPIC, 64], [TOPIC, TOPIC]]) {
    await talk.ask(`list: ${types}`, ListConfigResources, '1', { resourceTypes: types })
  }
}
