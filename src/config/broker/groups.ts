// Broker configuration: groups of all kinds and the offsets they commit.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: GroupCoordinatorConfig, ShareGroupConfig, OffsetConfig.

import { effective, int, list, long, short, string } from '../rows.ts'
import { groupCommit, noBufferReuse, noGroupCompression, oneThread } from '../states.ts'

/** Broker keys: groups of all kinds and the offsets they commit. */
export const groupsRows = {
  'group.coordinator.threads': int(4, '[1,...]', 'high read-only', {
    state: oneThread,
    doc: 'Threads that serve groups.',
  }),
  'group.coordinator.background.threads': int(2, '[1,...]', 'high read-only', {
    state: oneThread,
    doc: 'Threads for the slow work of groups.',
  }),
  'group.coordinator.append.linger.ms': int(-1, '[-1,...]', 'medium read-only', {
    state: groupCommit,
    doc: 'Time in ms that group records are gathered into one batch; -1 adapts.',
  }),
  'group.coordinator.cached.buffer.max.bytes': int(
    1_048_588,
    '[524288,...]',
    'medium cluster-wide',
    {
      state: noBufferReuse,
      doc: 'Largest write buffer in bytes that is kept for reuse.',
    },
  ),
  'group.coordinator.rebalance.protocols': list(
    'classic,consumer,streams',
    '[consumer, classic, share, streams]',
    'medium read-only',
    {
      state: effective('integration: config: consumer groups have the timings of their broker'),
      doc: 'Kinds of groups that are served.',
      nonEmpty: true,
    },
  ),
  'group.min.session.timeout.ms': int(6000, '', 'medium read-only', {
    state: effective('integration: config: sessions of groups are bounded'),
    doc: 'Shortest session in ms a member of a classic group may ask for.',
  }),
  'group.max.session.timeout.ms': int(1_800_000, '', 'medium read-only', {
    state: effective('integration: config: sessions of groups are bounded'),
    doc: 'Longest session in ms a member of a classic group may ask for.',
  }),
  'group.initial.rebalance.delay.ms': int(3000, '', 'medium read-only', {
    state: effective('integration: config: a new group waits for more members'),
    doc: 'Wait in ms for more members before a new classic group is balanced.',
  }),
  'group.max.size': int(2_147_483_647, '[1,...]', 'medium read-only', {
    state: effective('integration: config: groups are bounded'),
    doc: 'Members that a classic group may have.',
  }),
  'group.consumer.session.timeout.ms': int(45_000, '[1,...]', 'medium read-only', {
    state: effective('integration: config: consumer groups have the timings of their broker'),
    doc: 'Silence in ms after which a member of a consumer group is removed.',
  }),
  'group.consumer.min.session.timeout.ms': int(45_000, '[1,...]', 'medium read-only', {
    state: effective('integration: config: consumer groups have the timings of their broker'),
    doc: 'Shortest session in ms a consumer group may be given.',
  }),
  'group.consumer.max.session.timeout.ms': int(60_000, '[1,...]', 'medium read-only', {
    state: effective('integration: config: a consumer group has timings of its own, within limits'),
    doc: 'Longest session in ms a consumer group may be given.',
  }),
  'group.consumer.heartbeat.interval.ms': int(5000, '[1,...]', 'medium read-only', {
    state: effective('integration: config: consumer groups have the timings of their broker'),
    doc: 'Pace in ms at which members of a consumer group must report.',
  }),
  'group.consumer.min.heartbeat.interval.ms': int(5000, '[1,...]', 'medium read-only', {
    state: effective('integration: config: consumer groups have the timings of their broker'),
    doc: 'Shortest heartbeat interval in ms a consumer group may be given.',
  }),
  'group.consumer.max.heartbeat.interval.ms': int(15_000, '[1,...]', 'medium read-only', {
    state: effective('integration: config: a consumer group has timings of its own, within limits'),
    doc: 'Longest heartbeat interval in ms a consumer group may be given.',
  }),
  'group.consumer.assignment.interval.ms': int(1000, '[0,...]', 'medium cluster-wide', {
    state: effective(
      'integration: config: the interval of assignments can change while a broker runs',
    ),
    doc: 'Least time in ms between two assignments of a consumer group.',
  }),
  'group.consumer.min.assignment.interval.ms': int(0, '[0,...]', 'medium read-only', {
    state: effective('integration: config: assignments of a consumer group keep their interval'),
    doc: 'Shortest assignment interval in ms a consumer group may be given.',
  }),
  'group.consumer.max.assignment.interval.ms': int(15_000, '[0,...]', 'medium read-only', {
    state: effective('integration: config: assignments of a consumer group keep their interval'),
    doc: 'Longest assignment interval in ms a consumer group may be given.',
  }),
  'group.consumer.max.size': int(2_147_483_647, '[1,...]', 'medium read-only', {
    state: effective(
      'integration: config: consumer groups are bounded, and have the assignors they may',
    ),
    doc: 'Members that a consumer group may have.',
  }),
  'group.consumer.assignors': list('uniform,range', '', 'medium read-only', {
    state: effective(
      'integration: config: consumer groups are bounded, and have the assignors they may',
    ),
    doc: 'Assignors of consumer groups; the first is the default.',
    nonEmpty: true,
  }),
  'group.consumer.migration.policy': string(
    'bidirectional',
    '(case insensitive) [DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL]',
    'medium read-only',
    {
      state: effective('group: migration: policy decides'),
      doc: 'Ways in which a group with members may change between classic and consumer.',
    },
  ),
  'group.consumer.regex.refresh.interval.ms': int(600_000, '[10000,...]', 'medium read-only', {
    state: effective('group: consumer: patterns are matched again at their pace'),
    doc: 'Pace in ms of matching subscribed patterns against the topics again.',
    internal: true,
  }),
  'offset.metadata.max.bytes': int(4096, '', 'high read-only', {
    state: effective('integration: config: notes of commits are bounded'),
    doc: 'Largest note in bytes that may be stored with a committed offset.',
  }),
  'offsets.commit.timeout.ms': int(5000, '[1,...]', 'high read-only', {
    state: effective('shard host: commit: gives up a reply whose replicas do not come'),
    doc: 'Time in ms a commit may wait for its replicas.',
  }),
  'offsets.load.buffer.size': int(5_242_880, '[1,...]', 'high read-only', {
    state: effective(
      'shard host: loading: is the same after a kill at every point, however small the reads',
    ),
    doc: 'Bytes read at once when offsets are loaded.',
  }),
  'offsets.retention.minutes': int(10_080, '[1,...]', 'high read-only', {
    state: effective('group: offsets: retention: of a simple group runs from each commit'),
    doc: 'Time in minutes that offsets of an empty group are kept.',
  }),
  'offsets.retention.check.interval.ms': long(600_000, '[1,...]', 'high read-only', {
    state: effective('integration: config: offsets are forgotten at the pace of the checks'),
    doc: 'Pace in ms of looking for offsets to forget.',
  }),
  'offsets.topic.num.partitions': int(50, '[1,...]', 'high read-only', {
    state: effective('integration: config: the topic of groups has its own shape'),
    doc: 'Partitions of `__consumer_offsets`.',
  }),
  'offsets.topic.replication.factor': short(3, '[1,...]', 'high read-only', {
    state: effective('integration: config: the topic of groups has its own shape'),
    doc: 'Replicas of `__consumer_offsets`.',
  }),
  'offsets.topic.segment.bytes': int(104_857_600, '[1,...]', 'high read-only', {
    state: effective('integration: config: the topic of groups has its own shape'),
    doc: 'Segment size in bytes of `__consumer_offsets`.',
  }),
  'offsets.topic.compression.codec': int(0, '', 'high read-only', {
    state: noGroupCompression,
    doc: 'Codec id of `__consumer_offsets`.',
  }),
}
