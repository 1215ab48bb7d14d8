// Following: fetch from the leader, append what it has, cut what it never had.
//
// Invariants: the next fetch is sent only after everything fetched before is durable, because the
// leader counts its offset as ours; nothing below what is known to be committed is ever cut; batches
// must continue the log exactly, else they are dropped and fetched again.
// Kafka: KafkaRaftClient.handleFetchResponse, pollFollower, appendAsFollower; FollowerState.

import { ErrorCode } from '../protocol/errors.ts'
import type { Destination, FetchedBatches, RaftResponse } from './contract.ts'
import type { Core, Follower } from './core.ts'
import { becomeProspective } from './election.ts'
import { endpointsFrom, fetchRequest, METADATA_TOPIC_ID } from './messages.ts'
import { maybeUpdateVoter } from './reconfigure.ts'
import { beginSnapshot, fetchSnapshotRequest } from './snapshots.ts'
import { commonResponse } from './transitions.ts'

type FetchedPartition = RaftResponse<'Fetch'>['responses'][number]['partitions'][number]

/** Follower: fetch from the leader; a voter that is not served in time asks about an election. */
export function pollFollower(core: Core): void {
  const { role } = core
  if (role.name !== 'follower') return
  if (core.nowMs >= role.fetchDeadlineMs) {
    if (core.isVoter) {
      becomeProspective(core)
      return
    }
    pollAnyVoter(core)
    return
  }
  core.wake(role.fetchDeadlineMs)
  const leader = core.reach(role.leaderId, role.leaderEndpoints)
  // An unreachable leader may have a successor: another node would know.
  if (leader === undefined || core.peers.isTroubled(leader.id, core.nowMs)) pollAnyVoter(core)
  if (leader !== undefined && !maybeUpdateVoter(core, role)) fetchFrom(core, leader, role)
}

function fetchFrom(core: Core, to: Destination, role: Follower | null): void {
  // The offset of a fetch is a promise that everything below it is on disk here.
  if (core.log.flushedOffset < core.log.logEndOffset) return
  const snapshot = role?.snapshot ?? null
  if (snapshot !== null) {
    core.trySend(to, 'FetchSnapshot', () => fetchSnapshotRequest(core, snapshot))
  } else {
    core.trySend(to, 'Fetch', () => fetchRequest(core))
  }
}

/** Asks some node that is free to answer; its answer will name the leader. */
export function pollAnyVoter(core: Core): void {
  if (core.peers.hasInFlight(core.nowMs)) {
    core.wake(core.nowMs + core.config.requestTimeoutMs)
    return
  }
  const servers = bootstrapServers(core)
  const ready = servers.filter((server) => core.peers.readyAtMs(server.id) <= core.nowMs)
  if (ready.length > 0) fetchFrom(core, core.random.pick(ready), null)
  else for (const server of servers) core.wake(core.peers.readyAtMs(server.id))
}

function bootstrapServers(core: Core): Destination[] {
  const { bootstrapServers: servers, listeners, nodeId } = core.config
  const isUs = (server: { host: string; port: number }) =>
    listeners.some((own) => own.host === server.host && own.port === server.port)
  if (servers.length > 0) {
    // Ids from -2 down: the real ones are not known before the answer.
    const all = servers.map((server, index) => ({ id: -2 - index, ...server }))
    return all.filter((server) => !isUs(server))
  }
  const others = core.voters.voters.ids().filter((id) => id !== nodeId)
  return others.flatMap((id) => core.destinationOf(id) ?? [])
}

