// Changes of the voter set: what is refused and why, and a join, a removal and an update to the end.
import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { METADATA_TOPIC_ID } from '../../../src/raft/messages.ts'
import type { BootInput, RaftEffect, RaftInput } from '../../../src/raft/raft.ts'
import { VoterSet } from '../../../src/raft/voters.ts'
import { configOf, directory, emptyDisk, Node, only, voter } from './node.ts'

function disk(...ids: number[]): BootInput {
  const value = new VoterSet(ids.map(voter)).toRecord()
  return {
    ...emptyDisk,
    quorumRecords: [
      { offset: -1, record: { type: 'kraftVersion', value: { version: 0, kRaftVersion: 1 } } },
      { offset: -1, record: { type: 'voters', value } },
    ],
  }
}

/** The only voter, with its first records committed. */
function leader(): Node {
  const node = new Node(configOf(1))
  node.give(disk(1))
  node.give({ kind: 'flushed', logEndOffset: 3 })
  return node
}

const error = (effects: RaftEffect[]) =>
  only(effects, 'respond').map(({ response }) => (response as { errorCode: number }).errorCode)

const add = (node: Node, id: number, fields: object = {}) =>
  node.ask('AddRaftVoter', 1, {
    clusterId: 'cluster',
    voterId: id,
    voterDirectoryId: directory(id),
    listeners: voter(id).endpoints,
    ...fields,
  })

const remove = (node: Node, id: number, fields: object = {}) =>
  node.ask('RemoveRaftVoter', 0, {
    clusterId: 'cluster',
    voterId: id,
    voterDirectoryId: directory(id),
    ...fields,
  })

const fetch = (node: Node, id: number, fetchOffset: number) =>
  node.ask(
    'Fetch',
    17,
    {
      replicaState: { replicaId: id },
      topics: [
        {
          topicId: METADATA_TOPIC_ID,
          partitions: [
            {
              currentLeaderEpoch: node.raft.epoch,
              fetchOffset,
              lastFetchedEpoch: fetchOffset === 0 ? 0 : 1,
              replicaDirectoryId: directory(id),
            },
          ],
        },
      ],
    },
    99,
  )

function apiVersions(requestId: number, maxVersion: number): RaftInput {
  return {
    kind: 'response',
    requestId,
    api: 'ApiVersions',
    response: {
      errorCode: 0,
      apiKeys: [],
      throttleTimeMs: 0,
      supportedFeatures: [{ name: 'kraft.version', minVersion: 0, maxVersion }],
      finalizedFeaturesEpoch: -1,
      finalizedFeatures: [],
      zkMigrationReady: false,
    },
  }
}

