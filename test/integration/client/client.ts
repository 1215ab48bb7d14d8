// Everything of src/client/ by one name, for tests that use much of it. Programs import the module they mean, so that a
// command loads no more than it needs.

export * from '../../../src/client/admin_cluster.ts'
export * from '../../../src/client/admin_configs.ts'
export * from '../../../src/client/admin_groups.ts'
export * from '../../../src/client/admin_topics.ts'
export { ClientError, isClientError } from '../../../src/client/client_error.ts'
export {
  type BrokerMetadata,
  Cluster,
  type ClusterOptions,
  type PartitionMetadata,
  type TopicMetadata,
} from '../../../src/client/cluster.ts'
export { Consumer, type ConsumerOptions } from '../../../src/client/consumer.ts'
export { partitionText, type TopicPartition } from '../../../src/client/per_leader.ts'
export {
  Producer,
  type ProducerOptions,
  type RecordMetadata,
} from '../../../src/client/producer.ts'
export type {
  BytesOrText,
  ConsumerRecord,
  ProducerRecord,
} from '../../../src/client/record_data.ts'
export type { Isolation, StartAt } from '../../../src/client/start_offsets.ts'

/** The error of each item by its code; null where it was done. */
export const codes = (results: readonly { readonly error: { code: string } | null }[]) =>
  results.map(({ error }) => error?.code ?? null)
