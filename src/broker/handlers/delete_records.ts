// DeleteRecords: moves the start of a log up to an offset that is committed. What lies below is gone for consumers at
// once; whole segments below it leave the disk.
//
// Invariant: whoever is told that records are gone never meets them again: the log start is in its checkpoint before
// the answer leaves. (Kafka writes it once a minute, and a kill brings the records back.)
// Kafka: KafkaApis.handleDeleteRecordsRequest, ReplicaManager.deleteRecords, Partition.deleteRecordsOnLeader; KIP-107.
// The low watermark is the least log start of the replicas that are alive: today there is one, ours.

import { topicConfig } from '../../config/topic_config.ts'
import { CONFIG_RESOURCE } from '../../metadata/configs.ts'
import type { EncodableOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { DeleteRecords } from '../../protocol/messages/offsets.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import { type BrokerNode, findLeader, INTERNAL_TOPICS } from '../node.ts'

type Topics = NonNullable<EncodableOf<(typeof DeleteRecords)['response']>['topics']>
type PartitionAnswer = NonNullable<Topics[number]['partitions']>[number]

/** Asks for everything that is committed. */
const HIGH_WATERMARK = -1n

export function serveDeleteRecords(served: ServedApis, node: BrokerNode): void {
  const handler: Handler<typeof DeleteRecords> = async (request) => {
    // A partition that stands twice: the last counts, as in Kafka's map.
    const wanted = new Map<string, Map<number, bigint>>()
    for (const { name, partitions } of request.topics) {
      const offsets = wanted.get(name) ?? new Map<number, bigint>()
      for (const { partitionIndex, offset } of partitions) offsets.set(partitionIndex, offset)
      if (offsets.size > 0) wanted.set(name, offsets)
    }
    const topics = [...wanted].map(async ([name, offsets]) => ({
      name,
      partitions: await Promise.all(
        [...offsets].map(([index, offset]) => deleteBelow(node, name, index, offset)),
      ),
    }))
    return { topics: await Promise.all(topics) }
  }
  served.serve(DeleteRecords, '0-2', handler)
}

async function deleteBelow(
  node: BrokerNode,
  name: string,
  partitionIndex: number,
  offset: bigint,
): Promise<PartitionAnswer> {
  const refused = (errorCode: number) => ({ partitionIndex, lowWatermark: -1, errorCode })
  const topic = node.image.topics.byName(name)
  if (topic?.partitions[partitionIndex] === undefined) {
    return refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  }
  if (INTERNAL_TOPICS.has(name)) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION)
  const found = findLeader(node, topic, partitionIndex)
  if ('errorCode' in found) return refused(found.errorCode)
  if (!mayDelete(node, name)) return refused(ErrorCode.POLICY_VIOLATION)
  const { slot, directory } = found.local
  const { highWatermark } = node.plane.partition(slot)
  const target = offset === HIGH_WATERMARK ? highWatermark : Number(offset)
  if (target < 0 || target > highWatermark) return refused(ErrorCode.OFFSET_OUT_OF_RANGE)
  const { errorCode, a: logStart } = await node.tickets.run((plane, ticket) =>
    plane.trim(slot, target, ticket),
  )
  if (errorCode !== ErrorCode.NONE) return refused(errorCode)
  if (!(await node.checkpoints.logStarts(directory))) return refused(ErrorCode.KAFKA_STORAGE_ERROR)
  const after = findLeader(node, topic, partitionIndex)
  if ('errorCode' in after) return refused(after.errorCode)
  return { partitionIndex, lowWatermark: logStart, errorCode }
}

/** A topic that is only compacted keeps its newest values; one without any policy may be emptied. */
function mayDelete(node: BrokerNode, name: string): boolean {
  const overrides = node.image.configs.of(CONFIG_RESOURCE.topic, name)
  const policies = topicConfig(overrides, node.config())['cleanup.policy']
  return policies.includes('delete') || !policies.includes('compact')
}
