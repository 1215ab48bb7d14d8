// Committed offsets: who may commit, what comes back, how long it lasts.

import { describe, expect, it } from 'vitest'
import {
  commitsRefused,
  fetchesRefused,
  type TopicNames,
  withIds,
  withNames,
} from '../../../src/group/topic_ids.ts'
import { ZERO_UUID } from '../../../src/lib/uuid.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { bytes, GROUP, GroupBench, HOUR } from './bench.ts'

const ID = 'abcdefghijklmnopqrstuA'
const OTHER_ID = 'bbcdefghijklmnopqrstuA'

function wanted(topics: Record<string, number[]>, topicId = ZERO_UUID) {
  return {
    groupId: GROUP,
    memberId: null,
    memberEpoch: -1,
    requireStable: true,
    topics: Object.entries(topics).map(([name, partitionIndexes]) => ({
      name,
      topicId,
      partitionIndexes,
    })),
  }
}

describe('group: offsets: commit', () => {
  it('group: offsets: commit: a simple consumer makes a simple group', () => {
    const bench = new GroupBench()
    expect(bench.commit({ 'orders:1': 42 }, { metadata: 'note' })).toEqual([0])
    expect(bench.records).toEqual([
      {
        type: 'OffsetCommit',
        version: 4,
        key: { group: GROUP, topic: 'orders', partition: 1 },
        value: {
          offset: 42n,
          leaderEpoch: 3,
          metadata: 'note',
          commitTimestamp: 1_000_000n,
          expireTimestamp: -1n,
          topicId: ZERO_UUID,
        },
      },
    ])
    expect(bench.group).toMatchObject({ state: 'Empty', protocolType: null })
  })

  it('group: offsets: commit: a retention of its own is kept in version 1 of the record', () => {
    const bench = new GroupBench()
    bench.commit({ orders: 1 }, { version: 2, retentionTimeMs: 60_000n })
    expect(bench.records).toMatchObject([
      { version: 1, value: { expireTimestamp: 1_060_000n, leaderEpoch: -1 } },
    ])
  })

  it('group: offsets: commit: a topic id is kept with the offset', () => {
    const bench = new GroupBench()
    const partitions = [
      { partitionIndex: 0, committedOffset: 5n, committedLeaderEpoch: -1, committedMetadata: null },
    ]
    bench.commit({}, { version: 10, topics: [{ name: 'orders', topicId: ID, partitions }] })
    expect(bench.records).toMatchObject([{ version: 4, value: { topicId: ID, metadata: '' } }])
  })

  it('group: offsets: commit: metadata that is too long is refused, partition by partition', () => {
    const bench = new GroupBench({ offsetMetadataLengthMax: 4 })
    expect(bench.commit({ a: 1 }, { metadata: 'four' })).toEqual([0])
    expect(bench.commit({ a: 1 }, { metadata: 'fives' })).toEqual([
      ErrorCode.OFFSET_METADATA_TOO_LARGE,
    ])
    expect(bench.records).toEqual([])
  })

  it.each([
    ['a member of the generation', {}, 'NONE'],
    ['another generation', { generationIdOrMemberEpoch: 2 }, 'ILLEGAL_GENERATION'],
    ['an unknown member', { memberId: 'x' }, 'UNKNOWN_MEMBER_ID'],
    ['a simple consumer', { memberId: '', generationIdOrMemberEpoch: -1 }, 'UNKNOWN_MEMBER_ID'],
    ['an unknown instance', { groupInstanceId: 'x' }, 'UNKNOWN_MEMBER_ID'],
  ] as const)('group: offsets: commit: of a group with members, by %s', (_, fields, error) => {
    const bench = new GroupBench()
    const [memberId] = bench.stableGroup([{}])
    const more = { memberId: memberId!, generationIdOrMemberEpoch: 1, ...fields }
    expect(bench.commit({ orders: 1 }, more)).toEqual([ErrorCode[error]])
  })

  it.each([
    ['8', 8, 'ILLEGAL_GENERATION'],
    ['9', 9, 'GROUP_ID_NOT_FOUND'],
  ] as const)(
    'group: offsets: commit: by a member of no group, version %s',
    (_, version, error) => {
      const bench = new GroupBench()
      const more = { version, memberId: 'x', generationIdOrMemberEpoch: 1 }
      expect(bench.commit({ orders: 1, bills: 2 }, more)).toEqual([
        ErrorCode[error],
        ErrorCode[error],
      ])
      expect(bench.group).toBeUndefined()
    },
  )

  it('group: offsets: commit: of the old generation while members rejoin, not while the leader assigns', () => {
    const bench = new GroupBench()
    const [leader, other] = bench.stableGroup([{}, {}])
    bench.sendJoin({ memberId: leader! })
    const old = { memberId: other!, generationIdOrMemberEpoch: 1 }
    expect(bench.commit({ orders: 1 }, old)).toEqual([0])
    bench.sendJoin({ memberId: other! })
    const fresh = { memberId: other!, generationIdOrMemberEpoch: 2 }
    expect(bench.commit({ orders: 1 }, fresh)).toEqual([ErrorCode.REBALANCE_IN_PROGRESS])
    expect(bench.commit({ orders: 1 }, old)).toEqual([ErrorCode.ILLEGAL_GENERATION])
  })

  it('group: offsets: commit: counts as a sign of life', () => {
    const bench = new GroupBench()
    const [memberId] = bench.stableGroup([{}])
    for (let i = 0; i < 3; i++) {
      bench.advance(8000)
      bench.commit({ orders: i }, { memberId: memberId!, generationIdOrMemberEpoch: 1 })
    }
    expect(bench.heartbeat(memberId!, 1)).toBe(0)
  })
})

