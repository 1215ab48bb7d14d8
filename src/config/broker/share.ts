// Broker configuration: share groups and the coordinator of their state.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: ShareGroupConfig, ShareCoordinatorConfig, GroupCoordinatorConfig.

import { int, list, short, string } from '../rows.ts'
import { noShare, oneThread, signals } from '../states.ts'

/** Broker keys: share groups and the coordinator of their state. */
export const shareRows = {
  'group.share.session.timeout.ms': int(45_000, '[1,...]', 'medium read-only', {
    state: noShare,
    doc: 'Silence in ms after which a member of a share group is removed.',
  }),
  'group.share.min.session.timeout.ms': int(45_000, '[1,...]', 'medium read-only', {
    state: noShare,
    doc: 'Shortest session in ms a share group may be given.',
  }),
  'group.share.max.session.timeout.ms': int(60_000, '[1,...]', 'medium read-only', {
    state: noShare,
    doc: 'Longest session in ms a share group may be given.',
  }),
  'group.share.heartbeat.interval.ms': int(5000, '[1,...]', 'medium read-only', {
    state: noShare,
    doc: 'Pace in ms at which members of a share group must report.',
  }),
  'group.share.min.heartbeat.interval.ms': int(5000, '[1,...]', 'medium read-only', {
    state: noShare,
    doc: 'Shortest heartbeat interval in ms a share group may be given.',
  }),
  'group.share.max.heartbeat.interval.ms': int(15_000, '[1,...]', 'medium read-only', {
    state: noShare,
    doc: 'Longest heartbeat interval in ms a share group may be given.',
  }),
  'group.share.assignment.interval.ms': int(1000, '[0,...]', 'medium cluster-wide', {
    state: noShare,
    doc: 'Least time in ms between two assignments of a share group.',
  }),
  'group.share.min.assignment.interval.ms': int(0, '[0,...]', 'medium read-only', {
    state: noShare,
    doc: 'Shortest assignment interval in ms a share group may be given.',
  }),
  'group.share.max.assignment.interval.ms': int(15_000, '[0,...]', 'medium read-only', {
    state: noShare,
    doc: 'Longest assignment interval in ms a share group may be given.',
  }),
  'group.share.max.size': int(200, '[1,...,1000]', 'medium read-only', {
    state: noShare,
    doc: 'Members that a share group may have.',
  }),
  'group.share.assignors': list('simple', '', 'medium read-only', {
    state: noShare,
    doc: 'Assignor of share groups; exactly one.',
    nonEmpty: true,
  }),
  'group.share.delivery.count.limit': int(5, '[2,...,10]', 'medium read-only', {
    state: noShare,
    doc: 'Times a record is delivered before it is given up.',
  }),
  'group.share.min.delivery.count.limit': int(2, '[2,...,5]', 'medium read-only', {
    state: noShare,
    doc: 'Fewest deliveries a share group may be given.',
  }),
  'group.share.max.delivery.count.limit': int(10, '[5,...,25]', 'medium read-only', {
    state: noShare,
    doc: 'Most deliveries a share group may be given.',
  }),
  'group.share.record.lock.duration.ms': int(30_000, '[1000,...,3600000]', 'medium read-only', {
    state: noShare,
    doc: 'Time in ms a delivered record belongs to its consumer.',
  }),
  'group.share.min.record.lock.duration.ms': int(15_000, '[1000,...,30000]', 'medium read-only', {
    state: noShare,
    doc: 'Shortest lock in ms a share group may be given.',
  }),
  'group.share.max.record.lock.duration.ms': int(
    60_000,
    '[30000,...,3600000]',
    'medium read-only',
    {
      state: noShare,
      doc: 'Longest lock in ms a share group may be given.',
    },
  ),
  'group.share.partition.max.record.locks': int(2000, '[100,...,10000]', 'medium read-only', {
    state: noShare,
    doc: 'Records of a partition that may be locked at one time.',
  }),
  'group.share.min.partition.max.record.locks': int(100, '[100,...,2000]', 'medium read-only', {
    state: noShare,
    doc: 'Lowest limit of locked records a share group may be given.',
  }),
  'group.share.max.partition.max.record.locks': int(4000, '[2000,...,10000]', 'medium read-only', {
    state: noShare,
    doc: 'Highest limit of locked records a share group may be given.',
  }),
  'group.share.max.share.sessions': int(2000, '[1,...]', 'medium read-only', {
    state: noShare,
    doc: 'Share sessions that this broker remembers.',
  }),
  'group.share.initialize.retry.interval.ms': int(30_000, '[1,...]', 'low read-only', {
    state: noShare,
    doc: 'Rest in ms before the state of a share group is initialized again.',
    internal: true,
  }),
  'group.share.persister.class.name': string(
    'org.apache.kafka.server.share.persister.DefaultStatePersister',
    '',
    'medium read-only',
    {
      state: noShare,
      doc: 'Java class that stores the state of share groups.',
      internal: true,
    },
  ),
  'share.coordinator.threads': int(1, '[1,...]', 'medium read-only', {
    state: oneThread,
    doc: 'Threads that serve the state of share groups.',
  }),
  'share.coordinator.append.linger.ms': int(-1, '[-1,...]', 'medium read-only', {
    state: noShare,
    doc: 'Time in ms that share records are gathered into one batch; -1 adapts.',
  }),
  'share.coordinator.cached.buffer.max.bytes': int(
    1_048_588,
    '[524288,...]',
    'medium cluster-wide',
    {
      state: noShare,
      doc: 'Largest write buffer in bytes that is kept for reuse.',
    },
  ),
  'share.coordinator.load.buffer.size': int(5_242_880, '[1,...]', 'high read-only', {
    state: noShare,
    doc: 'Bytes read at once when share state is loaded.',
  }),
  'share.coordinator.write.timeout.ms': int(5000, '[1,...]', 'high read-only', {
    state: noShare,
    doc: 'Time in ms a write of share state may wait for its replicas.',
  }),
  'share.coordinator.snapshot.update.records.per.snapshot': int(
    500,
    '[0,...,500]',
    'medium read-only',
    {
      state: noShare,
      doc: 'Updates written between two snapshots of a share partition.',
    },
  ),
  'share.coordinator.cold.partition.snapshot.interval.ms': int(
    300_000,
    '[1,...]',
    'low read-only',
    {
      state: noShare,
      doc: 'Pace in ms of snapshots of share partitions that are quiet.',
      internal: true,
    },
  ),
  'share.coordinator.state.topic.num.partitions': int(50, '[1,...]', 'high read-only', {
    state: noShare,
    doc: 'Partitions of `__share_group_state`.',
  }),
  'share.coordinator.state.topic.replication.factor': short(3, '[1,...]', 'high read-only', {
    state: noShare,
    doc: 'Replicas of `__share_group_state`.',
  }),
  'share.coordinator.state.topic.min.isr': short(2, '[1,...]', 'high read-only', {
    state: noShare,
    doc: 'Replicas of `__share_group_state` that must be in sync.',
  }),
  'share.coordinator.state.topic.segment.bytes': int(104_857_600, '[1,...]', 'high read-only', {
    state: noShare,
    doc: 'Segment size in bytes of `__share_group_state`.',
  }),
  'share.coordinator.state.topic.compression.codec': int(0, '', 'high read-only', {
    state: noShare,
    doc: 'Codec id of `__share_group_state`.',
  }),
  'share.coordinator.state.topic.prune.interval.ms': int(300_000, '[1,...]', 'low read-only', {
    state: noShare,
    doc: 'Pace in ms of deleting share state that is no longer needed.',
    internal: true,
  }),
  'share.fetch.purgatory.purge.interval.requests': int(1000, '', 'medium read-only', {
    state: signals,
    doc: 'Requests between two purges of waiting share fetches.',
  }),
}
