// Kafka's own tool resets, deletes and exports the offsets of our groups: every way of saying where, what is printed, and
// what it refuses.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { JoinGroup, LeaveGroup, SyncGroup } from '../../../src/protocol/messages/classic_group.ts'
import { DeleteRecords } from '../../../src/protocol/messages/offsets.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { kafkaTool } from '../../oracle/kafka/kafka.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { batchOf, produceBody } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

const RECORDS = 10
const SUBSCRIPTION = Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 1, 116, 255, 255, 255, 255, 0, 0, 0, 0])

/** Lines of a table, each cut at its blanks. */
const rowsOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first !== '')

/** The rows of a group in a table: partition, then the number in the column. */
const offsetsIn = (text: string, column: number) =>
  Object.fromEntries(
    rowsOf(text)
      .filter(([group, topic]) => group === 'g' && topic === 't')
      .map((row) => [row[2]!, Number(row[column])]),
  )

test('behaviour: resets: the offsets of a group go wherever Kafka’s tool says', {
  timeout: 600_000,
}, async () => {
  await using broker = await BrokerProcess.start()
  await createTopic(broker.address, 't', 2)
  const client = await RawClient.open(broker.address)
  const began = Date.now() - RECORDS * 1000
  for (const partition of [0, 1]) {
    for (let at = 0; at < RECORDS; at++) {
      const batch = batchOf(['x'], { timestamp: began + at * 1000 })
      const { responses } = await client.ask(Produce, 9, produceBody('t', partition, batch))
      expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
    }
  }
  await client.ask(DeleteRecords, 2, {
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 2n }] }],
    timeoutMs: 5000,
  })

  const run = async (...args: string[]) => {
    const { stdout, stderr } = await kafkaTool(
      'consumer.group.ConsumerGroupCommand',
      ['--bootstrap-server', broker.address, ...args],
      { timeoutMs: 120_000, mayFail: true },
    )
    return `${stdout}\n${stderr}`
  }
  const reset = (...args: string[]) => run('--group', 'g', '--reset-offsets', ...args)
  /** What it says the new offsets are, done. */
  const done = async (...args: string[]) =>
    offsetsIn(await reset('--topic', 't', '--execute', ...args), 3)
  const current = async () => offsetsIn(await run('--group', 'g', '--describe', '--offsets'), 3)

  expect(await done('--to-latest')).toEqual({ 0: 10, 1: 10 })
  expect(await done('--to-earliest')).toEqual({ 0: 2, 1: 0 })
  expect(await current()).toEqual({ 0: 2, 1: 0 })
  expect(await done('--to-offset', '5')).toEqual({ 0: 5, 1: 5 })
  // Beyond either end of a log the end is taken.
  expect(await done('--to-offset', '1')).toEqual({ 0: 2, 1: 1 })
  expect(await done('--to-offset', '99')).toEqual({ 0: 10, 1: 10 })
  expect(await done('--shift-by', '-3')).toEqual({ 0: 7, 1: 7 })
  expect(await done('--to-current')).toEqual({ 0: 7, 1: 7 })
  const fourth = new Date(began + 4000).toISOString()
  expect(await done('--to-datetime', fourth)).toEqual({ 0: 4, 1: 4 })
  expect(await done('--by-duration', 'PT1H')).toEqual({ 0: 2, 1: 0 })
  const dry = await reset('--topic', 't:1', '--to-offset', '8', '--dry-run')
  expect(offsetsIn(dry, 3)).toEqual({ 1: 8 })
  expect(await current()).toEqual({ 0: 2, 1: 0 })
  const exported = await reset('--all-topics', '--to-offset', '6', '--export', '--dry-run')
  const lines = exported.split('\n').filter((line) => /^"?t"?,/.test(line))
  expect(lines.map((line) => line.replaceAll('"', '')).sort()).toEqual(['t,0,6', 't,1,6'])
  const file = join(broker.directory, 'offsets.csv')
  writeFileSync(file, 't,0,3\nt,1,9\n')
  expect(offsetsIn(await reset('--from-file', file, '--execute'), 3)).toEqual({ 0: 3, 1: 9 })
  expect(await current()).toEqual({ 0: 3, 1: 9 })

  // While somebody is in the group nothing of it may be moved.
  const body = { groupId: 'g', sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 300_000 }
  const { memberId, generationId } = await client.ask(JoinGroup, 3, {
    ...body,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: SUBSCRIPTION }],
  })
  const assignment = Uint8Array.of(0, 0, 0, 0, 0, 0, 255, 255, 255, 255)
  const assignments = [{ memberId, assignment }]
  await client.ask(SyncGroup, 3, { groupId: 'g', generationId, memberId, assignments })
  const busy = await reset('--topic', 't', '--to-latest', '--execute')
  expect(busy).toMatch(/Assignments can only be reset if the group 'g' is inactive.*Stable/)
  expect(await run('--group', 'g', '--delete')).toMatch(/could not be deleted.*not empty/is)
  await client.ask(LeaveGroup, 3, { groupId: 'g', members: [{ memberId }] })

  const removed = await run('--group', 'g', '--delete-offsets', '--topic', 't:0')
  expect(rowsOf(removed)).toContainEqual(['t', '0', 'Successful'])
  expect(await current()).toEqual({ 1: 9 })
  const unknown = await run('--group', 'g', '--delete-offsets', '--topic', 'nowhere')
  expect(unknown).toMatch(/nowhere.*(does not exist|This server does not host)/is)
  expect(await run('--group', 'g', '--delete')).toMatch(/Deletion of requested.*successful/)
  expect(await run('--list')).not.toMatch(/^g$/m)
  expect(await run('--group', 'g', '--delete')).toMatch(/could not be deleted.*GroupIdNotFound/is)
  client.close()
})
