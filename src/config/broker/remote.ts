// Broker configuration: remote (tiered) storage.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: RemoteLogManagerConfig, KIP-405.

import { boolean, double, int, LONG_MAX, long, string } from '../rows.ts'
import { noRemote } from '../states.ts'

/** Broker keys: remote (tiered) storage. */
export const remoteRows = {
  'remote.log.storage.system.enable': boolean(false, 'medium read-only', {
    state: noRemote,
    doc: 'Turns remote storage on for this broker.',
  }),
  'remote.log.storage.manager.class.name': string(null, 'non-empty string', 'medium read-only', {
    state: noRemote,
    doc: 'Java class that stores segments elsewhere.',
  }),
  'remote.log.storage.manager.class.path': string(null, '', 'medium read-only', {
    state: noRemote,
    doc: 'Where that class is loaded from.',
  }),
  'remote.log.storage.manager.impl.prefix': string(
    'rsm.config.',
    'non-empty string',
    'medium read-only',
    {
      state: noRemote,
      doc: 'Prefix of the keys that are passed to it.',
    },
  ),
  'remote.log.metadata.manager.class.name': string(
    'org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager',
    'non-empty string',
    'medium read-only',
    {
      state: noRemote,
      doc: 'Java class that remembers which segments are stored elsewhere.',
    },
  ),
  'remote.log.metadata.manager.class.path': string(null, '', 'medium read-only', {
    state: noRemote,
    doc: 'Where that class is loaded from.',
  }),
  'remote.log.metadata.manager.impl.prefix': string(
    'rlmm.config.',
    'non-empty string',
    'medium read-only',
    {
      state: noRemote,
      doc: 'Prefix of the keys that are passed to it.',
    },
  ),
  'remote.log.metadata.manager.listener.name': string(
    null,
    'non-empty string',
    'medium read-only',
    {
      state: noRemote,
      doc: 'Listener it uses to reach this broker.',
    },
  ),
  'remote.log.metadata.custom.metadata.max.bytes': int(128, '[0,...]', 'low read-only', {
    state: noRemote,
    doc: 'Largest note in bytes it may attach to a segment.',
  }),
  'remote.log.index.file.cache.total.size.bytes': long(
    1_073_741_824,
    '[1,...]',
    'low cluster-wide',
    {
      state: noRemote,
      doc: 'Bytes of remote indexes cached on local disk.',
    },
  ),
  'remote.log.index.file.cache.ttl.ms': long(900_000, '[-1,...]', 'low read-only', {
    state: noRemote,
    doc: 'Time in ms a cached index stays after its last use; -1 is no limit.',
    internal: true,
  }),
  'remote.log.manager.thread.pool.size': int(2, '[1,...]', 'medium read-only', {
    state: noRemote,
    doc: 'Older name for the threads that follow remote offsets.',
  }),
  'remote.log.manager.follower.thread.pool.size': int(2, '[1,...]', 'medium cluster-wide', {
    state: noRemote,
    doc: 'Threads that follow remote offsets.',
  }),
  'remote.log.manager.copier.thread.pool.size': int(10, '[1,...]', 'medium cluster-wide', {
    state: noRemote,
    doc: 'Threads that copy segments.',
  }),
  'remote.log.manager.expiration.thread.pool.size': int(10, '[1,...]', 'medium cluster-wide', {
    state: noRemote,
    doc: 'Threads that delete expired remote segments.',
  }),
  'remote.log.manager.task.interval.ms': long(30_000, '[1,...]', 'low read-only', {
    state: noRemote,
    doc: 'Pace in ms of remote tasks.',
  }),
  'remote.log.manager.task.retry.backoff.ms': long(500, '[1,...]', 'low read-only', {
    state: noRemote,
    doc: 'First rest in ms after a remote task failed.',
    internal: true,
  }),
  'remote.log.manager.task.retry.backoff.max.ms': long(30_000, '[1,...]', 'low read-only', {
    state: noRemote,
    doc: 'Longest rest in ms after a remote task failed.',
    internal: true,
  }),
  'remote.log.manager.task.retry.jitter': double('0.2', '[0,...,0.5]', 'low read-only', {
    state: noRemote,
    doc: 'Random part of that rest.',
    internal: true,
  }),
  'remote.log.manager.copy.max.bytes.per.second': long(LONG_MAX, '[1,...]', 'medium cluster-wide', {
    state: noRemote,
    doc: 'Bytes per second copied to remote storage.',
  }),
  'remote.log.manager.copy.quota.window.num': int(11, '[1,...]', 'medium read-only', {
    state: noRemote,
    doc: 'Samples that measure the copy rate.',
  }),
  'remote.log.manager.copy.quota.window.size.seconds': int(1, '[1,...]', 'medium read-only', {
    state: noRemote,
    doc: 'Seconds in each of those samples.',
  }),
  'remote.log.manager.fetch.max.bytes.per.second': long(
    LONG_MAX,
    '[1,...]',
    'medium cluster-wide',
    {
      state: noRemote,
      doc: 'Bytes per second fetched from remote storage.',
    },
  ),
  'remote.log.manager.fetch.quota.window.num': int(11, '[1,...]', 'medium read-only', {
    state: noRemote,
    doc: 'Samples that measure the fetch rate.',
  }),
  'remote.log.manager.fetch.quota.window.size.seconds': int(1, '[1,...]', 'medium read-only', {
    state: noRemote,
    doc: 'Seconds in each of those samples.',
  }),
  'remote.log.reader.threads': int(10, '[1,...]', 'medium cluster-wide', {
    state: noRemote,
    doc: 'Threads that read remote segments.',
  }),
  'remote.log.reader.max.pending.tasks': int(100, '[1,...]', 'medium read-only', {
    state: noRemote,
    doc: 'Remote reads that may wait.',
  }),
  'remote.fetch.max.wait.ms': int(500, '[1,...]', 'medium cluster-wide', {
    state: noRemote,
    doc: 'Time in ms a Fetch may wait for remote storage.',
  }),
  'remote.list.offsets.request.timeout.ms': long(30_000, '[1,...]', 'medium cluster-wide', {
    state: noRemote,
    doc: 'Time in ms ListOffsets may wait for remote storage.',
  }),
  'follower.fetch.last.tiered.offset.enable': boolean(false, 'medium cluster-wide', {
    state: noRemote,
    doc: 'Lets an empty follower start after what is already in remote storage.',
  }),
}
