// jest, CommonJS: any client, at the broker that jest.config.cjs started.
// npm i -D ottla jest jest-environment-node kafkajs && npx jest

const { Kafka, logLevel } = require('kafkajs')

const kafka = new Kafka({ brokers: [process.env.OTTLA_ADDRESS], logLevel: logLevel.ERROR })

test('a topic is created', async () => {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'words', numPartitions: 2 }] })
  expect(await admin.listTopics()).toContain('words')
  await admin.disconnect()
})
