// InitProducerId, Produce, DescribeProducers: batches good and broken in each of their fields.

import { DescribeLogDirs } from '../../../../src/protocol/messages/cluster.ts'
import { Fetch, Produce } from '../../../../src/protocol/messages/produce_fetch.ts'
import { DescribeProducers, InitProducerId } from '../../../../src/protocol/messages/transaction.ts'
import {
  type BatchInput,
  encodeBatch,
  type RecordInput,
  sealBatch,
} from '../../../../src/protocol/record_batch.ts'
import { compress } from '../codecs.ts'
import type { Side } from '../sides.ts'
import type { Talk } from '../talk.ts'

const timeoutMs = 10_000
const LOG = 'written'
/** For what one side may take and the other refuse. */
const DOUBTFUL = 'doubtful'
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
/** One clock for the whole run: both are sent the same bytes. */
const NOW = Date.now()

export function batch(input: Partial<BatchInput> & { values?: (string | RecordInput)[] } = {}) {
  const { values = ['a', 'b'], ...rest } = input
  return encodeBatch({
    timestamp: NOW,
    compress,
    ...rest,
    records: values.map((value) =>
      typeof value === 'string' ? { value: new TextEncoder().encode(value) } : value,
    ),
  })
}

/** A batch with bytes changed after the fact, its checksum made anew unless it is what is wrong. */
function broken(change: (view: DataView, bytes: Uint8Array) => void, seal = true, from = batch()) {
  change(new DataView(from.buffer, from.byteOffset, from.byteLength), from)
  if (seal) sealBatch(from, 0, from.length)
  return from
}

interface Where {
  topic?: string
  partition?: number
  acks?: number
  transactionalId?: string
}

export function body(version: number, side: Side, records: Uint8Array | null, where: Where = {}) {
  const { topic = LOG, partition: index = 0, acks = -1, transactionalId = null } = where
  const data = version >= 13 ? { topicId: side.idOf(topic) } : { name: topic }
  return {
    transactionalId,
    acks,
    timeoutMs,
    topicData: [{ ...data, partitionData: [{ index, records }] }],
  }
}

export async function produce(talk: Talk): Promise<void> {
  const configured = {
    stamped: { 'message.timestamp.type': 'LogAppendTime' },
    'doubtful-stamped': { 'message.timestamp.type': 'LogAppendTime' },
    compacted: { 'cleanup.policy': 'compact' },
    bounded: {
      'message.timestamp.before.max.ms': '1000',
      'message.timestamp.after.max.ms': '1000',
    },
    small: { 'max.message.bytes': '200' },
    strict: { 'min.insync.replicas': '2' },
    'doubtful-gzipped': { 'compression.type': 'gzip' },
    'doubtful-plainly': { 'compression.type': 'uncompressed' },
    producers: {},
  }
  await talk.haveTopics([
    { name: LOG, numPartitions: 2 },
    { name: DOUBTFUL, numPartitions: 2 },
    ...Object.entries(configured).map(([name, configs]) => ({ name, numPartitions: 1, configs })),
  ])
  const isReady = ({ errorCode }: { errorCode: number }) => errorCode === 0
  const anybody = { transactionalId: null, transactionTimeoutMs: 1000 }
  await talk.settle(InitProducerId, 1, anybody, isReady)
  await producerIds(talk)
  await good(talk)
  await bad(talk)
  await places(talk)
  await idempotent(talk)
  await logs(talk)
}

const one = (
  talk: Talk,
  label: string,
  records: () => Uint8Array | null,
  where: Where = {},
  range = '3-13',
) => talk.ask(`produce: ${label}`, Produce, range, (v, side) => body(v, side, records(), where))

