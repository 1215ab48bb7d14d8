// The side of confluent.ts that runs under the system's Node, for which the library was compiled. One job in as JSON on
// stdin, its answer out as JSON on stdout: { verb: 'write', place, codec, records } or { verb: 'read', place, count }.
import { createRequire } from 'node:module'
import { text as read } from 'node:stream/consumers'

const { Producer, KafkaConsumer } = createRequire(`${process.argv[2]}/package.json`)(
  '@confluentinc/kafka-javascript',
)
const promised = (start) =>
  new Promise((resolve, reject) => {
    start((problem, value) => (problem ? reject(problem) : resolve(value)))
  })
const bytes = (text) => (text === null ? null : Buffer.from(text))
const text = (value) => (value === null || value === undefined ? null : value.toString())

async function write({ place: { address, topic, partition }, codec, records }) {
  const producer = new Producer({
    'bootstrap.servers': address,
    'compression.codec': codec,
    'message.max.bytes': 2_000_000,
    'enable.idempotence': true,
    dr_cb: true,
  })
  await promised((done) => producer.connect({}, done))
  const problems = []
  producer.on('delivery-report', (problem) => problem && problems.push(problem))
  producer.setPollInterval(50)
  for (const { key, value, headers, timestamp } of records) {
    const list = headers.map(([name, content]) => ({ [name]: bytes(content ?? '') }))
    producer.produce(topic, partition, bytes(value), bytes(key), timestamp, null, list)
  }
  await promised((done) => producer.flush(30_000, done))
  await promised((done) => producer.disconnect(done))
  if (problems.length > 0) throw problems[0]
  return []
}

async function consume({ place: { address, topic, partition }, count }) {
  const consumer = new KafkaConsumer(
    {
      'bootstrap.servers': address,
      'group.id': 'none',
      'enable.auto.commit': false,
      'check.crcs': true,
      'fetch.message.max.bytes': 4_000_000,
    },
    { 'auto.offset.reset': 'earliest' },
  )
  await promised((done) => consumer.connect({}, done))
  consumer.assign([{ topic, partition, offset: 0 }])
  const seen = []
  while (seen.length < count) {
    for (const message of await promised((done) => consumer.consume(100, done))) {
      const headers = (message.headers ?? []).flatMap((one) =>
        Object.entries(one).map(([name, content]) => [name, text(content)]),
      )
      const { timestamp, offset } = message
      seen.push({ key: text(message.key), value: text(message.value), timestamp, offset, headers })
    }
  }
  await promised((done) => consumer.disconnect(done))
  return seen
}

const job = JSON.parse(await read(process.stdin))
process.stdout.write(JSON.stringify(await (job.verb === 'write' ? write(job) : consume(job))))
