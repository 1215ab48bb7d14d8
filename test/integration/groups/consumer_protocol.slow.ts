// Java's consumers of the new protocol (KIP-848) on our groups: they read everything once, Kafka's tools see a group of
// type consumer, and Kafka's dump-log reads its records back.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { partitionOf } from '../../../src/host/shard_registry.ts'
import { kafkaTool } from '../../oracle/kafka/kafka.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'

const COUNT = 500

test('groups: consumer protocol: Apache Kafka reads in a group of KIP-848 and describes it', {
  timeout: 300_000,
}, async () => {
  await using broker = await BrokerProcess.start()
  const server = ['--bootstrap-server', broker.address]
  await createTopic(broker.address, 't', 4)
  const tool = async (name: string, args: readonly string[], input?: string) => {
    const { stdout } = await kafkaTool(name, [...server, ...args], {
      timeoutMs: 120_000,
      ...(input === undefined ? {} : { input }),
    })
    return stdout.toString()
  }
  const lines = Array.from({ length: COUNT }, (_, each) => `v${each}`).join('\n')
  await tool('ConsoleProducer', ['--topic', 't'], `${lines}\n`)

  const group = ['--topic', 't', '--group-id', 'g', '--group-protocol', 'consumer']
  const limits = ['--max-messages', String(COUNT), '--reset-policy', 'earliest']
  const said = (await tool('VerifiableConsumer', [...group, ...limits]))
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { name: string; count?: number; partitions?: unknown[] })
  const consumed = said.filter(({ name }) => name === 'records_consumed')
  expect(consumed.reduce((sum, { count }) => sum + count!, 0)).toBe(COUNT)
  const assigned = said.filter(({ name }) => name === 'partitions_assigned')
  expect(assigned.flatMap(({ partitions }) => partitions!).length).toBe(4)

  const groups = (...args: string[]) => tool('consumer.group.ConsumerGroupCommand', args)
  expect(await groups('--list', '--type')).toMatch(/g\s+Consumer/)
  expect(await groups('--describe', '--group', 'g', '--state')).toMatch(/g\s.*uniform\s+Empty\s+0/)
  const offsets = await groups('--describe', '--group', 'g')
  const committed = [...offsets.matchAll(/^g\s+t\s+\d\s+(\d+)/gm)].map(([, offset]) =>
    Number(offset),
  )
  expect(committed.reduce((sum, each) => sum + each, 0)).toBe(COUNT)

  // The decoder names what it reads: group, members, targets, what members have.
  const place = join(broker.directory, `__consumer_offsets-${partitionOf('g', 50)}`)
  const files = readdirSync(place).filter((name) => name.endsWith('.log'))
  const paths = files.map((name) => join(place, name)).join(',')
  const decoded = ['--offsets-decoder', '--print-data-log', '--files', paths]
  const records = (await kafkaTool('DumpLogSegments', decoded)).stdout.toString()
  for (const type of [3, 5, 6, 7, 8]) expect(records).toMatch(new RegExp(`"type":"?${type}"?\\D`))
  expect(records).toContain('"subscribedTopicNames":["t"]')
  await groups('--group', 'g', '--delete')
  expect(await groups('--list')).not.toMatch(/^g\s*$/m)
})
