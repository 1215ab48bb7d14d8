// kafkajs with a broker in the same process: create a topic, produce, and consume in a group.
// npm i ottla kafkajs && node kafkajs.mjs

import { Kafka, logLevel } from 'kafkajs'
import { startBroker } from 'ottla'

const broker = await startBroker()
const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.ERROR })

await broker.createTopic('words', { partitions: 3 })

const producer = kafka.producer()
await producer.connect()
const messages = ['first', 'light'].map((value) => ({ key: value, value }))
await producer.send({ topic: 'words', messages })
await producer.disconnect()

const consumer = kafka.consumer({ groupId: 'readers' })
await consumer.connect()
await consumer.subscribe({ topics: ['words'], fromBeginning: true })
const words = []
const all = Promise.withResolvers()
await consumer.run({
  eachMessage: async ({ message }) => {
    words.push(message.value.toString())
    if (words.length === messages.length) all.resolve()
  },
})
await all.promise
await consumer.disconnect()
await broker.close()

console.log(words.sort().join(' ')) // first light
