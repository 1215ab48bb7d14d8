// Leading: begin the epoch with a control record, answer fetches, move the high watermark, and step
// down when a majority has gone silent.
//
// Invariants: nothing is appended before the quorum-state that names this node leader; a fetch moves
// the fetching replica's position before it is answered, so the answer carries the newest high
// watermark; a leader that a majority does not fetch from resigns within one and a half fetch
// timeouts, before another can be elected for long.
// Kafka: KafkaRaftClient.onBecomeLeader, handleFetchRequest, tryCompleteFetchRequest, pollLeader;
// LeaderState; KIP-1166 for high watermarks in fetches.

import { assert } from '../lib/assert.ts'
import type { ControlRecord } from '../protocol/control_records.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { METADATA_TOPIC, type RaftReply, type RaftRequest } from './contract.ts'
import type { Core } from './core.ts'
import type { Position } from './epochs.ts'
import { type DeferredFetch, type Leader, Replicas } from './leader_state.ts'
import {
  type Asked,
  beginQuorumEpochRequest,
  isOurCluster,
  leaderFields,
  leaderRequestError,
  METADATA_TOPIC_ID,
} from './messages.ts'
import { afterCommit, finish, pollChange } from './reconfigure.ts'
import { isBootstrapId } from './snapshots.ts'
import { NO_DIRECTORY, type ReplicaKey, replicaKey, type Voter, type VoterSet } from './voters.ts'

type FetchPartition = RaftRequest<'Fetch'>['topics'][number]['partitions'][number]

/** Takes the lead of this epoch, granted by these voters. */
export function becomeLeader(core: Core, grantedIds: readonly number[]): void {
  assert(core.role.name === 'candidate', 'raft: only a candidate can win')
  const epochStartOffset = core.log.logEndOffset
  const role: Leader = {
    name: 'leader',
    epochStartOffset,
    replicas: new Replicas(core.localKey, core.voters.voters),
    highWatermark: -1,
    isActive: false,
    checkQuorumDeadlineMs: core.nowMs + checkQuorumTimeout(core),
    beginQuorumDeadlineMs: core.nowMs,
    fetchedVoters: new Set(),
    deferred: [],
    change: null,
    isRemoved: false,
  }
  const own = role.replicas.voter(core.localKey)
  if (own !== undefined) own.hasAcknowledged = true
  core.become(role)
  appendControl(core, role, startOfEpoch(core, grantedIds))
}

/** Appends a proposal of the controller; its first offset, or null when we do not lead that epoch. */
export function propose(core: Core, epoch: number, count: number, payload: unknown): number | null {
  if (core.role.name !== 'leader' || core.epoch !== epoch) return null
  assert(count > 0, 'raft: an empty proposal')
  return append(core, core.role, { count, control: null, payload })
}

function startOfEpoch(core: Core, grantedIds: readonly number[]): ControlRecord[] {
  const voter = (voterId: number) => ({ voterId, voterDirectoryId: NO_DIRECTORY })
  const { voters, kraftVersion, votersOffset } = core.voters
  const records: ControlRecord[] = [
    {
      type: 'leaderChange',
      value: {
        version: 0,
        leaderId: core.config.nodeId,
        voters: voters.ids().map(voter),
        grantingVoters: grantedIds.map(voter),
      },
    },
  ]
  if (kraftVersion === 0) return records
  const self: Voter = {
    ...core.localKey,
    endpoints: core.config.listeners,
    kraftVersions: { min: 0, max: 1 },
  }
  // The voter set of the first checkpoint must get into the log, and so must our present addresses.
  if (votersOffset === -1 || voters.isStaleFor(self)) {
    records.push({ type: 'kraftVersion', value: { version: 0, kRaftVersion: kraftVersion } })
    records.push({ type: 'voters', value: voters.withUpdated(self).toRecord() })
  }
  return records
}

/** Puts a new voter set into the log, and in force; its offset. */
export function appendVoters(core: Core, role: Leader, voters: VoterSet): number {
  // A new set gets its full time to fetch: a lone voter never had to move its deadline.
  role.checkQuorumDeadlineMs = core.nowMs + checkQuorumTimeout(core)
  role.fetchedVoters.clear()
  return appendControl(core, role, [{ type: 'voters', value: voters.toRecord() }])
}

function appendControl(core: Core, role: Leader, records: ControlRecord[]): number {
  const baseOffset = append(core, role, { count: records.length, control: records, payload: null })
  records.forEach((record, index) => {
    if (record.type !== 'kraftVersion' && record.type !== 'voters') return
    core.voters.replay(baseOffset + index, record)
  })
  role.replicas.updateVoters(core.voters.voters)
  return baseOffset + records.length - 1
}

function append(
  core: Core,
  role: Leader,
  batch: { count: number; control: readonly ControlRecord[] | null; payload: unknown },
): number {
  const { epoch } = core
  const timestampMs = Math.floor(core.nowMs)
  const baseOffset = core.log.logEndOffset
  core.log.append(epoch, baseOffset, baseOffset + batch.count)
  core.out.push({ kind: 'append', baseOffset, epoch, timestampMs, ...batch, after: 'quorum-state' })
  core.out.push({ kind: 'flush' })
  // Followers may fetch what the leader has not flushed: it counts for them, not yet for us.
  completeFetches(core, role)
  return baseOffset
}

