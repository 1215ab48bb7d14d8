// Members of one group in one process: node members.mjs LIBRARY ADDRESS GROUP TOPIC FOLDER [STYLE]. Lines in: `join NAME [INSTANCE]`,
// `leave NAME`, `abandon NAME` (it has been cut off: no reply will come). Lines out, as JSON: { who, what, … } with
// what = owns (partitions), read (partition, offset, values), left, failed (why). Plain JavaScript without the project's
// Node, since @confluentinc/kafka-javascript runs under the Node that compiled it. Each commits what it has reported.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const [library, address, groupId, topic, folder, style = 'eager'] = process.argv.slice(2)
const SESSION_MS = 6000
const BEAT_MS = 400

const say = (who, what, more = {}) => {
  process.stdout.write(`${JSON.stringify({ who, what, ...more })}\n`)
}
const text = (value) => (value === null ? '' : value.toString())

/** Records one by one become runs without gaps. */
function report(who, messages) {
  let run = null
  for (const { partition, offset, value } of messages) {
    if (run?.partition === partition && run.offset + run.values.length === offset) {
      run.values.push(value)
      continue
    }
    if (run !== null) say(who, 'read', run)
    run = { partition, offset, values: [value] }
  }
  if (run !== null) say(who, 'read', run)
}

async function kafkajsMember(name) {
  process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
  const { AssignerProtocol, Kafka, logLevel, PartitionAssigners } = await import('kafkajs')
  const kafka = new Kafka({
    clientId: name,
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 40 },
  })
  // Its own assigner, under the name that the other libraries have for theirs.
  const roundRobin = (options) => {
    const assigner = PartitionAssigners.roundRobin(options)
    return {
      ...assigner,
      name: 'roundrobin',
      protocol: ({ topics }) => ({
        name: 'roundrobin',
        metadata: AssignerProtocol.MemberMetadata.encode({
          version: 0,
          topics,
          userData: Buffer.alloc(0),
        }),
      }),
    }
  }
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: SESSION_MS,
    heartbeatInterval: BEAT_MS,
    rebalanceTimeout: 20_000,
    maxWaitTimeInMs: 300,
    partitionAssigners: [roundRobin],
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    say(name, 'owns', { partitions: payload.memberAssignment[topic] ?? [] })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) say(name, 'failed', { why: String(payload.error) })
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    eachBatchAutoResolve: false,
    autoCommit: false,
    eachBatch: async ({ batch: { partition, messages }, resolveOffset, heartbeat, isStale }) => {
      if (isStale()) return
      report(
        name,
        messages.map(({ offset, value }) => ({
          partition,
          offset: Number(offset),
          value: text(value),
        })),
      )
      const { offset } = messages.at(-1)
      resolveOffset(offset)
      await consumer.commitOffsets([{ topic, partition, offset: String(Number(offset) + 1) }])
      await heartbeat()
    },
  })
  return () => consumer.disconnect()
}

async function platformaticMember(name, instance) {
  const { Consumer } = await import('@platformatic/kafka')
  const consumer = new Consumer({
    clientId: name,
    groupId,
    bootstrapBrokers: [address],
    sessionTimeout: SESSION_MS,
    heartbeatInterval: BEAT_MS,
    rebalanceTimeout: 20_000,
    retries: 200,
    retryDelay: 200,
    ...(style === 'modern'
      ? { groupProtocol: 'consumer' }
      : {
          // By itself it says version 1 and leaves a field out: leaders of librdkafka give it nothing, those of Java fall.
          protocols: [{ name: 'roundrobin', version: 0 }],
        }),
    ...(instance === undefined ? {} : { groupInstanceId: instance }),
  })
  consumer.on('consumer:group:join', ({ assignments }) => {
    if (style === 'modern') return
    const of = assignments.find((one) => one.topic === topic)
    say(name, 'owns', { partitions: of?.partitions ?? [] })
  })
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
    maxWaitTime: 300,
    autocommit: false,
  })
  const read = async () => {
    for await (const { partition, offset, value, commit } of stream) {
      report(name, [{ partition, offset: Number(offset), value: text(value) }])
      // Refused when the group has moved on; the next owner reads it again.
      if (Number(offset) % 5 === 0) await Promise.resolve(commit()).catch(() => {})
    }
  }
  read().catch((problem) => say(name, 'failed', { why: String(problem) }))
  return () => consumer.close(true)
}

