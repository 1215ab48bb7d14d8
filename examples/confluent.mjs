// @confluentinc/kafka-javascript (librdkafka): produce, and consume in a group.
// npm i ottla @confluentinc/kafka-javascript && node confluent.mjs          a broker in the same process
// npx ottla start, and then: node confluent.mjs 127.0.0.1:9092              a broker of its own

import confluent from '@confluentinc/kafka-javascript'

const given = process.argv[2]
const broker = given === undefined ? await (await import('ottla')).startBroker() : null
const address = given ?? broker.address
const kafka = new confluent.KafkaJS.Kafka({ 'bootstrap.servers': address })

const producer = kafka.producer()
await producer.connect()
const messages = ['first', 'light'].map((value) => ({ value }))
await producer.send({ topic: 'words', messages }) // the topic is created by its first record
await producer.disconnect()

const consumer = kafka.consumer({ 'group.id': 'readers', 'auto.offset.reset': 'earliest' })
await consumer.connect()
await consumer.subscribe({ topics: ['words'] })
const words = []
let finish
const all = new Promise((resolve) => {
  finish = resolve
})
consumer.run({
  eachMessage: async ({ message }) => {
    words.push(message.value.toString())
    if (words.length === messages.length) finish()
  },
})
await all
await consumer.disconnect()
await broker?.close()

console.log(words.join(' ')) // first light
