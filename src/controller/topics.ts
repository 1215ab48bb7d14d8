// Topics: created, given more partitions. Every topic of a request is answered, valid and invalid
// mixed; a decision either writes all records of a topic or none.
// Kafka: ReplicationControlManager.{createTopics,createPartitions}, Topic.validate,
// ControllerApis for duplicates within a request.

import { describeTopic } from '../config/describe.ts'
import { refuseTopicConfigs } from '../config/validate.ts'
import { CONFIG_RESOURCE } from '../metadata/configs.ts'
import { defaultDirectory } from '../metadata/directories.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import { NO_LEADER } from '../metadata/topics.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { CreatePartitions, CreateTopics } from '../protocol/messages/topics.ts'
import { type Answer, isRefusal, type Refusal, refuse } from './answer.ts'
import { isEligible, partitionVersion } from './partitions.ts'
import { place } from './placement.ts'
import type { ControllerState } from './state.ts'

/** The most partitions one request may make, and the most records; Kafka: MAX_RECORDS_PER_USER_OP. */
export const PARTITIONS_PER_REQUEST_MAX = 10_000
const RECORDS_PER_REQUEST_MAX = 10_000
/** The log of the controller itself, which is no topic. */
const METADATA_LOG = '__cluster_metadata'
const TOPIC_NAME_LENGTH_MAX = 249

type CreateTopicsRequest = RequestOf<typeof CreateTopics>
type CreatableTopic = CreateTopicsRequest['topics'][number]
type CreateTopicsResponse = EncodableOf<(typeof CreateTopics)['response']>
type CreatableTopicResult = NonNullable<CreateTopicsResponse['topics']>[number]

/** Null when the name may be a topic's, else Kafka's reason. */
export function invalidTopicName(name: string): string | null {
  const illegal = "contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
  if (name === '') return 'the empty string is not allowed'
  if (name === '.' || name === '..') return `'${name}' is not allowed`
  if (name.length > TOPIC_NAME_LENGTH_MAX) {
    return `the length of '${name}' is longer than the max allowed length ${TOPIC_NAME_LENGTH_MAX}`
  }
  return /^[a-zA-Z0-9._-]+$/.test(name) ? null : `'${name}' ${illegal}`
}

const collisionKey = (name: string) => name.replaceAll('.', '_')

