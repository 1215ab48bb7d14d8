// Broker configuration: node, roles, quorum and metadata log.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: KRaftConfigs, QuorumConfig, ServerConfigs.

import {
  boolean,
  effective,
  inert,
  int,
  LONG_MAX,
  list,
  long,
  notBuilt,
  REQUIRED,
  string,
} from '../rows.ts'
import { aloneQuorum, jvmTiming, kafkaTests, noPeers } from '../states.ts'

/** Broker keys: node, roles, quorum and metadata log. */
export const controllerRows = {
  'process.roles': list(REQUIRED, '[broker, controller]', 'high read-only', {
    state: effective('integration: config: roles decide what runs'),
    doc: 'What this node is: `broker`, `controller`, or both.',
    nonEmpty: true,
  }),
  'node.id': int(REQUIRED, '[0,...]', 'high read-only', {
    state: effective('integration: config: node id is registered'),
    doc: 'Number of this node, unique in the cluster.',
  }),
  'broker.id': int(-1, '', 'high read-only', {
    state: effective('integration: config: node id is registered'),
    doc: 'Older name of `node.id`; both must agree.',
  }),
  'broker.rack': string(null, '', 'medium read-only', {
    state: effective('integration: config: rack is told in metadata'),
    doc: 'Rack or zone of this node, told to clients and used to spread replicas.',
  }),
  'broker.heartbeat.interval.ms': int(2000, '', 'medium read-only', {
    state: effective('integration: config: heartbeats follow their interval'),
    doc: 'Pace in ms of heartbeats to the controller.',
  }),
  'broker.session.timeout.ms': int(9000, '', 'medium read-only', {
    state: effective('controller: brokers: a silent broker is fenced and leads no more'),
    doc: 'Time in ms without a heartbeat after which a broker is fenced.',
  }),
  'initial.broker.registration.timeout.ms': int(60_000, '', 'medium read-only', {
    state: effective('integration: config: registration is given up'),
    doc: 'Time in ms to register at start before the process gives up.',
  }),
  'controlled.shutdown.enable': boolean(true, 'medium read-only', {
    state: notBuilt('a node always hands over its leaders before it stops'),
    doc: 'Hands leadership to others before the broker stops.',
  }),
  'server.max.startup.time.ms': long(LONG_MAX, '[0,...]', 'medium read-only', {
    state: inert('start waits for nothing that could hang'),
    doc: 'Time in ms the start may take.',
    internal: true,
  }),
  'controller.listener.names': list(REQUIRED, '', 'high read-only', {
    state: effective('integration: config: controller listener is served apart'),
    doc: 'Names of the listeners that belong to the controller.',
    nonEmpty: true,
  }),
  'controller.quorum.voters': list('', '{id}@{host}:{port},...', 'high read-only', {
    state: effective('integration: config: voters give a static quorum'),
    doc: 'Voters of a static quorum, as `id@host:port`.',
  }),
  'controller.quorum.bootstrap.servers': list('', '{host}:{port},...', 'high read-only', {
    state: effective('integration: config: bootstrap servers give a dynamic quorum'),
    doc: 'Controllers, as `host:port`, where a node finds a dynamic quorum.',
  }),
  'controller.quorum.auto.join.enable': boolean(false, 'low read-only', {
    state: notBuilt('joining a quorum by itself is not built', 'placement'),
    doc: 'Lets a controller join the voters by itself.',
  }),
  'controller.quorum.election.timeout.ms': int(1000, '[0,...]', 'high read-only', {
    state: aloneQuorum,
    doc: 'Time in ms a candidate waits for votes.',
  }),
  'controller.quorum.election.backoff.max.ms': int(1000, '[0,...]', 'high read-only', {
    state: aloneQuorum,
    doc: 'Longest rest in ms between elections.',
  }),
  'controller.quorum.fetch.timeout.ms': int(2000, '[0,...]', 'high read-only', {
    state: aloneQuorum,
    doc: 'Time in ms without contact after which followers elect and leaders resign.',
  }),
  'controller.quorum.fetch.max.bytes': int(1_048_576, '[1,...]', 'low read-only', {
    state: aloneQuorum,
    doc: 'Most bytes of the metadata log in one Fetch.',
  }),
  'controller.quorum.fetch.snapshot.max.bytes': int(1_048_576, '[1,...]', 'low read-only', {
    state: aloneQuorum,
    doc: 'Most bytes of a snapshot in one FetchSnapshot.',
  }),
  'controller.quorum.append.linger.ms': int(25, '[0,...]', 'medium read-only', {
    state: inert('records leave in the turn that decided them'),
    doc: 'Time in ms the leader gathers metadata records before writing them.',
  }),
  'controller.quorum.request.timeout.ms': int(2000, '[0,...]', 'medium read-only', {
    state: noPeers,
    doc: 'Time in ms to wait for a quorum node to answer.',
  }),
  'controller.quorum.retry.backoff.ms': int(20, '[0,...]', 'low read-only', {
    state: noPeers,
    doc: 'First rest in ms before a request to a quorum node is repeated.',
  }),
  'controller.performance.always.log.threshold.ms': long(2000, '[0,...]', 'medium read-only', {
    state: jvmTiming,
    doc: 'Time in ms above which a controller event is logged.',
    internal: true,
  }),
  'controller.performance.sample.period.ms': long(60_000, '[100,...]', 'medium read-only', {
    state: jvmTiming,
    doc: 'Pace in ms of reports on controller events.',
    internal: true,
  }),
  'metadata.log.dir': string(null, '', 'high read-only', {
    state: effective('integration: config: metadata log directory'),
    doc: 'Directory of the metadata log; the first of `log.dirs` when not set.',
  }),
  'metadata.log.segment.bytes': int(1_073_741_824, '[8388608,...]', 'high read-only', {
    state: effective('integration: config: metadata segments roll by size'),
    doc: 'Size in bytes at which a metadata segment is closed.',
  }),
  'metadata.log.segment.ms': long(604_800_000, '', 'high read-only', {
    state: effective('integration: config: metadata segments roll by age'),
    doc: 'Age in ms at which a metadata segment is closed.',
  }),
  'metadata.log.max.record.bytes.between.snapshots': long(20_971_520, '[1,...]', 'high read-only', {
    state: effective('integration: config: snapshots follow bytes'),
    doc: 'Bytes of metadata records after which a snapshot is written.',
  }),
  'metadata.log.max.snapshot.interval.ms': long(3_600_000, '[0,...]', 'high read-only', {
    state: effective('integration: config: snapshots follow time'),
    doc: 'Time in ms after which a snapshot is written; 0 turns it off.',
  }),
  'metadata.max.retention.bytes': long(104_857_600, '', 'high read-only', {
    state: effective('integration: config: metadata log is trimmed by size'),
    doc: 'Bytes of metadata log and snapshots kept on disk.',
  }),
  'metadata.max.retention.ms': long(604_800_000, '', 'high read-only', {
    state: effective('integration: config: metadata log is trimmed by age'),
    doc: 'Time in ms that metadata snapshots, and the log before them, are kept; negative is for ever.',
  }),
  'metadata.max.idle.interval.ms': int(500, '[0,...]', 'low read-only', {
    state: inert('a quorum of one needs no records to stay alive'),
    doc: 'Pace in ms of no-op metadata records; 0 turns them off.',
  }),
  'internal.metadata.log.segment.bytes': int(null, '', 'low read-only', {
    state: effective('integration: config: metadata segments roll by size'),
    doc: 'Size in bytes of a metadata segment, without the usual minimum.',
    internal: true,
  }),
  'internal.metadata.max.batch.size.in.bytes': int(8_388_608, '', 'low read-only', {
    state: kafkaTests,
    doc: 'Largest metadata batch in bytes.',
    internal: true,
  }),
  'internal.metadata.delete.delay.millis': long(60_000, '', 'low read-only', {
    state: kafkaTests,
    doc: 'Time in ms before a deleted metadata file is removed.',
    internal: true,
  }),
  'unstable.feature.versions.enable': boolean(false, 'high read-only', {
    state: inert('unstable feature levels are never offered'),
    doc: 'Offers feature levels that are still in development.',
    internal: true,
  }),
}
