// A quorum of one: leader at boot, committed by its own flush, and answers to everybody else.
import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { METADATA_TOPIC_ID } from '../../../src/raft/messages.ts'
import type { BootInput, RaftEffect } from '../../../src/raft/raft.ts'
import { VoterSet } from '../../../src/raft/voters.ts'
import { configOf, directory, emptyDisk, Node, only, voter } from './node.ts'

/** What `kafka-storage format --standalone` leaves: version and voters in the first checkpoint. */
const standalone: BootInput = {
  ...emptyDisk,
  snapshots: [{ offset: 0, epoch: 0, bytes: 400 }],
  quorumRecords: [
    { offset: -1, record: { type: 'kraftVersion', value: { version: 0, kRaftVersion: 1 } } },
    { offset: -1, record: { type: 'voters', value: new VoterSet([voter(1)]).toRecord() } },
  ],
}

function booted(): Node {
  const node = new Node(configOf(1))
  node.give(standalone)
  node.give({ kind: 'flushed', logEndOffset: 3 })
  return node
}

const kinds = (effects: RaftEffect[]) => effects.map((effect) => effect.kind)

const fetchOf = (fields: object, partition: object) => ({
  clusterId: 'cluster',
  replicaState: { replicaId: 7, replicaEpoch: -1 },
  maxWaitMs: 500,
  maxBytes: 1 << 20,
  topics: [
    {
      topicId: METADATA_TOPIC_ID,
      partitions: [{ currentLeaderEpoch: 1, fetchOffset: 3, lastFetchedEpoch: 1, ...partition }],
    },
  ],
  ...fields,
})

describe('raft: one voter', () => {
  test('raft: one voter: leads at once, durably, and commits by its own flush', () => {
    const node = new Node(configOf(1))
    const effects = node.give(standalone)
    expect(kinds(effects)).toEqual([
      'leaderChanged',
      'persistQuorumState',
      'leaderChanged',
      'persistQuorumState',
      'leaderChanged',
      'append',
      'flush',
    ])
    const [voted, led] = only(effects, 'persistQuorumState')
    const key = { id: 1, directoryId: directory(1) }
    expect(voted!.state).toEqual({ epoch: 1, leaderId: null, votedKey: key })
    expect(led!.state).toEqual({ epoch: 1, leaderId: 1, votedKey: null })
    expect(led!.version).toBe(1)
    const [append] = only(effects, 'append')
    expect(append).toMatchObject({ baseOffset: 0, epoch: 1, count: 3, after: 'quorum-state' })
    expect(append!.control!.map((record) => record.type)).toEqual([
      'leaderChange',
      'kraftVersion',
      'voters',
    ])
    expect(append!.control![0]!.value).toMatchObject({
      leaderId: 1,
      voters: [{ voterId: 1 }],
      grantingVoters: [{ voterId: 1 }],
    })
    expect(node.raft.highWatermark).toBe(-1)
    expect(node.give({ kind: 'flushed', logEndOffset: 3 })).toEqual([
      { kind: 'highWatermark', offset: 3, epoch: 1 },
      { kind: 'becameLeader', epoch: 1, epochStartOffset: 0 },
    ])
    expect(node.raft.wakeAtMs).toBe(Infinity)
  })

  test('raft: one voter: a restart begins a new epoch and keeps the voters of the log', () => {
    const node = new Node(configOf(1))
    const effects = node.give({
      ...standalone,
      quorumState: { epoch: 1, leaderId: 1, votedKey: null },
      logEndOffset: 10,
      epochs: [{ epoch: 1, startOffset: 0 }],
      quorumRecords: standalone.quorumRecords.map((at, index) => ({ ...at, offset: 1 + index })),
    })
    const [append] = only(effects, 'append')
    expect(append).toMatchObject({ baseOffset: 10, epoch: 2, count: 1 })
    expect(only(effects, 'persistQuorumState').map(({ state }) => state.epoch)).toEqual([2, 2])
    expect(node.give({ kind: 'flushed', logEndOffset: 11 })).toContainEqual({
      kind: 'becameLeader',
      epoch: 2,
      epochStartOffset: 10,
    })
  })

  test('raft: one voter: an epoch in the log above quorum-state is never begun again', () => {
    const node = new Node(configOf(1))
    const effects = node.give({
      ...standalone,
      logEndOffset: 10,
      epochs: [{ epoch: 7, startOffset: 0 }],
    })
    expect(only(effects, 'append')[0]!.epoch).toBe(8)
  })

  test('raft: one voter: a static quorum writes version 0 and no voters', () => {
    const self = { ...voter(1), directoryId: null }
    const node = new Node(configOf(1, { staticVoters: [self] }))
    const effects = node.give(emptyDisk)
    expect(only(effects, 'persistQuorumState')[0]).toMatchObject({ version: 0, voterIds: [1] })
    expect(only(effects, 'append')[0]!.control!.map((record) => record.type)).toEqual([
      'leaderChange',
    ])
  })

  test('raft: one voter: a changed address is written to the log', () => {
    const listeners = [{ name: 'CONTROLLER', host: 'moved', port: 9093 }]
    const node = new Node(configOf(1, { listeners }))
    const effects = node.give({
      ...standalone,
      logEndOffset: 10,
      epochs: [{ epoch: 1, startOffset: 0 }],
      quorumRecords: standalone.quorumRecords.map((at) => ({ ...at, offset: 1 })),
    })
    const record = only(effects, 'append')[0]!.control![2]!
    expect(record.value).toMatchObject({ voters: [{ endpoints: [{ host: 'moved' }] }] })
    expect(node.raft.voters.endpointsOf(1)[0]!.host).toBe('moved')
  })

  test('raft: one voter: a replica of another directory is no voter', () => {
    const node = new Node(configOf(1, { directoryId: directory(2) }))
    const effects = node.give(standalone)
    expect(only(effects, 'append')).toEqual([])
    expect(node.raft.role).toBe('unattached')
  })

  test('raft: one voter: proposals get offsets at once and are committed when flushed', () => {
    const node = booted()
    const effects = node.give({ kind: 'propose', ticket: 5, epoch: 1, count: 2, payload: 'x' })
    expect(kinds(effects)).toEqual(['append', 'flush', 'proposed'])
    expect(effects[0]).toMatchObject({ baseOffset: 3, count: 2, payload: 'x', control: null })
    expect(effects[2]).toEqual({ kind: 'proposed', ticket: 5, baseOffset: 3 })
    expect(node.give({ kind: 'propose', ticket: 6, epoch: 9, count: 1, payload: 'y' })).toEqual([
      { kind: 'notLeader', ticket: 6, epoch: 1 },
    ])
    expect(node.give({ kind: 'flushed', logEndOffset: 5 })).toEqual([
      { kind: 'highWatermark', offset: 5, epoch: 1 },
    ])
    expect(node.give({ kind: 'flushed', logEndOffset: 5 })).toEqual([])
  })

  test('raft: one voter: resigning ends the epoch and begins another', () => {
    const node = booted()
    const effects = node.give({ kind: 'resign', epoch: 1 })
    expect(effects).toContainEqual({ kind: 'resigned', epoch: 1 })
    expect(node.raft.role).toBe('resigned')
    node.wait(2000)
    expect([node.raft.role, node.raft.epoch]).toEqual(['leader', 3])
    expect(node.give({ kind: 'resign', epoch: 1 })).toEqual([])
  })
})