/** CreateTopics: an answer per topic, in the order of the request. */
export function createTopics(
  state: ControllerState,
  request: CreateTopicsRequest,
  records: MetadataRecord[],
): CreateTopicsResponse {
  const repeated = duplicates(request.topics.map(({ name }) => name))
  const judged = request.topics.filter(({ name }) => !repeated.has(name) && name !== METADATA_LOG)
  if (partitionsOf(state, judged) > PARTITIONS_PER_REQUEST_MAX)
    return refuseAll(request, 'partitions')
  const seen = new Set<string>()
  const made: MetadataRecord[] = []
  const results: CreatableTopicResult[] = []
  const taken = collisions(state)
  for (const topic of request.topics) {
    if (repeated.has(topic.name)) {
      if (!seen.has(topic.name)) {
        results.push(
          refusedTopic(topic, refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')),
        )
      }
      seen.add(topic.name)
      continue
    }
    const answer = createTopic(state, topic, taken)
    if (isRefusal(answer)) results.push(refusedTopic(topic, answer))
    else {
      taken.set(collisionKey(topic.name), topic.name)
      made.push(...answer.value.records)
      results.push(createdTopic(state, topic, answer.value))
    }
  }
  if (made.length > RECORDS_PER_REQUEST_MAX) return refuseAll(request, 'records')
  if (!request.validateOnly) records.push(...made)
  return { topics: results }
}

/** What a request asks for, before anything is judged. */
function partitionsOf(state: ControllerState, topics: readonly CreatableTopic[]): number {
  let sum = 0
  for (const { assignments, numPartitions } of topics) {
    if (assignments.length > 0) sum += assignments.length
    else if (numPartitions === -1) sum += state.brokerConfig.get('num.partitions')
    else sum += Math.max(0, numPartitions)
  }
  return sum
}

/** Too much is refused as a whole: a part of it could not be told from what was asked. */
function refuseAll({ topics }: CreateTopicsRequest, what: string): CreateTopicsResponse {
  const message = `Excessively large number of ${what} per request.`
  const refusal = refuse(ErrorCode.POLICY_VIOLATION, message)
  return { topics: topics.map((topic) => refusedTopic(topic, refusal)) }
}

interface NewTopic {
  readonly topicId: string
  readonly assignments: readonly (readonly number[])[]
  readonly configs: ReadonlyMap<string, string>
  readonly records: readonly MetadataRecord[]
}

function createTopic(
  state: ControllerState,
  topic: CreatableTopic,
  taken: ReadonlyMap<string, string>,
): Answer<NewTopic> {
  if (topic.name === METADATA_LOG) {
    return refuse(
      ErrorCode.INVALID_REQUEST,
      `Creation of internal topic ${METADATA_LOG} is prohibited.`,
    )
  }
  const invalid = invalidTopicName(topic.name)
  if (invalid !== null) {
    return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, `Topic name is invalid: ${invalid}`)
  }
  if (state.image.topics.byName(topic.name) !== undefined) {
    return refuse(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${topic.name}' already exists.`)
  }
  const other = taken.get(collisionKey(topic.name))
  if (other !== undefined) {
    const reason = `Topic '${topic.name}' collides with existing topic: ${other}`
    return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, reason)
  }
  const wanted = new Map(topic.configs.map(({ name, value }) => [name, value]))
  const refusal = refuseTopicConfigs(wanted, state.brokerConfig)
  if (refusal !== null) return refuse(ErrorCode[refusal.error], refusal.message)
  const configs = new Map([...wanted].map(([name, value]) => [name, value!]))
  const assignments = assign(state, topic)
  if (isRefusal(assignments)) return assignments
  const topicId = newTopicId(state)
  return {
    value: {
      topicId,
      assignments: assignments.value,
      configs,
      records: topicRecords(state, topic.name, topicId, configs, assignments.value),
    },
  }
}

function topicRecords(
  state: ControllerState,
  name: string,
  topicId: string,
  configs: ReadonlyMap<string, string>,
  assignments: readonly (readonly number[])[],
): MetadataRecord[] {
  const records: MetadataRecord[] = [{ name: 'TopicRecord', version: 0, value: { name, topicId } }]
  for (const [key, value] of configs) {
    records.push(configRecord(CONFIG_RESOURCE.topic, name, key, value))
  }
  for (const [index, replicas] of assignments.entries()) {
    records.push(partitionRecord(state, topicId, index, replicas))
  }
  return records
}

/** A ConfigRecord; null removes. */
export function configRecord(
  resourceType: number,
  resourceName: string,
  name: string,
  value: string | null,
): MetadataRecord {
  const fields = { resourceType, resourceName, name, value }
  return { name: 'ConfigRecord', version: 0, value: fields }
}

function partitionRecord(
  state: ControllerState,
  topicId: string,
  partitionId: number,
  replicas: readonly number[],
): MetadataRecord {
  const isr = replicas.filter((id) => isEligible(state, id))
  return {
    name: 'PartitionRecord',
    version: partitionVersion(state),
    value: {
      partitionId,
      topicId,
      replicas: [...replicas],
      isr,
      removingReplicas: [],
      addingReplicas: [],
      leader: isr[0] ?? NO_LEADER,
      leaderRecoveryState: 0,
      leaderEpoch: 0,
      partitionEpoch: 0,
      directories: replicas.map((id) => defaultDirectory(state.image.brokers.get(id))),
      eligibleLeaderReplicas: null,
      lastKnownElr: null,
    },
  }
}

