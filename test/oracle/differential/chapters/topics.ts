// CreateTopics, CreatePartitions, DeleteTopics: every rule of the controller, with names of their own per version.

import { ZERO_UUID } from '../../../../src/lib/uuid.ts'
import { Metadata } from '../../../../src/protocol/messages/metadata.ts'
import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
  ElectLeaders,
} from '../../../../src/protocol/messages/topics.ts'
import type { Listener } from '../sides.ts'
import type { Talk } from '../talk.ts'

const base = { numPartitions: 1, replicationFactor: 1 }
const timeoutMs = 10_000
const long = 'l'.repeat(250)

export async function topics(talk: Talk): Promise<void> {
  await create(talk)
  await grow(talk)
  await remove(talk)
  await elect(talk)
}

async function create(talk: Talk): Promise<void> {
  const one = (
    label: string,
    topic: (version: number) => Record<string, unknown>,
    rest: { validateOnly?: boolean } = {},
    listener: Listener = 'broker',
  ) =>
    talk.ask(
      `create: ${label}`,
      CreateTopics,
      '2-7',
      (version) => ({ topics: [topic(version)], timeoutMs, ...rest }),
      listener,
    )
  await one('plain', (v) => ({ name: `plain-${v}`, ...base }))
  await one('once more', (v) => ({ name: `plain-${v}`, ...base }))
  await one('at the controller', (v) => ({ name: `direct-${v}`, ...base }), {}, 'controller')
  await one('validate only', (v) => ({ name: `only-${v}`, ...base }), { validateOnly: true })
  await one('validate only, there already', (v) => ({ name: `plain-${v}`, ...base }), {
    validateOnly: true,
  })
  await one('defaults', (v) => ({ name: `default-${v}`, numPartitions: -1, replicationFactor: -1 }))
  for (const numPartitions of [0, -2, 10_000, 10_001, 1_000_000]) {
    await one(
      `${numPartitions} partitions`,
      (v) => ({ name: `count-${v}`, numPartitions, replicationFactor: 1 }),
      { validateOnly: true },
    )
  }
  for (const replicationFactor of [0, -2, 2, 100]) {
    await one(`${replicationFactor} replicas`, (v) => ({
      name: `factor-${v}`,
      numPartitions: 1,
      replicationFactor,
    }))
  }
  const names = ['', '.', '..', 'sp ace', 'ü', 'a/b', 'a:b', long, long.slice(1), '__x', 'null\0']
  for (const name of names) {
    await one(`name '${name.slice(0, 8)}' of ${name.length}`, () => ({ name, ...base }), {
      validateOnly: true,
    })
  }
  for (const name of [
    '__consumer_offsets',
    '__cluster_metadata',
    '__transaction_state',
    '__share_group_state',
  ]) {
    await one(`internal ${name}`, () => ({ name, ...base }), { validateOnly: true })
  }
  await one('collides: first', (v) => ({ name: `col.li_${v}`, ...base }))
  await one('collides: second', (v) => ({ name: `col_li.${v}`, ...base }))
  await configured(one)
  await assigned(one)
  await many(talk)
}

type One = (
  label: string,
  topic: (version: number) => Record<string, unknown>,
  rest?: { validateOnly?: boolean },
) => Promise<unknown>

