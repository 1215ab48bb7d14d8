// Broker configuration: streams groups.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: GroupCoordinatorConfig, KIP-1071.

import { int } from '../rows.ts'
import { noStreams } from '../states.ts'

/** Broker keys: streams groups. */
export const streamsRows = {
  'group.streams.session.timeout.ms': int(45_000, '[1,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Silence in ms after which a member of a streams group is removed.',
  }),
  'group.streams.min.session.timeout.ms': int(45_000, '[1,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Shortest session in ms a streams group may be given.',
  }),
  'group.streams.max.session.timeout.ms': int(60_000, '[1,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Longest session in ms a streams group may be given.',
  }),
  'group.streams.heartbeat.interval.ms': int(5000, '[1,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Pace in ms at which members of a streams group must report.',
  }),
  'group.streams.min.heartbeat.interval.ms': int(5000, '[1,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Shortest heartbeat interval in ms a streams group may be given.',
  }),
  'group.streams.max.heartbeat.interval.ms': int(15_000, '[1,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Longest heartbeat interval in ms a streams group may be given.',
  }),
  'group.streams.assignment.interval.ms': int(1000, '[0,...]', 'medium cluster-wide', {
    state: noStreams,
    doc: 'Least time in ms between two assignments of a streams group.',
  }),
  'group.streams.min.assignment.interval.ms': int(0, '[0,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Shortest assignment interval in ms a streams group may be given.',
  }),
  'group.streams.max.assignment.interval.ms': int(15_000, '[0,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Longest assignment interval in ms a streams group may be given.',
  }),
  'group.streams.initial.rebalance.delay.ms': int(3000, '[0,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Wait in ms for more members before a new streams group is balanced.',
  }),
  'group.streams.max.size': int(2_147_483_647, '[1,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Members that a streams group may have.',
  }),
  'group.streams.num.standby.replicas': int(0, '[0,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Standby copies of each task.',
  }),
  'group.streams.max.standby.replicas': int(2, '[0,...]', 'medium read-only', {
    state: noStreams,
    doc: 'Most standby copies a streams group may be given.',
  }),
}
