// After a kill a producer sends again what it saw no answer for: up to five batches, wherever the log rolled between
// them. Each must be known as a duplicate. A producer snapshot holds the last batch of each producer only.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { InitProducerId } from '../../../src/protocol/messages/transaction.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'
import { batchOf, produceBody } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

test('crash: five batches sent again after a kill are duplicates, though each is in its own segment', async () => {
  await using broker = await BrokerProcess.start()
  let client = await RawClient.open(broker.address)
  const configs = [{ name: 'internal.segment.bytes', value: '4096' }]
  const topics = [{ name: 'rolls', numPartitions: 1, replicationFactor: 1, configs }]
  const created = await client.ask(CreateTopics, 7, { topics, timeoutMs: 10_000 })
  expect(created.topics[0]!.errorCode).toBe(ErrorCode.NONE)
  const { producerId, producerEpoch } = await client.ask(InitProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 60_000,
  })
  const send = async (baseSequence: number) => {
    const batch = batchOf(['x'.repeat(3000)], { producerId, producerEpoch, baseSequence })
    const { responses } = await client.ask(Produce, 9, produceBody('rolls', 0, batch))
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
    return { errorCode, baseOffset }
  }
  const sequences = [0, 1, 2, 3, 4, 5, 6]
  const expected = sequences.map((baseOffset) => ({ errorCode: ErrorCode.NONE, baseOffset }))
  for (const sequence of sequences) expect(await send(sequence)).toEqual(expected[sequence])
  await broker.kill()
  client.close()
  await broker.start()
  client = await RawClient.open(broker.address)
  const again = sequences.slice(-5)
  for (const sequence of again) {
    const answer = await eventually(async () => {
      const answer = await send(sequence)
      return answer.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER ? undefined : answer
    })
    expect(answer).toEqual(expected[sequence])
  }
  expect(await send(7)).toEqual({ errorCode: ErrorCode.NONE, baseOffset: 7 })
  client.close()
})