/** Reads the answer to a Fetch; false when the destination should rest. */
export function handleFetchResponse(
  core: Core,
  response: RaftResponse<'Fetch'>,
  askedFrom: string,
): boolean {
  if (response.errorCode !== ErrorCode.NONE) return false
  const topic = response.responses[0]
  const partition = topic?.partitions[0]
  if (response.responses.length !== 1 || topic?.partitions.length !== 1) return false
  if (topic.topicId !== METADATA_TOPIC_ID || partition?.partitionIndex !== 0) return false
  const { leaderId, leaderEpoch: epoch } = partition.currentLeader
  const claim = {
    leaderId: leaderId < 0 ? null : leaderId,
    epoch,
    endpoints: endpointsFrom(core, leaderId, response.nodeEndpoints),
  }
  const { role } = core
  const verdict = commonResponse(core, partition.errorCode, claim)
  // An answer that taught nothing is not asked for again at once.
  if (verdict === 'done') return core.role !== role
  if (verdict === 'failed' || core.role.name !== 'follower') return false
  // Two fetches can be on their way at once; the later answer is about a log that has moved on, and
  // cutting by it could take away what the leader has counted.
  if (askedFrom !== core.position) return true
  return readPartition(core, core.role, partition)
}

function readPartition(core: Core, role: Follower, partition: FetchedPartition): boolean {
  const { divergingEpoch, snapshotId } = partition
  if (divergingEpoch.epoch >= 0) {
    const end = { offset: divergingEpoch.endOffset, epoch: divergingEpoch.epoch }
    if (!truncate(core, core.log.truncationOffset(end))) return false
  } else if (snapshotId.epoch >= 0 || snapshotId.endOffset >= 0) {
    if (snapshotId.epoch < 0 || snapshotId.endOffset < 0) return false
    const id = { offset: snapshotId.endOffset, epoch: snapshotId.epoch }
    if (!beginSnapshot(core, role, id)) return false
  } else {
    const records = partition.records ?? new Uint8Array(0)
    if (records.length > 0 && !append(core, records)) return false
    const { highWatermark } = partition
    if (highWatermark >= 0) {
      core.advanceHighWatermark(Math.min(highWatermark, core.log.logEndOffset))
    }
  }
  role.fetchDeadlineMs = core.nowMs + core.config.fetchTimeoutMs
  role.hasFetched = true
  return true
}

function truncate(core: Core, offset: number): boolean {
  const kept = Math.max(core.highWatermark, core.log.logStartOffset)
  if (offset < kept) {
    core.note(`the leader wants to cut at ${offset}; everything below ${kept} is committed`)
    return false
  }
  core.out.push({ kind: 'truncate', offset, after: 'quorum-state' })
  core.log.truncate(offset)
  core.voters.truncateTo(offset)
  return true
}

function append(core: Core, records: Uint8Array): boolean {
  const fetched = core.config.readBatches(records)
  const wrong = mistake(core, fetched)
  if (wrong !== null) {
    core.note(`fetched batches dropped: ${wrong}`)
    return false
  }
  const last = fetched.batches.at(-1)
  if (last === undefined) return true
  const baseOffset = core.log.logEndOffset
  for (const batch of fetched.batches) {
    core.log.append(batch.epoch, batch.baseOffset, batch.lastOffset + 1)
    for (const { offset, record } of batch.quorum) core.voters.replay(offset, record)
  }
  core.out.push({
    kind: 'appendFetched',
    baseOffset,
    endOffset: last.lastOffset + 1,
    records: records.subarray(0, fetched.bytes),
    after: 'quorum-state',
  })
  core.out.push({ kind: 'flush' })
  return true
}

function mistake(core: Core, { batches }: FetchedBatches): string | null {
  let offset = core.log.logEndOffset
  let epoch = core.log.lastEpoch
  for (const batch of batches) {
    if (batch.baseOffset !== offset) return `offset ${batch.baseOffset} where ${offset} is next`
    if (batch.lastOffset < batch.baseOffset) return `a batch that ends before it begins`
    if (batch.epoch < epoch || batch.epoch > core.epoch) return `epoch ${batch.epoch} at ${offset}`
    offset = batch.lastOffset + 1
    epoch = batch.epoch
  }
  return null
}
