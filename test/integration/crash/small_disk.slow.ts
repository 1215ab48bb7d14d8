// Brokers on disks of some mebibytes, under producers of several libraries that never start anew: the disk fills and is
// refused, a stranger takes the last byte, ENOSPC comes for real and the process is killed in it. In the end every number
// that was acknowledged is there, once and in order. (storage/disk_pressure.ts, docs/decisions/0012)

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { beforeAll, expect, type TestContext, test, vi } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { DeleteRecords } from '../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { createTopic, deleteTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually, pause } from '../support/eventually.ts'
import { batchOf, decodeRecords, earliest, produceBody, text } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'
import { type DiskKind, SmallDisk } from './small_disk/disk.ts'
import { installWriters, LIBRARIES, type Library, NumberWriter } from './small_disk/writers.ts'

const MIB = 1024 ** 2
const { NONE, KAFKA_STORAGE_ERROR } = ErrorCode
const REFUSED = /no room for clients/
const METADATA_REFUSED = /the metadata log has no room/
vi.setConfig({ testTimeout: 900_000 })
const CONFIG = {
  'log.segment.bytes': MIB,
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.num.partitions': 1,
  'ottla.log.dir.reserve.max.percent': 100,
}

beforeAll(() => installWriters(LIBRARIES), 1_200_000)

/** A small disk, or a test that says why it cannot run here. */
function mount(context: TestContext, kind: DiskKind, mebibytes: number): SmallDisk {
  try {
    return SmallDisk.mount(kind, mebibytes)
  } catch (problem) {
    const why = `NOT SHOWN HERE, as no ${kind} can be mounted: ${(problem as Error).message}`
    console.error(`${context.task.name}: ${why}`)
    return context.skip(why)
  }
}

/** A topic with so many mebibytes. */
async function ballast(address: string, name: string, mebibytes: number): Promise<void> {
  await createTopic(address, name)
  const client = await RawClient.open(address)
  for (let i = 0; i < mebibytes; i++) {
    const body = produceBody(name, 0, batchOf(['x'.repeat(MIB - 1000)]))
    const { responses } = await client.ask(Produce, 9, body)
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(NONE)
  }
  client.close()
}

/** Starts writers of these libraries, each with its topic. None begins to fill the disk before all have written to it. */
async function startWriters(libraries: readonly Library[], address: string) {
  await using writers = new AsyncDisposableStack()
  const list: NumberWriter[] = []
  for (const library of libraries) {
    await createTopic(address, library)
    list.push(writers.use(new NumberWriter(library, address)))
  }
  await Promise.all(list.map((writer) => writer.ready()))
  for (const writer of list) writer.begin()
  return Object.assign(writers.move(), { list })
}

/** Every number of a topic, as it lies there. */
async function numbersIn(address: string, topic: string): Promise<number[]> {
  const client = await RawClient.open(address)
  const numbers: number[] = []
  let fetchOffset = (await earliest(client, topic)) ?? 0
  for (;;) {
    const { responses } = await client.ask(Fetch, 11, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 8 * MIB,
      topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 8 * MIB }] }],
    })
    const { errorCode, records, highWatermark } = responses[0]!.partitions[0]!
    expect(errorCode).toBe(NONE)
    const found = records === null ? [] : decodeRecords(records)
    const fresh = found.filter(({ offset }) => Number(offset) >= fetchOffset)
    numbers.push(...fresh.map(({ value }) => Number.parseInt(text(value)!, 10)))
    if (fresh.length > 0) fetchOffset = Number(fresh.at(-1)!.offset) + 1
    if (fetchOffset >= Number(highWatermark)) break
  }
  client.close()
  return numbers
}

/** Each writer sends its rest; then its topic has 0, 1, 2, … and nothing else, and all that was acknowledged. */
async function finish(writers: readonly NumberWriter[], address: string): Promise<void> {
  await Promise.all(writers.map((writer) => writer.finish()))
  for (const writer of writers) {
    const { acknowledged, library } = writer
    const numbers = await numbersIn(address, library)
    const wrong = numbers.findIndex((number, index) => number !== index)
    expect({ library, wrong: wrong < 0 ? null : numbers.slice(wrong, wrong + 5) }).toEqual({
      library,
      wrong: null,
    })
    expect(numbers.length).toBeGreaterThanOrEqual(acknowledged.length)
    console.info(`${library}: ${acknowledged.length} acknowledged, ${numbers.length} there`)
  }
}