async function producerIds(talk: Talk): Promise<void> {
  const ask = (label: string, range: string, more: (v: number) => object = () => ({})) =>
    talk.ask(`producer id: ${label}`, InitProducerId, range, (v) => ({
      transactionalId: null,
      transactionTimeoutMs: 60_000,
      ...more(v),
    }))
  await ask('new', '0-5')
  const given: [number, number][] = [
    [1000, -1],
    [-1, 0],
    [1000, 0],
    [0, 0],
    [1000, 32767],
    [1000, 32766],
    [-1, -1],
    [-2, -2],
    [-2, -1],
    [1000, -2],
    [-1, -2],
  ]
  for (const [producerId, producerEpoch] of given) {
    await ask(`given ${producerId} ${producerEpoch}`, '3-5', () => ({ producerId, producerEpoch }))
  }
  for (const transactionTimeoutMs of [0, -1, 2_147_483_647]) {
    await ask(`timeout ${transactionTimeoutMs}`, '0-5', () => ({ transactionTimeoutMs }))
  }
  await ask('empty transactional id', '0-5', () => ({ transactionalId: '' }))
  await ask('transactional id', '5', () => ({ transactionalId: 't' }))
}

async function good(talk: Talk): Promise<void> {
  await one(talk, 'plain', () => batch())
  for (const acks of [1, -1]) await one(talk, `acks ${acks}`, () => batch(), { acks })
  for (const codec of CODECS.slice(1)) {
    await one(
      talk,
      codec,
      () => batch({ compression: codec }),
      {},
      codec === 'zstd' ? '7-13' : '3-13',
    )
  }
  await one(talk, 'zstd for the old', () => batch({ compression: 'zstd' }), {}, '3-6')
  for (const topic of ['stamped', 'doubtful-gzipped', 'doubtful-plainly']) {
    await one(talk, topic, () => batch(), { topic })
    await one(talk, `${topic}, lz4`, () => batch({ compression: 'lz4' }), { topic })
  }
  const key = new TextEncoder().encode('k')
  await one(talk, 'keyed', () => batch({ values: [{ key }, { key, value: key }] }), {
    topic: 'compacted',
  })
  await one(talk, 'headers', () => batch({ values: [{ headers: [{ key: 'h', value: key }] }] }))
  await one(talk, 'null', () => batch({ values: [{ key: null, value: null }] }))
  await one(talk, 'with an epoch and an offset', () =>
    batch({ partitionLeaderEpoch: 7, baseOffset: 9 }),
  )
  await one(talk, 'no timestamp', () => batch({ timestamp: -1 }))
  await one(talk, 'timestamp 0', () => batch({ timestamp: 0 }))
  const falling = [{ timestamp: NOW }, { timestamp: NOW - 1000 }, { timestamp: NOW - 500 }]
  await one(talk, 'times that fall', () => batch({ values: falling }))
  for (const acks of [0]) {
    for (const [label, records] of Object.entries({
      good: batch(),
      torn: batch().subarray(0, 40),
    })) {
      await talk.send(`produce: acks 0, ${label}`, Produce, 9, (v, side) =>
        body(v, side, records, { acks }),
      )
    }
    await talk.send('produce: acks 0, unknown topic', Produce, 9, (v, side) =>
      body(v, side, batch(), { acks, topic: 'nowhere' }),
    )
  }
}

