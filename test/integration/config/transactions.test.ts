// Settings of the transaction coordinator, seen from outside.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { DescribeConfigs } from '../../../src/protocol/messages/configs.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  DescribeProducers,
  DescribeTransactions,
  EndTxn,
  InitProducerId,
} from '../../../src/protocol/messages/transaction.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf, produceBody } from '../support/harness.ts'

const TOPIC = '__transaction_state'

async function coordinate(bench: Bench, key = 'tx') {
  await bench.client.ask(FindCoordinator, 4, { keyType: 1, coordinatorKeys: [key] })
  const ask = { transactionalId: key, transactionTimeoutMs: 60_000 }
  for (;;) {
    const answer = await bench.client.ask(InitProducerId, 4, ask)
    if (answer.errorCode === ErrorCode.NONE) return answer
  }
}

test('integration: config: the topic of transactions has its own shape', async () => {
  await using bench = await Bench.start({
    config: {
      'num.partitions': 3,
      'transaction.state.log.num.partitions': 7,
      'transaction.state.log.replication.factor': 1,
      'transaction.state.log.min.isr': 1,
      'transaction.state.log.segment.bytes': 3_000_000,
    },
  })
  await coordinate(bench)
  const { topics } = await bench.client.ask(Metadata, 12, { topics: [{ name: TOPIC }] })
  expect(topics[0]).toMatchObject({ isInternal: true, errorCode: ErrorCode.NONE })
  expect(topics[0]!.partitions).toHaveLength(7)
  expect(topics[0]!.partitions.every(({ replicaNodes }) => replicaNodes.length === 1)).toBe(true)
  const { results } = await bench.client.ask(DescribeConfigs, 4, {
    resources: [{ resourceType: 2, resourceName: TOPIC, configurationKeys: null }],
  })
  const set = results[0]!.configs.filter(({ configSource }) => configSource === 1)
  expect(Object.fromEntries(set.map(({ name, value }) => [name, value]))).toEqual({
    'cleanup.policy': 'compact',
    'compression.type': 'uncompressed',
    'min.insync.replicas': '1',
    'segment.bytes': '3000000',
    'unclean.leader.election.enable': 'false',
  })
})

async function write(bench: Bench, version: number, producerId: number, producerEpoch: number) {
  const batch = batchOf(['a'], {
    isTransactional: true,
    producerId,
    producerEpoch,
    baseSequence: 0,
  })
  const body = { ...produceBody('t', 0, batch), transactionalId: 'tx' }
  const { responses } = await bench.client.ask(Produce, version, body)
  return responses[0]!.partitionResponses[0]!.errorCode
}

test('integration: config: writes of a transaction are verified, unless told not to', async () => {
  for (const enable of [true, false]) {
    await using bench = await Bench.start({
      config: { 'transaction.partition.verification.enable': enable },
    })
    await bench.createTopic('t')
    const { producerId, producerEpoch } = await coordinate(bench)
    const errorCode = await write(bench, 11, producerId, producerEpoch)
    expect(errorCode).toBe(enable ? ErrorCode.TRANSACTION_ABORTABLE : ErrorCode.NONE)
  }
})

test('integration: config: a first write waits for the end of the last transaction', async () => {
  for (const [backoffMs, maxMs] of [
    [20, 10_000],
    [10_000, 0],
  ] as const) {
    await using bench = await Bench.start({
      config: {
        'add.partitions.to.txn.retry.backoff.ms': backoffMs,
        'add.partitions.to.txn.retry.backoff.max.ms': maxMs,
      },
    })
    await bench.createTopic('t')
    const { producerId, producerEpoch } = await coordinate(bench)
    expect(await write(bench, 12, producerId, producerEpoch)).toBe(ErrorCode.NONE)
    const other = await bench.connect()
    const ask = { transactionalId: 'tx', producerId, producerEpoch, committed: true }
    // Sent at once behind the end, over another connection: the markers are on their way.
    const ended = other.ask(EndTxn, 5, ask)
    const next = (await ended).producerEpoch
    const errorCode = await write(bench, 12, producerId, next)
    const { NONE, CONCURRENT_TRANSACTIONS } = ErrorCode
    if (maxMs > 0) expect(errorCode).toBe(NONE)
    else expect([NONE, CONCURRENT_TRANSACTIONS]).toContain(errorCode)
  }
})

async function stateOf(bench: Bench, transactionalId: string) {
  const { transactionStates } = await bench.client.ask(DescribeTransactions, 0, {
    transactionalIds: [transactionalId],
  })
  const { errorCode, transactionState } = transactionStates[0]!
  return errorCode === ErrorCode.NONE ? transactionState : errorCode
}

async function producersOf(bench: Bench, topic: string) {
  const { topics } = await bench.client.ask(DescribeProducers, 0, {
    topics: [{ name: topic, partitionIndexes: [0] }],
  })
  return topics[0]!.partitions[0]!.activeProducers.map(({ producerId }) => Number(producerId))
}

test('integration: config: ids that nobody uses are forgotten, but not what is open', async () => {
  const { NONE, TRANSACTIONAL_ID_NOT_FOUND } = ErrorCode
  const directory = await mkdtemp(join(tmpdir(), 'ottla-expiry-'))
  const config = {
    'transaction.state.log.num.partitions': 2,
    'transactional.id.expiration.ms': 500,
    'transaction.remove.expired.transaction.cleanup.interval.ms': 50,
    'producer.id.expiration.ms': 500,
    'producer.id.expiration.check.interval.ms': 50,
  }
  try {
    let idle = -1
    {
      await using bench = await Bench.start({ directory, config })
      await bench.createTopic('t')
      await bench.createTopic('plain')
      const batch = batchOf(['a'], { producerId: 77_000, producerEpoch: 0, baseSequence: 0 })
      expect((await bench.produce('plain', batch)).errorCode).toBe(NONE)
      expect(await producersOf(bench, 'plain')).toEqual([77_000])
      idle = (await coordinate(bench, 'idle')).producerId
      const open = await coordinate(bench)
      expect(await write(bench, 12, open.producerId, open.producerEpoch)).toBe(NONE)
      await eventually(
        async () => (await stateOf(bench, 'idle')) === TRANSACTIONAL_ID_NOT_FOUND || undefined,
      )
      await eventually(async () => (await producersOf(bench, 'plain')).length === 0 || undefined)
      expect(await stateOf(bench, 'tx')).toBe('Ongoing')
      expect(await producersOf(bench, 't')).toEqual([open.producerId])
      // Nobody knows it any more: it may begin anywhere.
      const later = batchOf(['b'], { producerId: 77_000, producerEpoch: 0, baseSequence: 9 })
      expect((await bench.produce('plain', later)).errorCode).toBe(NONE)
    }
    await using bench = await Bench.start({ directory, config })
    await eventually(async () => (await stateOf(bench, 'tx')) === 'Ongoing' || undefined)
    expect(await stateOf(bench, 'idle')).toBe(TRANSACTIONAL_ID_NOT_FOUND)
    const anew = await coordinate(bench, 'idle')
    expect([anew.producerId === idle, anew.producerEpoch]).toEqual([false, 0])
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