async function configured(one: One): Promise<void> {
  const cases: Record<string, { name: string; value: string | null }[]> = {
    good: [
      { name: 'retention.ms', value: '1000' },
      { name: 'cleanup.policy', value: 'compact,delete' },
    ],
    unknown: [{ name: 'no.such.key', value: '1' }],
    null: [{ name: 'retention.ms', value: null }],
    'null of an unknown': [{ name: 'no.such.key', value: null }],
    'not a number': [{ name: 'retention.ms', value: 'soon' }],
    empty: [{ name: 'retention.ms', value: '' }],
    'with spaces': [{ name: 'retention.ms', value: ' 1000 ' }],
    'out of range': [{ name: 'segment.bytes', value: '13' }],
    'below 1 MiB': [{ name: 'segment.bytes', value: '1048575' }],
    'bad enumeration': [{ name: 'cleanup.policy', value: 'shred' }],
    'empty list': [{ name: 'cleanup.policy', value: '' }],
    'repeated list': [{ name: 'cleanup.policy', value: 'delete,delete' }],
    'spaced list': [{ name: 'cleanup.policy', value: 'delete, compact' }],
    'bad boolean': [{ name: 'preallocate', value: 'yes' }],
    'upper boolean': [{ name: 'preallocate', value: 'TRUE' }],
    'bad ratio': [{ name: 'min.cleanable.dirty.ratio', value: '1.5' }],
    'a broker key': [{ name: 'log.retention.ms', value: '1' }],
    'local above total retention': [
      { name: 'retention.ms', value: '1000' },
      { name: 'local.retention.ms', value: '2000' },
    ],
    'lag bounds crossed': [
      { name: 'min.compaction.lag.ms', value: '1000' },
      { name: 'max.compaction.lag.ms', value: '500' },
    ],
    'compression level': [
      { name: 'compression.type', value: 'zstd' },
      { name: 'compression.zstd.level', value: '30' },
    ],
    'bad compression': [{ name: 'compression.type', value: 'brotli' }],
    'min isr 0': [{ name: 'min.insync.replicas', value: '0' }],
    'min isr 5': [{ name: 'min.insync.replicas', value: '5' }],
    'message.format.version': [{ name: 'message.format.version', value: '3.0' }],
    'throttled replicas': [{ name: 'leader.replication.throttled.replicas', value: '*' }],
    'bad throttled replicas': [{ name: 'leader.replication.throttled.replicas', value: 'x' }],
    'remote storage': [{ name: 'remote.storage.enable', value: 'true' }],
    'a key twice': [
      { name: 'retention.ms', value: '1000' },
      { name: 'retention.ms', value: '2000' },
    ],
    'an empty key': [{ name: '', value: '1' }],
    'unclean election': [{ name: 'unclean.leader.election.enable', value: 'true' }],
    'timestamp type': [{ name: 'message.timestamp.type', value: 'LogAppendTime' }],
    'bad timestamp type': [{ name: 'message.timestamp.type', value: 'logappendtime' }],
  }
  for (const [label, configs] of Object.entries(cases)) {
    await one(`config: ${label}`, (v) => ({ name: `configured-${v}`, ...base, configs }), {
      validateOnly: true,
    })
  }
  await one('config: kept', (v) => ({
    name: `kept-${v}`,
    ...base,
    configs: [{ name: 'retention.ms', value: '1000' }],
  }))
}

async function assigned(one: One): Promise<void> {
  const cases: Record<string, { partitionIndex: number; brokerIds: number[] }[]> = {
    good: [
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 1, brokerIds: [1] },
    ],
    'in another order': [
      { partitionIndex: 1, brokerIds: [1] },
      { partitionIndex: 0, brokerIds: [1] },
    ],
    'with a gap': [
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 2, brokerIds: [1] },
    ],
    'from 1': [{ partitionIndex: 1, brokerIds: [1] }],
    negative: [{ partitionIndex: -1, brokerIds: [1] }],
    'a partition twice': [
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 0, brokerIds: [1] },
    ],
    'no replica': [{ partitionIndex: 0, brokerIds: [] }],
    'a replica twice': [{ partitionIndex: 0, brokerIds: [1, 1] }],
    'an unknown broker': [{ partitionIndex: 0, brokerIds: [7] }],
    'a known and an unknown broker': [{ partitionIndex: 0, brokerIds: [1, 7] }],
    'a negative broker': [{ partitionIndex: 0, brokerIds: [-1] }],
    'factors that differ': [
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 1, brokerIds: [1, 7] },
    ],
  }
  const free = { numPartitions: -1, replicationFactor: -1 }
  for (const [label, assignments] of Object.entries(cases)) {
    await one(`assigned: ${label}`, (v) => ({ name: `assigned-${v}`, ...free, assignments }), {
      validateOnly: true,
    })
  }
  const good = cases['good']!
  await one('assigned: kept', (v) => ({ name: `assigned-${v}`, ...free, assignments: good }))
  await one('assigned: with a count', (v) => ({
    name: `assigned-x-${v}`,
    numPartitions: 2,
    replicationFactor: -1,
    assignments: good,
  }))
  await one('assigned: with a factor', (v) => ({
    name: `assigned-x-${v}`,
    numPartitions: -1,
    replicationFactor: 1,
    assignments: good,
  }))
}