async function confluentMember(name, instance) {
  const { KafkaConsumer } = createRequire(`${folder}/package.json`)(
    '@confluentinc/kafka-javascript',
  )
  const consumer = new KafkaConsumer(
    {
      'bootstrap.servers': address,
      'client.id': name,
      'group.id': groupId,
      'max.poll.interval.ms': 20_000,
      ...(style === 'modern'
        ? { 'group.protocol': 'consumer' }
        : {
            'session.timeout.ms': SESSION_MS,
            'heartbeat.interval.ms': BEAT_MS,
            'partition.assignment.strategy':
              style === 'cooperative' ? 'cooperative-sticky' : 'range,roundrobin',
          }),
      ...(instance === undefined ? {} : { 'group.instance.id': instance }),
      'enable.auto.commit': false,
      'fetch.wait.max.ms': 300,
      rebalance_cb: true,
    },
    { 'auto.offset.reset': 'earliest' },
  )
  consumer.on('rebalance', ({ code }, assignment) => {
    const isAssigned = code === -175
    const partitions = isAssigned ? assignment.map(({ partition }) => partition) : []
    // Others than eager members are told what is new.
    if (isAssigned && style === 'eager') say(name, 'owns', { partitions })
  })
  consumer.on('event.error', () => {}) // a broker that is away: the library tries again
  await new Promise((resolve, reject) => {
    consumer.connect({}, (problem) => (problem ? reject(problem) : resolve()))
  })
  consumer.subscribe([topic])
  consumer.setDefaultConsumeTimeout(200)
  let isOver = false
  let committedAtMs = 0
  const poll = () => {
    if (isOver) return
    consumer.consume(200, (problem, messages) => {
      if (isOver) return
      if (!problem && messages.length > 0) {
        const plain = ({ partition, offset, value }) => ({ partition, offset, value: text(value) })
        report(name, messages.map(plain))
      }
      if (performance.now() > committedAtMs + 300) commit()
      setImmediate(poll)
    })
  }
  // All it was handed, again and again: what is refused in a rebalance is not lost to cooperative members.
  const commit = () => {
    committedAtMs = performance.now()
    try {
      consumer.commit()
    } catch {
      // Nothing new, or nothing is assigned.
    }
  }
  poll()
  return () =>
    new Promise((resolve) => {
      isOver = true
      consumer.disconnect(() => resolve())
    })
}

const LIBRARIES = {
  kafkajs: kafkajsMember,
  platformatic: platformaticMember,
  confluent: confluentMember,
}
const members = new Map()

/** Kept as a promise: a member may be told to go before it has come. */
function join(name, instance) {
  members.set(name, LIBRARIES[library](name, instance))
  members.get(name).catch((problem) => say(name, 'failed', { why: String(problem) }))
}

async function leave(name) {
  const member = members.get(name)
  members.delete(name)
  try {
    const end = await member
    await end()
    say(name, 'left')
  } catch (problem) {
    say(name, 'failed', { why: String(problem) })
  }
}

/** Nobody waits for it: its goodbyes reach no one. */
function abandon(name) {
  const member = members.get(name)
  members.delete(name)
  member?.then((end) => end()).catch(() => {})
}

const VERBS = { join, leave, abandon }
process.on('unhandledRejection', (problem) => say('process', 'noted', { why: String(problem) }))
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [verb, name, instance] = line.split(' ')
    void VERBS[verb](name, instance)
  })
  .on('close', () => process.exit(0))
