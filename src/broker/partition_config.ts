// A topic's configuration, resolved, as the data plane wants it.

import type { BrokerConfig } from '../config/config.ts'
import { segmentBytes, type TopicConfig, topicConfig } from '../config/topic_config.ts'
import type { PartitionConfig } from '../plane/plane.ts'
import { COMPRESSION } from '../protocol/record_batch.ts'

/** What `compression.type` asks of the plane; nothing where batches keep the codec of their producer. */
function recompression(topic: TopicConfig): { recompressTo?: number; recompressLevel?: number } {
  const type = topic['compression.type']
  switch (type) {
    case 'producer':
      return {}
    case 'gzip':
    case 'lz4':
    case 'zstd':
      return {
        recompressTo: COMPRESSION.indexOf(type),
        recompressLevel: topic[`compression.${type}.level`],
      }
    default:
      return { recompressTo: COMPRESSION.indexOf(type === 'snappy' ? type : 'none') }
  }
}

/** Resolves a topic's settings over the broker's; LONG.MAX values arrive as Number.MAX_SAFE_INTEGER. */
export function partitionConfig(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): PartitionConfig {
  const topic = topicConfig(overrides, broker)
  return {
    segmentBytesMax: segmentBytes(topic),
    segmentMs: topic['segment.ms'],
    segmentJitterMs: topic['segment.jitter.ms'],
    segmentIndexBytesMax: topic['segment.index.bytes'],
    indexIntervalBytes: topic['index.interval.bytes'],
    messageBytesMax: topic['max.message.bytes'],
    minInsyncReplicas: topic['min.insync.replicas'],
    compacted: topic['cleanup.policy'].includes('compact'),
    isLogAppendTime: topic['message.timestamp.type'] === 'LogAppendTime',
    timestampBeforeMsMax: topic['message.timestamp.before.max.ms'],
    timestampAfterMsMax: topic['message.timestamp.after.max.ms'],
    preallocate: topic.preallocate,
    preallocateBytesMax: broker.get('ottla.log.preallocate.max.bytes'),
    flushMessages: topic['flush.messages'],
    flushMs: topic['flush.ms'],
    producerIdExpirationMs: broker.get('producer.id.expiration.ms'),
    fileDeleteDelayMs: topic['file.delete.delay.ms'],
    directoryDeleteDelayMs: broker.get('log.segment.delete.delay.ms'),
    ...recompression(topic),
  }
}
