// Broker configuration: listeners, connections and sockets: where clients connect and what one
// connection may ask. One row per key, judged against Kafka's own definitions in
// test/unit/config/tables.test.ts.
// Kafka: SocketServerConfigs, ServerConfigs.

import { boolean, effective, inert, int, list, long, string } from '../rows.ts'
import { noPeers, noQuotaWindow, openFromStart, ownQueues, reactors } from '../states.ts'

/** Broker keys: listeners, connections and sockets. */
export const networkRows = {
  listeners: list('PLAINTEXT://:9092', '', 'high per-broker', {
    state: effective('integration: config: listeners are bound'),
    doc: 'Addresses to bind, as `NAME://host:port`; an empty host binds all interfaces.',
    nonEmpty: true,
  }),
  'advertised.listeners': list(null, '', 'high read-only', {
    state: effective('integration: config: advertised listeners are what metadata tells'),
    doc: 'Addresses told to clients and other nodes, when they differ from `listeners`.',
    nonEmpty: true,
  }),
  'listener.security.protocol.map': string(
    'SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    '',
    'low per-broker',
    {
      state: effective('integration: config: listener names map to protocols'),
      doc: 'Security protocol of each listener name; only PLAINTEXT is built.',
    },
  ),
  'inter.broker.listener.name': string(null, '', 'medium read-only', {
    state: effective('integration: config: inter broker listener is the registered one'),
    doc: 'Name of the listener that other brokers use to reach this one.',
  }),
  'security.inter.broker.protocol': string(
    'PLAINTEXT',
    '[PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL]',
    'medium read-only',
    {
      state: effective('integration: config: inter broker listener is the registered one'),
      doc: 'Protocol, and so listener, between brokers when no listener name is given.',
    },
  ),
  'early.start.listeners': list(null, '', 'high read-only', {
    state: openFromStart,
    doc: 'Listeners that may open before the authorizer has loaded.',
  }),
  // Both are 102400 in Kafka: see decisions/0018.
  'socket.send.buffer.bytes': int(204_800, '', 'high read-only', {
    state: effective('io: kernel: sockets: congestion control and buffers are as asked'),
    doc: 'Send buffer of each accepted socket in bytes; -1 leaves it to the system, which fits it to the connection: better over long links.',
  }),
  'socket.receive.buffer.bytes': int(-1, '', 'high read-only', {
    state: effective('io: kernel: sockets: congestion control and buffers are as asked'),
    doc: 'Receive buffer of each accepted socket in bytes; -1 leaves it to the system, which fits it to the connection.',
  }),
  'socket.request.max.bytes': int(104_857_600, '[1,...]', 'high read-only', {
    state: effective('integration: config: larger request closes the connection'),
    doc: 'Largest request frame in bytes; a larger one closes the connection.',
  }),
  'socket.listen.backlog.size': int(50, '[1,...]', 'medium read-only', {
    state: inert('as many connections may wait as the system allows'),
    doc: 'Connections the system may hold before they are accepted.',
  }),
  'socket.connection.setup.timeout.ms': long(10_000, '', 'medium read-only', {
    state: noPeers,
    doc: 'First wait, in ms, for a connection to another node to open.',
  }),
  'socket.connection.setup.timeout.max.ms': long(30_000, '', 'medium read-only', {
    state: noPeers,
    doc: 'Longest wait, in ms, for a connection to another node after failures.',
  }),
  'connections.max.idle.ms': long(600_000, '', 'medium read-only', {
    state: effective('integration: config: idle connection is closed'),
    doc: 'Idle time in ms after which a connection is closed.',
  }),
  'max.connections': int(2_147_483_647, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: connections beyond the maximum are closed'),
    doc: 'Connections that may be open on this broker at one time.',
  }),
  'max.connections.per.ip': int(2_147_483_647, '[0,...]', 'medium cluster-wide', {
    state: effective('integration: config: connections beyond the maximum per address are closed'),
    doc: 'Connections that may be open from one address at one time.',
  }),
  'max.connections.per.ip.overrides': string('', '', 'medium cluster-wide', {
    state: effective('integration: config: an address may have a maximum of its own'),
    doc: 'Limits for single addresses, as `address:count` pairs, in place of the common one.',
  }),
  'max.connection.creation.rate': int(2_147_483_647, '[0,...]', 'medium cluster-wide', {
    state: noQuotaWindow,
    doc: 'New connections accepted per second on this broker.',
  }),
  'queued.max.requests': int(500, '[1,...]', 'high read-only', {
    state: ownQueues,
    doc: 'Requests that may wait for an answer before reading from sockets pauses.',
  }),
  'queued.max.request.bytes': long(-1, '', 'medium read-only', {
    state: ownQueues,
    doc: 'Bytes of waiting requests before reading from sockets pauses; -1 is no limit.',
  }),
  'max.request.partition.size.limit': int(2000, '[1,...]', 'medium read-only', {
    state: effective('integration: config: one answer describes at most this many partitions'),
    doc: 'Partitions that one DescribeTopicPartitions answer may carry.',
  }),
  'max.incremental.fetch.session.cache.slots': int(1000, '[0,...]', 'medium read-only', {
    state: effective('integration: config: fetch sessions are bounded'),
    doc: 'Incremental fetch sessions that are remembered; 0 turns sessions off.',
  }),
  'fetch.max.bytes': int(57_671_680, '[1024,...]', 'medium read-only', {
    state: effective('integration: config: fetch answers are bounded'),
    doc: 'Most bytes one Fetch may return, whatever the client asks for.',
  }),
  'request.timeout.ms': int(30_000, '', 'high read-only', {
    state: noPeers,
    doc: 'Time in ms to wait for another node to answer.',
  }),
  'num.network.threads': int(3, '[1,...]', 'high cluster-wide', {
    state: reactors,
    doc: 'Network threads of Kafka.',
  }),
  'num.io.threads': int(8, '[1,...]', 'high cluster-wide', {
    state: reactors,
    doc: 'Request threads of Kafka.',
  }),
  'background.threads': int(10, '[1,...]', 'high cluster-wide', {
    state: reactors,
    doc: 'Threads of Kafka for work that is not urgent.',
  }),
  'unstable.api.versions.enable': boolean(false, 'high read-only', {
    state: inert('unstable versions are never offered'),
    doc: 'Offers versions of requests that are still in development.',
    internal: true,
  }),
}
