// Voter sets and the follower's side, one message at a time.
import { describe, expect, test } from 'vitest'
import { encodeControlBatch } from '../../../src/protocol/control_records.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { METADATA_TOPIC_ID } from '../../../src/raft/messages.ts'
import type { BootInput, RaftEffect, RaftInput } from '../../../src/raft/raft.ts'
import { type QuorumRecord, VoterHistory, VoterSet } from '../../../src/raft/voters.ts'
import { configOf, directory, emptyDisk, Node, only, voter } from './node.ts'

const version: QuorumRecord = { type: 'kraftVersion', value: { version: 0, kRaftVersion: 1 } }
const votersRecord = (...ids: number[]): QuorumRecord => ({
  type: 'voters',
  value: new VoterSet(ids.map(voter)).toRecord(),
})

/** Three voters formatted together, with a log of ten records of epoch 3. */
const disk: BootInput = {
  ...emptyDisk,
  quorumState: { epoch: 3, leaderId: null, votedKey: null },
  logEndOffset: 10,
  epochs: [{ epoch: 3, startOffset: 0 }],
  quorumRecords: [
    { offset: -1, record: version },
    { offset: -1, record: votersRecord(1, 2, 3) },
  ],
}

/** Node 1, following node 2 in epoch 4, with a fetch on its way. */
function following(): { node: Node; requestId: number } {
  const node = new Node(configOf(1))
  node.give(disk)
  const effects = node.ask('BeginQuorumEpoch', 1, {
    clusterId: 'cluster',
    voterId: 1,
    topics: [{ topicName: '__cluster_metadata', partitions: [{ leaderId: 2, leaderEpoch: 4 }] }],
    leaderEndpoints: [{ name: 'CONTROLLER', host: 'node2', port: 9093 }],
  })
  const [fetch] = only(effects, 'send').filter((send) => send.api === 'Fetch')
  expect(fetch!.to).toEqual({ id: 2, host: 'node2', port: 9093 })
  return { node, requestId: fetch!.requestId }
}

function fetched(requestId: number, fields: object): RaftInput {
  const partition = {
    partitionIndex: 0,
    errorCode: 0,
    highWatermark: 10,
    lastStableOffset: -1,
    logStartOffset: 0,
    divergingEpoch: { epoch: -1, endOffset: -1 },
    currentLeader: { leaderId: 2, leaderEpoch: 4 },
    snapshotId: { endOffset: -1, epoch: -1 },
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: new Uint8Array(0),
    ...fields,
  }
  const response = {
    throttleTimeMs: 0,
    errorCode: 0,
    sessionId: 0,
    responses: [{ topic: '', topicId: METADATA_TOPIC_ID, partitions: [partition] }],
    nodeEndpoints: [],
  }
  return { kind: 'response', requestId, api: 'Fetch', response }
}

const batch = (baseOffset: number, epoch: number, count = 2) =>
  encodeBatch({
    records: Array.from({ length: count }, () => ({ value: new Uint8Array([1]) })),
    baseOffset,
    partitionLeaderEpoch: epoch,
    timestamp: 1,
  })

const kinds = (effects: RaftEffect[]) => effects.map((effect) => effect.kind)