describe('raft: fetch', () => {
  test('raft: fetch: waits for records, is answered by an append', () => {
    const node = booted()
    expect(node.ask('Fetch', 17, fetchOf({}, {}))).toEqual([])
    expect(node.raft.wakeAtMs).toBe(1500)
    const effects = node.give({ kind: 'propose', ticket: 5, epoch: 1, count: 2, payload: 'x' })
    expect(kinds(effects)).toEqual(['append', 'flush', 'respondFetch', 'proposed'])
    expect(only(effects, 'respondFetch')[0]).toMatchObject({
      ticket: 1,
      offset: 3,
      endOffset: 5,
      bytesMax: 1 << 20,
      response: {
        responses: [
          { partitions: [{ highWatermark: 3, currentLeader: { leaderId: 1, leaderEpoch: 1 } }] },
        ],
        nodeEndpoints: [{ nodeId: 1, host: 'node1', port: 9093 }],
      },
    })
  })

  test('raft: fetch: is answered empty when its time is up', () => {
    const node = booted()
    node.ask('Fetch', 17, fetchOf({}, {}))
    expect(only(node.wait(500), 'respond')[0]).toMatchObject({ ticket: 1, api: 'Fetch' })
    expect(kinds(node.ask('Fetch', 17, fetchOf({ maxWaitMs: 0 }, {})))).toEqual(['respond'])
  })

  test('raft: fetch: version 18 that knows an older high watermark is told at once', () => {
    const node = booted()
    const known = (highWatermark: bigint) => node.ask('Fetch', 18, fetchOf({}, { highWatermark }))
    expect(known(3n)).toEqual([])
    expect(kinds(known(2n))).toEqual(['respond'])
    node.give({ kind: 'propose', ticket: 5, epoch: 1, count: 1, payload: 'x' })
    node.ask('Fetch', 18, fetchOf({}, { fetchOffset: 4, highWatermark: 3n }), 9)
    const effects = node.give({ kind: 'flushed', logEndOffset: 4 })
    expect(kinds(effects)).toEqual(['highWatermark', 'respond'])
    expect(only(effects, 'respond')[0]!.ticket).toBe(9)
  })

  test('raft: fetch: a resignation answers those who wait', () => {
    const node = booted()
    node.ask('Fetch', 17, fetchOf({}, {}), 4)
    const [answer] = only(node.give({ kind: 'resign', epoch: 1 }), 'respond')
    expect(answer).toMatchObject({
      ticket: 4,
      response: {
        responses: [{ partitions: [{ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER }] }],
      },
    })
  })

  const partitionError = (effects: RaftEffect[]) => {
    const [answer] = only(effects, 'respond')
    const response = answer!.response as { responses?: { partitions: { errorCode: number }[] }[] }
    return response.responses![0]!.partitions[0]!.errorCode
  }

  test('raft: fetch: epochs and positions are checked as Kafka does', () => {
    const node = booted()
    const error = (partition: object, fields: object = {}) =>
      partitionError(node.ask('Fetch', 17, fetchOf(fields, partition)))
    expect(error({ currentLeaderEpoch: 0, lastFetchedEpoch: 0 })).toBe(
      ErrorCode.FENCED_LEADER_EPOCH,
    )
    expect(error({ currentLeaderEpoch: 2 })).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    expect(error({ lastFetchedEpoch: 2 })).toBe(ErrorCode.INVALID_REQUEST)
    expect(error({ fetchOffset: -1 })).toBe(ErrorCode.INVALID_REQUEST)
    expect(error({}, { maxWaitMs: -1 })).toBe(ErrorCode.INVALID_REQUEST)
    expect(error({}, { replicaState: { replicaId: 1, replicaEpoch: -1 } })).toBe(
      ErrorCode.UNKNOWN_SERVER_ERROR,
    )
    const top = (fields: object) => only(node.ask('Fetch', 17, fetchOf(fields, {})), 'respond')[0]
    expect(top({ clusterId: 'other' })!.response).toEqual({
      errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID,
    })
    expect(top({ topics: [] })!.response).toEqual({ errorCode: ErrorCode.INVALID_REQUEST })
  })

  test('raft: fetch: a log that diverges is told where', () => {
    const node = new Node(configOf(1))
    node.give({
      ...standalone,
      logEndOffset: 30,
      epochs: [
        { epoch: 1, startOffset: 0 },
        { epoch: 4, startOffset: 20 },
      ],
    })
    const diverging = (fetchOffset: number, lastFetchedEpoch: number) => {
      const partition = { currentLeaderEpoch: 5, fetchOffset, lastFetchedEpoch }
      const [answer] = only(node.ask('Fetch', 17, fetchOf({}, partition)), 'respond')
      const response = answer!.response as {
        responses: { partitions: { divergingEpoch: object }[] }[]
      }
      return response.responses[0]!.partitions[0]!.divergingEpoch
    }
    expect(diverging(25, 1)).toEqual({ epoch: 1, endOffset: 20 })
    expect(diverging(25, 3)).toEqual({ epoch: 1, endOffset: 20 })
    expect(diverging(40, 4)).toEqual({ epoch: 4, endOffset: 30 })
  })

  test('raft: fetch: an empty log or one below the start is sent to the snapshot', () => {
    const node = booted()
    node.give({ kind: 'propose', ticket: 5, epoch: 1, count: 17, payload: 'x' })
    node.give({ kind: 'flushed', logEndOffset: 20 })
    const snapshot = { offset: 10, epoch: 1, bytes: 1000 }
    node.give({ kind: 'snapshotCreated', snapshot })
    node.give({ kind: 'logTrimmed', logStartOffset: 10, snapshots: [snapshot] })
    const pointed = (fetchOffset: number, lastFetchedEpoch: number) => {
      const partition = { fetchOffset, lastFetchedEpoch }
      const effects = node.ask('Fetch', 17, fetchOf({}, partition))
      const [answer] = only(effects, 'respond')
      if (answer === undefined) return kinds(effects)
      const response = answer.response as { responses: { partitions: { snapshotId: object }[] }[] }
      return response.responses[0]!.partitions[0]!.snapshotId
    }
    expect(pointed(0, 0)).toEqual({ endOffset: 10, epoch: 1 })
    expect(pointed(5, 1)).toEqual({ endOffset: 10, epoch: 1 })
    expect(pointed(10, 1)).toEqual(['respondFetch'])
  })
})

