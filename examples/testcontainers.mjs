// A test that was written for @testcontainers/kafka, with one import changed: no Docker, no image, no wait.
// npm i ottla kafkajs && node testcontainers.mjs

import { Kafka, logLevel } from 'kafkajs'
import { KafkaContainer } from 'ottla/testcontainers' // was: '@testcontainers/kafka'

const container = await new KafkaContainer('confluentinc/cp-kafka:8.1.0')
  .withKraft()
  .withEnvironment({ KAFKA_NUM_PARTITIONS: '3' })
  .withExposedPorts(9093)
  .start()
const brokers = [`${container.getHost()}:${container.getMappedPort(9093)}`]

const admin = new Kafka({ brokers, logLevel: logLevel.ERROR }).admin()
await admin.connect()
await admin.createTopics({ topics: [{ topic: 'words' }] })
const { topics } = await admin.fetchTopicMetadata({ topics: ['words'] })
await admin.disconnect()
await container.stop()

console.log(topics[0].partitions.length) // 3