describe('raft: follower', () => {
  test('raft: follower: fetches again only after what it fetched is on disk', () => {
    const { node, requestId } = following()
    const effects = node.give(fetched(requestId, { records: batch(10, 4) }))
    expect(kinds(effects)).toEqual(['appendFetched', 'flush', 'highWatermark'])
    expect(effects[0]).toMatchObject({ baseOffset: 10, endOffset: 12 })
    const [again] = only(node.give({ kind: 'flushed', logEndOffset: 12 }), 'send')
    const partition = (again!.request as { topics: { partitions: object[] }[] }).topics[0]!
    expect(partition.partitions[0]).toMatchObject({ fetchOffset: 12, lastFetchedEpoch: 4 })
  })

  test('raft: follower: the high watermark is never above its own log', () => {
    const { node, requestId } = following()
    const effects = node.give(fetched(requestId, { highWatermark: 500 }))
    expect(only(effects, 'highWatermark')[0]!.offset).toBe(10)
  })

  test('raft: follower: batches that do not continue the log are dropped', () => {
    const wrong = [batch(9, 4), batch(11, 4), batch(10, 2), batch(10, 5)]
    for (const records of wrong) {
      const { node, requestId } = following()
      const effects = node.give(fetched(requestId, { records }))
      // The leader rests for a moment; meanwhile somebody else may know a better one.
      expect(kinds(effects)).toEqual(['note', 'send'])
      expect(node.raft.logEndOffset).toBe(10)
      expect(only(node.wait(25), 'send')[0]).toMatchObject({ api: 'Fetch', to: { id: 2 } })
    }
  })

  test('raft: follower: a batch that is cut short is fetched again, whole ones are kept', () => {
    const { node, requestId } = following()
    const records = Buffer.concat([batch(10, 4), batch(12, 4).subarray(0, 70)])
    const effects = node.give(fetched(requestId, { records }))
    const [append] = only(effects, 'appendFetched')
    expect(append!.endOffset).toBe(12)
    expect(append!.records.length).toBe(batch(10, 4).length)
  })

  test('raft: follower: cuts where the logs part, and never what is committed', () => {
    const { node, requestId } = following()
    const diverging = { divergingEpoch: { epoch: 3, endOffset: 6 } }
    expect(only(node.give(fetched(requestId, diverging)), 'truncate')[0]!.offset).toBe(6)
    expect(node.raft.logEndOffset).toBe(6)

    const other = following()
    const effects = other.node.give(fetched(other.requestId, { highWatermark: 9 }))
    const next = only(effects, 'send')[0]!.requestId
    expect(kinds(other.node.give(fetched(next, diverging)))).toContain('note')
    expect(other.node.raft.logEndOffset).toBe(10)
  })

  test('raft: follower: a late answer about another position is not obeyed', () => {
    const { node, requestId } = following()
    // The leader sent nonsense, so another node is asked too, and both answer.
    const [other] = only(node.give(fetched(requestId, { records: batch(9, 4) })), 'send')
    const [again] = only(node.wait(25), 'send')
    node.give(fetched(again!.requestId, { records: batch(10, 4) }))
    node.give({ kind: 'flushed', logEndOffset: 12 })
    const late = fetched(other!.requestId, { divergingEpoch: { epoch: 3, endOffset: 6 } })
    expect(only(node.give(late), 'truncate')).toEqual([])
    expect(node.raft.logEndOffset).toBe(12)
  })

  test('raft: follower: voters in fetched control batches are in force at once, until cut', () => {
    const { node, requestId } = following()
    const records = encodeControlBatch([version, votersRecord(1, 2)], {
      baseOffset: 10,
      epoch: 4,
      timestampMs: 1,
    })
    node.give(fetched(requestId, { records }))
    expect(node.raft.voters.ids()).toEqual([1, 2])
    const [again] = only(node.give({ kind: 'flushed', logEndOffset: 12 }), 'send')
    node.give(fetched(again!.requestId, { divergingEpoch: { epoch: 3, endOffset: 10 } }))
    expect(node.raft.logEndOffset).toBe(10)
    expect(node.raft.voters.ids()).toEqual([1, 2, 3])
  })

  test('raft: follower: refuses pre-votes while its leader serves it', () => {
    const { node, requestId } = following()
    const preVote = () => {
      const effects = node.ask('Vote', 2, {
        clusterId: 'cluster',
        voterId: 1,
        topics: [
          {
            topicName: '__cluster_metadata',
            partitions: [
              {
                replicaEpoch: 4,
                replicaId: 3,
                replicaDirectoryId: directory(3),
                lastOffsetEpoch: 3,
                lastOffset: 10,
                preVote: true,
              },
            ],
          },
        ],
      })
      const response = only(effects, 'respond')[0]!.response as {
        topics: { partitions: { voteGranted: boolean }[] }[]
      }
      return response.topics[0]!.partitions[0]!.voteGranted
    }
    expect(preVote()).toBe(true)
    node.give(fetched(requestId, {}))
    expect(preVote()).toBe(false)
    expect([node.raft.role, node.raft.epoch]).toEqual(['follower', 4])
  })

  test('raft: follower: a second leader of the same epoch is noted and ignored', () => {
    const { node } = following()
    const effects = node.ask('BeginQuorumEpoch', 1, {
      topics: [{ topicName: '__cluster_metadata', partitions: [{ leaderId: 3, leaderEpoch: 4 }] }],
    })
    expect(kinds(effects)).toEqual(['note', 'respond'])
    expect(node.raft.leaderId).toBe(2)
  })

  test('raft: follower: requests of an older epoch are answered with the newer one', () => {
    const { node } = following()
    for (const api of ['BeginQuorumEpoch', 'EndQuorumEpoch'] as const) {
      const effects = node.ask(api, 1, {
        topics: [
          { topicName: '__cluster_metadata', partitions: [{ leaderId: 3, leaderEpoch: 2 }] },
        ],
      })
      expect(only(effects, 'respond')[0]!.response).toMatchObject({
        topics: [
          {
            partitions: [{ errorCode: ErrorCode.FENCED_LEADER_EPOCH, leaderId: 2, leaderEpoch: 4 }],
          },
        ],
        nodeEndpoints: [{ nodeId: 2, host: 'node2', port: 9093 }],
      })
    }
  })
})

describe('raft: voters', () => {
  test('raft: voters: a directory makes the voter, where there is one', () => {
    const set = new VoterSet([voter(1), { ...voter(2), directoryId: null }])
    expect(set.isVoter({ id: 1, directoryId: directory(1) })).toBe(true)
    expect(set.isVoter({ id: 1, directoryId: directory(9) })).toBe(false)
    expect(set.isVoter({ id: 2, directoryId: directory(9) })).toBe(true)
    expect(set.isVoter({ id: 3, directoryId: directory(3) })).toBe(false)
    expect(VoterSet.fromRecord(set.toRecord()).voters()).toEqual(set.voters())
    expect([1, 2, 3, 4, 5].map((n) => sized(n).majority)).toEqual([1, 2, 2, 3, 3])
    expect(() => new VoterSet([voter(1), voter(1)])).toThrow()
  })

  test('raft: voters: the history follows the log', () => {
    const history = new VoterHistory(sized(1))
    expect([history.voters.size, history.kraftVersion, history.votersOffset]).toEqual([1, 0, null])
    history.replay(-1, version)
    history.replay(-1, votersRecord(1, 2, 3))
    history.replay(20, votersRecord(1, 2))
    expect([history.voters.size, history.votersOffset]).toEqual([2, 20])
    expect(history.votersBefore(20).size).toBe(3)
    expect(history.votersBefore(21).size).toBe(2)
    expect(history.kraftVersionBefore(5)).toBe(1)
    history.truncateTo(20)
    expect(history.voters.size).toBe(3)
    history.clear()
    expect(history.voters.size).toBe(1)
  })
})

const sized = (count: number) =>
  new VoterSet(Array.from({ length: count }, (_, index) => voter(index + 1)))
