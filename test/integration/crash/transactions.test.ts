// Killed at random instants during a transactional copy: output equals input, each record once. TXN_KILLS makes
// it longer, TXN_SEED repeats one.

import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { pause } from '../support/eventually.ts'
import { batchOf } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'
import {
  INPUT,
  OUTPUT,
  OUTPUT_PARTITIONS,
  readCommitted,
  TransactionalCopier,
} from './transactional_copy.ts'

const KILLS = 2
const RECORDS_PER_KILL = 250

test('crash: a transactional copy that is killed again and again copies everything once', async () => {
  const seed = Number(process.env['TXN_SEED'] ?? Date.now() % 1_000_000)
  const kills = Number(process.env['TXN_KILLS'] ?? KILLS)
  const random = new Random(seed)
  const count = kills * RECORDS_PER_KILL
  await using broker = await BrokerProcess.start({
    config: {
      'transaction.state.log.num.partitions': 3,
      'offsets.topic.num.partitions': 3,
      'internal.segment.bytes': '20000',
    },
  })
  const client = await RawClient.open(broker.address)
  await client.ask(CreateTopics, 7, {
    topics: [
      { name: INPUT, numPartitions: 1, replicationFactor: 1 },
      { name: OUTPUT, numPartitions: OUTPUT_PARTITIONS, replicationFactor: 1 },
    ],
    timeoutMs: 10_000,
  })
  const numbers = Array.from({ length: count }, (_, number) => String(number))
  const topicData = [{ name: INPUT, partitionData: [{ index: 0, records: batchOf(numbers) }] }]
  const { responses } = await client.ask(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData })
  expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
  client.close()
  const copier = new TransactionalCopier(broker.address, count, () => random.nextFloat())
  const copied = copier.run(Date.now() + 60_000 + kills * 10_000)
  // The copy may end before the last kill: then there is nothing to be seen of that one.
  let isDone = false
  void copied.finally(() => {
    isDone = true
  })
  for (let kill = 0; kill < kills && !isDone; kill++) {
    const before = copier.commits
    while (!isDone && copier.commits < before + 3) await pause(5)
    await pause(random.nextInt(30))
    await broker.kill()
    await broker.start()
  }
  await copied
  const reader = await RawClient.open(broker.address)
  const seen: string[] = []
  for (let partition = 0; partition < OUTPUT_PARTITIONS; partition++) {
    seen.push(...(await readCommitted(reader, partition)))
  }
  reader.close()
  const about = `seed ${seed}: ${copier.sessions} sessions, ${copier.commits} commits, ${copier.aborts} aborts`
  expect(
    seen.map(Number).sort((a, b) => a - b),
    about,
  ).toEqual(numbers.map(Number))
  console.info(about)
}, 1_800_000)
