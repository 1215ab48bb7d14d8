// Every broker key, joined from one file per theme. All of them are Kafka's; ours are in ottla.ts.
// Invariant: no key is in two themes (a type error and a test), and none is missing (a test).
// Kafka: AbstractKafkaConfig.CONFIG_DEF.

import { controllerRows } from './broker/controller.ts'
import { groupsRows } from './broker/groups.ts'
import { logRows } from './broker/log.ts'
import { metricsRows } from './broker/metrics.ts'
import { networkRows } from './broker/network.ts'
import { oauthRows } from './broker/oauth.ts'
import { remoteRows } from './broker/remote.ts'
import { securityRows } from './broker/security.ts'
import { shareRows } from './broker/share.ts'
import { streamsRows } from './broker/streams.ts'
import { tlsRows } from './broker/tls.ts'
import { topicsRows } from './broker/topics.ts'
import { transactionsRows } from './broker/transactions.ts'
import type { ValuesOf } from './rows.ts'

/** Every broker key of Kafka. */
export const brokerTable = {
  ...networkRows,
  ...logRows,
  ...topicsRows,
  ...controllerRows,
  ...groupsRows,
  ...shareRows,
  ...streamsRows,
  ...transactionsRows,
  ...securityRows,
  ...oauthRows,
  ...tlsRows,
  ...remoteRows,
  ...metricsRows,
}

export type BrokerKey = keyof typeof brokerTable
export type BrokerValues = ValuesOf<typeof brokerTable>