describe('raft: add voter', () => {
  test('raft: add voter: joins after it caught up and answered what it can run', () => {
    const node = leader()
    fetch(node, 2, 3)
    const effects = add(node, 2)
    expect(only(effects, 'respond')).toEqual([])
    const [send] = only(effects, 'send')
    expect(send).toMatchObject({ api: 'ApiVersions', to: { id: 2, host: 'node2', port: 9093 } })
    expect(error(add(node, 3))).toEqual([ErrorCode.REQUEST_TIMED_OUT])
    const joined = node.give(apiVersions(send!.requestId, 1))
    const [append] = only(joined, 'append')
    expect(append).toMatchObject({ baseOffset: 3, count: 1, control: [{ type: 'voters' }] })
    expect(node.raft.voters.ids()).toEqual([1, 2])
    // Two voters now: our own disk is not a majority any more.
    expect(only(node.give({ kind: 'flushed', logEndOffset: 4 }), 'highWatermark')).toEqual([])
    const done = fetch(node, 2, 4)
    expect(only(done, 'highWatermark')[0]!.offset).toBe(4)
    expect(only(done, 'respond')[0]).toMatchObject({
      ticket: 1,
      api: 'AddRaftVoter',
      response: { errorCode: ErrorCode.NONE },
    })
  })

  test('raft: add voter: is answered at the append where that was asked for', () => {
    const node = leader()
    fetch(node, 2, 3)
    const [send] = only(add(node, 2, { ackWhenCommitted: false }), 'send')
    expect(error(node.give(apiVersions(send!.requestId, 1)))).toContain(ErrorCode.NONE)
    expect(error(add(node, 3))).toEqual([ErrorCode.REQUEST_TIMED_OUT])
  })

  test('raft: add voter: a replica that lags or is too old stays out', () => {
    const lagging = leader()
    const [send] = only(add(lagging, 2), 'send')
    expect(error(lagging.give(apiVersions(send!.requestId, 1)))).toEqual([
      ErrorCode.REQUEST_TIMED_OUT,
    ])
    const old = leader()
    fetch(old, 2, 3)
    const [asked] = only(add(old, 2), 'send')
    expect(error(old.give(apiVersions(asked!.requestId, 0)))).toEqual([ErrorCode.INVALID_REQUEST])
    expect(old.raft.voters.ids()).toEqual([1])
  })

  test('raft: add voter: gives up in time, and when the leader goes', () => {
    const node = leader()
    add(node, 2)
    expect(error(node.wait(2000))).toEqual([ErrorCode.REQUEST_TIMED_OUT])
    add(node, 2)
    expect(error(node.give({ kind: 'resign', epoch: 1 }))).toEqual([
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ])
    expect(error(add(node, 2))).toEqual([ErrorCode.NOT_LEADER_OR_FOLLOWER])
  })

  test('raft: add voter: refuses what makes no sense', () => {
    const node = leader()
    expect(error(add(node, 2, { clusterId: 'other' }))).toEqual([ErrorCode.INCONSISTENT_CLUSTER_ID])
    expect(error(add(node, 1))).toEqual([ErrorCode.DUPLICATE_VOTER])
    expect(error(add(node, -1))).toEqual([ErrorCode.INVALID_REQUEST])
    expect(error(add(node, 2, { voterDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA' }))).toEqual([
      ErrorCode.INVALID_REQUEST,
    ])
    expect(error(add(node, 2, { listeners: [] }))).toEqual([ErrorCode.INVALID_REQUEST])
    const fresh = new Node(configOf(1))
    fresh.give(disk(1))
    expect(error(add(fresh, 2))).toEqual([ErrorCode.REQUEST_TIMED_OUT])
    const fixed = new Node(configOf(1, { staticVoters: [{ ...voter(1), directoryId: null }] }))
    fixed.give(emptyDisk)
    fixed.give({ kind: 'flushed', logEndOffset: 1 })
    expect(error(add(fixed, 2))).toEqual([ErrorCode.UNSUPPORTED_VERSION])
  })
})

/** Node 1 leads nodes 1 and 2, everything committed. */
function leaderOfTwo(): Node {
  const node = leader()
  fetch(node, 2, 3)
  const [send] = only(add(node, 2), 'send')
  node.give(apiVersions(send!.requestId, 1))
  node.give({ kind: 'flushed', logEndOffset: 4 })
  fetch(node, 2, 4)
  return node
}

describe('raft: remove voter', () => {
  test('raft: remove voter: the others go on without it', () => {
    const node = leaderOfTwo()
    expect(error(remove(node, 2))).toEqual([])
    expect(node.raft.voters.ids()).toEqual([1])
    expect(error(node.give({ kind: 'flushed', logEndOffset: 5 }))).toContain(ErrorCode.NONE)
    expect(node.raft.role).toBe('leader')
  })

  test('raft: remove voter: a leader leads until its removal is committed, then resigns', () => {
    const node = leaderOfTwo()
    remove(node, 1)
    node.give({ kind: 'flushed', logEndOffset: 5 })
    expect([node.raft.role, node.raft.highWatermark]).toEqual(['leader', 4])
    const effects = fetch(node, 2, 5)
    expect(error(effects)).toContain(ErrorCode.NONE)
    expect(effects).toContainEqual({ kind: 'resigned', epoch: 1 })
    expect(node.raft.role).toBe('resigned')
  })

  test('raft: remove voter: not the last one, nor one that is not there', () => {
    const node = leader()
    expect(error(remove(node, 1))).toEqual([ErrorCode.VOTER_NOT_FOUND])
    const two = leaderOfTwo()
    expect(error(remove(two, 3))).toEqual([ErrorCode.VOTER_NOT_FOUND])
    expect(error(remove(two, 2, { voterDirectoryId: directory(9) }))).toEqual([
      ErrorCode.VOTER_NOT_FOUND,
    ])
    expect(error(remove(two, 2, { clusterId: 'other' }))).toEqual([
      ErrorCode.INCONSISTENT_CLUSTER_ID,
    ])
  })
})

describe('raft: update voter', () => {
  const update = (node: Node, id: number, fields: object = {}) =>
    node.ask('UpdateRaftVoter', 0, {
      clusterId: 'cluster',
      currentLeaderEpoch: node.raft.epoch,
      voterId: id,
      voterDirectoryId: directory(id),
      listeners: [{ name: 'CONTROLLER', host: 'moved', port: 9093 }],
      kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
      ...fields,
    })

  test('raft: update voter: the leader writes the new address', () => {
    const node = leaderOfTwo()
    const effects = update(node, 2)
    expect(only(effects, 'append').length).toBe(1)
    expect(only(effects, 'respond').at(-1)!.response).toMatchObject({
      errorCode: ErrorCode.NONE,
      currentLeader: { leaderId: 1, leaderEpoch: 1, host: 'node1', port: 9093 },
    })
    expect(node.raft.voters.endpointsOf(2)[0]!.host).toBe('moved')
    expect(error(update(node, 2))).toEqual([ErrorCode.REQUEST_TIMED_OUT])
  })

  test('raft: update voter: refuses strangers and levels below the finalized one', () => {
    const node = leaderOfTwo()
    expect(error(update(node, 3))).toEqual([ErrorCode.VOTER_NOT_FOUND])
    expect(error(update(node, 2, { currentLeaderEpoch: 0 }))).toEqual([
      ErrorCode.FENCED_LEADER_EPOCH,
    ])
    const tooOld = { kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 0 } }
    expect(error(update(node, 2, tooOld))).toEqual([ErrorCode.INVALID_REQUEST])
    expect(error(update(node, 2, { listeners: [] }))).toEqual([ErrorCode.INVALID_REQUEST])
  })

  test('raft: update voter: a follower whose address changed says so', () => {
    const listeners = [{ name: 'CONTROLLER', host: 'moved', port: 9093 }]
    const node = new Node(configOf(1, { listeners }))
    const quorumState = { epoch: 3, leaderId: 2, votedKey: null }
    const first = only(node.give({ ...disk(1, 2), quorumState }), 'send')
    const partition = {
      partitionIndex: 0,
      errorCode: 0,
      highWatermark: -1,
      lastStableOffset: -1,
      logStartOffset: 0,
      divergingEpoch: { epoch: -1, endOffset: -1 },
      currentLeader: { leaderId: 2, leaderEpoch: 3 },
      snapshotId: { endOffset: -1, epoch: -1 },
      abortedTransactions: null,
      preferredReadReplica: -1,
      records: new Uint8Array(0),
    }
    const responses = [{ topic: '', topicId: METADATA_TOPIC_ID, partitions: [partition] }]
    const response = { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses, nodeEndpoints: [] }
    const sent = [...first]
    // The leader answers every fetch after its long poll; the update goes out between two of them.
    for (let step = 0; step < 20; step++) {
      const last = sent.at(-1)!
      if (last.api === 'UpdateRaftVoter') break
      node.nowMs += 500
      const { requestId } = last
      sent.push(...only(node.give({ kind: 'response', requestId, api: 'Fetch', response }), 'send'))
    }
    const updates = sent.filter((send) => send.api === 'UpdateRaftVoter')
    expect(updates.length).toBeGreaterThan(0)
    expect(updates[0]!.request).toMatchObject({ voterId: 1, currentLeaderEpoch: 3, listeners })
  })
})
