// Broker configuration: metrics, telemetry and the windows of quotas.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: MetricConfigs, QuotaConfig.

import { int, javaClass, list, long, string } from '../rows.ts'
import { noJvm, noQuotas, noQuotaWindow, noTelemetry } from '../states.ts'

/** Broker keys: metrics, telemetry and the windows of quotas. */
export const metricsRows = {
  'metric.reporters': list('org.apache.kafka.common.metrics.JmxReporter', '', 'low cluster-wide', {
    state: noJvm,
    doc: 'Java classes that report metrics.',
  }),
  'kafka.metrics.reporters': list('', '', 'low read-only', {
    state: noJvm,
    doc: 'Java classes that report the older metrics.',
  }),
  'kafka.metrics.polling.interval.secs': int(10, '[1,...]', 'low read-only', {
    state: noJvm,
    doc: 'Pace in seconds of those reporters.',
  }),
  'metrics.num.samples': int(2, '[1,...]', 'low read-only', {
    state: noJvm,
    doc: 'Samples kept to compute a metric.',
  }),
  'metrics.sample.window.ms': long(30_000, '[1,...]', 'low read-only', {
    state: noJvm,
    doc: 'Time in ms that one sample spans.',
  }),
  'metrics.recording.level': string('INFO', '', 'low read-only', {
    state: noJvm,
    doc: 'Detail of recorded metrics: INFO, DEBUG or TRACE.',
  }),
  'telemetry.max.bytes': int(1_048_576, '[1,...]', 'low read-only', {
    state: noTelemetry,
    doc: 'Largest telemetry in bytes that a client may push.',
  }),
  'client.quota.callback.class': javaClass(null, 'low read-only', {
    state: noQuotas,
    doc: 'Java class that decides the quotas of clients.',
  }),
  'quota.window.num': int(11, '[1,...]', 'low read-only', {
    state: noQuotaWindow,
    doc: 'Samples that measure client quotas.',
  }),
  'quota.window.size.seconds': int(1, '[1,...]', 'low read-only', {
    state: noQuotaWindow,
    doc: 'Seconds in each of those samples.',
  }),
  'controller.quota.window.num': int(11, '[1,...]', 'low read-only', {
    state: noQuotaWindow,
    doc: 'Samples that measure quotas on changes of metadata.',
  }),
  'controller.quota.window.size.seconds': int(1, '[1,...]', 'low read-only', {
    state: noQuotaWindow,
    doc: 'Seconds in each of those samples.',
  }),
  'replication.quota.window.num': int(11, '[1,...]', 'low read-only', {
    state: noQuotaWindow,
    doc: 'Samples that measure replication quotas.',
  }),
  'replication.quota.window.size.seconds': int(1, '[1,...]', 'low read-only', {
    state: noQuotaWindow,
    doc: 'Seconds in each of those samples.',
  }),
  'alter.log.dirs.replication.quota.window.num': int(11, '[1,...]', 'low read-only', {
    state: noQuotaWindow,
    doc: 'Samples that measure moves between directories.',
  }),
  'alter.log.dirs.replication.quota.window.size.seconds': int(1, '[1,...]', 'low read-only', {
    state: noQuotaWindow,
    doc: 'Seconds in each of those samples.',
  }),
}
