// OffsetCommit, OffsetFetch and OffsetDelete: topics are judged here, by the image; groups by their shard.
// Kafka: KafkaApis.{handleOffsetCommitRequest, handleOffsetFetchRequest, handleOffsetDeleteRequest}.

import type { FetchedOffsets, OffsetsWanted } from '../../group/offsets.ts'
import {
  commitsRefused,
  fetchesRefused,
  TOPIC_IDS_SINCE,
  type TopicNames,
  withIds,
  withNames,
} from '../../group/topic_ids.ts'
import { ZERO_UUID } from '../../lib/uuid.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { RequestOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { OffsetCommit, OffsetDelete, OffsetFetch } from '../../protocol/messages/offsets.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import type { BrokerNode } from '../node.ts'

/** From this version on several groups are fetched at once. */
const SEVERAL_GROUPS_SINCE = 8
/** From this version on an error of the group has a field of its own. */
const GROUP_ERROR_SINCE = 2

export function serveGroupOffsets(served: ServedApis, node: BrokerNode): void {
  served
    .serve(OffsetCommit, '2-10', offsetCommit(node))
    .serve(OffsetFetch, '1-10', offsetFetch(node))
    .serve(OffsetDelete, '0', offsetDelete(node))
}

function offsetCommit(node: BrokerNode): Handler<typeof OffsetCommit> {
  return async (request, { version }) => {
    const { known, unknown } =
      version >= TOPIC_IDS_SINCE
        ? withNames(request.topics, namesOf(node.image))
        : { known: withIdsNow(request.topics, node.image), unknown: [] }
    const refused = commitsRefused(unknown)
    const { asked, merge } = existing(node.image, known)
    if (asked.length === 0) return { topics: [...merge([]), ...refused] }
    const reply = await node.groups.ask<'offsetCommit'>(request.groupId, {
      kind: 'offsetCommit',
      version,
      request: { ...request, topics: asked },
    })
    const answered =
      reply.kind === 'refused' ? sameError(asked, reply.errorCode) : (reply.response.topics ?? [])
    return { topics: [...merge(answered), ...refused] }
  }
}

/** Topics that go by name with the ids they have now: a later topic of the same name has committed nothing yet. */
function withIdsNow<T extends { readonly name: string }>(
  topics: readonly T[],
  image: MetadataImage,
) {
  const names = namesOf(image)
  return topics.map((topic) => ({ ...topic, topicId: names.idOf(topic.name) ?? ZERO_UUID }))
}

function offsetDelete(node: BrokerNode): Handler<typeof OffsetDelete> {
  return async (request, { version }) => {
    const { asked, merge } = existing(node.image, request.topics)
    const reply = await node.groups.ask<'offsetDelete'>(request.groupId, {
      kind: 'offsetDelete',
      version,
      request: { ...request, topics: asked },
    })
    if (reply.kind === 'refused') return { errorCode: reply.errorCode }
    const { errorCode = ErrorCode.NONE, topics = [] } = reply.response
    return errorCode === ErrorCode.NONE ? { topics: merge(topics) } : { errorCode }
  }
}

function offsetFetch(node: BrokerNode): Handler<typeof OffsetFetch> {
  return async (request, { version }) => {
    const { requireStable } = request
    if (version >= SEVERAL_GROUPS_SINCE) {
      const groups = request.groups.map((group) =>
        fetchGroup(node, version, { ...group, requireStable }),
      )
      return { groups: await Promise.all(groups) }
    }
    const wanted = oneGroup(request)
    const { topics, errorCode } = await fetchGroup(node, version, { ...wanted, requireStable })
    if (version >= GROUP_ERROR_SINCE || errorCode === ErrorCode.NONE) return { topics, errorCode }
    return { topics: inEveryPartition(request, errorCode) }
  }
}

/** The single group of an old request, in the form of a new one. */
function oneGroup({ groupId, topics }: RequestOf<typeof OffsetFetch>) {
  const named = topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
  return { groupId, memberId: null, memberEpoch: -1, topics: named }
}

function inEveryPartition({ topics }: RequestOf<typeof OffsetFetch>, errorCode: number) {
  return (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1n,
      metadata: '',
      errorCode,
    })),
  }))
}

async function fetchGroup(
  node: BrokerNode,
  version: number,
  wanted: OffsetsWanted,
): Promise<FetchedOffsets> {
  const { groupId, topics } = wanted
  const names = namesOf(node.image)
  const isById = version >= TOPIC_IDS_SINCE
  const { known, unknown } =
    isById && topics !== null ? withNames(topics, names) : { known: topics, unknown: [] }
  const request = { ...wanted, topics: known }
  const reply = await node.groups.ask<'offsetFetch'>(groupId, { kind: 'offsetFetch', request })
  if (reply.kind === 'refused') {
    return { groupId, topics: [], errorCode: forFetching(reply.errorCode) }
  }
  const { response } = reply
  if (!isById) return response
  return { ...response, topics: [...withIds(response.topics, names), ...fetchesRefused(unknown)] }
}

/** Consumers before 3.9 do not know COORDINATOR_NOT_AVAILABLE here; they look for the coordinator again. */
function forFetching(errorCode: number): number {
  const isUnavailable = errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE
  return isUnavailable ? ErrorCode.NOT_COORDINATOR : errorCode
}

function namesOf({ topics }: MetadataImage): TopicNames {
  return {
    nameOf: (topicId) => topics.byId(topicId)?.name,
    idOf: (name) => topics.byName(name)?.id,
  }
}

interface NamedPartitions<P extends { readonly partitionIndex: number }> {
  readonly name: string
  readonly partitions: readonly P[]
}
interface Answered {
  readonly name?: string
  readonly partitions?: readonly { readonly partitionIndex?: number; readonly errorCode?: number }[]
}

/** What of a request is about partitions that exist, and how its answers and the rest become one response. */
function existing<
  P extends { readonly partitionIndex: number },
  T extends NamedPartitions<P> & { readonly partitions: readonly P[] },
>({ topics: known }: MetadataImage, topics: readonly T[]) {
  const exists = (name: string, index: number) =>
    known.byName(name)?.partitions[index] !== undefined
  const asked = topics
    .map((topic) => ({
      ...topic,
      partitions: topic.partitions.filter((row) => exists(topic.name, row.partitionIndex)),
    }))
    .filter(({ partitions }) => partitions.length > 0)
  const merge = (answers: readonly Answered[]) => {
    const codes = new Map<string, number>()
    for (const { name, partitions = [] } of answers) {
      for (const row of partitions) codes.set(`${row.partitionIndex} ${name}`, row.errorCode ?? 0)
    }
    // A known topic without partitions is left out of the answer; an unknown one is not.
    const meant = topics.filter(
      ({ name, partitions }) => partitions.length > 0 || known.byName(name) === undefined,
    )
    return meant.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode:
          codes.get(`${partitionIndex} ${topic.name}`) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      })),
    }))
  }
  return { asked, merge }
}

function sameError(
  topics: readonly NamedPartitions<{ readonly partitionIndex: number }>[],
  errorCode: number,
): Answered[] {
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }))
}
