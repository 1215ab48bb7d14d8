// ElectLeaders: puts the preferred replica in the lead, or any live one where nobody leads.
// Kafka: ReplicationControlManager.electLeaders; KIP-460.

import type { MetadataRecord } from '../metadata/record.ts'
import { NO_LEADER, type Partition } from '../metadata/topics.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { ElectLeaders } from '../protocol/messages/topics.ts'
import { type Refusal, refuse } from './answer.ts'
import { changePartition } from './partitions.ts'
import type { ControllerState } from './state.ts'

const PREFERRED = 0
const UNCLEAN = 1

type Response = EncodableOf<(typeof ElectLeaders)['response']>
type TopicResult = NonNullable<Response['replicaElectionResults']>[number]

/** ElectLeaders: null topics mean every partition, and then what needs nothing is left out. */
export function electLeaders(
  state: ControllerState,
  request: RequestOf<typeof ElectLeaders>,
  records: MetadataRecord[],
): Response {
  if (request.electionType !== PREFERRED && request.electionType !== UNCLEAN) {
    return refuseAll(request)
  }
  const isAll = request.topicPartitions === null
  const wanted = request.topicPartitions ?? everything(state)
  const results: TopicResult[] = []
  for (const { topic, partitions } of wanted) {
    const partitionResult = []
    for (const partitionId of partitions) {
      const outcome = elect(state, topic, partitionId, request.electionType, records)
      if (isAll && outcome?.errorCode === ErrorCode.ELECTION_NOT_NEEDED) continue
      partitionResult.push({
        partitionId,
        errorCode: outcome?.errorCode ?? ErrorCode.NONE,
        errorMessage: outcome?.errorMessage ?? null,
      })
    }
    results.push({ topic, partitionResult })
  }
  return { errorCode: ErrorCode.NONE, replicaElectionResults: results }
}

function refuseAll({ electionType, topicPartitions }: RequestOf<typeof ElectLeaders>): Response {
  const errorCode = ErrorCode.INVALID_REQUEST
  const errorMessage = `Value ${electionType} must be one of the election types 0 and 1`
  const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode, errorMessage })),
  }))
  return { errorCode, replicaElectionResults }
}

function everything(state: ControllerState): { topic: string; partitions: number[] }[] {
  return [...state.image.topics.values()].map(({ name, partitions }) => ({
    topic: name,
    partitions: [...partitions.keys()],
  }))
}

function elect(
  state: ControllerState,
  topic: string,
  partitionId: number,
  electionType: number,
  records: MetadataRecord[],
): Refusal | null {
  const known = state.image.topics.byName(topic)
  if (known === undefined) {
    return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${topic}`)
  }
  const partition = known.partitions[partitionId]
  if (partition === undefined) {
    return refuse(
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      `No such partition as ${topic}-${partitionId}`,
    )
  }
  if (!isNeeded(partition, electionType)) {
    return refuse(
      ErrorCode.ELECTION_NOT_NEEDED,
      electionType === PREFERRED
        ? 'Leader election not needed for topic partition.'
        : 'The partition already has a leader.',
    )
  }
  const isUnclean = electionType === UNCLEAN
  const record = changePartition(state, partition, { isPreferred: !isUnclean, isUnclean })
  const leader = record?.name === 'PartitionChangeRecord' ? record.value.leader : NO_LEADER
  if (record === null || leader < 0) {
    return isUnclean
      ? refuse(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, 'No eligible leader is available.')
      : refuse(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, 'The preferred leader is not available.')
  }
  records.push(record)
  return null
}

function isNeeded(partition: Partition, electionType: number): boolean {
  if (electionType === UNCLEAN) return partition.leader === NO_LEADER
  return partition.leader !== partition.replicas[0]
}