async function many(talk: Talk): Promise<void> {
  await talk.ask('create: nothing', CreateTopics, '2-7', { topics: [], timeoutMs })
  await talk.ask('create: good, bad and twice', CreateTopics, '2-7', (v) => ({
    topics: [
      { name: `mixed-${v}`, ...base },
      { name: 'not good', ...base },
      { name: `twice-${v}`, ...base },
      { name: `twice-${v}`, numPartitions: 2, replicationFactor: 1 },
      { name: '__cluster_metadata', ...base },
    ],
    timeoutMs,
  }))
  await talk.ask('create: collide in one request', CreateTopics, '2-7', (v) => ({
    topics: [
      { name: `in.one_${v}`, ...base },
      { name: `in_one.${v}`, ...base },
    ],
    timeoutMs,
    validateOnly: true,
  }))
  await talk.ask('create: too many in all', CreateTopics, '2-7', (v) => ({
    topics: [
      { name: `many-a-${v}`, numPartitions: 6_000, replicationFactor: 1 },
      { name: `many-b-${v}`, numPartitions: 6_000, replicationFactor: 1 },
    ],
    timeoutMs,
    validateOnly: true,
  }))
  await talk.ask('create: no time', CreateTopics, '7', {
    topics: [{ name: 'no-time', ...base }],
    timeoutMs: 60_000,
    validateOnly: true,
  })
}

async function grow(talk: Talk): Promise<void> {
  const one = (
    label: string,
    topic: (version: number) => {
      name: string
      count: number
      assignments?: { brokerIds: number[] }[] | null
    },
    rest: { validateOnly?: boolean } = {},
  ) =>
    talk.ask(`grow: ${label}`, CreatePartitions, '0-3', (version) => ({
      topics: [{ assignments: null, ...topic(version) }],
      timeoutMs,
      ...rest,
    }))
  await talk.ask('grow: the topics', CreateTopics, '7', {
    topics: [0, 1, 2, 3].map((v) => ({ name: `grow-${v}`, ...base })),
    timeoutMs,
  })
  const to = (count: number) => (v: number) => ({ name: `grow-${v}`, count })
  await one('validate only', to(2), { validateOnly: true })
  await one('by one', to(2))
  for (const count of [2, 1, 0, -1]) await one(`to ${count}`, to(count))
  for (const count of [10_002, 10_003, 20_000]) {
    await one(`to ${count}`, to(count), { validateOnly: true })
  }
  await one('unknown topic', () => ({ name: 'nowhere', count: 3 }))
  await one('bad name', () => ({ name: 'not good', count: 3 }))
  await one('empty name', () => ({ name: '', count: 3 }))
  const assigned =
    (count: number, ...brokers: number[][]) =>
    (v: number) => ({
      name: `grow-${v}`,
      count,
      assignments: brokers.map((brokerIds) => ({ brokerIds })),
    })
  await one('assigned', assigned(3, [1]))
  await one('assigned, too few', assigned(5, [1]))
  await one('assigned, too many', assigned(4, [1], [1]))
  await one('assigned, none', assigned(4))
  await one('assigned, empty', assigned(4, []))
  await one('assigned, unknown broker', assigned(4, [7]))
  await one('assigned, twice', assigned(4, [1, 1]))
  await one('assigned, another factor', assigned(4, [1, 7]))
  await one('assigned, negative', assigned(4, [-1]))
  await talk.ask('grow: nothing', CreatePartitions, '0-3', { topics: [], timeoutMs })
  await talk.ask('grow: twice, and another', CreatePartitions, '0-3', (v) => ({
    topics: [
      { name: `grow-${v}`, count: 4, assignments: null },
      { name: `grow-${v}`, count: 5, assignments: null },
      { name: 'nowhere', count: 5, assignments: null },
    ],
    timeoutMs,
  }))
  await talk.ask('grow: in the end', Metadata, '12', {
    topics: [0, 1, 2, 3].map((v) => ({ name: `grow-${v}` })),
  })
}

