// What classic consumers say inside their JoinGroup and SyncGroup, read and written for them: in a consumer group it is
// the coordinator who understands it. Bytes of strangers that are none are an answer.
//
// Kafka: ConsumerProtocol, Utils.toTopicPartitionMap, toConsumerProtocolAssignment.

import { MalformedFrame } from '../../../lib/bytes.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  type Subscription,
} from '../../../protocol/embedded.ts'
import type { Cluster } from '../cluster.ts'
import type { Target } from '../member.ts'

type Versioned<T> = T & { readonly version: number }

/** A subscription, or null when the bytes are none. */
export function readSubscription(bytes: Uint8Array): Versioned<Subscription> | null {
  return attempt(() => decodeSubscription(bytes))
}

/** The partitions of an assignment, topics that are gone left out; null when the bytes are none, or more than that. */
export function readAssignment(cluster: Cluster, bytes: Uint8Array): Target | null {
  if (bytes.length === 0) return new Map()
  const read = attempt(() => decodeAssignment(bytes))
  // Data of a custom assignor would be lost.
  if (read === null || (read.userData?.length ?? 0) > 0) return null
  const target = new Map<string, ReadonlySet<number>>()
  for (const { topic, partitions } of read.assignedPartitions) {
    const known = cluster.topic(topic)
    if (known !== undefined && partitions.length > 0) target.set(known.id, new Set(partitions))
  }
  return target
}

/** A target as a classic consumer reads it, in the version it writes its subscriptions in. */
export function writeAssignment(cluster: Cluster, target: Target, version: number): Uint8Array {
  const assignedPartitions = []
  for (const [topicId, partitions] of target) {
    const topic = cluster.nameOf(topicId)
    if (topic !== undefined) assignedPartitions.push({ topic, partitions: [...partitions] })
  }
  return encodeAssignment(Math.min(version, 3), { assignedPartitions })
}

function attempt<T>(read: () => T): T | null {
  try {
    return read()
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null
    throw problem
  }
}
