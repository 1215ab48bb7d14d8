// Records of Kafka's own logs as dump-log tells them: each decoder, control records, tombstones, and what nobody can
// read.

import { describe, expect, it } from 'vitest'
import { type Decoder, decodeRecord, decoderOf } from '../../../src/cli/dump/records.ts'
import { encode } from '../../../src/protocol/codec.ts'
import {
  encodeCoordinatorRecord,
  groupRecords,
  shareRecords,
  transactionRecords,
} from '../../../src/protocol/coordinator_records.ts'
import { encodeAssignment, encodeSubscription } from '../../../src/protocol/embedded.ts'
import type { LogRecord } from '../../../src/protocol/record_batch.ts'
import { EndTxnMarker } from '../../../src/protocol/records/control.ts'

function told(
  { key, value }: { key: Uint8Array | null; value: Uint8Array | null },
  decoder: Decoder,
  isControl = false,
) {
  const record: LogRecord = { offset: 0, timestamp: 0n, key, value, headers: [] }
  return decodeRecord(record, isControl, decoder)
}

const transactionKey = { transactionalId: 'payments' }

describe('cli: dump-log: records', () => {
  it('a log is known by the name of its topic', () => {
    const topics = [
      '__consumer_offsets',
      '__transaction_state',
      '__share_group_state',
      'words',
      null,
    ]
    expect(topics.map(decoderOf)).toEqual(['offsets', 'transactions', 'shares', 'none', 'none'])
    expect(decoderOf('__cluster_metadata')).toBe('metadata')
    expect(told({ key: null, value: null }, 'none')).toBeNull()
  })

  it('transactions have their state, or none when they are forgotten', () => {
    const value = {
      producerId: 7,
      producerEpoch: 1,
      transactionTimeoutMs: 60_000,
      transactionStatus: 1,
      transactionPartitions: [{ topic: 'words', partitionIds: [0, 2] }],
      transactionLastUpdateTimestampMs: 5,
      transactionStartTimestampMs: 4,
    }
    const table = transactionRecords.TransactionLog
    const record = encodeCoordinatorRecord(table, 1, transactionKey, value)
    expect(told(record, 'transactions')).toMatchObject({
      type: 'TransactionLog',
      version: 1,
      key: transactionKey,
      value: { producerId: 7, transactionPartitions: [{ topic: 'words', partitionIds: [0, 2] }] },
    })
    const tombstone = encodeCoordinatorRecord(table, 0, transactionKey, null)
    expect(told(tombstone, 'transactions')).toMatchObject({ key: transactionKey, value: null })
  })

  it('a classic group shows what its consumers told each other', () => {
    const member = {
      memberId: 'm',
      groupInstanceId: null,
      clientId: 'c',
      clientHost: '/127.0.0.1',
      rebalanceTimeout: 1,
      sessionTimeout: 1,
      subscription: encodeSubscription(1, { topics: ['words'], ownedPartitions: [] }),
      assignment: encodeAssignment(0, {
        assignedPartitions: [{ topic: 'words', partitions: [1] }],
      }),
    }
    const group = {
      protocolType: 'consumer',
      generation: 3,
      protocol: 'range',
      leader: 'm',
      currentStateTimestamp: 9,
      members: [member],
    }
    const record = encodeCoordinatorRecord(groupRecords.GroupMetadata, 3, { group: 'g' }, group)
    expect(told(record, 'offsets')).toMatchObject({
      type: 'GroupMetadata',
      key: { group: 'g' },
      value: {
        generation: 3,
        members: [
          {
            subscription: { topics: ['words'] },
            assignment: { assignedPartitions: [{ topic: 'words', partitions: [1] }] },
          },
        ],
      },
    })
  })

  it('share groups have their snapshots', () => {
    const topicId = 'Jq-zGOXZQYSyGyOWzVbsjQ'
    const record = encodeCoordinatorRecord(
      shareRecords.ShareUpdate,
      0,
      { groupId: 'g', topicId, partition: 1 },
      { snapshotEpoch: 2, leaderEpoch: 0, startOffset: 10, stateBatches: [] },
    )
    const { type, key } = told(record, 'shares')!
    expect({ type, key }).toEqual({
      type: 'ShareUpdate',
      key: { groupId: 'g', topicId, partition: 1 },
    })
  })

  it('markers of transactions say commit or abort', () => {
    const marker = Uint8Array.of(0, 0, ...encode(EndTxnMarker, 0, { coordinatorEpoch: 8 }))
    const of = (type: number) =>
      told({ key: Uint8Array.of(0, 0, 0, type), value: marker }, 'none', true)
    expect(of(0)).toEqual({ type: 'ABORT', version: 0, coordinatorEpoch: 8 })
    expect(of(1)).toEqual({ type: 'COMMIT', version: 0, coordinatorEpoch: 8 })
    expect(of(99)).toEqual({ unreadable: expect.stringContaining('control record type') })
  })

  it('what cannot be read says why, and the log goes on', () => {
    const odd = { key: Uint8Array.of(0, 99), value: Uint8Array.of(1) }
    expect(told(odd, 'offsets')).toEqual({ unreadable: 'record type 99 is unknown' })
    expect(told({ key: null, value: null }, 'offsets')).toHaveProperty('unreadable')
    expect(told({ key: Uint8Array.of(0), value: null }, 'offsets')).toHaveProperty('unreadable')
    expect(told({ key: null, value: Uint8Array.of(1, 99, 0) }, 'metadata')).toEqual({
      unreadable: expect.stringContaining('type 99'),
    })
  })
})