async function bad(talk: Talk): Promise<void> {
  const cases: Record<string, () => Uint8Array | null> = {
    'null records': () => null,
    'no bytes': () => new Uint8Array(0),
    'one byte': () => new Uint8Array(1),
    'a header cut': () => batch().subarray(0, 40),
    'cut by one': () => batch().subarray(0, -1),
    'a byte too many': () => Buffer.concat([batch(), new Uint8Array(1)]),
    'a dozen too many': () => Buffer.concat([batch(), new Uint8Array(20)]),
    'two batches': () => Buffer.concat([batch(), batch()]),
    crc: () => broken((view) => view.setUint32(17, 7), false),
    'crc in the body': () => broken((_, bytes) => bytes.set([9], bytes.length - 1), false),
    'magic 0': () => broken((view) => view.setInt8(16, 0), false),
    'magic 1': () => broken((view) => view.setInt8(16, 1), false),
    'magic 3': () => broken((view) => view.setInt8(16, 3), false),
    'magic -1': () => broken((view) => view.setInt8(16, -1), false),
    'length 0': () => broken((view) => view.setInt32(8, 0), false),
    'length -1': () => broken((view) => view.setInt32(8, -1), false),
    'length 13': () => broken((view) => view.setInt32(8, 13), false),
    'length 48': () => broken((view) => view.setInt32(8, 48), false),
    'length too long': () => broken((view) => view.setInt32(8, 1 << 20), false),
    'length huge': () => broken((view) => view.setInt32(8, 0x7fffffff), false),
    'codec 5': () => broken((view) => view.setInt16(21, 5)),
    'codec 7': () => broken((view) => view.setInt16(21, 7)),
    'gzip that is none': () => broken((view) => view.setInt16(21, 1)),
    'zstd that is none': () => broken((view) => view.setInt16(21, 4)),
    'control batch': () => broken((view) => view.setInt16(21, 32)),
    'control and transactional': () => broken((view) => view.setInt16(21, 48)),
    'delete horizon': () => broken((view) => view.setInt16(21, 64)),
    'unused attribute': () => broken((view) => view.setInt16(21, 0x80)),
    'high attribute': () => broken((view) => view.setInt16(21, 0x4000)),
    'append time from the client': () => broken((view) => view.setInt16(21, 8)),
    'count 0': () => broken((view) => view.setInt32(57, 0)),
    'count 1 of 2': () => broken((view) => view.setInt32(57, 1)),
    'count 3 of 2': () => broken((view) => view.setInt32(57, 3)),
    'count -1': () => broken((view) => view.setInt32(57, -1)),
    'last delta 0 of 1': () => broken((view) => view.setInt32(23, 0)),
    'last delta 5 of 1': () => broken((view) => view.setInt32(23, 5)),
    'last delta -1': () => broken((view) => view.setInt32(23, -1)),
    'no record': () =>
      broken(
        (view) => {
          view.setInt32(8, 49)
          view.setInt32(57, 0)
          view.setInt32(23, 0)
        },
        true,
        batch().slice(0, 61),
      ),
    'no record, last delta -1': () =>
      broken(
        (view) => {
          view.setInt32(8, 49)
          view.setInt32(57, 0)
          view.setInt32(23, -1)
        },
        true,
        batch().slice(0, 61),
      ),
    'a record longer than it is': () => broken((_, bytes) => bytes.set([100], 61)),
    'a record shorter than it is': () => broken((_, bytes) => bytes.set([4], 61)),
    'a negative record': () => broken((_, bytes) => bytes.set([1], 61)),
    'record offsets of a gap': () => batch({ values: [{ offset: 0 }, { offset: 5 }] }),
    'record offsets from 3': () => batch({ values: [{ offset: 3 }, { offset: 4 }] }),
    'too large': () => batch({ values: ['x'.repeat(21_000)] }),
    'just too large': () => batch({ values: ['x'.repeat(20_000 - 61 - 10)] }),
    'transactional without id': () =>
      batch({ isTransactional: true, producerId: 5, producerEpoch: 0, baseSequence: 0 }),
    'a sequence without a producer': () => batch({ baseSequence: 5 }),
    'a producer without a sequence': () => batch({ producerId: 12_345, producerEpoch: 0 }),
    'a producer without an epoch': () => batch({ producerId: 12_345, baseSequence: 0 }),
    'a negative producer': () => batch({ producerId: -5, producerEpoch: 0, baseSequence: 0 }),
    'times far ahead': () => batch({ timestamp: NOW + 7_200_000 }),
    'times of another sign': () => batch({ timestamp: -5 }),
    'max timestamp wrong': () => broken((view) => view.setBigInt64(35, 5n)),
  }
  for (const [label, records] of Object.entries(cases)) {
    await one(talk, label, records, { topic: DOUBTFUL }, '3-13')
  }
  for (const [label, records] of Object.entries(cases)) {
    await one(talk, `stamped: ${label}`, records, { topic: 'doubtful-stamped' }, '9')
  }
  const key = new TextEncoder().encode('k')
  const compacted = {
    'without a key': () => batch(),
    'without a key, lz4': () => batch({ compression: 'lz4' }),
    'some without a key': () =>
      batch({ values: [{ key }, { value: key }, { key }, { value: key }] }),
  }
  for (const [label, records] of Object.entries(compacted)) {
    await one(talk, `compacted: ${label}`, records, { topic: 'compacted' })
  }
  const times = [NOW - 3_600_000, NOW + 3_600_000, -1]
  for (const timestamp of times) {
    const label = `bounded: time ${timestamp < 0 ? 'none' : timestamp < NOW ? 'old' : 'ahead'}`
    await one(talk, label, () => batch({ timestamp }), { topic: 'bounded' })
    await one(
      talk,
      `${label}, zstd`,
      () => batch({ timestamp, compression: 'zstd' }),
      { topic: 'bounded' },
      '7-13',
    )
  }
  await one(talk, 'small: too large', () => batch({ values: ['x'.repeat(300)] }), {
    topic: 'small',
  })
  await one(
    talk,
    'small: together too large',
    () =>
      Buffer.concat([batch({ values: ['x'.repeat(100)] }), batch({ values: ['x'.repeat(100)] })]),
    { topic: 'small' },
  )
}

