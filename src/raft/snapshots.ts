// FetchSnapshot, both sides: a follower too far behind, or with an empty log, gets a snapshot in
// pieces instead of records.
//
// Invariants: pieces are written in order without gaps; while a finished snapshot replaces the log
// nothing else touches it and no election is begun; the bootstrap checkpoint is never handed out,
// because the first leader put its content into the log.
// Kafka: KafkaRaftClient.handleFetchSnapshotRequest, handleFetchSnapshotResponse; KIP-630.

import { ErrorCode } from '../protocol/errors.ts'
import {
  METADATA_TOPIC,
  type RaftQuestion,
  type RaftReply,
  type RaftRequest,
  type RaftResponse,
} from './contract.ts'
import type { Core, Follower } from './core.ts'
import type { OffsetAndEpoch, SnapshotInfo } from './epochs.ts'
import { noteFetchFrom } from './leader.ts'
import {
  type Asked,
  endpointsFrom,
  isOurCluster,
  leaderFields,
  leaderRequestError,
  nodeEndpoints,
} from './messages.ts'
import { commonResponse } from './transitions.ts'
import { type QuorumRecord, replicaKey } from './voters.ts'

/** Offset and epoch 0: what a fresh directory starts from, not a state of the log. */
export function isBootstrapId(id: OffsetAndEpoch): boolean {
  return id.offset === 0 && id.epoch === 0
}

/** Answers a FetchSnapshot. */
export function handleFetchSnapshot(
  core: Core,
  ticket: number,
  asked: Asked,
  request: RaftRequest<'FetchSnapshot'>,
): void {
  const fail = (errorCode: ErrorCode) => core.respond(ticket, 'FetchSnapshot', { errorCode })
  if (!isOurCluster(core, request.clusterId)) {
    fail(ErrorCode.INCONSISTENT_CLUSTER_ID)
    return
  }
  const topic = request.topics[0]
  const partition = topic?.partitions[0]
  if (request.topics.length !== 1 || topic?.partitions.length !== 1 || partition === undefined) {
    fail(ErrorCode.INVALID_REQUEST)
    return
  }
  const name = { name: topic.name, index: partition.partition }
  const answer = (fields: SnapshotFields) =>
    snapshotResponse(core, asked, name, { ...fields, currentLeader: leaderFields(core) })
  const refuse = (errorCode: ErrorCode) =>
    core.respond(ticket, 'FetchSnapshot', answer({ errorCode }))
  if (topic.name !== METADATA_TOPIC || partition.partition !== 0) {
    refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    return
  }
  const error = leaderRequestError(core, partition.currentLeaderEpoch)
  if (error !== ErrorCode.NONE) {
    refuse(error)
    return
  }
  const id = { offset: partition.snapshotId.endOffset, epoch: partition.snapshotId.epoch }
  const snapshot = core.log.findSnapshot(id)
  if (snapshot === undefined || isBootstrapId(id)) {
    refuse(ErrorCode.SNAPSHOT_NOT_FOUND)
    return
  }
  const { position } = partition
  if (position < 0 || position >= snapshot.bytes) {
    refuse(ErrorCode.POSITION_OUT_OF_RANGE)
    return
  }
  noteFetchFrom(core, replicaKey(request.replicaId, partition.replicaDirectoryId))
  const wanted = Math.min(request.maxBytes, core.config.fetchSnapshotBytesMax)
  const snapshotId = partition.snapshotId
  core.out.push({
    kind: 'respondSnapshot',
    ticket,
    response: answer({ errorCode: ErrorCode.NONE, snapshotId, size: snapshot.bytes, position }),
    snapshot: id,
    position,
    bytesMax: Math.max(0, Math.min(wanted, snapshot.bytes - position)),
    after: 'quorum-state',
  })
}

interface SnapshotFields {
  readonly errorCode: ErrorCode
  readonly snapshotId?: { readonly endOffset: number; readonly epoch: number }
  readonly size?: number
  readonly position?: number
  readonly currentLeader?: { readonly leaderId: number; readonly leaderEpoch: number }
}