describe('group: offsets: fetch', () => {
  it('group: offsets: fetch: what was asked for, in that order, with what is not known', () => {
    const bench = new GroupBench()
    bench.commit({ 'orders:1': 42 }, { metadata: 'note' })
    const request = wanted({ orders: [2, 1] })
    const { response } = bench.ask<'offsetFetch'>({ kind: 'offsetFetch', request })
    const unknown = { committedOffset: -1n, committedLeaderEpoch: -1, metadata: '', errorCode: 0 }
    expect(response).toEqual({
      groupId: GROUP,
      errorCode: 0,
      topics: [
        {
          name: 'orders',
          topicId: ZERO_UUID,
          partitions: [
            { partitionIndex: 2, ...unknown },
            {
              partitionIndex: 1,
              committedOffset: 42n,
              committedLeaderEpoch: 3,
              metadata: 'note',
              errorCode: 0,
            },
          ],
        },
      ],
    })
  })

  it('group: offsets: fetch: no topics means all; no group means none, without an error', () => {
    const bench = new GroupBench()
    bench.commit({ 'orders:1': 1, 'bills:0': 2, 'orders:0': 3 })
    expect(bench.fetch()).toEqual(['orders:1=1', 'orders:0=3', 'bills:0=2'])
    expect(bench.fetch('nowhere')).toEqual([])
  })

  it('group: offsets: fetch: a commit for an earlier topic of the name is none', () => {
    const bench = new GroupBench()
    const partitions = [
      { partitionIndex: 0, committedOffset: 5n, committedLeaderEpoch: -1, committedMetadata: '' },
    ]
    bench.commit({}, { version: 10, topics: [{ name: 'orders', topicId: ID, partitions }] })
    const fetch = (topicId: string) => {
      const request = wanted({ orders: [0] }, topicId)
      const { response } = bench.ask<'offsetFetch'>({ kind: 'offsetFetch', request })
      return response.topics[0]!.partitions[0]!.committedOffset
    }
    expect([fetch(ID), fetch(ZERO_UUID), fetch(OTHER_ID)]).toEqual([5n, 5n, -1n])
  })
})

