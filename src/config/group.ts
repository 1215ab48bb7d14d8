// Configuration of one group; a key that is not set falls back to the broker's key of the same
// meaning (synonyms.ts). One row per key, judged against Kafka's own definitions.
// Kafka: GroupConfig.

import { boolean, effective, int, string } from './rows.ts'
import { noShare, noStreams } from './states.ts'

/** Every group key. */
export const groupTable = {
  'consumer.session.timeout.ms': int(45_000, '[1,...]', 'medium resource', {
    state: effective('integration: config: a consumer group has timings of its own, within limits'),
    doc: 'Silence in ms after which a member of this consumer group is removed.',
  }),
  'consumer.heartbeat.interval.ms': int(5000, '[1,...]', 'medium resource', {
    state: effective('integration: config: a consumer group has timings of its own, within limits'),
    doc: 'Pace in ms at which members of this consumer group must report.',
  }),
  'consumer.assignment.interval.ms': int(1000, '[0,...]', 'medium resource', {
    state: effective('integration: config: assignments of a consumer group keep their interval'),
    doc: 'Least time in ms between two assignments of this consumer group.',
  }),
  'share.session.timeout.ms': int(45_000, '[1,...]', 'medium resource', {
    state: noShare,
    doc: 'Silence in ms after which a member of this share group is removed.',
  }),
  'share.heartbeat.interval.ms': int(5000, '[1,...]', 'medium resource', {
    state: noShare,
    doc: 'Pace in ms at which members of this share group must report.',
  }),
  'share.assignment.interval.ms': int(1000, '[0,...]', 'medium resource', {
    state: noShare,
    doc: 'Least time in ms between two assignments of this share group.',
  }),
  'share.auto.offset.reset': string(
    'latest',
    '[latest, earliest, by_duration:PnDTnHnMn.nS]',
    'medium resource',
    {
      state: noShare,
      doc: 'Where this share group starts: `latest`, `earliest`, or `by_duration:` and how long ago.',
    },
  ),
  'share.delivery.count.limit': int(5, '[2,...]', 'medium resource', {
    state: noShare,
    doc: 'Times a record is delivered to this share group before it is given up.',
  }),
  'share.isolation.level': string(
    'read_uncommitted',
    '[read_committed, read_uncommitted]',
    'medium resource',
    {
      state: noShare,
      doc: 'Whether this share group sees records of open transactions.',
    },
  ),
  'share.partition.max.record.locks': int(2000, '[100,...]', 'medium resource', {
    state: noShare,
    doc: 'Records of a partition this share group may hold locked at one time.',
  }),
  'share.record.lock.duration.ms': int(30_000, '[1000,...]', 'medium resource', {
    state: noShare,
    doc: 'Time in ms a delivered record belongs to its consumer in this share group.',
  }),
  'share.renew.acknowledge.enable': boolean(true, 'medium resource', {
    state: noShare,
    doc: 'Lets a consumer of this share group renew its hold on a record.',
  }),
  'streams.session.timeout.ms': int(45_000, '[1,...]', 'medium resource', {
    state: noStreams,
    doc: 'Silence in ms after which a member of this streams group is removed.',
  }),
  'streams.heartbeat.interval.ms': int(5000, '[1,...]', 'medium resource', {
    state: noStreams,
    doc: 'Pace in ms at which members of this streams group must report.',
  }),
  'streams.assignment.interval.ms': int(1000, '[0,...]', 'medium resource', {
    state: noStreams,
    doc: 'Least time in ms between two assignments of this streams group.',
  }),
  'streams.initial.rebalance.delay.ms': int(3000, '[0,...]', 'medium resource', {
    state: noStreams,
    doc: 'Wait in ms for more members before this new streams group is balanced.',
  }),
  'streams.num.standby.replicas': int(0, '[0,...]', 'medium resource', {
    state: noStreams,
    doc: 'Standby copies of each task of this streams group.',
  }),
}
