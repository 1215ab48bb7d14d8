// Configuration of clients: metrics subscriptions, and the quotas and credentials that Kafka keeps
// per client id, user and address. One row per key, judged against Kafka's own definitions.
// Kafka: ClientMetricsConfigs, QuotaConfig, DynamicConfig.

import { double, int, LONG_MAX, list, long, string } from './rows.ts'
import { noQuotas, noSasl, noTelemetry } from './states.ts'

/** Every key of a client-metrics subscription. */
export const clientMetricsTable = {
  'interval.ms': int(300_000, '', 'medium resource', {
    state: noTelemetry,
    doc: 'Pace in ms at which matching clients push their metrics; 100 to 3600000.',
  }),
  match: list('', '', 'medium resource', {
    state: noTelemetry,
    doc: 'Clients that should push, as `property=pattern` pairs; empty means all.',
  }),
  metrics: list('', '', 'medium resource', {
    state: noTelemetry,
    doc: 'Prefixes of the metric names to push; `*` means all.',
  }),
}

/** Every quota of a client id. */
export const clientIdTable = {
  producer_byte_rate: long(LONG_MAX, '', 'medium resource', {
    state: noQuotas,
    doc: 'Bytes per second that producers of this client id may send to one broker.',
  }),
  consumer_byte_rate: long(LONG_MAX, '', 'medium resource', {
    state: noQuotas,
    doc: 'Bytes per second that consumers of this client id may read from one broker.',
  }),
  request_percentage: double('2.147483647E9', '', 'medium resource', {
    state: noQuotas,
    doc: "Share of request threads' time, in per cent, that this client id may use.",
  }),
  controller_mutation_rate: double('2.147483647E9', '', 'medium resource', {
    state: noQuotas,
    doc: 'Partitions per second that this client id may create or delete.',
  }),
}

/** Every quota and credential of a user. */
export const userTable = {
  'SCRAM-SHA-256': string(null, '', 'medium resource', {
    state: noSasl,
    doc: 'SCRAM-SHA-256 credential of this user.',
  }),
  'SCRAM-SHA-512': string(null, '', 'medium resource', {
    state: noSasl,
    doc: 'SCRAM-SHA-512 credential of this user.',
  }),
  producer_byte_rate: long(LONG_MAX, '', 'medium resource', {
    state: noQuotas,
    doc: 'Bytes per second that producers of this user may send to one broker.',
  }),
  consumer_byte_rate: long(LONG_MAX, '', 'medium resource', {
    state: noQuotas,
    doc: 'Bytes per second that consumers of this user may read from one broker.',
  }),
  request_percentage: double('2.147483647E9', '', 'medium resource', {
    state: noQuotas,
    doc: "Share of request threads' time, in per cent, that this user may use.",
  }),
  controller_mutation_rate: double('2.147483647E9', '', 'medium resource', {
    state: noQuotas,
    doc: 'Partitions per second that this user may create or delete.',
  }),
}

/** Every quota of an address. */
export const ipTable = {
  connection_creation_rate: int(2_147_483_647, '[0,...]', 'medium resource', {
    state: noQuotas,
    doc: 'New connections per second that this address may open.',
  }),
}