function snapshotResponse(
  core: Core,
  asked: Asked,
  at: { name: string; index: number },
  fields: SnapshotFields,
): RaftReply<'FetchSnapshot'> {
  // Never null on the wire, even where there is nothing to send.
  const unalignedRecords = new Uint8Array(0)
  return {
    topics: [{ name: at.name, partitions: [{ index: at.index, unalignedRecords, ...fields }] }],
    nodeEndpoints: nodeEndpoints(core, asked),
  }
}

/** Asks for the next piece. */
export function fetchSnapshotRequest(
  core: Core,
  snapshot: { readonly id: OffsetAndEpoch; readonly position: number },
): RaftQuestion<'FetchSnapshot'> {
  const { config } = core
  return {
    clusterId: config.clusterId,
    replicaId: config.nodeId,
    maxBytes: config.fetchSnapshotBytesMax,
    topics: [
      {
        name: METADATA_TOPIC,
        partitions: [
          {
            partition: 0,
            currentLeaderEpoch: core.epoch,
            snapshotId: { endOffset: snapshot.id.offset, epoch: snapshot.id.epoch },
            position: snapshot.position,
            replicaDirectoryId: config.directoryId,
          },
        ],
      },
    ],
  }
}

/** Begins to fetch a snapshot that the leader pointed to; false when it would take us back. */
export function beginSnapshot(core: Core, role: Follower, id: OffsetAndEpoch): boolean {
  if (id.offset <= Math.max(core.highWatermark, core.log.logStartOffset)) {
    core.note(`the leader points to snapshot ${id.offset}-${id.epoch}, which we have gone past`)
    return false
  }
  role.snapshot = { id, position: 0 }
  core.out.push({ kind: 'snapshotBegin', id })
  return true
}

/** Reads a piece; false when the leader should rest. */
export function handleFetchSnapshotResponse(
  core: Core,
  response: RaftResponse<'FetchSnapshot'>,
): boolean {
  if (response.errorCode !== ErrorCode.NONE) return false
  const topic = response.topics[0]
  const piece = topic?.partitions[0]
  if (response.topics.length !== 1 || topic?.name !== METADATA_TOPIC || piece === undefined) {
    return false
  }
  const { leaderId, leaderEpoch: epoch } = piece.currentLeader
  const claim = {
    leaderId: leaderId < 0 ? null : leaderId,
    epoch,
    endpoints: endpointsFrom(core, leaderId, response.nodeEndpoints),
  }
  const { role } = core
  const gone = piece.errorCode === ErrorCode.SNAPSHOT_NOT_FOUND
  const verdict = commonResponse(core, gone ? ErrorCode.NONE : piece.errorCode, claim)
  if (verdict !== 'read') return verdict === 'done'
  if (core.role !== role || role.name !== 'follower' || role.snapshot === null) return true
  role.fetchDeadlineMs = core.nowMs + core.config.fetchTimeoutMs
  const { id, position } = role.snapshot
  const isSame = piece.snapshotId.endOffset === id.offset && piece.snapshotId.epoch === id.epoch
  if (gone || !isSame || piece.position !== position || piece.unalignedRecords.length === 0) {
    // The leader deleted it or answers something else: start over with a Fetch.
    role.snapshot = null
    core.out.push({ kind: 'snapshotAbort', id })
    return true
  }
  const bytes = piece.unalignedRecords
  core.out.push({ kind: 'snapshotWrite', id, position, bytes })
  role.snapshot.position += bytes.length
  if (role.snapshot.position >= piece.size) {
    role.snapshot = null
    core.installing = id
    core.out.push({ kind: 'snapshotFinish', id })
  }
  return true
}

/** The snapshot is the log now. */
export function handleInstalled(
  core: Core,
  snapshot: SnapshotInfo,
  quorumRecords: readonly QuorumRecord[],
): void {
  core.installing = null
  core.log.reset(snapshot)
  core.voters.clear()
  for (const record of quorumRecords) core.voters.replay(snapshot.offset - 1, record)
  core.advanceHighWatermark(snapshot.offset)
  if (core.role.name === 'follower') {
    core.role.fetchDeadlineMs = core.nowMs + core.config.fetchTimeoutMs
  }
}