async function places(talk: Talk): Promise<void> {
  await one(talk, 'unknown topic', () => batch(), { topic: 'nowhere' })
  await one(talk, 'unknown topic, broken', () => batch().subarray(0, 40), { topic: 'nowhere' })
  await one(talk, 'a bad topic', () => batch(), { topic: 'not good' }, '3-12')
  await one(talk, 'an empty topic', () => batch(), { topic: '' }, '3-12')
  await one(talk, 'partition 2 of 2', () => batch(), { partition: 2 })
  await one(talk, 'partition -1', () => batch(), { partition: -1 })
  await one(talk, 'strict, all', () => batch(), { topic: 'strict' })
  await one(talk, 'strict, one', () => batch(), { topic: 'strict', acks: 1 })
  for (const acks of [2, -2, 100]) await one(talk, `acks ${acks}`, () => batch(), { acks })
  for (const name of ['__consumer_offsets', '__transaction_state', '__cluster_metadata']) {
    await one(talk, `to ${name}`, () => batch(), { topic: name }, '3-12')
  }
  await talk.ask('produce: nothing', Produce, '3-13', { acks: -1, timeoutMs, topicData: [] })
  await talk.ask('produce: no partition', Produce, '3-12', {
    acks: -1,
    timeoutMs,
    topicData: [{ name: DOUBTFUL, partitionData: [] }],
  })
  await talk.ask('produce: a partition twice', Produce, '3-12', {
    acks: -1,
    timeoutMs,
    topicData: [
      {
        name: DOUBTFUL,
        partitionData: [
          { index: 0, records: batch() },
          { index: 0, records: batch() },
        ],
      },
    ],
  })
  await talk.ask('produce: a topic twice', Produce, '3-12', {
    acks: -1,
    timeoutMs,
    topicData: [
      { name: DOUBTFUL, partitionData: [{ index: 0, records: batch() }] },
      { name: DOUBTFUL, partitionData: [{ index: 1, records: batch() }] },
    ],
  })
  await talk.ask('produce: good, unknown and broken', Produce, '3-12', {
    acks: -1,
    timeoutMs,
    topicData: [
      {
        name: DOUBTFUL,
        partitionData: [
          { index: 0, records: batch() },
          { index: 1, records: batch().subarray(0, 40) },
          { index: 7, records: batch() },
        ],
      },
      { name: 'nowhere', partitionData: [{ index: 0, records: batch() }] },
    ],
  })
  await talk.ask('produce: a zero topic id', Produce, '13', {
    acks: -1,
    timeoutMs,
    topicData: [{ partitionData: [{ index: 0, records: batch() }] }],
  })
}

