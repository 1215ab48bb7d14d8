// Where reading begins and ends: words, offsets, times and counts become offsets per partition.
// Kafka: ListOffsets and its special timestamps; kcat and rpk for counting back from the end.

import { listOffsets, type OffsetSpec } from './admin_topics.ts'
import type { ClientError } from './client_error.ts'
import type { Cluster } from './cluster.ts'
import { partitionText, type TopicPartition } from './per_leader.ts'

/** Where to begin in each partition: an edge, an offset, the first record since a time, or so many before the end. */
export type StartAt =
  | 'earliest'
  | 'latest'
  | { readonly offset: number }
  | { readonly timestamp: number }
  | { readonly last: number }

export type Isolation = 'read_committed' | 'read_uncommitted'

/** The offsets to begin at, by `partitionText`. Raises the first partition's error. */
export async function startOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  from: StartAt,
  isolation: Isolation,
): Promise<Map<string, number>> {
  const look = (at: OffsetSpec) => offsetsAt(cluster, partitions, at, isolation)
  if (from === 'earliest' || from === 'latest') return await look(from)
  if ('offset' in from) return new Map(partitions.map((at) => [partitionText(at), from.offset]))
  if ('timestamp' in from) {
    const [found, ends] = await Promise.all([look(from.timestamp), look('latest')])
    // Nothing as young as that: what comes next is.
    return new Map([...found].map(([key, offset]) => [key, offset < 0 ? ends.get(key)! : offset]))
  }
  const [begins, ends] = await Promise.all([look('earliest'), look('latest')])
  return new Map([...ends].map(([key, end]) => [key, Math.max(begins.get(key)!, end - from.last)]))
}

/** One offset per partition, by `partitionText`. */
export async function offsetsAt(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  at: OffsetSpec,
  isolation: Isolation,
): Promise<Map<string, number>> {
  const items = partitions.map(({ topic, partition }) => ({ topic, partition, at }))
  const listed = await listOffsets(cluster, items, { isolation })
  const failed = listed.find(({ error }) => error !== null)
  if (failed !== undefined) throw failed.error as ClientError
  return new Map(listed.map((found) => [partitionText(found), found.offset]))
}