/** A member of a group reads a hundred, commits this offset and leaves; what the group has committed then. */
async function readAsGroup(address: string, topic: string, offset: number): Promise<number> {
  const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: 'readers' })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let seen = 0
  await consumer.run({ eachBatch: async ({ batch }) => void (seen += batch.messages.length) })
  await eventually(async () => (seen >= 100 ? true : undefined), 120_000)
  await consumer.commitOffsets([{ topic, partition: 0, offset: String(offset) }])
  await consumer.disconnect()
  const admin = kafka.admin()
  await admin.connect()
  const committed = await admin.fetchOffsets({ groupId: 'readers', topics: [topic] })
  await admin.disconnect()
  return Number(committed[0]!.partitions[0]!.offset)
}

/** How a batch to a topic ends. */
async function produceOne(address: string, topic: string) {
  const client = await RawClient.open(address)
  const { responses } = await client.ask(Produce, 9, produceBody(topic, 0, batchOf(['one'])))
  client.close()
  return responses[0]!.partitionResponses[0]!
}

/** Changes of a topic's configuration until the metadata log has used what was allocated ahead of it; on their way. */
async function fillMetadataLog(broker: BrokerProcess, topic: string): Promise<Promise<void>[]> {
  const changes: Promise<void>[] = []
  const deadline = performance.now() + 120_000
  for (let i = 0; !METADATA_REFUSED.test(broker.said); i++) {
    expect(performance.now()).toBeLessThan(deadline)
    changes.push(setReplicas(broker.address, topic, `${i}:1,`.repeat(5000).slice(0, -1)))
    await pause(100)
  }
  return changes
}

/** Sets a list of replicas, which may be long. */
async function setReplicas(address: string, topic: string, value: string): Promise<void> {
  const client = await RawClient.open(address)
  const name = 'leader.replication.throttled.replicas'
  const { responses } = await client.ask(IncrementalAlterConfigs, 1, {
    resources: [
      { resourceType: 2, resourceName: topic, configs: [{ name, configOperation: 0, value }] },
    ],
  })
  client.close()
  expect(responses[0]!.errorMessage).toBe(null)
}

const said = (broker: BrokerProcess, what: RegExp) =>
  eventually(async () => (what.test(broker.said) ? true : undefined), 120_000)

const counts = (writers: readonly NumberWriter[]) =>
  writers.map(({ acknowledged }) => acknowledged.length)

/** They send nothing new. */
function hold(writers: readonly NumberWriter[]): void {
  for (const writer of writers) writer.hold()
}

/** One after the other sends so many more; all at once, the fastest would leave no room to the others. */
async function takeTurns(writers: readonly NumberWriter[], more: number): Promise<void> {
  for (const writer of writers) {
    writer.begin()
    await writer.goesOn(more)
    writer.hold()
  }
}

/** Nobody gets on any more; the counts. */
const stuck = (writers: readonly NumberWriter[]) =>
  eventually(async () => {
    const before = counts(writers)
    await pause(1500)
    return counts(writers).every((count, i) => count === before[i]) ? before : undefined
  }, 120_000)

test('a disk that fills: producers wait at the reserve, all else goes on, and so do they', async (context) => {
  using disk = mount(context, 'tmpfs', 112)
  const reserve = 16 * MIB
  const config = {
    ...CONFIG,
    'ottla.log.dir.reserve.bytes': reserve,
    'ottla.log.dir.low.bytes': reserve,
  }
  await using broker = await BrokerProcess.start({ directory: disk.data, config })
  const { address } = broker
  await ballast(address, 'ballast', 32)
  await using writers = await startWriters(LIBRARIES, address)
  await Promise.all(writers.list.map((writer) => writer.goesOn(100)))
  await said(broker, REFUSED)
  await stuck(writers.list)
  hold(writers.list)
  // What was on its way when the last look was taken.
  expect(disk.usableBytes).toBeGreaterThan(reserve - 2 * MIB)

  expect(await readAsGroup(address, 'java', 7)).toBeGreaterThanOrEqual(7)
  await createTopic(address, 'made')
  const client = await RawClient.open(address)
  const { topics } = await client.ask(DeleteRecords, 2, {
    topics: [{ name: 'ballast', partitions: [{ partitionIndex: 0, offset: 16n }] }],
    timeoutMs: 30_000,
  })
  client.close()
  expect(topics[0]!.partitions[0]!).toMatchObject({ errorCode: NONE, lowWatermark: 16 })
  await said(broker, /has room again|a disk is low/)
  await takeTurns(writers.list, 20)

  await deleteTopic(address, 'ballast')
  await takeTurns(writers.list, 100)
  await finish(writers.list, address)
  await broker.stop()
})

