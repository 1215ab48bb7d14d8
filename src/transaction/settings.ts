// What the transaction coordinator takes from the broker's configuration. Kafka: TransactionStateManagerConfig.

import type { BrokerConfig } from '../config/config.ts'

export interface TransactionSettings {
  readonly timeoutMsMax: number
  readonly abortIntervalMs: number
  readonly expirationMs: number
  readonly expiryIntervalMs: number
  /** The finalized level of transaction.version, now. */
  readonly serverVersion: () => number
}

/** Past so many records, work that nobody waits for goes on in a turn of its own. */
export const RECORDS_MAX = 1000

export function transactionSettings(
  config: BrokerConfig,
  serverVersion: () => number,
): TransactionSettings {
  return {
    timeoutMsMax: config.get('transaction.max.timeout.ms'),
    abortIntervalMs: config.get('transaction.abort.timed.out.transaction.cleanup.interval.ms'),
    expirationMs: config.get('transactional.id.expiration.ms'),
    expiryIntervalMs: config.get('transaction.remove.expired.transaction.cleanup.interval.ms'),
    serverVersion,
  }
}
