// DeleteRecords as admin clients and stream processors use it: what it takes, what it refuses, and that what is gone
// stays gone, also after a kill. Apache Kafka was asked the same in test/oracle/differential.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { DeleteRecords, ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { createTopic, deleteTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf, produceBody, text } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

const EARLIEST = -2n

async function deleteBelow(
  client: RawClient,
  name: string,
  offset: number | bigint,
  partition = 0,
) {
  const { topics } = await client.ask(DeleteRecords, 2, {
    topics: [{ name, partitions: [{ partitionIndex: partition, offset: BigInt(offset) }] }],
    timeoutMs: 5000,
  })
  const { lowWatermark, errorCode } = topics[0]!.partitions[0]!
  return { lowWatermark, errorCode }
}

async function earliest(client: RawClient, name: string) {
  const { topics } = await client.ask(ListOffsets, 7, {
    replicaId: -1,
    topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: EARLIEST }] }],
  })
  const { errorCode, offset } = topics[0]!.partitions[0]!
  return errorCode === ErrorCode.NONE ? offset : undefined
}

const fine = (lowWatermark: number) => ({ lowWatermark, errorCode: ErrorCode.NONE })
const refused = (errorCode: number) => ({ lowWatermark: -1, errorCode })

describe('delete records', () => {
  test('the log starts at the offset, for whoever asks; it never moves back', async () => {
    await using bench = await Bench.start()
    await bench.createTopic('log')
    for (const value of ['a', 'b', 'c', 'd']) await bench.produce('log', batchOf([value]))
    expect(await deleteBelow(bench.client, 'log', 2)).toEqual(fine(2))
    expect((await bench.fetch('log', 1)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    const kept = await bench.fetch('log', 2)
    expect(kept.logStartOffset).toBe(2)
    expect(kept.decoded.map(({ value }) => text(value))).toEqual(['c', 'd'])
    expect(await earliest(bench.client, 'log')).toBe(2)
    expect(await deleteBelow(bench.client, 'log', 1)).toEqual(fine(2))
    expect(await deleteBelow(bench.client, 'log', -1)).toEqual(fine(4))
    expect(await earliest(bench.client, 'log')).toBe(4)
    expect((await bench.fetch('log', 4, { maxWaitMs: 0 })).errorCode).toBe(ErrorCode.NONE)
    expect((await bench.produce('log', batchOf(['e']))).baseOffset).toBe(4)
  })

  test('inside a batch, the batch is still read whole', async () => {
    await using bench = await Bench.start()
    await bench.createTopic('log')
    await bench.produce('log', batchOf(['a', 'b', 'c']))
    expect(await deleteBelow(bench.client, 'log', 1)).toEqual(fine(1))
    expect(await earliest(bench.client, 'log')).toBe(1)
    expect((await bench.fetch('log', 1)).decoded).toHaveLength(3)
    expect((await bench.fetch('log', 0)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
  })

  test('what is not committed, not deletable or not there is refused, each partition for itself', async () => {
    await using bench = await Bench.start()
    await bench.createTopic('log')
    await bench.createTopic('compacted', 1, { 'cleanup.policy': 'compact' })
    await bench.createTopic('both', 1, { 'cleanup.policy': 'compact,delete' })
    await bench.createTopic('neither', 1, { 'cleanup.policy': '' })
    const key = new Uint8Array([1])
    for (const topic of ['log', 'compacted', 'both', 'neither'])
      await bench.produce(topic, batchOf([{ key }]))
    await bench.client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['someone'] })
    const ask = (name: string, offset: number | bigint, partition?: number) =>
      deleteBelow(bench.client, name, offset, partition)
    expect(await ask('log', 2)).toEqual(refused(ErrorCode.OFFSET_OUT_OF_RANGE))
    expect(await ask('log', -2)).toEqual(refused(ErrorCode.OFFSET_OUT_OF_RANGE))
    expect(await ask('log', 2n ** 63n - 1n)).toEqual(refused(ErrorCode.OFFSET_OUT_OF_RANGE))
    expect(await ask('log', 0, 1)).toEqual(refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    expect(await ask('nobody', 0)).toEqual(refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    expect(await ask('compacted', 1)).toEqual(refused(ErrorCode.POLICY_VIOLATION))
    expect(await ask('both', 1)).toEqual(fine(1))
    expect(await ask('neither', 1)).toEqual(fine(1))
    expect(await ask('__consumer_offsets', -1)).toEqual(refused(ErrorCode.INVALID_TOPIC_EXCEPTION))
    const { topics } = await bench.client.ask(DeleteRecords, 0, {
      topics: ['compacted', 'log'].map((name) => ({
        name,
        partitions: [{ partitionIndex: 0, offset: -1n }],
      })),
      timeoutMs: 5000,
    })
    const codes = topics.map(({ name, partitions }) => [name, partitions[0]!.errorCode])
    expect(Object.fromEntries(codes)).toEqual({ compacted: ErrorCode.POLICY_VIOLATION, log: 0 })
  })

  test('what is gone stays gone after a kill, and its segments leave the disk; a namesake is not touched', async () => {
    await using broker = await BrokerProcess.start()
    const { address } = broker
    await createTopic(address, 'log', 1, { 'internal.segment.bytes': '4096' })
    const client = await RawClient.open(address)
    const produce = (topic: string, value: string) =>
      client.ask(Produce, 9, produceBody(topic, 0, batchOf([value])))
    for (let at = 0; at < 12; at++) await produce('log', 'x'.repeat(1000))
    const segments = () =>
      readdirSync(join(broker.directory, 'log-0')).filter((name) => name.endsWith('.log')).length
    const before = segments()
    expect(await deleteBelow(client, 'log', 10)).toEqual(fine(10))
    await eventually(async () => (segments() < before ? true : undefined))
    // Deleted and created again: the new log starts at 0, whatever a checkpoint said of the old one.
    await createTopic(address, 'again')
    for (const value of ['a', 'b', 'c']) await produce('again', value)
    expect(await deleteBelow(client, 'again', 3)).toEqual(fine(3))
    await deleteTopic(address, 'again')
    await createTopic(address, 'again')
    await produce('again', 'd')
    client.close()
    await broker.kill()
    await broker.start()
    const next = await RawClient.open(address)
    expect(await eventually(() => earliest(next, 'log'))).toBe(10)
    expect(await eventually(() => earliest(next, 'again'))).toBe(0)
    const { responses } = await next.ask(Fetch, 11, {
      replicaId: -1,
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 1 << 20,
      topics: [
        {
          topic: 'again',
          partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }],
        },
      ],
    })
    expect(responses[0]!.partitions[0]!.highWatermark).toBe(1)
    await broker.stop()
    await broker.start()
    const last = await RawClient.open(address)
    expect(await eventually(() => earliest(last, 'log'))).toBe(10)
    for (const open of [next, last]) open.close()
  }, 120_000)
})