test('a stranger takes the last byte: nothing ends, what was asked waits, and is done when he goes', async (context) => {
  using disk = mount(context, 'tmpfs', 96)
  const config = { ...CONFIG, 'ottla.log.dir.reserve.bytes': 8 * MIB }
  await using broker = await BrokerProcess.start({ directory: disk.data, config })
  const { address } = broker
  await createTopic(address, 'doomed')
  await using writers = await startWriters(['confluent', 'java'], address)
  await Promise.all(writers.list.map((writer) => writer.goesOn(100)))
  disk.fill()
  const before = await stuck(writers.list)
  await said(broker, REFUSED)
  hold(writers.list)
  // And what was given back meanwhile, by a segment that was closed.
  disk.fill()
  expect(disk.usableBytes).toBe(0)
  // Metadata are written to the same disk, into blocks that were allocated ahead while there are any. What is made so
  // finds no room for its files, and waits for that.
  await createTopic(address, 'early')
  await said(broker, /a partition is not opened/)
  const changes = await fillMetadataLog(broker, 'doomed')
  const made = createTopic(address, 'made')
  const gone = deleteTopic(address, 'doomed')
  expect((await numbersIn(address, 'java')).length).toBeGreaterThanOrEqual(before[1]!)
  disk.release()
  await Promise.all([made, gone, ...changes])
  await takeTurns(writers.list, 200)
  for (const topic of ['early', 'made']) {
    await eventually(async () => {
      return (await produceOne(address, topic)).errorCode === NONE ? true : undefined
    }, 120_000)
  }
  await finish(writers.list, address)
  await broker.stop()
})

for (const kind of ['tmpfs', 'ext4'] as const) {
  test(`ENOSPC for real on ${kind}, and kill -9 in the middle of it`, async (context) => {
    using disk = mount(context, kind, 128)
    const config = { ...CONFIG, 'ottla.log.dir.reserve.bytes': 0 }
    await using broker = await BrokerProcess.start({ directory: disk.data, config })
    const { address } = broker
    await using writers = await startWriters(['confluent', 'java'], address)
    for (let round = 0; round < 3; round++) {
      await Promise.all(writers.list.map((writer) => writer.goesOn(200)))
      disk.fill()
      await stuck(writers.list)
      expect(disk.usableBytes).toBeLessThan(MIB)
      await broker.kill()
      disk.release()
      await broker.start()
    }
    await Promise.all(writers.list.map((writer) => writer.goesOn(200)))
    await finish(writers.list, address)
    await broker.stop()
  })

  test(`a start without a free byte on ${kind}: consumers are served, producers wait for room`, async (context) => {
    using disk = mount(context, kind, 112)
    const config = { ...CONFIG, 'ottla.log.dir.reserve.bytes': 8 * MIB }
    await using broker = await BrokerProcess.start({ directory: disk.data, config })
    const { address } = broker
    await using writers = await startWriters(['confluent', 'java'], address)
    await Promise.all(writers.list.map((writer) => writer.goesOn(100)))
    expect(await readAsGroup(address, 'java', 7)).toBeGreaterThanOrEqual(7)
    const isHeld = () => existsSync(join(disk.data, '.ottla_held_room'))
    await eventually(async () => (isHeld() ? true : undefined), 120_000)

    disk.fill()
    const before = await stuck(writers.list)
    hold(writers.list)
    // A start would find room in blocks that were allocated ahead.
    const unanswered = Promise.allSettled(await fillMetadataLog(broker, 'java'))
    await broker.kill()
    await unanswered
    disk.fill()
    expect(disk.usableBytes).toBe(0)
    await broker.start()
    expect(isHeld()).toBe(false)
    await said(broker, REFUSED)
    expect(await produceOne(address, 'java')).toMatchObject({
      errorCode: KAFKA_STORAGE_ERROR,
      errorMessage: expect.stringMatching(/no room/),
    })
    expect((await numbersIn(address, 'java')).length).toBeGreaterThanOrEqual(before[1]!)
    expect(await readAsGroup(address, 'java', 8)).toBeGreaterThanOrEqual(8)

    disk.release()
    await takeTurns(writers.list, 200)
    await eventually(async () => (isHeld() ? true : undefined), 120_000)
    await finish(writers.list, address)
    await broker.stop()
  })
}
