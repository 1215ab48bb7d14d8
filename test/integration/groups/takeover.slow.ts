// A group goes with its directory from Apache Kafka to us and back: each begins where the other's consumers ended.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { DescribeGroups, FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { Kafka, kafkaTool, startKafka } from '../../oracle/kafka/kafka.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { freePorts } from '../support/commands.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/raw_client.ts'

const DEADLINE = { timeoutMs: 120_000 }

async function produce(address: string, from: number, to: number): Promise<void> {
  const input = Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join('')
  const args = ['--bootstrap-server', address, '--topic', 't']
  await kafkaTool('ConsoleProducer', args, { ...DEADLINE, input })
}

/** What a new member of the group reads before it leaves. */
async function consume(address: string, count: number): Promise<number[]> {
  const group = ['--group', 'g', '--from-beginning', '--max-messages', String(count)]
  const { stdout } = await kafkaTool(
    'consumer.ConsoleConsumer',
    ['--bootstrap-server', address, '--topic', 't', ...group],
    DEADLINE,
  )
  return stdout.toString().trim().split('\n').map(Number)
}

/** The group's state and its offset. */
async function groupOf(address: string): Promise<{ state: string; offset: bigint }> {
  return await eventually(async () => {
    const client = await RawClient.open(address)
    await client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['g'] })
    const { groups } = await client.ask(DescribeGroups, 5, { groups: ['g'] })
    const fetched = await client.ask(OffsetFetch, 8, { groups: [{ groupId: 'g', topics: null }] })
    client.close()
    const { errorCode, groupState } = groups[0]!
    const offset = fetched.groups[0]!.topics[0]?.partitions[0]?.committedOffset
    if (errorCode !== ErrorCode.NONE || offset === undefined) return undefined
    return { state: groupState, offset }
  })
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

test('groups: takeover: a group goes from Apache Kafka to us and back', {
  timeout: 600_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-takeover-'))
  const port = await freePorts()
  const file = join(directory, 'server.properties')
  try {
    const first = await startKafka({ directory, port, quorum: 'dynamic' })
    try {
      await createTopic(first.address, 't', 1)
      await produce(first.address, 0, 10)
      expect(await consume(first.address, 4)).toEqual(range(0, 4))
      expect(await groupOf(first.address)).toEqual({ state: 'Empty', offset: 4n })
      await first.stop()
    } finally {
      await first.kill()
    }
    const ours = await BrokerProcess.start({ file, port, directory })
    try {
      expect(await groupOf(ours.address)).toEqual({ state: 'Empty', offset: 4n })
      expect(await consume(ours.address, 3)).toEqual(range(4, 7))
      expect(await groupOf(ours.address)).toEqual({ state: 'Empty', offset: 7n })
      await ours.stop()
    } finally {
      await ours[Symbol.asyncDispose]()
    }
    const again = await Kafka.start(file, port)
    try {
      expect(await groupOf(again.address)).toEqual({ state: 'Empty', offset: 7n })
      expect(await consume(again.address, 3)).toEqual(range(7, 10))
      await again.stop()
    } finally {
      await again.kill()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
