// DescribeConfigs: sources and synonyms, judged by what a running Kafka 4.3.1 answered
// (configs.tsv).

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { BrokerConfig } from '../../../src/config/config.ts'
import type { DescribedConfig } from '../../../src/config/describe.ts'
import {
  CONFIG_SOURCE,
  describeBroker,
  describeClientMetrics,
  describeClusterDefault,
  describeGroup,
  describeTopic,
} from '../../../src/config/describe.ts'
import { parseConfig } from '../../../src/config/parse.ts'
import { segmentBytes, topicConfig } from '../../../src/config/topic_config.ts'
import { withOurDefault } from './our_defaults.ts'

// The keys that were set on the broker whose answers are the judge.
const settings = {
  'process.roles': 'broker,controller',
  'node.id': 1,
  listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
  'advertised.listeners': 'PLAINTEXT://localhost:9092',
  'controller.listener.names': 'CONTROLLER',
  'controller.quorum.bootstrap.servers': 'localhost:9093',
  'inter.broker.listener.name': 'PLAINTEXT',
  'log.dirs': '/data',
}

const start = (more: Record<string, string> = {}) =>
  parseConfig({ options: { ...settings, ...more } }).config

const judge = readFileSync(new URL('../../../../shared/kafka/configs.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t'))
  .filter((fields) => fields[6] !== 'internal')

const all = { synonyms: true, documentation: true }
const find = (entries: DescribedConfig[], name: string) =>
  entries.find((entry) => entry.name === name)!

function layered(
  config: BrokerConfig,
  clusterDefault: Record<string, string>,
  thisBroker: Record<string, string> = {},
) {
  return config.withLayers({
    clusterDefault: new Map(Object.entries(clusterDefault)),
    thisBroker: new Map(Object.entries(thisBroker)),
  })
}

