// Settings of the transaction coordinator, seen from outside.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { DescribeConfigs } from '../../../src/protocol/messages/configs.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { EndTxn, InitProducerId } from '../../../src/protocol/messages/transaction.ts'
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