describe('raft: fetch snapshot', () => {
  const ask = (node: Node, fields: object, top: object = {}) =>
    node.ask('FetchSnapshot', 1, {
      clusterId: 'cluster',
      replicaId: 7,
      maxBytes: 100,
      topics: [
        {
          name: '__cluster_metadata',
          partitions: [
            { currentLeaderEpoch: 1, snapshotId: { endOffset: 2, epoch: 1 }, ...fields },
          ],
        },
      ],
      ...top,
    })
  const error = (effects: RaftEffect[]) => {
    const response = only(effects, 'respond')[0]!.response as {
      topics: { partitions: { errorCode: number }[] }[]
    }
    return response.topics[0]!.partitions[0]!.errorCode
  }

  test('raft: fetch snapshot: gives pieces of a snapshot that is there', () => {
    const node = booted()
    node.give({ kind: 'snapshotCreated', snapshot: { offset: 2, epoch: 1, bytes: 250 } })
    expect(ask(node, { position: 200 })).toMatchObject([
      {
        kind: 'respondSnapshot',
        snapshot: { offset: 2, epoch: 1 },
        position: 200,
        bytesMax: 50,
        response: { topics: [{ partitions: [{ size: 250, position: 200 }] }] },
      },
    ])
    expect(error(ask(node, { position: 250 }))).toBe(ErrorCode.POSITION_OUT_OF_RANGE)
    expect(error(ask(node, { snapshotId: { endOffset: 3, epoch: 1 } }))).toBe(
      ErrorCode.SNAPSHOT_NOT_FOUND,
    )
    expect(error(ask(node, { snapshotId: { endOffset: 0, epoch: 0 } }))).toBe(
      ErrorCode.SNAPSHOT_NOT_FOUND,
    )
    expect(error(ask(node, { currentLeaderEpoch: 0 }))).toBe(ErrorCode.FENCED_LEADER_EPOCH)
  })
})

