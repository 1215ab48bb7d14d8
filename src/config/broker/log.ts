// Broker configuration: logs on disk: directories, segments, indexes, timestamps, flushing,
// retention and the cleaner. One row per key, judged against Kafka's own definitions in
// test/unit/config/tables.test.ts.
// Kafka: ServerLogConfigs, CleanerConfig.

import { boolean, double, effective, inert, int, LONG_MAX, list, long, string } from '../rows.ts'
import { onlyRemote } from '../states.ts'

/** Broker keys: logs on disk. */
export const logRows = {
  'log.dir': list('/tmp/kafka-logs', '', 'high read-only', {
    state: effective('integration: config: data lives in log.dir'),
    doc: 'Directory of the data, used when `log.dirs` is not set.',
    nonEmpty: true,
  }),
  'log.dirs': list(null, '', 'high read-only', {
    state: effective('integration: config: partitions spread over log.dirs'),
    doc: 'Directories of the data, separated by commas.',
    nonEmpty: true,
  }),
  'log.dir.failure.timeout.ms': long(30_000, '[1,...]', 'low read-only', {
    state: effective(
      'integration: config: a node whose failed directory nobody hears of ends in time',
    ),
    doc: 'Time in ms a failed directory may stay unreported before the broker stops.',
  }),
  'cordoned.log.dirs': list('', '', 'medium per-broker', {
    state: effective('integration: config: cordoned directories get no new partitions'),
    doc: 'Directories that get no new partitions; `*` means all.',
  }),
  'log.segment.bytes': int(1_073_741_824, '[1048576,...]', 'high cluster-wide', {
    state: effective('integration: config: segments roll by size'),
    doc: 'Size in bytes at which a segment is closed and the next begins.',
  }),
  'log.roll.ms': long(null, '', 'high cluster-wide', {
    state: effective('integration: config: segments roll by age'),
    doc: 'Age in ms at which a segment is closed; stands before `log.roll.hours`.',
  }),
  'log.roll.hours': int(168, '[1,...]', 'high read-only', {
    state: effective('integration: config: segments roll by age'),
    doc: 'Age in hours at which a segment is closed.',
  }),
  'log.roll.jitter.ms': long(null, '', 'high cluster-wide', {
    state: effective('integration: config: segments of one age do not roll together'),
    doc: 'Random part of the roll time in ms; stands before `log.roll.jitter.hours`.',
  }),
  'log.roll.jitter.hours': int(0, '[0,...]', 'high read-only', {
    state: effective('integration: config: segments of one age do not roll together'),
    doc: 'Random part of the roll time in hours, so that segments do not roll together.',
  }),
  'log.index.size.max.bytes': int(10_485_760, '[4,...]', 'medium cluster-wide', {
    state: effective('integration: config: segments roll by index size'),
    doc: 'Size in bytes at which an index is full and its segment is closed.',
  }),
  'log.index.interval.bytes': int(4096, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: index entries follow the interval'),
    doc: 'Bytes of records between two index entries.',
  }),
  'log.preallocate': boolean(false, 'medium cluster-wide', {
    state: effective('integration: config: segments are preallocated'),
    doc: 'Allocates the whole segment file when it is created.',
  }),
  'log.initial.task.delay.ms': long(30_000, '[0,...]', 'low read-only', {
    state: effective('integration: config: retention is looked at after a first delay'),
    doc: 'Delay in ms before the first run of background log tasks.',
    internal: true,
  }),
  'log.flush.interval.messages': long(LONG_MAX, '[1,...]', 'high cluster-wide', {
    state: effective('integration: config: the broker asks for syncs by records and by time'),
    doc: 'Records a partition may hold before it is written to the device.',
  }),
  'log.flush.interval.ms': long(null, '', 'high cluster-wide', {
    state: effective('integration: config: the broker asks for syncs by records and by time'),
    doc: 'Time in ms a record may wait before it is written to the device.',
  }),
  'log.flush.scheduler.interval.ms': long(LONG_MAX, '', 'high read-only', {
    state: effective('integration: config: flush.ms is looked at at its own pace'),
    doc: 'Pace in ms at which logs are looked over for records to flush; every second when it is not set.',
  }),
  'log.flush.offset.checkpoint.interval.ms': int(60_000, '[0,...]', 'high read-only', {
    state: effective('integration: config: checkpoints are written at their paces'),
    doc: 'Pace in ms of writing the recovery-point checkpoint.',
  }),
  'log.flush.start.offset.checkpoint.interval.ms': int(60_000, '[0,...]', 'high read-only', {
    state: effective('integration: config: checkpoints are written at their paces'),
    doc: 'Pace in ms of writing the log-start-offset checkpoint.',
  }),
  'log.retention.ms': long(null, '', 'high cluster-wide', {
    state: effective('integration: config: %s: topics that say nothing keep records so long'),
    doc: 'Time in ms before a segment is deleted; -1 keeps it; stands before minutes and hours.',
  }),
  'log.retention.minutes': int(null, '', 'high read-only', {
    state: effective('integration: config: %s: topics that say nothing keep records so long'),
    doc: 'Time in minutes before a segment is deleted; stands before hours.',
  }),
  'log.retention.hours': int(168, '', 'high read-only', {
    state: effective('integration: config: %s: topics that say nothing keep records so long'),
    doc: 'Time in hours before a segment is deleted.',
  }),
  'log.retention.bytes': long(-1, '', 'high cluster-wide', {
    state: effective('integration: config: the oldest segments of a large partition are deleted'),
    doc: 'Size in bytes above which a partition loses its oldest segments; -1 is no limit.',
  }),
  'log.retention.check.interval.ms': long(300_000, '[1,...]', 'medium read-only', {
    state: effective('integration: config: retention is looked at after a first delay'),
    doc: 'Pace in ms of looking for segments to delete.',
  }),
  'log.local.retention.ms': long(-2, '[-2,...]', 'medium cluster-wide', {
    state: onlyRemote,
    doc: 'Time in ms a segment stays on local disk once it is in remote storage.',
  }),
  'log.local.retention.bytes': long(-2, '[-2,...]', 'medium cluster-wide', {
    state: onlyRemote,
    doc: 'Bytes of a partition that stay on local disk once they are in remote storage.',
  }),
  'log.segment.delete.delay.ms': long(60_000, '[0,...]', 'high cluster-wide', {
    state: effective('integration: config: files of what is gone wait before they leave the disk'),
    doc: 'Time in ms between marking a file deleted and removing it.',
  }),
  'log.cleanup.policy': list('delete', '[compact, delete]', 'medium cluster-wide', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'What happens to old segments: `delete`, `compact`, or both.',
  }),
  'log.cleaner.enable': boolean(true, 'medium read-only', {
    state: effective('integration: config: without a cleaner nothing is compacted'),
    doc: 'Runs the cleaner that compacts logs.',
  }),
  'log.cleaner.threads': int(1, '[0,...]', 'medium cluster-wide', {
    state: effective(
      'integration: config: as many logs are compacted at a time as there are cleaner threads',
    ),
    doc: 'Cleaner threads.',
  }),
  'log.cleaner.backoff.ms': long(15_000, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'Rest in ms of a cleaner that found nothing to do.',
  }),
  'log.cleaner.dedupe.buffer.size': long(134_217_728, '', 'medium cluster-wide', {
    state: effective(
      'integration: config: a round of the cleaner reaches as far as its table of keys',
    ),
    doc: 'Bytes for the key table of all cleaner threads together.',
  }),
  'log.cleaner.io.buffer.size': int(524_288, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: the cleaner reads in pieces of its buffer'),
    doc: 'Bytes for the read and write buffers of all cleaner threads together.',
  }),
  'log.cleaner.io.buffer.load.factor': double('0.9', '', 'medium cluster-wide', {
    state: effective(
      'integration: config: a round of the cleaner reaches as far as its table of keys',
    ),
    doc: 'Share of the key table that may be filled.',
  }),
  'log.cleaner.io.max.bytes.per.second': double(
    '1.7976931348623157E308',
    '',
    'medium cluster-wide',
    {
      state: effective('integration: config: the cleaner keeps its rate'),
      doc: 'Bytes per second the cleaner may read and write.',
    },
  ),
  'log.cleaner.min.cleanable.ratio': double('0.5', '[0,...,1]', 'medium cluster-wide', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'Share of uncompacted bytes at which a log is worth cleaning.',
  }),
  'log.cleaner.min.compaction.lag.ms': long(0, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'Age in ms below which a record is never compacted.',
  }),
  'log.cleaner.max.compaction.lag.ms': long(LONG_MAX, '[1,...]', 'medium cluster-wide', {
    state: effective('integration: config: a compacted topic keeps the last value of each key'),
    doc: 'Age in ms above which a record must be compacted.',
  }),
  'log.cleaner.delete.retention.ms': long(86_400_000, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: a tombstone goes when its time is over'),
    doc: 'Time in ms a tombstone stays readable after compaction.',
  }),
  'log.message.timestamp.type': string(
    'CreateTime',
    '[CreateTime, LogAppendTime]',
    'medium cluster-wide',
    {
      state: effective('integration: config: timestamp type'),
      doc: "Whose clock stamps records: the producer's (`CreateTime`) or ours (`LogAppendTime`).",
    },
  ),
  'log.message.timestamp.before.max.ms': long(LONG_MAX, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: records too far in the past are refused'),
    doc: "How far, in ms, a producer's timestamp may lie in the past.",
  }),
  'log.message.timestamp.after.max.ms': long(3_600_000, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: records too far in the future are refused'),
    doc: "How far, in ms, a producer's timestamp may lie in the future.",
  }),
  'message.max.bytes': int(1_048_588, '[0,...]', 'high cluster-wide', {
    state: effective('integration: config: larger batches are refused'),
    doc: 'Largest record batch in bytes, after compression.',
  }),
  'compression.type': string(
    'producer',
    '[uncompressed, zstd, lz4, snappy, gzip, producer]',
    'high cluster-wide',
    {
      state: effective('integration: config: batches take the codec of their topic'),
      doc: 'Codec of stored batches; `producer` keeps the codec they came with.',
    },
  ),
  'compression.gzip.level': int(-1, '[1,...,9] or -1', 'medium cluster-wide', {
    state: effective('integration: config: levels of recompression'),
    doc: 'Level of gzip when batches are recompressed with it.',
  }),
  'compression.lz4.level': int(9, '[1,...,17]', 'medium cluster-wide', {
    state: effective('integration: config: levels of recompression'),
    doc: 'Level of lz4 when batches are recompressed with it.',
  }),
  'compression.zstd.level': int(3, '[-131072,...,22]', 'medium cluster-wide', {
    state: effective('integration: config: levels of recompression'),
    doc: 'Level of zstd when batches are recompressed with it.',
  }),
  'num.recovery.threads.per.data.dir': int(2, '[1,...]', 'high cluster-wide', {
    state: inert('recovery spreads over all reactors by itself'),
    doc: 'Threads per directory that recover logs at start.',
  }),
  'producer.id.expiration.ms': int(86_400_000, '[1,...]', 'low cluster-wide', {
    state: effective(
      'integration: config: ids that nobody uses are forgotten, but not what is open',
    ),
    doc: 'Idle time in ms after which a partition forgets a producer id.',
  }),
  'producer.id.expiration.check.interval.ms': int(600_000, '[1,...]', 'low read-only', {
    state: effective(
      'integration: config: ids that nobody uses are forgotten, but not what is open',
    ),
    doc: 'Pace in ms of looking for producer ids to forget.',
    internal: true,
  }),
}
