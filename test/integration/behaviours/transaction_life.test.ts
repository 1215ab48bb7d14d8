// Transactions beside the rest of a cluster's life: compaction, and levels of transaction.version that come and go.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { UpdateFeatures } from '../../../src/protocol/messages/cluster.ts'
import { ApiVersions } from '../../../src/protocol/messages/metadata.ts'
import { Cluster, Consumer, type ConsumerOptions } from '../client/client.ts'
import { eventually } from '../support/eventually.ts'
import type { Bench } from '../support/harness.ts'
import { begin, Transactional } from '../support/transactional.ts'

const { NONE, PRODUCER_FENCED } = ErrorCode
const SOFTWARE = { clientSoftwareName: 'test', clientSoftwareVersion: '1' }
const bytes = (text: string) => new TextEncoder().encode(text)
const text = (from: Uint8Array | null) => (from === null ? '' : new TextDecoder().decode(from))

/** Every value of a partition, as a consumer of that isolation is handed them. */
async function read(bench: Bench, isolation: ConsumerOptions['isolation']): Promise<string[]> {
  const cluster = await Cluster.connect({ bootstrap: bench.broker.address })
  const options = { topics: ['compacted'], from: 'earliest', until: 'end', isolation } as const
  const values: string[] = []
  for await (const { value } of new Consumer(cluster, options)) values.push(text(value))
  cluster.close()
  return values
}

test('compaction takes what was aborted and what was replaced by a commit, and nothing of what is open', async () => {
  const { bench, producer } = await begin('tx', { config: { 'log.cleaner.backoff.ms': 100 } })
  await using _ = bench
  await bench.createTopic('compacted', 1, {
    'cleanup.policy': 'compact',
    'internal.segment.bytes': '100',
    'min.cleanable.dirty.ratio': '0.001',
  })
  const write = async (producer: Transactional, key: string, value: string) => {
    const record = { key: bytes(key), value: bytes(value) }
    expect((await producer.produce('compacted', [record], 12)).errorCode).toBe(NONE)
  }
  const transact = async (key: string, value: string, committed: boolean) => {
    await write(producer, key, value)
    expect((await producer.end(committed, 5)).errorCode).toBe(NONE)
    await producer.settled()
  }
  await transact('a', 'a1', true)
  await transact('a', 'a2 aborted', false)
  await transact('b', 'b1', true)
  await transact('a', 'a3', true)
  await transact('a', 'a4 aborted', false)
  await transact('c', 'c1 aborted', false)
  const other = new Transactional(bench, 'other')
  await other.init()
  await write(other, 'b', 'b2 open')
  await transact('d', 'd1', true)
  const untilLeft = (values: string[]) =>
    eventually(async () => {
      const found = await read(bench, 'read_uncommitted')
      return found.join() === values.join() || undefined
    }, 20_000)
  await untilLeft(['b1', 'a3', 'b2 open', 'd1'])
  // What lies behind an open transaction is not stable.
  expect(await read(bench, 'read_committed')).toEqual(['b1', 'a3'])
  expect((await other.end(true, 5)).errorCode).toBe(NONE)
  await other.settled()
  await transact('e', 'e1', true)
  await untilLeft(['a3', 'b2 open', 'd1', 'e1'])
  expect(await read(bench, 'read_committed')).toEqual(['a3', 'b2 open', 'd1', 'e1'])
})

test('transaction.version comes and goes: who times out is fenced below 2, and may go on from 2 on', async () => {
  const { bench } = await begin('tx', {
    config: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 50 },
  })
  await using _ = bench
  let before = 2
  for (const level of [1, 0, 1, 2]) {
    const upgradeType = level < before ? 2 : 1
    before = level
    const updated = await bench.client.ask(UpdateFeatures, 1, {
      timeoutMs: 10_000,
      featureUpdates: [{ feature: 'transaction.version', maxVersionLevel: level, upgradeType }],
    })
    expect(updated.errorCode).toBe(NONE)
    await eventually(async () => {
      const { finalizedFeatures } = await bench.client.ask(ApiVersions, 4, SOFTWARE)
      const found = finalizedFeatures.find(({ name }) => name === 'transaction.version')
      return (found?.maxVersionLevel ?? 0) === level || undefined
    })
    const producer = new Transactional(bench, `at-${level}`)
    await producer.init({}, 150)
    expect(await producer.add('t', [0])).toEqual([NONE])
    expect((await producer.produce('t', ['slow'])).errorCode).toBe(NONE)
    await expect.poll(async () => (await producer.state()).transactionState).toBe('CompleteAbort')
    const late = await producer.end(false, level < 2 ? 4 : 5)
    expect(late.errorCode, `level ${level}`).toBe(level < 2 ? PRODUCER_FENCED : NONE)
    await producer.settled()
    await producer.init()
    await producer.add('t', [0])
    expect((await producer.produce('t', ['good'])).errorCode).toBe(NONE)
    expect((await producer.end(true, level < 2 ? 4 : 5)).errorCode).toBe(NONE)
    await producer.settled()
    expect((await producer.state()).transactionState).toBe('CompleteCommit')
  }
})