function assign(state: ControllerState, topic: CreatableTopic): Answer<readonly number[][]> {
  if (topic.assignments.length > 0) return assignManually(state, topic)
  if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
    return refuse(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      'Replication factor must be larger than 0, or -1 to use the default value.',
    )
  }
  if (topic.numPartitions < -1 || topic.numPartitions === 0) {
    return refuse(
      ErrorCode.INVALID_PARTITIONS,
      'Number of partitions was set to an invalid non-positive value.',
    )
  }
  const { brokerConfig, image, random } = state
  const { numPartitions, replicationFactor } = topic
  const count = numPartitions === -1 ? brokerConfig.get('num.partitions') : numPartitions
  const factor =
    replicationFactor === -1 ? brokerConfig.get('default.replication.factor') : replicationFactor
  return place([...image.brokers.values()], count, factor, random)
}

function assignManually(
  state: ControllerState,
  topic: CreatableTopic,
): Answer<readonly number[][]> {
  if (topic.replicationFactor !== -1) {
    return refuse(
      ErrorCode.INVALID_REQUEST,
      'A manual partition assignment was specified, but replication factor was not set to -1.',
    )
  }
  if (topic.numPartitions !== -1) {
    return refuse(
      ErrorCode.INVALID_REQUEST,
      'A manual partition assignment was specified, but numPartitions was not set to -1.',
    )
  }
  const sorted = [...topic.assignments].sort((a, b) => a.partitionIndex - b.partitionIndex)
  const out: number[][] = []
  for (const [index, { partitionIndex, brokerIds }] of sorted.entries()) {
    if (partitionIndex === sorted[index - 1]?.partitionIndex) {
      return refuse(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        `Found multiple manual partition assignments for partition ${partitionIndex}`,
      )
    }
    if (partitionIndex !== index) {
      return refuse(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        'partitions should be a consecutive 0-based integer sequence',
      )
    }
    const problem = invalidAssignment(state, partitionIndex, brokerIds, out[0]?.length)
    if (problem !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
    out.push(brokerIds)
  }
  return { value: out }
}

function invalidAssignment(
  state: ControllerState,
  partitionIndex: number,
  brokerIds: readonly number[],
  replicationFactor: number | undefined,
): string | null {
  if (brokerIds.length === 0) {
    return 'The manual partition assignment includes an empty replica list.'
  }
  const repeated = [...duplicates(brokerIds)][0]
  if (repeated !== undefined) {
    return `The manual partition assignment includes the broker ${repeated} more than once.`
  }
  const unknown = brokerIds.find((id) => state.image.brokers.get(id) === undefined)
  if (unknown !== undefined) {
    return `The manual partition assignment includes broker ${unknown}, but no such broker is registered.`
  }
  if (replicationFactor !== undefined && replicationFactor !== brokerIds.length) {
    return (
      'The manual partition assignment includes a partition with ' +
      `${brokerIds.length} replica(s), but this is not consistent with previous partitions, ` +
      `which have ${replicationFactor} replica(s).`
    )
  }
  if (!brokerIds.some((id) => isEligible(state, id))) {
    return (
      'All brokers specified in the manual partition assignment for partition ' +
      `${partitionIndex} are fenced or in controlled shutdown.`
    )
  }
  return null
}

function createdTopic(
  state: ControllerState,
  topic: CreatableTopic,
  made: NewTopic,
): CreatableTopicResult {
  return {
    name: topic.name,
    topicId: made.topicId,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    numPartitions: made.assignments.length,
    replicationFactor: made.assignments[0]!.length,
    configs: describeTopic(made.configs, state.brokerConfig, {}).map(
      ({ name, value, readOnly, source, isSensitive }) => ({
        name,
        // As it was given and is stored: spaces and all.
        value: made.configs.get(name) ?? value,
        readOnly,
        configSource: source,
        isSensitive,
      }),
    ),
  }
}

function refusedTopic(topic: CreatableTopic, refusal: Refusal): CreatableTopicResult {
  return { name: topic.name, ...refusal, configs: [] }
}

function newTopicId(state: ControllerState): string {
  for (;;) {
    const id = state.random.uuid()
    // Kafka keeps ids that print with a leading dash, and its own reserved ones, out of the way.
    if (!id.startsWith('-') && state.image.topics.byId(id) === undefined) return id
  }
}

function collisions(state: ControllerState): Map<string, string> {
  const out = new Map<string, string>()
  for (const { name } of state.image.topics.values()) out.set(collisionKey(name), name)
  return out
}

/** The values that stand more than once. */
export function duplicates<Value>(values: readonly Value[]): Set<Value> {
  const seen = new Set<Value>()
  const out = new Set<Value>()
  for (const value of values) {
    if (seen.has(value)) out.add(value)
    seen.add(value)
  }
  return out
}

type CreatePartitionsRequest = RequestOf<typeof CreatePartitions>
type CreatePartitionsTopic = CreatePartitionsRequest['topics'][number]
type CreatePartitionsResponse = EncodableOf<(typeof CreatePartitions)['response']>

/** CreatePartitions: an answer per topic. */
export function createPartitions(
  state: ControllerState,
  request: CreatePartitionsRequest,
  records: MetadataRecord[],
): CreatePartitionsResponse {
  const repeated = duplicates(request.topics.map(({ name }) => name))
  const seen = new Set<string>()
  const made: MetadataRecord[] = []
  const results: NonNullable<CreatePartitionsResponse['results']>[number][] = []
  for (const topic of request.topics) {
    if (seen.has(topic.name)) continue
    seen.add(topic.name)
    const answer = repeated.has(topic.name)
      ? refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
      : addPartitions(state, topic)
    if (isRefusal(answer)) results.push({ name: topic.name, ...answer })
    else {
      made.push(...answer.value)
      results.push({ name: topic.name, errorCode: ErrorCode.NONE, errorMessage: null })
    }
  }
  if (!request.validateOnly) records.push(...made)
  return { results }
}

function addPartitions(
  state: ControllerState,
  wanted: CreatePartitionsTopic,
): Answer<MetadataRecord[]> {
  const topic = state.image.topics.byName(wanted.name)
  if (topic === undefined) return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, null)
  const have = topic.partitions.length
  if (wanted.count === have) {
    return refuse(ErrorCode.INVALID_PARTITIONS, `Topic already has ${have} partition(s).`)
  }
  if (wanted.count < have) {
    return refuse(
      ErrorCode.INVALID_PARTITIONS,
      `The topic ${wanted.name} currently has ${have} partition(s); ` +
        `${wanted.count} would not be an increase.`,
    )
  }
  const count = wanted.count - have
  if (count > PARTITIONS_PER_REQUEST_MAX) {
    return refuse(ErrorCode.POLICY_VIOLATION, 'Excessively large number of partitions per request.')
  }
  const factor = topic.partitions[0]!.replicas.length
  const assignments =
    wanted.assignments === null
      ? place([...state.image.brokers.values()], count, factor, state.random)
      : assignAdded(state, wanted, have, count, factor)
  if (isRefusal(assignments)) return assignments
  return {
    value: assignments.value.map((replicas, index) =>
      partitionRecord(state, topic.id, have + index, replicas),
    ),
  }
}

function assignAdded(
  state: ControllerState,
  wanted: CreatePartitionsTopic,
  have: number,
  count: number,
  factor: number,
): Answer<number[][]> {
  const assignments = wanted.assignments ?? []
  if (assignments.length !== count) {
    return refuse(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${count} additional partition(s), but only ${assignments.length} ` +
        'assignment(s) were specified.',
    )
  }
  for (const [index, { brokerIds }] of assignments.entries()) {
    const problem = invalidAssignment(state, have + index, brokerIds, factor)
    if (problem !== null) return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
  }
  return { value: assignments.map(({ brokerIds }) => brokerIds) }
}
