// Topic ids of OffsetCommit 10 and OffsetFetch 10, turned into names before the coordinator is asked and back into ids
// afterwards, since groups commit by name. A topic that has been recreated has a new id; its old one is unknown.
// Kafka: KafkaApis.handleOffsetCommitRequest, fetchOffsetsForGroup, fetchAllOffsetsForGroup. KIP-848, KIP-516.

import type { Uuid } from '../lib/uuid.ts'
import { ErrorCode } from '../protocol/errors.ts'

/** From these versions on topics go by id alone. */
export const TOPIC_IDS_SINCE = 10

/** The names and ids of the topics there are. */
export interface TopicNames {
  nameOf(topicId: Uuid): string | undefined
  idOf(name: string): Uuid | undefined
}

/** Topics that go by id with their names filled in, and those whose id nobody knows. */
export function withNames<T extends { readonly topicId: Uuid }>(
  topics: readonly T[],
  names: TopicNames,
): { known: (T & { name: string })[]; unknown: T[] } {
  const known: (T & { name: string })[] = []
  const unknown: T[] = []
  for (const topic of topics) {
    const name = names.nameOf(topic.topicId)
    if (name === undefined) unknown.push(topic)
    else known.push({ ...topic, name })
  }
  return { known, unknown }
}

/** Topics that go by name with their ids filled in; those that no longer exist have no id to go by and are left out. */
export function withIds<T extends { readonly name: string }>(
  topics: readonly T[],
  names: TopicNames,
): (T & { topicId: Uuid })[] {
  return topics.flatMap((topic) => {
    const topicId = names.idOf(topic.name)
    return topicId === undefined ? [] : [{ ...topic, topicId }]
  })
}

/** The part of an OffsetCommit response that is about unknown ids. */
export function commitsRefused(
  topics: readonly {
    readonly topicId: Uuid
    readonly partitions: readonly { readonly partitionIndex: number }[]
  }[],
) {
  return topics.map(({ topicId, partitions }) => ({
    topicId,
    name: '',
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: ErrorCode.UNKNOWN_TOPIC_ID,
    })),
  }))
}

/** The part of an OffsetFetch response that is about unknown ids. */
export function fetchesRefused(
  topics: readonly { readonly topicId: Uuid; readonly partitionIndexes: readonly number[] }[],
) {
  return topics.map(({ topicId, partitionIndexes }) => ({
    topicId,
    name: '',
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1n,
      committedLeaderEpoch: -1,
      metadata: '',
      errorCode: ErrorCode.UNKNOWN_TOPIC_ID,
    })),
  }))
}
