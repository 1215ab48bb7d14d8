// Replication quotas: broker keys that exist only as dynamic settings, so Kafka has them in no file
// and in no listing until somebody sets them. Kafka: DynamicConfig.Broker, QuotaConfig.

import { effective, LONG_MAX, long } from '../rows.ts'
import { noQuotaWindow } from '../states.ts'

/** Broker keys that can only be set while running. */
export const ratesTable = {
  'leader.replication.throttled.rate': long(LONG_MAX, '[0,...]', 'medium cluster-wide', {
    state: noQuotaWindow,
    doc: 'Bytes per second a leader may send to throttled followers.',
  }),
  'follower.replication.throttled.rate': long(LONG_MAX, '[0,...]', 'medium cluster-wide', {
    state: noQuotaWindow,
    doc: 'Bytes per second a follower may fetch for throttled replicas.',
  }),
  'replica.alter.log.dirs.io.max.bytes.per.second': long(
    LONG_MAX,
    '[0,...]',
    'medium cluster-wide',
    {
      state: effective('integration: config: replicas that move keep their rate'),
      doc: 'Bytes per second that replicas may be moved between directories.',
    },
  ),
}
