// @platformatic/kafka with a broker in the same process: produce, and consume as a stream in a group.
// npm i ottla @platformatic/kafka && node platformatic.mjs

import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { startBroker } from 'ottla'

const broker = await startBroker()
const bootstrapBrokers = [broker.address]

await broker.createTopic('words')

const producer = new Producer({
  clientId: 'writer',
  bootstrapBrokers,
  serializers: stringSerializers,
})
await producer.send({
  messages: ['first', 'light'].map((value) => ({ topic: 'words', key: value, value })),
})
await producer.close()

const consumer = new Consumer({
  clientId: 'reader',
  groupId: 'readers',
  bootstrapBrokers,
  deserializers: stringDeserializers,
})
const stream = await consumer.consume({ topics: ['words'], mode: 'earliest' })
const words = []
for await (const { value } of stream) {
  words.push(value)
  if (words.length === 2) break
}
await stream.close()
await consumer.close(true)
await broker.close()

console.log(words.join(' ')) // first light
