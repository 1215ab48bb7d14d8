// One question about many partitions becomes one request per leader. Partitions whose leader has moved are asked again
// where the metadata says by then, until the cluster's deadline; what fails for good keeps its error.
// Kafka: PartitionLeaderStrategy, AdminApiDriver.

import { ErrorCode } from '../protocol/errors.ts'
import { answered, ClientError, isClientError } from './client_error.ts'
import type { Cluster } from './cluster.ts'
import { backoffMs, monotonicMs, pause } from './timing.ts'

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** What became of one item. */
export type Outcome<V> = { readonly value: V } | { readonly error: ClientError }

/** What a leader said of one partition. */
export interface PartitionAnswer<V> extends TopicPartition {
  readonly errorCode: number
  readonly value: V
}

/** Asks the leader of every item; outcomes in the order of `items`. */
export async function perLeader<T extends TopicPartition, V>(
  cluster: Cluster,
  items: readonly T[],
  ask: (node: number, items: readonly T[]) => Promise<readonly PartitionAnswer<V>[]>,
): Promise<Outcome<V>[]> {
  const outcomes = new Map<T, Outcome<V>>()
  const deadline = monotonicMs() + cluster.retryTimeoutMs
  let left: readonly T[] = items
  for (let count = 1; left.length > 0; count++) {
    const { byNode, failed } = await leadersOf(cluster, left)
    for (const [item, error] of failed) outcomes.set(item, { error })
    await Promise.all(
      [...byNode].map(async ([node, asked]) => {
        for (const [item, outcome] of await askNode(cluster, node, asked, ask)) {
          outcomes.set(item, outcome)
        }
      }),
    )
    left = left.filter((item) => mayPass(outcomes.get(item)))
    if (left.length === 0 || monotonicMs() > deadline || cluster.isClosed) break
    for (const { topic } of left) cluster.forgetTopic(topic)
    await pause(backoffMs(count), cluster.closing)
  }
  return items.map((item) => outcomes.get(item)!)
}

async function askNode<T extends TopicPartition, V>(
  cluster: Cluster,
  node: number,
  items: readonly T[],
  ask: (node: number, items: readonly T[]) => Promise<readonly PartitionAnswer<V>[]>,
): Promise<Map<T, Outcome<V>>> {
  try {
    const answers = new Map(
      (await ask(node, items)).map((answer) => [partitionText(answer), answer]),
    )
    return new Map(
      items.map((item) => {
        const answer = answers.get(partitionText(item))
        return [item, answer === undefined ? { error: unanswered(item) } : outcomeOf(item, answer)]
      }),
    )
  } catch (error) {
    if (!isClientError(error) || cluster.isClosed) throw error
    return new Map(items.map((item) => [item, { error }]))
  }
}

/** Groups items by the node that leads them; those without one have an error. */
async function leadersOf<T extends TopicPartition>(
  cluster: Cluster,
  items: readonly T[],
): Promise<{ byNode: Map<number, T[]>; failed: Map<T, ClientError> }> {
  const byNode = new Map<number, T[]>()
  const failed = new Map<T, ClientError>()
  // One metadata request for all topics that are not known, not one each.
  const unknown = [...new Set(items.map(({ topic }) => topic))].filter(
    (topic) => cluster.cachedTopic(topic) === undefined,
  )
  if (unknown.length > 1) await cluster.refresh(unknown)
  const leaders = await Promise.all(
    items.map((item) =>
      leaderOf(cluster, item).catch((error: unknown) => {
        if (!isClientError(error) || cluster.isClosed) throw error
        // The look-up has been patient already.
        failed.set(item, new ClientError(error.code, error.message, error, false))
        return -1
      }),
    ),
  )
  items.forEach((item, i) => {
    const leaderId = leaders[i]!
    if (leaderId < 0) return
    const led = byNode.get(leaderId)
    if (led === undefined) byNode.set(leaderId, [item])
    else led.push(item)
  })
  return { byNode, failed }
}

/** The leader's node id; waits for one to be elected. Raises UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE. */
export async function leaderOf(cluster: Cluster, item: TopicPartition): Promise<number> {
  const deadline = monotonicMs() + cluster.retryTimeoutMs
  for (let count = 1; ; count++) {
    const { partitions } = await cluster.topic(item.topic)
    const found = partitions.find(({ partition }) => partition === item.partition)
    if (found === undefined) {
      throw new ClientError(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `topic '${item.topic}' has ${partitions.length} partitions; there is no ${item.partition}`,
        item,
      )
    }
    if (found.leaderId >= 0) return found.leaderId
    cluster.forgetTopic(item.topic)
    if (monotonicMs() > deadline || cluster.isClosed) {
      throw answered(ErrorCode.LEADER_NOT_AVAILABLE, `partition ${partitionText(item)}`, item)
    }
    await pause(backoffMs(count), cluster.closing)
  }
}

function outcomeOf<V>(item: TopicPartition, answer: PartitionAnswer<V>): Outcome<V> {
  if (answer.errorCode === 0) return { value: answer.value }
  return { error: answered(answer.errorCode, `partition ${partitionText(item)}`, item) }
}

/** The error of a partition that an answer does not mention. */
export function unanswered(item: TopicPartition): ClientError {
  const message = `the broker left ${partitionText(item)} out of its answer`
  return new ClientError('MALFORMED_RESPONSE', message, item)
}

function mayPass<V>(outcome: Outcome<V> | undefined): boolean {
  return outcome !== undefined && 'error' in outcome && outcome.error.isRetriable
}

/** `topic-3`, as Kafka writes it. */
export function partitionText({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

/** Items as requests want them: by topic, with what each partition needs. */
export function byTopic<T extends TopicPartition, V>(
  items: readonly T[],
  of: (item: T) => V,
): { topic: string; partitions: V[] }[] {
  const topics = new Map<string, V[]>()
  for (const item of items) {
    const list = topics.get(item.topic)
    if (list === undefined) topics.set(item.topic, [of(item)])
    else list.push(of(item))
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }))
}