describe('config: describe', () => {
  test('config: describe: a broker shows the keys, modes and synonyms that Kafka shows', () => {
    const expected = judge
      .filter(([scope]) => scope === 'broker')
      .map((fields) => [fields[1], fields[7], fields[9] ?? ''])
    const actual = describeBroker(start(), all)
      .filter(({ name }) => !name.startsWith('ottla.'))
      .map(({ name, readOnly, synonyms }) => [
        name,
        readOnly ? 'read-only' : 'dynamic',
        [...new Set(synonyms.map((synonym) => synonym.name))].join(','),
      ])
    expect(actual).toEqual(expected)
  })

  test('config: describe: a topic shows the keys and synonyms that Kafka shows', () => {
    const expected = judge
      .filter(([scope]) => scope === 'topic')
      .map((fields) => [fields[1], fields[9] ?? ''])
    const actual = describeTopic(new Map(), start(), all)
      .filter(({ name }) => !name.startsWith('ottla.'))
      .map(({ name, synonyms }) => [name, synonyms.map((synonym) => synonym.name).join(',')])
    expect(actual).toEqual(expected)
  })

  test('config: describe: sources from the strongest to the default', () => {
    const config = layered(
      start({ 'message.max.bytes': '3000' }),
      { 'message.max.bytes': '2000' },
      { 'message.max.bytes': '1000' },
    )
    const entry = find(describeBroker(config, all), 'message.max.bytes')
    expect(entry).toMatchObject({ value: '1000', source: 2, isDefault: false, readOnly: false })
    expect(entry.synonyms).toEqual([
      { name: 'message.max.bytes', value: '1000', source: CONFIG_SOURCE.DYNAMIC_BROKER },
      { name: 'message.max.bytes', value: '2000', source: CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER },
      { name: 'message.max.bytes', value: '3000', source: CONFIG_SOURCE.STATIC_BROKER },
      { name: 'message.max.bytes', value: '1048588', source: CONFIG_SOURCE.DEFAULT },
    ])
    const topic = find(
      describeTopic(new Map([['max.message.bytes', '500']]), config, all),
      'max.message.bytes',
    )
    expect(topic).toMatchObject({ value: '500', source: CONFIG_SOURCE.TOPIC })
    expect(topic.synonyms.map(({ value }) => value)).toEqual([
      '500',
      '1000',
      '2000',
      '3000',
      '1048588',
    ])
  })

  test('config: describe: retention falls from ms to minutes to hours', () => {
    const retention = (config: BrokerConfig) =>
      find(describeTopic(new Map(), config, all), 'retention.ms')
    expect(retention(start())).toMatchObject({ value: '604800000', source: 5, synonyms: [] })
    expect(retention(start({ 'log.retention.hours': '1' })).value).toBe('3600000')
    const minutes = { 'log.retention.hours': '1', 'log.retention.minutes': '2' }
    expect(retention(start(minutes)).value).toBe('120000')
    expect(retention(start({ ...minutes, 'log.retention.ms': '-7' }))).toMatchObject({
      value: '-1',
      source: CONFIG_SOURCE.STATIC_BROKER,
    })
    expect(find(describeBroker(start(minutes), all), 'log.retention.hours').synonyms).toEqual([
      { name: 'log.retention.hours', value: '1', source: 4 },
      { name: 'log.retention.hours', value: '168', source: 5 },
    ])
  })

  test('config: describe: a dynamic setting hides the names of its family below it', () => {
    const config = layered(start({ 'log.roll.ms': '5' }), { 'log.roll.ms': '9' })
    expect(topicConfig(new Map(), config)['segment.ms']).toBe(9)
  })

  test('config: describe: the default of the cluster shows only what is set there', () => {
    const config = layered(start({ 'log.segment.bytes': '2000000' }), {
      'log.segment.bytes': '3000000',
      listeners: 'PLAINTEXT://:1',
      'num.partitions': '7',
    })
    const entries = describeClusterDefault(config, all)
    expect(entries.map(({ name }) => name)).toEqual(['log.segment.bytes'])
    expect(entries[0]).toMatchObject({ value: '3000000', source: 3, synonyms: [{ source: 3 }] })
  })

  test('config: describe: secrets and unknown keys show no value', () => {
    const config = layered(
      start({ 'my.own.key': 'x' }),
      {},
      {
        'listener.name.plaintext.ssl.key.password': 'hunter2',
      },
    )
    const entries = describeBroker(config, all)
    const secret = find(entries, 'listener.name.plaintext.ssl.key.password')
    expect(secret).toMatchObject({ value: null, isSensitive: true, type: 9 })
    expect(secret.synonyms).toEqual([{ name: secret.name, value: null, source: 2 }])
    expect(find(entries, 'my.own.key')).toMatchObject({ value: null, isSensitive: true, type: 0 })
    expect(JSON.stringify(entries)).not.toContain('hunter2')
  })

  test('config: describe: documentation tells what is not built', () => {
    const documentation = (name: string) => find(describeBroker(start(), all), name).documentation
    expect(documentation('authorizer.class.name')).toBe(
      'Class that decides what each principal may do. Not built: authorization is not built. Setting it is refused.',
    )
    expect(documentation('num.io.threads')).toContain('No effect here')
    expect(describeBroker(start(), {})[0]).toMatchObject({ documentation: null, synonyms: [] })
  })

  test('config: describe: only the keys that were asked for', () => {
    const keys = ['node.id', 'num.partitions', 'nothing']
    expect(describeBroker(start(), { keys }).map(({ name }) => name)).toEqual([
      'node.id',
      'num.partitions',
    ])
    expect(describeTopic(new Map(), start(), { keys: ['segment.ms'] })).toHaveLength(1)
  })

  test('config: describe: lists and doubles are printed as Java prints them', () => {
    const config = start({ 'log.cleanup.policy': 'compact , delete' })
    const entries = describeTopic(new Map([['min.cleanable.dirty.ratio', '1']]), config, {})
    expect(find(entries, 'cleanup.policy')).toMatchObject({ value: 'compact,delete', type: 7 })
    expect(find(entries, 'min.cleanable.dirty.ratio')).toMatchObject({ value: '1.0', type: 6 })
  })

  test('config: describe: a group stands on the broker, a subscription on its defaults', () => {
    const config = start({ 'group.consumer.session.timeout.ms': '50000' })
    const own = describeGroup(new Map([['share.isolation.level', 'read_committed']]), config, all)
    expect(own).toHaveLength(17)
    expect(find(own, 'consumer.session.timeout.ms')).toMatchObject({ value: '50000', source: 4 })
    expect(find(own, 'share.isolation.level')).toMatchObject({
      value: 'read_committed',
      source: CONFIG_SOURCE.GROUP,
    })
    expect(describeClientMetrics(new Map([['metrics', '*']]), all)).toMatchObject([
      { name: 'interval.ms', value: '300000', source: 5 },
      { name: 'match', value: '', source: 5 },
      { name: 'metrics', value: '*', source: CONFIG_SOURCE.CLIENT_METRICS },
    ])
  })
})

