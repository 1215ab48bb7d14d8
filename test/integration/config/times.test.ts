// Whose clock stamps records, and how far they may be off, changed while a topic is written to; recompressed or not, a
// lookup by time finds the record.

import { expect, test } from 'vitest'
import { compress } from '../../../src/plane/native_codecs.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { readBatchHeader } from '../../../src/protocol/record_batch.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf } from '../support/harness.ts'

const TOPIC = 2
const HOUR = 3_600_000
const LATEST_BY_TIME = -3n

async function alter(bench: Bench, changes: Readonly<Record<string, string>>): Promise<void> {
  const configs = Object.entries(changes).map(([name, value]) => ({
    name,
    configOperation: 0,
    value,
  }))
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: TOPIC, resourceName: 't', configs }],
  })
  expect(responses[0]!.errorCode).toBe(ErrorCode.NONE)
}

async function at(bench: Bench, timestamp: bigint) {
  const { topics } = await bench.client.ask(ListOffsets, 7, {
    replicaId: -1,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp }] }],
  })
  const { offset, timestamp: found } = topics[0]!.partitions[0]!
  return [Number(offset), Number(found)]
}

/** Two records, the older one last, packed with gzip. */
const put = (bench: Bench, timestamp: number) => {
  const value = new TextEncoder().encode('x')
  const records = [
    { timestamp, value },
    { timestamp: timestamp - 5, value },
  ]
  return bench.produce('t', batchOf(records, { compression: 'gzip', compress }))
}

test.each(['producer', 'zstd', 'uncompressed'])(
  'integration: config: live: timestamp type with compression.type=%s',
  async (codec) => {
    await using bench = await Bench.start()
    await bench.createTopic('t', 1, { 'compression.type': codec })
    const began = Date.now()
    const old = began - 10 * HOUR
    expect(await put(bench, old)).toMatchObject({ errorCode: 0, logAppendTimeMs: -1 })
    expect(await at(bench, BigInt(old - 5))).toEqual([0, old])
    expect(await at(bench, LATEST_BY_TIME)).toEqual([0, old])
    // Every produce of the wait is stamped by one clock or the other: the first that is by ours ends it.
    await alter(bench, { 'message.timestamp.type': 'LogAppendTime' })
    const stamped = await eventually(async () => {
      const answer = await put(bench, old + 10)
      return answer.logAppendTimeMs < 0 ? undefined : answer
    })
    const [base, time] = [Number(stamped.baseOffset), Number(stamped.logAppendTimeMs)]
    expect(time).toBeGreaterThanOrEqual(began)
    expect(await at(bench, BigInt(old + 11))).toEqual([base, time])
    const { records, decoded } = await bench.fetch('t', base)
    expect(readBatchHeader(records!).logAppendTime).toBe(true)
    expect(decoded.slice(0, 2).map(({ timestamp }) => Number(timestamp))).toEqual([time, time])
    await alter(bench, { 'message.timestamp.type': 'CreateTime' })
    const last = await eventually(async () => {
      const answer = await put(bench, began + HOUR / 2)
      return answer.logAppendTimeMs < 0 ? answer : undefined
    })
    const newest = [Number(last.baseOffset), began + HOUR / 2]
    expect(await at(bench, LATEST_BY_TIME)).toEqual(newest)
    expect(await at(bench, BigInt(newest[1]!))).toEqual(newest)
  },
)

test.each(['producer', 'zstd'])(
  'integration: config: live: limits of time with compression.type=%s',
  async (codec) => {
    await using bench = await Bench.start()
    await bench.createTopic('t', 1, { 'compression.type': codec })
    const now = Date.now()
    const takes = async (timestamp: number) => (await put(bench, timestamp)).errorCode
    const refuses = (timestamp: number) =>
      eventually(async () => {
        const answer = await put(bench, timestamp)
        return answer.errorCode === ErrorCode.INVALID_TIMESTAMP ? answer : undefined
      })
    expect(await takes(now - 10 * HOUR)).toBe(ErrorCode.NONE)
    await alter(bench, { 'message.timestamp.before.max.ms': String(HOUR) })
    const { recordErrors } = await refuses(now - 10 * HOUR)
    expect(recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([0, 1])
    expect(await takes(now + HOUR / 2)).toBe(ErrorCode.NONE)
    await alter(bench, { 'message.timestamp.after.max.ms': '60000' })
    await refuses(now + HOUR / 2)
    expect(await takes(now)).toBe(ErrorCode.NONE)
  },
)
