// DescribeQuorum: the leader tells what it knows of every replica.
//
// Invariant: only the leader answers; the leader itself is always caught up. Fields of later versions
// are left at their defaults for older ones.
// Kafka: KafkaRaftClient.handleDescribeQuorumRequest, RaftUtil.singletonDescribeQuorumResponse.

import { ErrorCode, errorOf } from '../protocol/errors.ts'
import { METADATA_TOPIC, type RaftReply, type RaftRequest } from './contract.ts'
import type { Core } from './core.ts'
import type { Replica } from './leader_state.ts'
import { type Asked, onlyPartition } from './messages.ts'
import { NO_DIRECTORY } from './voters.ts'

/** Answers a DescribeQuorum. */
export function handleDescribe(
  core: Core,
  ticket: number,
  asked: Asked,
  request: RaftRequest<'DescribeQuorum'>,
): void {
  const { role } = core
  if (onlyPartition(request.topics) === undefined) {
    refuse(core, ticket, asked, request, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    return
  }
  if (role.name !== 'leader') {
    refuse(core, ticket, asked, request, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    return
  }
  const describe = (replica: Replica) => describeReplica(core, asked, replica)
  const partition = {
    partitionIndex: 0,
    leaderId: core.config.nodeId,
    leaderEpoch: core.epoch,
    highWatermark: role.highWatermark,
    currentVoters: role.replicas.voterList().map(describe),
    observers: role.replicas.observerList(core.nowMs).map(describe),
  }
  const nodes = core.voters.voters.voters().map((voter) => ({
    nodeId: voter.id,
    listeners: voter.endpoints,
  }))
  const response: RaftReply<'DescribeQuorum'> = {
    topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }],
    nodes: asked.version >= 2 ? nodes : [],
  }
  core.out.push({ kind: 'respond', ticket, api: 'DescribeQuorum', response, after: null })
}

function refuse(
  core: Core,
  ticket: number,
  asked: Asked,
  request: RaftRequest<'DescribeQuorum'>,
  errorCode: ErrorCode,
): void {
  const errorMessage = asked.version >= 2 ? errorOf(errorCode).text : null
  const topics = request.topics.map(({ topicName, partitions }) => ({
    topicName,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode,
      errorMessage,
    })),
  }))
  core.respond(ticket, 'DescribeQuorum', { topics })
}

function describeReplica(core: Core, asked: Asked, replica: Replica) {
  const isLeader = replica.key.id === core.config.nodeId
  return {
    replicaId: replica.key.id,
    replicaDirectoryId:
      asked.version >= 2 ? (replica.key.directoryId ?? NO_DIRECTORY) : NO_DIRECTORY,
    logEndOffset: isLeader ? core.log.logEndOffset : (replica.endOffset ?? -1),
    lastFetchTimestamp: Math.floor(isLeader ? core.nowMs : replica.lastFetchMs),
    lastCaughtUpTimestamp: Math.floor(isLeader ? core.nowMs : replica.lastCaughtUpMs),
  }
}