describe('group: offsets: delete', () => {
  const remove = (bench: GroupBench, topics: Record<string, number[]>, groupId = GROUP) =>
    bench.ask<'offsetDelete'>({
      kind: 'offsetDelete',
      version: 0,
      request: {
        groupId,
        topics: Object.entries(topics).map(([name, indexes]) => ({
          name,
          partitions: indexes.map((partitionIndex) => ({ partitionIndex })),
        })),
      },
    }).response

  it('group: offsets: delete: topics that are read are refused, others go', () => {
    const bench = new GroupBench()
    const [memberId] = bench.stableGroup([{}])
    const member = { memberId: memberId!, generationIdOrMemberEpoch: 1 }
    bench.commit({ orders: 1, bills: 2 }, member)
    expect(remove(bench, { orders: [0], bills: [0, 9] })).toEqual({
      errorCode: 0,
      topics: [
        { name: 'orders', partitions: [{ partitionIndex: 0, errorCode: 86 }] },
        {
          name: 'bills',
          partitions: [
            { partitionIndex: 0, errorCode: 0 },
            { partitionIndex: 9, errorCode: 0 },
          ],
        },
      ],
    })
    expect(bench.records).toMatchObject([{ key: { topic: 'bills', partition: 0 }, value: null }])
    expect(bench.fetch()).toEqual(['orders:0=1'])
  })

  it('group: offsets: delete: subscriptions nobody can read may be to anything', () => {
    const bench = new GroupBench()
    const protocols = [{ name: 'range', metadata: bytes('?') }]
    const [memberId] = bench.stableGroup([{ protocols }])
    bench.commit({ bills: 2 }, { memberId: memberId!, generationIdOrMemberEpoch: 1 })
    expect(remove(bench, { bills: [0] }).topics![0]!.partitions![0]!.errorCode).toBe(86)
  })

  it('group: offsets: delete: a group of another kind must be empty; no group, no offsets', () => {
    const bench = new GroupBench()
    bench.sendJoin({ version: 3, protocolType: 'connect' })
    expect(remove(bench, { bills: [0] }).errorCode).toBe(ErrorCode.NON_EMPTY_GROUP)
    expect(remove(bench, { bills: [0] }, 'x').errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
    expect(remove(bench, { bills: [0] }, '').errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
  })

  it('group: offsets: delete: deleted topics take their offsets with them, not their namesakes', () => {
    const bench = new GroupBench()
    const commit = (name: string, topicId: string) => {
      const partitions = [
        { partitionIndex: 0, committedOffset: 5n, committedLeaderEpoch: -1, committedMetadata: '' },
      ]
      bench.commit({}, { version: 10, topics: [{ name, topicId, partitions }] })
    }
    commit('a', ID)
    commit('b', OTHER_ID)
    commit('c', ZERO_UUID)
    const topics = ['a', 'b', 'c'].map((name) => ({ name, topicId: ID }))
    bench.ask<'topicsDeleted'>({ kind: 'topicsDeleted', topics })
    expect(bench.fetch()).toEqual(['b:0=5'])
  })
})

describe('group: offsets: deleted topics', () => {
  const many = (count: number, topic: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${topic}:${i}`, i]))

  it('group: offsets: deleted topics: many offsets go in several batches', () => {
    const bench = new GroupBench()
    bench.isVerifying = false
    bench.commit({ ...many(2100, 'orders'), bills: 1 })
    const sizes: number[] = []
    bench.onDecision = ({ records }) => sizes.push(records.length)
    const topics = [{ name: 'orders', topicId: ID }]
    bench.ask<'topicsDeleted'>({ kind: 'topicsDeleted', topics })
    bench.advance(1)
    expect(sizes).toEqual([1000, 1000, 100])
    expect(bench.fetch()).toEqual(['bills:0=1'])
  })

  it('group: offsets: deleted topics: what is committed meanwhile is for the next of that name', () => {
    const bench = new GroupBench()
    bench.isVerifying = false
    bench.commit(many(1500, 'orders'))
    bench.advance(1)
    const topics = [{ name: 'orders', topicId: ID }]
    bench.ask<'topicsDeleted'>({ kind: 'topicsDeleted', topics })
    bench.nowMs++
    bench.commit({ 'orders:1499': 7 })
    bench.advance(0)
    expect(bench.fetch()).toEqual(['orders:1499=7'])
  })
})

describe('group: offsets: retention', () => {
  const day = 24 * HOUR

  it('group: offsets: retention: of a simple group runs from each commit', () => {
    const bench = new GroupBench()
    bench.commit({ orders: 1 })
    bench.advance(3 * day)
    bench.commit({ bills: 2 })
    bench.advance(4 * day)
    expect(bench.fetch()).toEqual(['bills:0=2'])
    bench.advance(3 * day)
    expect(bench.group).toBeUndefined()
  })

  it('group: offsets: retention: of a group that had members runs from when it became empty', () => {
    const bench = new GroupBench()
    const [memberId] = bench.stableGroup([{ sessionTimeoutMs: 60_000 }])
    bench.commit({ orders: 1 }, { memberId: memberId!, generationIdOrMemberEpoch: 1 })
    bench.advance(7 * day - HOUR)
    bench.reload()
    expect(bench.fetch()).toEqual(['orders:0=1'])
    bench.advance(2 * HOUR)
    expect(bench.fetch()).toEqual([])
    expect(bench.shard.groups.size).toBe(0)
  })

  it('group: offsets: retention: a stable group keeps what it reads, and forgets the rest', () => {
    const bench = new GroupBench()
    const [memberId] = bench.stableGroup([{ sessionTimeoutMs: 1_800_000 }])
    bench.commit({ orders: 1, bills: 2 }, { memberId: memberId!, generationIdOrMemberEpoch: 1 })
    for (let i = 0; i < 8 * 48; i++) {
      bench.advance(HOUR / 2 - 1)
      bench.heartbeat(memberId!, 1)
    }
    expect(bench.fetch()).toEqual(['orders:0=1'])
  })

  it('group: offsets: retention: as long as the commit said, where it did', () => {
    const bench = new GroupBench()
    bench.commit({ orders: 1 }, { version: 4, retentionTimeMs: BigInt(HOUR) })
    bench.advance(HOUR - 600_000)
    expect(bench.fetch()).toEqual(['orders:0=1'])
    bench.advance(600_000)
    expect(bench.fetch()).toEqual([])
  })

  it('group: offsets: retention: many offsets go in several batches', () => {
    const bench = new GroupBench()
    bench.isVerifying = false
    const many = Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`orders:${i}`, i]))
    bench.commit(many)
    const sizes: number[] = []
    bench.onDecision = ({ records }) => sizes.push(records.length)
    bench.advance(8 * day)
    expect(sizes.filter((size) => size > 0)).toEqual([1000, 1000, 501])
    expect(bench.log.length).toBe(5001)
    bench.verify()
  })

  it('group: offsets: retention: an empty group without offsets goes, unless someone is about to join', () => {
    const bench = new GroupBench()
    bench.advance(HOUR - 6000)
    const { memberId } = bench.joinReply(bench.sendJoin())
    bench.advance(6000)
    const ticket = bench.sendJoin({ memberId: memberId! })
    bench.advance(3000)
    expect(bench.joinReply(ticket)).toMatchObject({ errorCode: 0, generationId: 1 })
    bench.leave([{ memberId: memberId! }])
    bench.advance(600_000)
    expect(bench.group).toBeUndefined()
    expect(bench.shard.truth.groups.size).toBe(0)
  })
})

describe('group: topic ids', () => {
  const names: TopicNames = {
    nameOf: (id) => (id === ID ? 'orders' : undefined),
    idOf: (name) => (name === 'orders' ? ID : undefined),
  }

  it('group: topic ids: known ones get names, unknown ones an error each', () => {
    const partitions = [{ partitionIndex: 4 }]
    const topics = [ID, OTHER_ID].map((topicId) => ({ topicId, partitions, partitionIndexes: [4] }))
    const { known, unknown } = withNames(topics, names)
    expect(known).toMatchObject([{ name: 'orders', topicId: ID }])
    expect(commitsRefused(unknown)).toMatchObject([
      { topicId: OTHER_ID, partitions: [{ partitionIndex: 4, errorCode: 100 }] },
    ])
    expect(fetchesRefused(unknown)).toMatchObject([
      { topicId: OTHER_ID, partitions: [{ errorCode: 100, committedOffset: -1n }] },
    ])
  })

  it('group: topic ids: of all that was committed, only topics that exist have one', () => {
    expect(withIds([{ name: 'gone' }, { name: 'orders' }], names)).toEqual([
      { name: 'orders', topicId: ID },
    ])
  })
})
