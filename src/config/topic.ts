// Configuration of one topic: what its partitions do with their records. Kafka's keys, and ours.
// One row per key, judged against Kafka's own definitions; a key that is not set falls back to the
// broker's key of the same meaning (synonyms.ts).
// Kafka: LogConfig, TopicConfig.

import { ottlaTopicRows } from './ottla.ts'
import { boolean, double, effective, int, LONG_MAX, list, long, notBuilt, string } from './rows.ts'
import { kafkaTests, noQuotaWindow, noRemote, onlyRemote } from './states.ts'

/** Every topic key. */
export const topicTable = {
  'cleanup.policy': list('delete', '[compact, delete]', 'medium resource', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'What happens to old segments: `delete`, `compact`, or both.',
  }),
  'compression.type': string(
    'producer',
    '[uncompressed, zstd, lz4, snappy, gzip, producer]',
    'medium resource',
    {
      state: effective('integration: config: batches take the codec of their topic'),
      doc: 'Codec of stored batches; `producer` keeps the codec they came with.',
    },
  ),
  'compression.gzip.level': int(-1, '[1,...,9] or -1', 'medium resource', {
    state: effective('integration: config: levels of recompression'),
    doc: 'Level of gzip when batches are recompressed with it.',
  }),
  'compression.lz4.level': int(9, '[1,...,17]', 'medium resource', {
    state: effective('integration: config: levels of recompression'),
    doc: 'Level of lz4 when batches are recompressed with it.',
  }),
  'compression.zstd.level': int(3, '[-131072,...,22]', 'medium resource', {
    state: effective('integration: config: levels of recompression'),
    doc: 'Level of zstd when batches are recompressed with it.',
  }),
  'delete.retention.ms': long(86_400_000, '[0,...]', 'medium resource', {
    state: effective('integration: config: a tombstone goes when its time is over'),
    doc: 'Time in ms a tombstone stays readable after compaction.',
  }),
  'file.delete.delay.ms': long(60_000, '[0,...]', 'medium resource', {
    state: effective('integration: config: files of what is gone wait before they leave the disk'),
    doc: 'Time in ms between marking a file deleted and removing it.',
  }),
  'flush.messages': long(LONG_MAX, '[1,...]', 'medium resource', {
    state: effective('integration: config: a topic asks for syncs by records and by time'),
    doc: 'Records the partition may hold before they are written to the device.',
  }),
  'flush.ms': long(LONG_MAX, '[0,...]', 'medium resource', {
    state: effective('integration: config: a topic asks for syncs by records and by time'),
    doc: 'Time in ms a record may wait before it is written to the device.',
  }),
  'follower.replication.throttled.replicas': list(
    '',
    '[partitionId]:[brokerId],[partitionId]:[brokerId],...',
    'medium resource',
    {
      state: noQuotaWindow,
      doc: "Replicas, as `partition:broker` or `*`, slowed on the follower's side.",
    },
  ),
  'leader.replication.throttled.replicas': list(
    '',
    '[partitionId]:[brokerId],[partitionId]:[brokerId],...',
    'medium resource',
    {
      state: noQuotaWindow,
      doc: "Replicas, as `partition:broker` or `*`, slowed on the leader's side.",
    },
  ),
  'index.interval.bytes': int(4096, '[0,...]', 'medium resource', {
    state: effective('integration: config: index entries follow the interval'),
    doc: 'Bytes of records between two index entries.',
  }),
  'internal.segment.bytes': int(null, '', 'medium resource', {
    state: kafkaTests,
    doc: 'Segment size in bytes, without the usual minimum.',
    internal: true,
  }),
  'local.retention.bytes': long(-2, '[-2,...]', 'medium resource', {
    state: onlyRemote,
    doc: 'Bytes of the partition that stay on local disk once they are in remote storage.',
  }),
  'local.retention.ms': long(-2, '[-2,...]', 'medium resource', {
    state: onlyRemote,
    doc: 'Time in ms a segment stays on local disk once it is in remote storage.',
  }),
  'max.compaction.lag.ms': long(LONG_MAX, '[1,...]', 'medium resource', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'Age in ms above which a record must be compacted.',
  }),
  'min.compaction.lag.ms': long(0, '[0,...]', 'medium resource', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'Age in ms below which a record is never compacted.',
  }),
  'min.cleanable.dirty.ratio': double('0.5', '[0,...,1]', 'medium resource', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'Share of uncompacted bytes at which the log is worth cleaning.',
  }),
  'max.message.bytes': int(1_048_588, '[0,...]', 'medium resource', {
    state: effective('integration: config: larger batches are refused'),
    doc: 'Largest record batch in bytes, after compression.',
  }),
  'message.timestamp.type': string('CreateTime', '[CreateTime, LogAppendTime]', 'medium resource', {
    state: effective('integration: config: timestamp type'),
    doc: "Whose clock stamps records: the producer's (`CreateTime`) or ours (`LogAppendTime`).",
  }),
  'message.timestamp.before.max.ms': long(LONG_MAX, '[0,...]', 'medium resource', {
    state: effective('integration: config: records too far in the past are refused'),
    doc: "How far, in ms, a producer's timestamp may lie in the past.",
  }),
  'message.timestamp.after.max.ms': long(3_600_000, '[0,...]', 'medium resource', {
    state: effective('integration: config: records too far in the future are refused'),
    doc: "How far, in ms, a producer's timestamp may lie in the future.",
  }),
  'min.insync.replicas': int(1, '[1,...]', 'medium resource', {
    state: effective('acks all: too small an ISR refuses before the append; acks 1 does not ask'),
    doc: 'Replicas that must be in sync for a write with acks=all to be accepted.',
  }),
  preallocate: boolean(false, 'medium resource', {
    state: effective('integration: config: segments are preallocated'),
    doc: 'Allocates the whole segment file when it is created.',
  }),
  'remote.storage.enable': boolean(false, 'medium resource', {
    state: noRemote,
    doc: 'Keeps old segments of this topic in remote storage.',
  }),
  'remote.log.copy.disable': boolean(false, 'medium resource', {
    state: noRemote,
    doc: 'Stops copying segments of this topic to remote storage.',
  }),
  'remote.log.delete.on.disable': boolean(false, 'medium resource', {
    state: noRemote,
    doc: 'Deletes remote segments when remote storage is turned off for this topic.',
  }),
  'retention.bytes': long(-1, '', 'medium resource', {
    state: effective('integration: config: the oldest segments of a large partition are deleted'),
    doc: 'Size in bytes above which the partition loses its oldest segments; -1 is no limit.',
  }),
  'retention.ms': long(604_800_000, '[-1,...]', 'medium resource', {
    state: effective(
      'integration: config: old segments are deleted, at once when the setting changes',
    ),
    doc: 'Time in ms before a segment is deleted; -1 keeps it.',
  }),
  'segment.bytes': int(1_073_741_824, '[1048576,...]', 'medium resource', {
    state: effective('integration: config: segments roll by size'),
    doc: 'Size in bytes at which a segment is closed and the next begins.',
  }),
  'segment.index.bytes': int(10_485_760, '[4,...]', 'medium resource', {
    state: effective('integration: config: segments roll by index size'),
    doc: 'Size in bytes at which an index is full and its segment is closed.',
  }),
  'segment.ms': long(604_800_000, '[1,...]', 'medium resource', {
    state: effective('integration: config: segments roll by age'),
    doc: 'Age in ms at which a segment is closed.',
  }),
  'segment.jitter.ms': long(0, '[0,...]', 'medium resource', {
    state: effective('integration: config: segments of one age do not roll together'),
    doc: 'Random part of the roll time in ms, so that segments do not roll together.',
  }),
  'unclean.leader.election.enable': boolean(false, 'medium resource', {
    state: notBuilt('a replica out of sync is never elected'),
    doc: 'Lets a replica that is not in sync become leader, at the price of records.',
  }),
  ...ottlaTopicRows,
}
