// Batches, control records, metadata and coordinator records, consumer protocol: built here from the values
// that test/oracle/codec/Frames.java gave to Apache Kafka 4.3.1, and compared with the bytes Kafka made.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MalformedFrame, Reader } from '../../../src/lib/bytes.ts'
import { ZERO_UUID } from '../../../src/lib/uuid.ts'
import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  metadataRecord,
} from '../../../src/metadata/record.ts'
import {
  type ControlRecord,
  decodeControlRecord,
  encodeControlBatch,
} from '../../../src/protocol/control_records.ts'
import {
  decodeCoordinatorRecord,
  encodeCoordinatorRecord,
  groupRecords,
  shareRecords,
} from '../../../src/protocol/coordinator_records.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  encodeVersioned,
} from '../../../src/protocol/embedded.ts'
import {
  decodeRequestHeader,
  encodeRequestFrame,
  encodeResponseFrame,
  peekApi,
  requestHeaderVersion,
  responseHeaderVersion,
} from '../../../src/protocol/headers.ts'
import { Heartbeat } from '../../../src/protocol/messages/classic_group.ts'
import { ApiVersions } from '../../../src/protocol/messages/metadata.ts'
import {
  type BatchInput,
  batchesOf,
  encodeBatch,
  isBatchIntact,
  readBatchHeader,
  recordsOf,
} from '../../../src/protocol/record_batch.ts'
import { ControlRecordTypeSchema, EndTxnMarker } from '../../../src/protocol/records/control.ts'
import { OffsetCommit } from '../../../src/protocol/records/group.ts'
import { framesFile } from '../../oracle/codec/corpus.ts'