// kafka_describe.tsv: settings of the file, of the cluster and of the broker, the kind of resource
// and its own settings, then what Kafka 4.3.1 described: value, source, read-only, sensitive, type,
// synonyms.
const scenarios = readFileSync(new URL('./kafka_describe.tsv', import.meta.url), 'utf8')
  .replace(/\n$/, '')
  .split(/^#\t/m)
  .filter((text) => text !== '')
  .map((text) => {
    const [head, ...answers] = text.replace(/\n$/, '').split('\n')
    const [file, cluster, own, kind, overrides] = head!.split('\t')
    return { file, cluster, own, kind, overrides, answers }
  })

function pairs(text = ''): Record<string, string> {
  const elements = text === '' ? [] : text.split('; ')
  return Object.fromEntries(
    elements.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
  )
}

// The judge starts with what our start refuses (secrets, flushing), so nothing is judged before
// describing.
function unjudged(file = '') {
  const given = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': 'localhost:9093',
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'controller.listener.names': 'CONTROLLER',
    ...pairs(file),
  }
  return new BrokerConfig(
    new Map(Object.entries(given).map(([key, value]) => [key, { key, value, source: 'file' }])),
  )
}

describe('config: describe: as Kafka', () => {
  test.each(scenarios)('config: describe: as Kafka: $kind: $file; $cluster; $own', (one) => {
    const config = layered(unjudged(one.file), pairs(one.cluster), pairs(one.own))
    const overrides = new Map(Object.entries(pairs(one.overrides)))
    const described = {
      broker: () => describeBroker(config, all),
      cluster: () => describeClusterDefault(config, all),
      topic: () => describeTopic(overrides, config, all),
      group: () => describeGroup(overrides, config, all),
      'client-metrics': () => describeClientMetrics(overrides, all),
    }[one.kind!]!()
    const ours = new Map(
      described.map((entry) => {
        const { name, value, source, readOnly, isSensitive, type, synonyms } = entry
        const chain = synonyms.map((each) => `${each.name}=${each.value}@${each.source}`).join(' ')
        return [name, [name, value, source, readOnly, isSensitive, type, chain].join('\t')]
      }),
    )
    const theirs = one.answers.map((line) =>
      withOurDefault(line.split('\t')[0]!, line.split('\t').map(plain).join('\t')),
    )
    expect(theirs.map((line) => ours.get(line.split('\t')[0]!))).toEqual(theirs)
  })

  function plain(field: string, index: number): string {
    return index === 1 && field === 'null' ? '' : field
  }
})

describe('config: topic config', () => {
  test('config: topic config: own settings, else the broker, else the default', () => {
    const config = start({ 'log.segment.bytes': '2097152', 'log.roll.hours': '2' })
    const topic = topicConfig(new Map([['min.insync.replicas', '2']]), config)
    expect(segmentBytes(topic)).toBe(2097152)
    expect(topic['segment.ms']).toBe(7_200_000)
    expect(topic['min.insync.replicas']).toBe(2)
    expect(topic['flush.messages']).toBe(Number.MAX_SAFE_INTEGER)
    expect(topic['cleanup.policy']).toEqual(['delete'])
    expect(segmentBytes(topicConfig(new Map([['internal.segment.bytes', '100']]), config))).toBe(
      100,
    )
  })

  test('config: topic config: a stored setting that cannot be read counts as not set', () => {
    const topic = topicConfig(new Map([['segment.bytes', 'many']]), start())
    expect(topic['segment.bytes']).toBe(1_073_741_824)
  })
})
