// Sends 0, 1, 2, … to partition 0 of a topic, each padded to a kibibyte, until a file says stop; what was acknowledged is
// written down, a number a line, and `done` in the end. Behind the first ones, and whenever that is taken back, it waits until
// a file says go.
// CLIENT ADDRESS TOPIC ACKNOWLEDGED GO STOP HOME, where CLIENT is kafkajs or confluent (librdkafka) and HOME the folder
// whose node_modules has it.
import { appendFileSync, existsSync, watch } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

const [client, address, topic, acknowledged, go, stop, home] = process.argv.slice(2)
const require = createRequire(`${home}/package.json`)
const BATCH = 20
const value = (number) => Buffer.from(String(number).padEnd(1024, '.'))
const write = (line) => appendFileSync(acknowledged, `${line}\n`)
let next = 0

/** Resolves where a file says go, or stop. */
function told() {
  return new Promise((resolve) => {
    if (existsSync(go)) return resolve()
    const look = () => {
      if (!existsSync(go) && !existsSync(stop)) return
      watcher.close()
      resolve()
    }
    const watcher = watch(dirname(go), look)
    look()
  })
}

async function kafkajs() {
  const { Kafka, logLevel } = require('kafkajs')
  const retry = { initialRetryTime: 100, maxRetryTime: 500, retries: 10_000 }
  const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, retry })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry })
  await producer.connect()
  while (!existsSync(stop)) {
    const numbers = Array.from({ length: BATCH }, () => next++)
    const messages = numbers.map((number) => ({ partition: 0, value: value(number) }))
    await producer.send({ topic, messages })
    write(numbers.join('\n'))
    await told()
  }
  await producer.disconnect()
}

async function confluent() {
  const { Producer } = require('@confluentinc/kafka-javascript')
  const producer = new Producer({
    'bootstrap.servers': address,
    'enable.idempotence': true,
    'queue.buffering.max.messages': 500,
    'message.timeout.ms': 600_000,
    'linger.ms': 50,
    dr_cb: true,
  })
  const promised = (start) =>
    new Promise((resolve, reject) =>
      start((problem, it) => (problem ? reject(problem) : resolve(it))),
    )
  await promised((done) => producer.connect({}, done))
  producer.setPollInterval(20)
  let waiting = 0
  let reported = () => {}
  producer.on('delivery-report', (problem, { opaque }) => {
    waiting--
    write(problem ? `failed ${opaque} ${problem.message}` : opaque)
    reported()
  })
  for (let most = 1; !existsSync(stop); most = 400) {
    for (; waiting < most; waiting++)
      producer.produce(topic, 0, value(next), null, Date.now(), next++)
    await new Promise((resolve) => (reported = resolve))
    await told()
  }
  await promised((done) => producer.flush(120_000, done))
  await promised((done) => producer.disconnect(done))
}

await (client === 'kafkajs' ? kafkajs() : confluent())
write('done')