const golden = new Map(
  readFileSync(framesFile, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t') as [string, string])
    .map(([name, base64]) => [name, Uint8Array.from(Buffer.from(base64, 'base64'))]),
)
const kafkas = (name: string): Uint8Array => golden.get(name)!
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const records = [
  {
    timestamp: 1_000_000_000_000,
    key: text('key'),
    value: text('value'),
    headers: [
      { key: 'h', value: text('x') },
      { key: 'größe', value: null },
    ],
  },
  { timestamp: 999_999_999_999, key: null, value: null },
  { timestamp: 1_000_000_000_500, key: text(''), value: text('v'.repeat(200)) },
]
const producer = { producerId: 9001, producerEpoch: 3, baseSequence: 5, partitionLeaderEpoch: 2 }

const batches: [string, BatchInput][] = [
  ['batch plain', { records, baseOffset: 42, partitionLeaderEpoch: 7 }],
  ['batch idempotent', { records, ...producer }],
  ['batch transactional', { records, ...producer, isTransactional: true }],
  [
    'batch extreme',
    {
      records: [
        { timestamp: 0, value: text('a') },
        { timestamp: 2n ** 63n - 1n, value: text('b') },
      ],
    },
  ],
  [
    'batch append time',
    { records: [{ timestamp: 77, value: text('a') }], baseOffset: 5, logAppendTime: 1234 },
  ],
]

const directory = 'MkU3OEVBNTcwNTJENDM2Qg'
const seat = { voterId: 1, voterDirectoryId: ZERO_UUID }
const voter = {
  voterId: 1,
  voterDirectoryId: directory,
  endpoints: [{ name: 'CONTROLLER', host: 'localhost', port: 9093 }],
  kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
}
const controls: [string, number, ControlRecord][] = [
  [
    'control leader',
    10,
    {
      type: 'leaderChange',
      value: { version: 0, leaderId: 1, voters: [seat], grantingVoters: [seat] },
    },
  ],
  [
    'control snapshot header',
    0,
    { type: 'snapshotHeader', value: { version: 0, lastContainedLogTimestamp: 4000n } },
  ],
  ['control snapshot footer', 3, { type: 'snapshotFooter', value: { version: 0 } }],
  ['control kraft version', 1, { type: 'kraftVersion', value: { version: 0, kRaftVersion: 1 } }],
  ['control voters', 2, { type: 'voters', value: { version: 0, voters: [voter] } }],
]

describe('protocol: record batch', () => {
  test.each(batches)('%s has Kafka’s bytes', (name, input) => {
    expect(encodeBatch(input)).toEqual(kafkas(name))
  })

  test.each(batches)('%s reads back', (name, input) => {
    const bytes = kafkas(name)
    const header = readBatchHeader(bytes)
    expect(isBatchIntact(bytes, header)).toBe(true)
    expect(header.count).toBe(input.records.length)
    const read = [...recordsOf(bytes, header)]
    expect(read.map(({ offset }) => offset)).toEqual(
      input.records.map((_, i) => (input.baseOffset ?? 0) + i),
    )
    const stamp = input.logAppendTime
    expect(read.map(({ timestamp }) => timestamp)).toEqual(
      input.records.map(({ timestamp }) => BigInt(stamp ?? timestamp!)),
    )
    expect(read.map(({ key, value }) => [key, value])).toEqual(
      input.records.map(({ key, value }) => [key ?? null, value ?? null]),
    )
    expect(read[0]!.headers).toEqual(input.records[0]!.headers ?? [])
  })

  test('a turned bit anywhere behind the checksum is noticed', () => {
    const bytes = Uint8Array.from(kafkas('batch idempotent'))
    for (let at = 21; at < bytes.length; at += 13) {
      bytes[at] = bytes[at]! ^ 4
      expect(isBatchIntact(bytes, { ...readBatchHeader(kafkas('batch idempotent')) })).toBe(false)
      bytes[at] = bytes[at]! ^ 4
    }
  })

  test('batches follow each other, and a cut tail is left out on request', () => {
    const both = Uint8Array.from([...kafkas('batch plain'), ...kafkas('batch idempotent')])
    expect([...batchesOf(both)].map(({ position }) => position)).toEqual([0, 306])
    for (const end of [307, 320, both.length - 1]) {
      const cut = both.subarray(0, end)
      expect([...batchesOf(cut, true)]).toHaveLength(1)
      expect(() => [...batchesOf(cut)]).toThrow(MalformedFrame)
    }
  })

  test('a batch of another magic, length or record count is malformed', () => {
    const changed = (at: number, ...values: number[]): Uint8Array => {
      const bytes = Uint8Array.from(kafkas('batch plain'))
      bytes.set(values, at)
      return bytes
    }
    expect(() => readBatchHeader(changed(16, 1))).toThrow(MalformedFrame)
    expect(() => readBatchHeader(changed(8, 0, 0, 0, 5))).toThrow(MalformedFrame)
    expect(() => readBatchHeader(changed(8, 0x7f, 0xff, 0xff, 0xff))).toThrow(MalformedFrame)
    const many = changed(57, 0x7f, 0xff, 0xff, 0xff)
    expect(() => [...recordsOf(many, readBatchHeader(many))]).toThrow(MalformedFrame)
  })

  test('compression is a function given from outside', () => {
    const recode = (_: string, bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xaa)
    const bytes = encodeBatch({ records, compression: 'lz4', compress: recode })
    const header = readBatchHeader(bytes)
    expect(header.compression).toBe('lz4')
    expect([...recordsOf(bytes, header, recode)]).toHaveLength(3)
  })
})

describe('protocol: control records', () => {
  test.each(controls)('%s has Kafka’s bytes', (name, baseOffset, record) => {
    const batch = encodeControlBatch([record], { baseOffset, epoch: 4, timestampMs: 5000 })
    expect(batch).toEqual(kafkas(name))
    const [read] = recordsOf(batch, readBatchHeader(batch))
    expect(decodeControlRecord(read!)).toEqual(record)
  })

  test('a transaction marker has Kafka’s bytes', () => {
    const key = encodeVersioned(ControlRecordTypeSchema, 0, { type: 1 })
    const value = encodeVersioned(EndTxnMarker, 0, { coordinatorEpoch: 8 })
    const batch = encodeBatch({
      records: [{ key, value }],
      baseOffset: 12,
      timestamp: 5000,
      partitionLeaderEpoch: 4,
      isControl: true,
      isTransactional: true,
      producerId: 9001,
      producerEpoch: 3,
    })
    expect(batch).toEqual(kafkas('control commit'))
  })

  test('a type we do not know is malformed', () => {
    const record = { offset: 0, timestamp: 0n, headers: [], value: Uint8Array.from([0, 0]) }
    const key = Uint8Array.from([0, 0, 0, 77])
    expect(() => decodeControlRecord({ ...record, key })).toThrow(MalformedFrame)
    expect(() => decodeControlRecord({ ...record, key: null })).toThrow(MalformedFrame)
  })
})

describe('protocol: records of our logs', () => {
  test('metadata records have Kafka’s frame', () => {
    const topic = metadataRecord('TopicRecord', { name: 't', topicId: directory })
    expect(encodeMetadataRecord(topic)).toEqual(kafkas('metadata topic'))
    expect(decodeMetadataRecord(kafkas('metadata topic'))).toEqual(topic)
    const level = { name: 'metadata.version', featureLevel: 30 }
    const feature = metadataRecord('FeatureLevelRecord', level)
    expect(encodeMetadataRecord(feature)).toEqual(kafkas('metadata feature'))
  })

  test('bytes behind a metadata record are malformed', () => {
    const long = Uint8Array.from([...kafkas('metadata topic'), 0])
    expect(() => decodeMetadataRecord(long)).toThrow(MalformedFrame)
  })

  test('group records have Kafka’s key and value', () => {
    const key = { group: 'g', topic: 't', partition: 3 }
    const value = { offset: 99n, leaderEpoch: 2, metadata: 'm', commitTimestamp: 5n }
    const encoded = encodeCoordinatorRecord(OffsetCommit, 3, key, value)
    expect(encoded).toEqual({ key: kafkas('group key'), value: kafkas('group value') })
    const read = decodeCoordinatorRecord(groupRecords, encoded)
    expect(read).toMatchObject({ type: 'OffsetCommit', key, version: 3, value })
  })

  test('a null value is a tombstone, and unknown types are left to the caller', () => {
    const key = { group: 'g', topic: 't', partition: 3 }
    const tombstone = encodeCoordinatorRecord(OffsetCommit, 3, key, null)
    expect(decodeCoordinatorRecord(groupRecords, tombstone)).toMatchObject({ key, value: null })
    const unknown = { key: Uint8Array.from([0, 99]), value: null }
    expect(decodeCoordinatorRecord(groupRecords, unknown)).toBe(null)
    expect(
      decodeCoordinatorRecord(shareRecords, { ...unknown, key: Uint8Array.from([0, 5]) }),
    ).toBe(null)
  })

  test('a value of a newer version is malformed', () => {
    const record = { key: kafkas('group key'), value: Uint8Array.from([0, 9]) }
    expect(() => decodeCoordinatorRecord(groupRecords, record)).toThrow(MalformedFrame)
  })
})

describe('protocol: embedded', () => {
  const owned = [{ topic: 'a', partitions: [0, 2] }]
  const subscription = {
    topics: ['a', 'b'],
    userData: text('u'),
    ownedPartitions: owned,
    generationId: 7,
    rackId: 'rack',
  }

  test('subscriptions and assignments have Kafka’s bytes', () => {
    expect(encodeSubscription(3, subscription)).toEqual(kafkas('subscription'))
    expect(decodeSubscription(kafkas('subscription'))).toEqual({ ...subscription, version: 3 })
    expect(encodeAssignment(3, { assignedPartitions: owned })).toEqual(kafkas('assignment'))
    expect(decodeAssignment(kafkas('assignment'))).toMatchObject({ assignedPartitions: owned })
  })

  test('a version newer than ours is read as our newest', () => {
    const newer = Uint8Array.from([...kafkas('subscription'), 1, 2, 3])
    newer[1] = 9
    expect(decodeSubscription(newer)).toEqual({ ...subscription, version: 9 })
    newer[0] = 0xff
    expect(() => decodeSubscription(newer)).toThrow(MalformedFrame)
  })
})

describe('protocol: headers', () => {
  test('versions follow the api, and ApiVersions answers in the oldest', () => {
    expect([requestHeaderVersion(Heartbeat, 3), requestHeaderVersion(Heartbeat, 4)]).toEqual([1, 2])
    expect([responseHeaderVersion(Heartbeat, 3), responseHeaderVersion(Heartbeat, 4)]).toEqual([
      0, 1,
    ])
    expect(requestHeaderVersion(ApiVersions, 3)).toBe(2)
    expect(responseHeaderVersion(ApiVersions, 3)).toBe(0)
  })

  test('a request frame is length, header and body', () => {
    const header = { correlationId: 5, clientId: 'ab' }
    const frame = encodeRequestFrame(Heartbeat, 4, header, { groupId: 'g' })
    const reader = new Reader(frame)
    expect(reader.int32()).toBe(frame.length - 4)
    expect(peekApi(reader)).toEqual({ key: 12, version: 4 })
    expect(decodeRequestHeader(Heartbeat, 4, reader)).toEqual({
      requestApiKey: 12,
      requestApiVersion: 4,
      ...header,
    })
    expect(Buffer.from(frame.subarray(4, 17)).toString('hex')).toBe('000c0004000000050002616200')
  })

  test('a response frame is length, header and body', () => {
    const frame = encodeResponseFrame(Heartbeat, 4, 5, { errorCode: 27 })
    expect([...frame]).toEqual([0, 0, 0, 12, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 27, 0])
  })
})
