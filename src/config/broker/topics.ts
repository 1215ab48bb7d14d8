// Broker configuration: topics, replicas and the traffic between brokers.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: ReplicationConfigs, ServerLogConfigs, ReplicationQuota.

import { boolean, effective, int, javaClass, long, notBuilt, string } from '../rows.ts'
import { noFollowers, noPeers, noPolicies, noRebalance, signals } from '../states.ts'

/** Broker keys: topics, replicas and the traffic between brokers. */
export const topicsRows = {
  'num.partitions': int(1, '[1,...]', 'medium read-only', {
    state: effective('integration: config: partitions of a topic without a count'),
    doc: 'Partitions of a topic whose creator gives no count.',
  }),
  'default.replication.factor': int(1, '', 'medium read-only', {
    state: effective('integration: config: replicas of a topic without a factor'),
    doc: 'Replicas of a topic whose creator gives no factor.',
  }),
  'auto.create.topics.enable': boolean(true, 'high read-only', {
    state: effective('integration: config: topics are created on first use'),
    doc: 'Creates a topic when a client asks for the metadata of one that does not exist.',
  }),
  'delete.topic.enable': boolean(true, 'high read-only', {
    state: effective('integration: config: topic deletion is refused'),
    doc: 'Allows topics to be deleted.',
  }),
  'min.insync.replicas': int(1, '[1,...]', 'high cluster-wide', {
    state: effective('acks all: too small an ISR refuses before the append; acks 1 does not ask'),
    doc: 'Replicas that must be in sync for a write with acks=all to be accepted.',
  }),
  'unclean.leader.election.enable': boolean(false, 'high cluster-wide', {
    state: notBuilt('a replica out of sync is never elected'),
    doc: 'Lets a replica that is not in sync become leader, at the price of records.',
  }),
  'unclean.leader.election.interval.ms': long(300_000, '[1,...]', 'medium read-only', {
    state: notBuilt('a replica out of sync is never elected'),
    doc: 'Pace in ms of looking for partitions that need such an election.',
    internal: true,
  }),
  'auto.leader.rebalance.enable': boolean(true, 'high read-only', {
    state: noRebalance,
    doc: 'Moves leadership back to preferred replicas in the background.',
  }),
  'leader.imbalance.check.interval.seconds': long(300, '[1,...]', 'high read-only', {
    state: noRebalance,
    doc: 'Pace in seconds of looking for leaders that are not preferred.',
  }),
  'create.topic.policy.class.name': javaClass(null, 'low read-only', {
    state: noPolicies,
    doc: 'Java class that judges the creation of topics.',
  }),
  'alter.config.policy.class.name': javaClass(null, 'low read-only', {
    state: noPolicies,
    doc: 'Java class that judges changes of configuration.',
  }),
  'replica.lag.time.max.ms': long(30_000, '', 'high read-only', {
    state: noFollowers,
    doc: 'Time in ms a follower may lag before it leaves the in-sync replicas.',
  }),
  'replica.fetch.max.bytes': int(1_048_576, '[0,...]', 'medium read-only', {
    state: noFollowers,
    doc: 'Bytes a follower asks for per partition.',
  }),
  'replica.fetch.response.max.bytes': int(10_485_760, '[0,...]', 'medium read-only', {
    state: noFollowers,
    doc: 'Bytes a follower asks for in one Fetch.',
  }),
  'replica.fetch.min.bytes': int(1, '', 'high read-only', {
    state: noFollowers,
    doc: 'Bytes a follower waits for before its Fetch is answered.',
  }),
  'replica.fetch.wait.max.ms': int(500, '', 'high read-only', {
    state: noFollowers,
    doc: "Time in ms a follower's Fetch may wait for bytes.",
  }),
  'replica.fetch.backoff.ms': int(1000, '[0,...]', 'medium read-only', {
    state: noFollowers,
    doc: "Rest in ms after a follower's Fetch failed.",
  }),
  'replica.socket.timeout.ms': int(30_000, '', 'high read-only', {
    state: noFollowers,
    doc: "Time in ms a follower waits for its leader's answer.",
  }),
  'replica.socket.receive.buffer.bytes': int(65_536, '', 'high read-only', {
    state: noFollowers,
    doc: "Receive buffer in bytes of a follower's socket.",
  }),
  'replica.high.watermark.checkpoint.interval.ms': long(5000, '', 'high read-only', {
    state: effective('integration: config: checkpoints are written at their paces'),
    doc: 'Pace in ms of writing the high watermarks.',
  }),
  'replica.selector.class': string(null, '', 'medium read-only', {
    state: notBuilt('consumers always read from the leader'),
    doc: 'Java class that picks the replica a consumer should read from.',
  }),
  'num.replica.fetchers': int(1, '[1,...]', 'high cluster-wide', {
    state: noFollowers,
    doc: 'Fetchers per source broker.',
  }),
  'num.replica.alter.log.dirs.threads': int(null, '', 'high read-only', {
    state: effective('integration: config: so many replicas move at a time as there are threads'),
    doc: 'Threads that move replicas between directories.',
  }),
  'controller.socket.timeout.ms': int(30_000, '', 'medium read-only', {
    state: noPeers,
    doc: "Time in ms the controller waits for a broker's answer.",
  }),
  'fetch.purgatory.purge.interval.requests': int(1000, '', 'medium read-only', {
    state: signals,
    doc: 'Requests between two purges of waiting fetches.',
  }),
  'producer.purgatory.purge.interval.requests': int(1000, '', 'medium read-only', {
    state: signals,
    doc: 'Requests between two purges of waiting produces.',
  }),
  'delete.records.purgatory.purge.interval.requests': int(1, '', 'medium read-only', {
    state: signals,
    doc: 'Requests between two purges of waiting record deletions.',
  }),
}
