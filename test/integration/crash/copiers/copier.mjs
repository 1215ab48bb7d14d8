// A transactional copy of one topic into another, until it is told to stop: node copier.mjs LIBRARY ADDRESS INPUT OUTPUT NAME FOLDER.
// Consume, transform, produce and commit offsets in one transaction; every fourth or so is aborted on purpose and done again.
// It says `commit` and `abort` by lines. What it cannot go on from ends it, and another process takes its place.
//
// Plain JavaScript without the project's Node, since @confluentinc/kafka-javascript runs under the Node that compiled it.

import { createRequire } from 'node:module'

const [library, address, input, output, name, folder] = process.argv.slice(2)
const CHUNK_MAX = 40
const SESSION_MS = 6000
const TIMEOUT_MS = 30_000

const say = (what) => process.stdout.write(`${what}\n`)
const transform = (value) => `copy of ${value}`
const isAborting = () => Math.random() < 0.25
const chunkSize = () => 1 + Math.floor(Math.random() * CHUNK_MAX)

process.on('unhandledRejection', (problem) => {
  process.stderr.write(`${problem?.stack ?? problem}\n`)
  process.exit(1)
})

async function kafkajs() {
  process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
  const { Kafka, logLevel } = await import('kafkajs')
  const kafka = new Kafka({
    clientId: name,
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 60 },
  })
  const producer = kafka.producer({
    transactionalId: name,
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout: TIMEOUT_MS,
  })
  await producer.connect()
  // It does not ask for stable offsets: whatever was open is over before it asks at all.
  await (await producer.transaction()).abort()
  const consumer = kafka.consumer({
    groupId: name,
    sessionTimeout: SESSION_MS,
    rebalanceTimeout: SESSION_MS,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 100,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [input], fromBeginning: true })
  let position = null
  const copy = async (partition, messages) => {
    const transaction = await producer.transaction()
    const copies = messages.map(({ value }) => ({ value: transform(value) }))
    await transaction.send({ topic: output, messages: copies })
    const offset = Number(messages.at(-1).offset) + 1
    const partitions = [{ partition, offset: String(offset) }]
    await transaction.sendOffsets({ consumerGroupId: name, topics: [{ topic: input, partitions }] })
    if (isAborting()) {
      await transaction.abort()
      return false
    }
    await transaction.commit()
    position = offset
    return true
  }
  const eachBatch = async ({ batch: { partition, messages }, resolveOffset, isStale }) => {
    if (isStale()) return
    position ??= Number(messages[0].offset)
    if (Number(messages[0].offset) !== position) {
      return consumer.seek({ topic: input, partition, offset: String(position) })
    }
    const chunk = messages.slice(0, chunkSize())
    const isCopied = await copy(partition, chunk)
    say(isCopied ? 'commit' : 'abort')
    if (isCopied) resolveOffset(chunk.at(-1).offset)
    consumer.seek({ topic: input, partition, offset: String(position) })
  }
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: (payload) =>
      eachBatch(payload).catch((problem) => {
        process.stderr.write(`${problem?.stack ?? problem}\n`)
        process.exit(1)
      }),
  })
}

async function librdkafka() {
  const { KafkaConsumer, Producer } = createRequire(`${folder}/package.json`)(
    '@confluentinc/kafka-javascript',
  )
  const common = {
    'bootstrap.servers': address,
    'client.id': name,
    'reconnect.backoff.max.ms': 500,
  }
  const producer = new Producer({
    ...common,
    'transactional.id': name,
    'transaction.timeout.ms': TIMEOUT_MS,
    'linger.ms': 1,
  })
  const consumer = new KafkaConsumer(
    {
      ...common,
      'group.id': name,
      'enable.auto.commit': false,
      'isolation.level': 'read_committed',
      'session.timeout.ms': SESSION_MS,
      'heartbeat.interval.ms': 500,
      'fetch.wait.max.ms': 100,
    },
    { 'auto.offset.reset': 'earliest' },
  )
  const done = (act) =>
    new Promise((resolve, reject) => {
      act((problem, value) => (problem ? reject(problem) : resolve(value)))
    })
  for (const client of [producer, consumer]) {
    client.on('event.error', () => {})
    await done((heard) => client.connect({}, heard))
  }
  await done((heard) => producer.initTransactions(TIMEOUT_MS, heard))
  consumer.setDefaultConsumeTimeout(100)
  consumer.subscribe([input])
  let position = null
  const seek = () =>
    done((heard) =>
      consumer.seek({ topic: input, partition: 0, offset: position }, TIMEOUT_MS, heard),
    )
  const copy = async (messages) => {
    await done((heard) => producer.beginTransaction(heard))
    for (const { value } of messages) producer.produce(output, 0, Buffer.from(transform(value)))
    const offset = messages.at(-1).offset + 1
    const offsets = [{ topic: input, partition: 0, offset }]
    await done((heard) => producer.sendOffsetsToTransaction(offsets, consumer, TIMEOUT_MS, heard))
    if (isAborting()) throw undefined
    await done((heard) => producer.commitTransaction(TIMEOUT_MS, heard))
    position = offset
  }
  for (;;) {
    const messages = await done((heard) => consumer.consume(chunkSize(), heard)).catch(() => [])
    if (messages.length === 0) continue
    position ??= messages[0].offset
    if (messages[0].offset === position) {
      try {
        await copy(messages)
        say('commit')
        continue
      } catch (problem) {
        // A fatal one cannot be aborted: that ends us.
        await done((heard) => producer.abortTransaction(TIMEOUT_MS, heard))
        say(problem === undefined ? 'abort' : 'failed')
      }
    }
    await seek()
  }
}

await (library === 'kafkajs' ? kafkajs() : librdkafka())