/** The leader's own log is durable up to here. */
export function onLeaderFlushed(core: Core, role: Leader): void {
  role.replicas.onLocalFlush(core.log.flushedOffset)
  maybeAdvance(core, role)
}

function maybeAdvance(core: Core, role: Leader): void {
  const offset = role.replicas.majorityOffset()
  if (offset === null || offset <= role.epochStartOffset || offset <= role.highWatermark) return
  role.highWatermark = offset
  core.advanceHighWatermark(offset)
  if (!role.isActive) {
    role.isActive = true
    const { epochStartOffset } = role
    core.out.push({ kind: 'becameLeader', epoch: core.epoch, epochStartOffset })
  }
  afterCommit(core, role)
  completeFetches(core, role)
}

/** Answers a Fetch now, or keeps it until there is something to say. */
export function handleFetch(
  core: Core,
  ticket: number,
  asked: Asked,
  request: RaftRequest<'Fetch'>,
): void {
  const fail = (errorCode: ErrorCode) => core.respond(ticket, 'Fetch', { errorCode })
  if (!isOurCluster(core, request.clusterId)) {
    fail(ErrorCode.INCONSISTENT_CLUSTER_ID)
    return
  }
  const partition = onlyFetchPartition(request)
  if (partition === undefined) {
    fail(ErrorCode.INVALID_REQUEST)
    return
  }
  const { fetchOffset, lastFetchedEpoch, currentLeaderEpoch } = partition
  const isSane =
    request.maxWaitMs >= 0 &&
    fetchOffset >= 0 &&
    lastFetchedEpoch >= 0 &&
    lastFetchedEpoch <= currentLeaderEpoch
  if (!isSane) {
    core.respond(ticket, 'Fetch', fetchResponse(core, asked, ErrorCode.INVALID_REQUEST))
    return
  }
  const deadlineMs = core.nowMs + request.maxWaitMs
  answerFetch(core, { ticket, asked, request, deadlineMs }, request.maxWaitMs > 0)
}

function onlyFetchPartition(request: RaftRequest<'Fetch'>): FetchPartition | undefined {
  const topic = request.topics[0]
  if (request.topics.length !== 1 || topic === undefined) return undefined
  if (topic.topic !== METADATA_TOPIC && topic.topicId !== METADATA_TOPIC_ID) return undefined
  const partition = topic.partitions[0]
  return topic.partitions.length === 1 && partition?.partition === 0 ? partition : undefined
}

function answerFetch(core: Core, fetch: DeferredFetch, mayWait: boolean): void {
  const { ticket, asked, request } = fetch
  const partition = onlyFetchPartition(request)!
  const respond = (response: RaftReply<'Fetch'>) => core.respond(ticket, 'Fetch', response)
  const error = leaderRequestError(core, partition.currentLeaderEpoch)
  if (error !== ErrorCode.NONE || core.role.name !== 'leader') {
    respond(fetchResponse(core, asked, error))
    return
  }
  const key = fetchReplicaKey(request, partition)
  if (key.id === core.config.nodeId) {
    core.note('a fetch from a node with our own id')
    respond(fetchResponse(core, asked, ErrorCode.UNKNOWN_SERVER_ERROR))
    return
  }
  const position = positionOf(core, partition)
  if (position.kind !== 'valid') {
    respond(fetchResponse(core, asked, ErrorCode.NONE, position))
    return
  }
  const { role } = core
  const { logEndOffset } = core.log
  const offset = partition.fetchOffset
  if (key.id >= 0) {
    role.replicas.onFetch(key, offset, logEndOffset, core.nowMs)
    noteFetchFrom(core, key)
    if (role.replicas.voter(key) !== undefined) maybeAdvance(core, role)
  }
  if (offset < logEndOffset) {
    const bytesMax = Math.min(request.maxBytes, core.config.fetchBytesMax)
    const response = fetchResponse(core, asked, ErrorCode.NONE)
    const endOffset = logEndOffset
    const after = 'quorum-state'
    core.out.push({ kind: 'respondFetch', ticket, response, offset, endOffset, bytesMax, after })
  } else if (!mayWait || isNews(role, partition) || isFull(core, role)) {
    respond(fetchResponse(core, asked, ErrorCode.NONE))
  } else {
    role.deferred.push(fetch)
    core.wake(fetch.deadlineMs)
  }
}

/** Whether the high watermark is news to a replica that told the one it knows (Fetch 18). */
function isNews(role: Leader, partition: FetchPartition): boolean {
  return partition.highWatermark < BigInt(role.highWatermark)
}

function isFull(core: Core, role: Leader): boolean {
  return role.deferred.length >= core.config.deferredFetchesMax
}

