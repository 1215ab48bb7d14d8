// The machine's requests and answers: built once, validated once, the same way for every api.
//
// Invariant: an answer always tells this node's epoch and leader, so that whoever asked wrongly learns
// where to turn; addresses are those of the listener on which the request came in, and only in
// versions that have room for them.
// Kafka: RaftUtil, KafkaRaftClient.validateVoterOnlyRequest, validateLeaderOnlyRequest.

import { ONE_UUID } from '../lib/uuid.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { METADATA_TOPIC, type RaftQuestion, type RaftReply } from './contract.ts'
import type { Core } from './core.ts'
import { type Endpoint, NO_DIRECTORY, type ReplicaKey } from './voters.ts'

/** The id of `__cluster_metadata`. */
export const METADATA_TOPIC_ID = ONE_UUID

/** An epoch beyond this is nonsense: obeying it would leave no room to grow within an int32. */
export const EPOCH_MAX = 2 ** 31 - 1 - 1_000_000

/** The context of a request that shapes its answer. */
export interface Asked {
  readonly version: number
  readonly listener: string
}

interface NamedTopic<P> {
  readonly topicName: string
  readonly partitions: readonly (P & { readonly partitionIndex: number })[]
}

/** The one partition of a request or answer that names the metadata log and nothing else. */
export function onlyPartition<P>(topics: readonly NamedTopic<P>[]): P | undefined {
  const topic = topics[0]
  if (topics.length !== 1 || topic === undefined || topic.topicName !== METADATA_TOPIC) return
  const partition = topic.partitions[0]
  if (topic.partitions.length !== 1 || partition?.partitionIndex !== 0) return
  return partition
}

/** A request without a cluster id is accepted, one with another cluster's is not. */
export function isOurCluster(core: Core, clusterId: string | null): boolean {
  return clusterId === null || clusterId === core.config.clusterId
}

/** The check of requests between voters. */
export function voterRequestError(core: Core, id: number, epoch: number): ErrorCode {
  if (epoch < core.epoch) return ErrorCode.FENCED_LEADER_EPOCH
  return id < 0 || epoch > EPOCH_MAX ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE
}

/** The check of requests that only the leader of exactly this epoch may answer. */
export function leaderRequestError(core: Core, epoch: number): ErrorCode {
  if (epoch < core.epoch) return ErrorCode.FENCED_LEADER_EPOCH
  if (epoch > core.epoch) return ErrorCode.UNKNOWN_LEADER_EPOCH
  return core.role.name === 'leader' ? ErrorCode.NONE : ErrorCode.NOT_LEADER_OR_FOLLOWER
}

/** Whether a request meant this very replica; an id below zero means anybody. */
export function isMeantForUs(core: Core, voterId: number, directoryId: string): boolean {
  if (voterId < 0) return true
  if (voterId !== core.config.nodeId) return false
  return directoryId === NO_DIRECTORY || directoryId === core.config.directoryId
}

/** Leader id and epoch as answers carry them. */
export function leaderFields(core: Core): { leaderId: number; leaderEpoch: number } {
  return { leaderId: core.leaderId ?? -1, leaderEpoch: core.epoch }
}

/** The leader's address for answers of Vote, BeginQuorumEpoch, EndQuorumEpoch and FetchSnapshot. */
export function nodeEndpoints(
  core: Core,
  asked: Asked,
): { nodeId: number; host: string; port: number }[] {
  const nodeId = core.leaderId
  if (nodeId === null || asked.version < 1) return []
  const endpoint = core.leaderEndpoints.find((known) => known.name === asked.listener)
  return endpoint === undefined ? [] : [{ nodeId, host: endpoint.host, port: endpoint.port }]
}

/** The leader's addresses from an answer; empty when it names none. */
export function endpointsFrom(
  core: Core,
  leaderId: number,
  nodes: readonly { nodeId: number; host: string; port: number }[],
): Endpoint[] {
  const node = nodes.find((candidate) => candidate.nodeId === leaderId)
  if (node === undefined) return []
  return [{ name: core.config.listenerName, host: node.host, port: node.port }]
}

const topic = <P>(partition: P) => [
  { topicName: METADATA_TOPIC, partitions: [{ partitionIndex: 0, ...partition }] },
]

export function voteRequest(core: Core, voter: ReplicaKey, preVote: boolean): RaftQuestion<'Vote'> {
  const end = core.log.end
  return {
    clusterId: core.config.clusterId,
    voterId: voter.id,
    topics: topic({
      replicaEpoch: core.epoch,
      replicaId: core.config.nodeId,
      replicaDirectoryId: core.config.directoryId,
      voterDirectoryId: voter.directoryId ?? NO_DIRECTORY,
      lastOffsetEpoch: end.epoch,
      lastOffset: end.offset,
      preVote,
    }),
  }
}

export function voteResponse(
  core: Core,
  asked: Asked,
  errorCode: ErrorCode,
  voteGranted: boolean,
): RaftReply<'Vote'> {
  return {
    errorCode: ErrorCode.NONE,
    topics: topic({ errorCode, ...leaderFields(core), voteGranted }),
    nodeEndpoints: nodeEndpoints(core, asked),
  }
}

export function beginQuorumEpochRequest(
  core: Core,
  voter: ReplicaKey,
): RaftQuestion<'BeginQuorumEpoch'> {
  const voterDirectoryId = voter.directoryId ?? NO_DIRECTORY
  return {
    clusterId: core.config.clusterId,
    voterId: voter.id,
    topics: topic({ voterDirectoryId, leaderId: core.config.nodeId, leaderEpoch: core.epoch }),
    leaderEndpoints: core.config.listeners,
  }
}

export function endQuorumEpochRequest(
  core: Core,
  successors: readonly ReplicaKey[],
): RaftQuestion<'EndQuorumEpoch'> {
  const preferredCandidates = successors.map((key) => ({
    candidateId: key.id,
    candidateDirectoryId: key.directoryId ?? NO_DIRECTORY,
  }))
  const preferredSuccessors = successors.map((key) => key.id)
  const leaderId = core.config.nodeId
  return {
    clusterId: core.config.clusterId,
    topics: topic({
      leaderId,
      leaderEpoch: core.epoch,
      preferredSuccessors,
      preferredCandidates,
    }),
    leaderEndpoints: core.config.listeners,
  }
}

/** The answer of BeginQuorumEpoch and EndQuorumEpoch, which look the same. */
export function epochResponse(
  core: Core,
  asked: Asked,
  errorCode: ErrorCode,
): RaftReply<'BeginQuorumEpoch'> & RaftReply<'EndQuorumEpoch'> {
  return {
    errorCode: ErrorCode.NONE,
    topics: topic({ errorCode, ...leaderFields(core) }),
    nodeEndpoints: nodeEndpoints(core, asked),
  }
}

export function fetchRequest(core: Core): RaftQuestion<'Fetch'> {
  const { config, log } = core
  return {
    clusterId: config.clusterId,
    replicaState: { replicaId: config.nodeId, replicaEpoch: -1 },
    maxWaitMs: config.fetchMaxWaitMs,
    minBytes: 0,
    maxBytes: config.fetchBytesMax,
    topics: [
      {
        topic: METADATA_TOPIC,
        topicId: METADATA_TOPIC_ID,
        partitions: [
          {
            partition: 0,
            currentLeaderEpoch: core.epoch,
            fetchOffset: log.logEndOffset,
            lastFetchedEpoch: log.lastEpoch,
            replicaDirectoryId: config.directoryId,
            highWatermark: BigInt(core.highWatermark),
          },
        ],
      },
    ],
  }
}