async function idempotent(talk: Talk): Promise<void> {
  for (const side of [talk.kafka, talk.ottla]) {
    for (const name of ['p', 'q', 'r']) {
      const answer = await side.ask(
        InitProducerId,
        5,
        { transactionalId: null, transactionTimeoutMs: 1000 },
        'broker',
      )
      if (answer.end !== 'answered') throw new Error('no producer id')
      side.kept.set(name, (answer.value as { producerId: number }).producerId)
    }
  }
  const write = (
    label: string,
    who: string,
    producerEpoch: number,
    baseSequence: number,
    count = 2,
  ) =>
    talk.ask(`idempotent: ${label}`, Produce, '9', (v, side) =>
      body(
        v,
        side,
        batch({
          producerId: side.kept.get(who)!,
          producerEpoch,
          baseSequence,
          values: Array.from({ length: count }, (_, i) => `${i}`),
        }),
        { topic: 'producers' },
      ),
    )
  await write('from 0', 'p', 0, 0)
  await write('the same', 'p', 0, 0)
  await write('the next', 'p', 0, 2)
  await write('a gap', 'p', 0, 9)
  await write('an overlap', 'p', 0, 3)
  await write('an old one', 'p', 0, 1, 1)
  for (let i = 4; i < 16; i += 2) await write(`on, ${i}`, 'p', 0, i)
  for (let i = 14; i >= 0; i -= 2) await write(`again, ${i}`, 'p', 0, i)
  await write('the same start, longer', 'p', 0, 14, 3)
  await write('a new epoch, not from 0', 'p', 1, 5)
  await write('a new epoch', 'p', 1, 0)
  await write('the old epoch', 'p', 0, 16)
  await write('a far epoch', 'p', 9, 0)
  await write('a negative epoch', 'p', -1, 0)
  await write('first, not from 0', 'q', 0, 7)
  await write('on from there', 'q', 0, 9)
  await write('a negative sequence', 'r', 0, -1)
  await write('sequence -2', 'r', 0, -2)
  await write('first epoch 5', 'r', 5, 0)
  await write('near the wrap', 'q', 1, 0)
  const two = (label: string, a: number, b: number) =>
    talk.ask(`idempotent: ${label}`, Produce, '9', (v, side) => {
      const from = (baseSequence: number) =>
        batch({ producerId: side.kept.get('r')!, producerEpoch: 5, baseSequence })
      return body(v, side, Buffer.concat([from(a), from(b)]), { topic: 'producers' })
    })
  await two('two batches in one', 2, 4)
  await talk.ask('producers', DescribeProducers, '0', {
    topics: [
      { name: 'producers', partitionIndexes: [0, 1, -1, 0] },
      { name: LOG, partitionIndexes: [0, 1] },
      { name: 'nowhere', partitionIndexes: [0] },
      { name: 'not good', partitionIndexes: [0] },
      { name: '', partitionIndexes: [0] },
      { name: 'strict', partitionIndexes: [] },
    ],
  })
  await talk.ask('producers of none', DescribeProducers, '0', { topics: [] })
}

async function logs(talk: Talk): Promise<void> {
  for (const topic of [
    LOG,
    'stamped',
    'compacted',
    'gzipped',
    'plainly',
    'bounded',
    'producers',
    'small',
    'strict',
  ]) {
    await talk.ask(`log of ${topic}`, Fetch, '11', {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 10_000_000,
      topics: [
        { topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000_000 }] },
      ],
    })
  }
  const ask = (label: string, topics: { topic: string; partitions: number[] }[] | null) =>
    talk.ask(`directories: ${label}`, DescribeLogDirs, '1-5', { topics })
  await ask('one', [{ topic: LOG, partitions: [0, 1] }])
  await ask('others', [
    { topic: LOG, partitions: [0, 7, -1, 0] },
    { topic: 'nowhere', partitions: [0] },
    { topic: 'compacted', partitions: [] },
  ])
  await ask('a topic twice', [
    { topic: LOG, partitions: [0] },
    { topic: LOG, partitions: [1] },
  ])
  await ask('none', [])
  await ask('all', null)
}
