// The door of the client: a small Kafka client for any cluster of brokers from 2.1 on, for the command line, the
// embedded broker's conveniences and tests. One Cluster holds the connections; everything else is a function of it.
//
//   await using cluster = await Cluster.connect({ bootstrap: '127.0.0.1:9092' })
//   await createTopics(cluster, [{ name: 't', numPartitions: 3 }])
//
// Failures are ClientErrors; what is asked about many things at once keeps an error per thing.

export * from './admin_cluster.ts'
export * from './admin_configs.ts'
export * from './admin_groups.ts'
export * from './admin_topics.ts'
export { ClientError, isClientError } from './client_error.ts'
export {
  type BrokerMetadata,
  Cluster,
  type ClusterOptions,
  type PartitionMetadata,
  type TopicMetadata,
} from './cluster.ts'
export { Consumer, type ConsumerOptions } from './consumer.ts'
export { partitionText, type TopicPartition } from './per_leader.ts'
export { Producer, type ProducerOptions, type RecordMetadata } from './producer.ts'
export type { BytesOrText, ConsumerRecord, ProducerRecord } from './record_data.ts'
export type { Isolation, StartAt } from './start_offsets.ts'