async function remove(talk: Talk): Promise<void> {
  const made = [1, 2, 3, 4, 5].map((v) => `gone-${v}`)
  const more = ['by-name', 'by-id', 'both', 'twice-id', 'name-and-id', 'in-two'].map(
    (n) => `gone-${n}`,
  )
  await talk.ask('delete: the topics', CreateTopics, '7', {
    topics: [...made, ...more].map((name) => ({ name, ...base })),
    timeoutMs,
  })
  const names = (label: string, topicNames: (v: number) => string[]) =>
    talk.ask(`delete: ${label}`, DeleteTopics, '1-5', (v) => ({
      topicNames: topicNames(v),
      timeoutMs,
    }))
  await names('one', (v) => [`gone-${v}`])
  await names('once more', (v) => [`gone-${v}`])
  await names('bad name', () => ['not good', ''])
  await names('nothing', () => [])
  await names('unknown twice', () => ['nowhere', 'nowhere'])
  await names('known twice', () => ['gone-twice-id', 'gone-twice-id', 'nowhere'])
  await names('internal', () => ['__cluster_metadata', '__consumer_offsets'])
  const six = (label: string, topics: (id: (name: string) => string) => object[]) =>
    talk.ask(`delete: ${label}`, DeleteTopics, '6', (_, side) => ({
      topics: topics((name) => side.idOf(name)),
      timeoutMs,
    }))
  await six('by name', () => [{ name: 'gone-by-name' }])
  await six('by id', (id) => [{ topicId: id('gone-by-id') }])
  await six('by id, once more', (id) => [{ topicId: id('gone-by-id') }])
  await six('unknown id', (id) => [{ topicId: id('nowhere') }])
  await six('unknown name', () => [{ name: 'nowhere' }])
  await six('neither', () => [{}])
  await six('neither, twice', () => [{}, {}])
  await six('both', (id) => [{ name: 'gone-both', topicId: id('gone-both') }])
  await six('empty name', () => [{ name: '' }])
  await six('empty name and an id', (id) => [{ name: '', topicId: id('gone-both') }])
  await six('an id twice', (id) => [
    { topicId: id('gone-twice-id') },
    { topicId: id('gone-twice-id') },
  ])
  await six('an unknown id twice', (id) => [{ topicId: id('nowhere') }, { topicId: id('nowhere') }])
  await six('by name and by id', (id) => [
    { name: 'gone-name-and-id' },
    { topicId: id('gone-name-and-id') },
  ])
  await six('by id and by name', (id) => [
    { topicId: id('gone-in-two') },
    { name: 'gone-in-two' },
    { name: 'nowhere' },
  ])
  await six('a reserved id', () => [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }])
  await six('nothing', () => [])
  await talk.ask('delete: what is left', Metadata, '12', {
    topics: more.map((name) => ({ name })),
    allowAutoTopicCreation: false,
  })
  const { topics: none } = { topics: [{ topicId: ZERO_UUID }] }
  await talk.ask(
    'delete: at the controller',
    DeleteTopics,
    '6',
    { topics: none, timeoutMs },
    'controller',
  )
}

async function elect(talk: Talk): Promise<void> {
  const one = (
    label: string,
    range: string,
    electionType: number,
    topicPartitions: { topic: string; partitions: number[] }[] | null,
  ) =>
    talk.ask(`elect: ${label}`, ElectLeaders, range, (v) => ({
      ...(v >= 1 ? { electionType } : {}),
      topicPartitions,
      timeoutMs,
    }))
  await one('all', '0-2', 0, null)
  await one('all, unclean', '1-2', 1, null)
  await one('none', '0-2', 0, [])
  await one('one', '0-2', 0, [{ topic: 'plain-7', partitions: [0] }])
  await one('one, unclean', '1-2', 1, [{ topic: 'plain-7', partitions: [0] }])
  await one('unknown', '0-2', 0, [
    { topic: 'plain-7', partitions: [0, 5, -1] },
    { topic: 'nowhere', partitions: [0] },
    { topic: 'nothing', partitions: [] },
  ])
  await one('twice', '0-2', 0, [
    { topic: 'plain-7', partitions: [0, 0] },
    { topic: 'plain-7', partitions: [0] },
  ])
  for (const type of [2, -1]) {
    await one(`type ${type}`, '1-2', type, [{ topic: 'plain-7', partitions: [0] }])
    await one(`type ${type} of all`, '1-2', type, null)
  }
}
