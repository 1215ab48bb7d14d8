// Topics deleted, by name or by id. What stands twice is answered once and refused; so is a topic that a name and an
// id of the same request both mean, which is then not deleted at all.
// Kafka: ControllerApis.deleteTopics, ReplicationControlManager.deleteTopics; KIP-516 for ids.

import { ZERO_UUID } from '../lib/uuid.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { DeleteTopics } from '../protocol/messages/topics.ts'
import { type Answer, isRefusal, refuse } from './answer.ts'
import type { ControllerState } from './state.ts'
import { duplicates } from './topics.ts'

type DeleteTopicsRequest = RequestOf<typeof DeleteTopics>
type DeleteTopicsResponse = EncodableOf<(typeof DeleteTopics)['response']>

type Deletion = NonNullable<DeleteTopicsResponse['responses']>[number]

/** DeleteTopics: an answer for each topic that is asked for. */
export function deleteTopics(
  state: ControllerState,
  request: DeleteTopicsRequest,
  records: MetadataRecord[],
): DeleteTopicsResponse {
  const wanted = [
    ...request.topicNames.map((name) => ({ name: name as string | null, topicId: ZERO_UUID })),
    ...request.topics,
  ]
  const isRepeated = {
    name: duplicates(wanted.flatMap(({ name, topicId }) => (isName(name, topicId) ? [name] : []))),
    id: duplicates(wanted.flatMap(({ name, topicId }) => (isId(name, topicId) ? [topicId] : []))),
  }
  const answers = new Map<number, Deletion>()
  const doomed = new Map<string, { at: number; name: string }>()
  const met = new Set<string>()
  // Ids first: a name that means the same topic is refused, and takes the id with it.
  const places = [...wanted.keys()].sort((a, b) => rank(wanted[a]!) - rank(wanted[b]!))
  for (const at of places) {
    const { name, topicId } = wanted[at]!
    const key = `${name} ${topicId}`
    if (met.has(key) && (isRepeated.name.has(name) || isRepeated.id.has(topicId))) continue
    met.add(key)
    const answer = findForDeletion(state, name, topicId, isRepeated)
    if (isRefusal(answer)) {
      answers.set(at, { name, topicId, ...answer })
      continue
    }
    const topic = answer.value
    if (doomed.delete(topic.id) || isRepeated.id.has(topic.id)) {
      const twice = 'The provided topic name maps to an ID that was already supplied.'
      const refusal = refuse(ErrorCode.INVALID_REQUEST, twice)
      answers.set(at, { name: topic.name, topicId: topic.id, ...refusal })
    } else doomed.set(topic.id, { at, name: topic.name })
  }
  for (const [topicId, { at, name }] of doomed) {
    records.push({ name: 'RemoveTopicRecord', version: 0, value: { topicId } })
    answers.set(at, { name, topicId, errorCode: ErrorCode.NONE, errorMessage: null })
  }
  return { responses: [...wanted.keys()].flatMap((at) => answers.get(at) ?? []) }
}

const rank = ({ name }: { name: string | null }) => (name === null ? 0 : 1)
const isName = (name: string | null, topicId: string) => name !== null && topicId === ZERO_UUID
const isId = (name: string | null, topicId: string) => name === null && topicId !== ZERO_UUID

function findForDeletion(
  state: ControllerState,
  name: string | null,
  topicId: string,
  isRepeated: { name: ReadonlySet<string | null>; id: ReadonlySet<string> },
): Answer<{ name: string; id: string }> {
  if (!state.brokerConfig.get('delete.topic.enable')) {
    return refuse(
      ErrorCode.TOPIC_DELETION_DISABLED,
      'This version does not support topic deletion.',
    )
  }
  if (name !== null && topicId !== ZERO_UUID) {
    return refuse(ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
  }
  if (name === null && topicId === ZERO_UUID) {
    return refuse(ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.')
  }
  if (name !== null) {
    if (isRepeated.name.has(name)) {
      return refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
    }
    const topic = state.image.topics.byName(name)
    if (topic !== undefined) return { value: topic }
    return refuse(
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      'This server does not host this topic-partition.',
    )
  }
  if (isRepeated.id.has(topicId)) return refuse(ErrorCode.INVALID_REQUEST, 'Duplicate topic id.')
  const topic = state.image.topics.byId(topicId)
  if (topic !== undefined) return { value: topic }
  return refuse(ErrorCode.UNKNOWN_TOPIC_ID, 'This server does not host this topic ID.')
}