describe('raft: quorum requests', () => {
  const vote = (node: Node, partition: object, top: object = {}) => {
    const effects = node.ask('Vote', 2, {
      clusterId: 'cluster',
      voterId: 1,
      topics: [
        {
          topicName: '__cluster_metadata',
          partitions: [
            {
              replicaEpoch: 2,
              replicaId: 9,
              replicaDirectoryId: directory(9),
              voterDirectoryId: directory(1),
              lastOffsetEpoch: 1,
              lastOffset: 100,
              ...partition,
            },
          ],
        },
      ],
      ...top,
    })
    const response = only(effects, 'respond')[0]!.response as {
      errorCode: number
      topics?: { partitions: { errorCode: number; voteGranted: boolean }[] }[]
    }
    return response.topics?.[0]?.partitions[0] ?? response.errorCode
  }

  test('raft: vote: is validated as Kafka does', () => {
    const node = booted()
    expect(vote(node, {}, { clusterId: 'other' })).toBe(ErrorCode.INCONSISTENT_CLUSTER_ID)
    expect(vote(node, {}, { topics: [] })).toBe(ErrorCode.INVALID_REQUEST)
    expect(vote(node, { lastOffsetEpoch: 2 })).toMatchObject({
      errorCode: ErrorCode.INVALID_REQUEST,
    })
    expect(vote(node, { replicaEpoch: 0, lastOffsetEpoch: 0, preVote: true })).toMatchObject({
      errorCode: ErrorCode.FENCED_LEADER_EPOCH,
    })
    expect(vote(node, { replicaId: -1 })).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST })
    expect(node.raft.role).toBe('leader')
    expect(vote(node, { voterDirectoryId: directory(5) })).toMatchObject({
      errorCode: ErrorCode.INVALID_VOTER_KEY,
      voteGranted: false,
    })
    expect(node.raft.epoch).toBeGreaterThan(1)
  })

  test('raft: describe quorum: only the leader answers', () => {
    const node = booted()
    node.ask('Fetch', 17, fetchOf({}, {}))
    const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
    expect(only(node.ask('DescribeQuorum', 2, { topics }), 'respond')[0]!.response).toMatchObject({
      topics: [
        {
          partitions: [
            {
              leaderId: 1,
              leaderEpoch: 1,
              highWatermark: 3,
              currentVoters: [{ replicaId: 1, replicaDirectoryId: directory(1), logEndOffset: 3 }],
              observers: [{ replicaId: 7, logEndOffset: 3, lastFetchTimestamp: 1000 }],
            },
          ],
        },
      ],
      nodes: [{ nodeId: 1, listeners: [{ name: 'CONTROLLER', host: 'node1' }] }],
    })
    const error = (fields: object) =>
      only(node.ask('DescribeQuorum', 1, fields), 'respond')[0]!.response
    expect(error({ topics: [{ topicName: 'x', partitions: [{ partitionIndex: 0 }] }] })).toEqual({
      topics: [
        {
          topicName: 'x',
          partitions: [
            {
              partitionIndex: 0,
              errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
              errorMessage: null,
            },
          ],
        },
      ],
    })
    node.give({ kind: 'resign', epoch: 1 })
    expect(error({ topics })).toMatchObject({
      topics: [{ partitions: [{ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER }] }],
    })
  })
})
