// Broker configuration: transactions and their coordinator.
// One row per key, judged against Kafka's own definitions in test/unit/config/tables.test.ts.
// Kafka: TransactionLogConfig, TransactionStateManagerConfig, AddPartitionsToTxnConfig.

import { boolean, effective, int, notBuilt, short } from '../rows.ts'

/** Broker keys: transactions and their coordinator. */
export const transactionsRows = {
  'transaction.max.timeout.ms': int(900_000, '[1,...]', 'high read-only', {
    state: effective('a timeout of nothing, or above the maximum, is refused'),
    doc: 'Longest time in ms a producer may ask for its transactions.',
  }),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': int(
    10_000,
    '[1,...]',
    'low read-only',
    {
      state: effective(
        'a transaction past its timeout is aborted, and its producer fenced before version 2',
      ),
      doc: 'Pace in ms of aborting transactions whose time is over.',
    },
  ),
  'transaction.remove.expired.transaction.cleanup.interval.ms': int(
    3_600_000,
    '[1,...]',
    'low read-only',
    {
      state: effective('an idle id is forgotten, one with something open is not'),
      doc: 'Pace in ms of forgetting transactional ids that have expired.',
    },
  ),
  'transaction.partition.verification.enable': boolean(true, 'low cluster-wide', {
    state: effective(
      'integration: config: writes of a transaction are verified, unless told not to',
    ),
    doc: 'Checks with the coordinator that a partition belongs to the transaction written to it.',
  }),
  'transaction.two.phase.commit.enable': boolean(false, 'low read-only', {
    state: notBuilt('two-phase commit is not built'),
    doc: 'Lets a transaction be prepared for an outside coordinator.',
  }),
  'transactional.id.expiration.ms': int(604_800_000, '[1,...]', 'high read-only', {
    state: effective('an idle id is forgotten, one with something open is not'),
    doc: 'Idle time in ms after which a transactional id is forgotten.',
  }),
  'transaction.state.log.num.partitions': int(50, '[1,...]', 'high read-only', {
    state: effective('integration: config: the topic of transactions has its own shape'),
    doc: 'Partitions of `__transaction_state`.',
  }),
  'transaction.state.log.replication.factor': short(3, '[1,...]', 'high read-only', {
    state: effective('integration: config: the topic of transactions has its own shape'),
    doc: 'Replicas of `__transaction_state`.',
  }),
  'transaction.state.log.min.isr': int(2, '[1,...]', 'high read-only', {
    state: effective('integration: config: the topic of transactions has its own shape'),
    doc: 'Replicas of `__transaction_state` that must be in sync.',
  }),
  'transaction.state.log.segment.bytes': int(104_857_600, '[1,...]', 'high read-only', {
    state: effective('integration: config: the topic of transactions has its own shape'),
    doc: 'Segment size in bytes of `__transaction_state`.',
  }),
  'transaction.state.log.load.buffer.size': int(5_242_880, '[1,...]', 'high read-only', {
    state: effective(
      'shard host: loading: is the same after a kill at every point, however small the reads',
    ),
    doc: 'Bytes read at once when transactions are loaded.',
  }),
  'add.partitions.to.txn.retry.backoff.ms': int(20, '[1,...]', 'high read-only', {
    state: effective(
      'integration: config: a first write waits for the end of the last transaction',
    ),
    doc: 'First rest in ms before a partition is added to a transaction again.',
  }),
  'add.partitions.to.txn.retry.backoff.max.ms': int(100, '[0,...]', 'high read-only', {
    state: effective(
      'integration: config: a first write waits for the end of the last transaction',
    ),
    doc: 'Longest time in ms of retrying to add a partition to a transaction.',
  }),
}