function positionOf(core: Core, partition: FetchPartition): Position {
  const latest = core.log.latestSnapshot
  // An empty log is filled faster by a snapshot than by the records it replaces.
  if (partition.fetchOffset === 0 && latest !== undefined && !isBootstrapId(latest)) {
    return { kind: 'snapshot', id: latest }
  }
  return core.log.validate(partition.fetchOffset, partition.lastFetchedEpoch)
}

function fetchReplicaKey(request: RaftRequest<'Fetch'>, partition: FetchPartition): ReplicaKey {
  const id = request.replicaId >= 0 ? request.replicaId : request.replicaState.replicaId
  return replicaKey(id, partition.replicaDirectoryId)
}

/** A replica is alive: enough of them within the timeout keep the leader in office. */
export function noteFetchFrom(core: Core, key: ReplicaKey): void {
  const { role } = core
  if (role.name !== 'leader' || role.replicas.voter(key) === undefined) return
  if (key.id === core.config.nodeId) return
  role.fetchedVoters.add(key.id)
  const others = core.voters.voters.majority - (core.isVoter ? 1 : 0)
  if (role.fetchedVoters.size < others) return
  role.fetchedVoters.clear()
  role.checkQuorumDeadlineMs = core.nowMs + checkQuorumTimeout(core)
}

function completeFetches(core: Core, role: Leader): void {
  const waiting = role.deferred
  role.deferred = []
  for (const fetch of waiting) answerFetch(core, fetch, core.nowMs < fetch.deadlineMs)
}

/** Tells everybody who waits here that this node leads no more. */
export function failFetches(core: Core, role: Leader): void {
  for (const { ticket, asked } of role.deferred) {
    const response = fetchResponse(core, asked, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    core.respond(ticket, 'Fetch', response)
  }
  role.deferred = []
  if (role.change !== null) finish(core, role, [ErrorCode.NOT_LEADER_OR_FOLLOWER, null])
}

function fetchResponse(
  core: Core,
  asked: Asked,
  errorCode: ErrorCode,
  position: Position = { kind: 'valid' },
): RaftReply<'Fetch'> {
  const nodeId = core.leaderId
  const endpoint = core.leaderEndpoints.find((known) => known.name === asked.listener)
  const withNode = asked.version >= 17 && nodeId !== null && endpoint !== undefined
  const isFlexible = asked.version >= 12
  const partition = {
    partitionIndex: 0,
    errorCode,
    highWatermark: core.role.name === 'leader' ? core.role.highWatermark : -1,
    logStartOffset: core.log.logStartOffset,
    currentLeader: isFlexible ? leaderFields(core) : {},
    divergingEpoch:
      position.kind === 'diverging'
        ? { epoch: position.end.epoch, endOffset: position.end.offset }
        : {},
    snapshotId:
      position.kind === 'snapshot'
        ? { epoch: position.id.epoch, endOffset: position.id.offset }
        : {},
    records: new Uint8Array(0),
  }
  assert(isFlexible || position.kind === 'valid', 'raft: an old fetch has no position')
  return {
    responses: [{ topic: METADATA_TOPIC, topicId: METADATA_TOPIC_ID, partitions: [partition] }],
    nodeEndpoints: withNode ? [{ nodeId, host: endpoint.host, port: endpoint.port }] : [],
  }
}

/** Leader: tell silent voters about this epoch, expire waiting fetches, check for a majority. */
export function pollLeader(core: Core, resign: () => void): void {
  const { role } = core
  if (role.name !== 'leader') return
  if (role.isRemoved) {
    core.note('removed from the voters')
    resign()
    return
  }
  pollChange(core, role)
  if (!core.isOnlyVoter) {
    if (core.nowMs >= role.checkQuorumDeadlineMs) {
      core.note(`no majority fetched for ${checkQuorumTimeout(core)} ms`)
      resign()
      return
    }
    core.wake(role.checkQuorumDeadlineMs)
    announceEpoch(core, role)
  }
  if (role.deferred.some((fetch) => fetch.deadlineMs <= core.nowMs)) completeFetches(core, role)
  for (const fetch of role.deferred) core.wake(fetch.deadlineMs)
}

function announceEpoch(core: Core, role: Leader): void {
  const periodMs = Math.floor(core.config.fetchTimeoutMs / 2)
  if (core.nowMs >= role.beginQuorumDeadlineMs) {
    for (const replica of role.replicas.voterList()) {
      const { key, lastFetchMs } = replica
      const isServed = lastFetchMs >= 0 && core.nowMs - lastFetchMs < periodMs
      if (key.id === core.config.nodeId || isServed) continue
      const to = core.destinationOf(key.id)
      if (to === undefined) continue
      core.trySend(to, 'BeginQuorumEpoch', () => beginQuorumEpochRequest(core, key))
    }
    role.beginQuorumDeadlineMs = core.nowMs + periodMs
  }
  core.wake(role.beginQuorumDeadlineMs)
}

function checkQuorumTimeout(core: Core): number {
  return Math.floor(core.config.fetchTimeoutMs * 1.5)
}
