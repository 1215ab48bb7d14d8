// Groups as real clients live in them: kafkajs and kcat (librdkafka) read, share, take over, and administer.

import { Consumer as PlatformaticConsumer } from '@platformatic/kafka'
import type { Consumer, Kafka } from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import { kafkajs } from '../clients/kafkajs.ts'
import { runCommand, Server } from '../support/commands.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf } from '../support/harness.ts'

const FAST = { 'group.initial.rebalance.delay.ms': 0, 'offsets.topic.num.partitions': 5 }
const PARTITIONS = 4

const undo: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const task of undo.splice(0).reverse()) await task()
})

async function started(): Promise<Bench> {
  const bench = await Bench.start({ config: FAST })
  undo.push(() => bench[Symbol.asyncDispose]())
  await bench.createTopic('t', PARTITIONS)
  return bench
}

async function fill(bench: Bench, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    await bench.produce('t', batchOf([`v${i}`]), { partition: i % PARTITIONS })
  }
}

interface Member {
  readonly consumer: Consumer
  readonly seen: string[]
  partitions: number[]
}

/** A kafkajs consumer that notes what it reads and what it was assigned. */
async function join(kafka: Kafka, groupId: string): Promise<Member> {
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: 10_000,
    heartbeatInterval: 100,
    maxWaitTimeInMs: 100,
  })
  const member: Member = { consumer, seen: [], partitions: [] }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.partitions = payload.memberAssignment.t ?? []
  })
  undo.push(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ message }) => {
      member.seen.push(message.value!.toString())
    },
  })
  return member
}

const values = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `v${from + i}`).sort()
const until = (condition: () => boolean | Promise<boolean>) =>
  eventually(async () => (await condition()) || undefined)

describe('groups: kafkajs', () => {
  it('reads everything, and goes on where its group left off', async () => {
    const bench = await started()
    await fill(bench, 0, 20)
    const kafka = kafkajs(bench.broker.address)
    const first = await join(kafka, 'g')
    await until(() => first.seen.length >= 20)
    expect([...first.seen].sort()).toEqual(values(0, 20))
    await first.consumer.disconnect()
    await fill(bench, 20, 30)
    const second = await join(kafka, 'g')
    await until(() => second.seen.length >= 10)
    expect([...second.seen].sort()).toEqual(values(20, 30))
  })

  it('two members share the partitions, and one takes over what the other leaves', async () => {
    const bench = await started()
    const kafka = kafkajs(bench.broker.address)
    const a = await join(kafka, 'g')
    await until(() => a.partitions.length === PARTITIONS)
    const b = await join(kafka, 'g')
    await until(() => a.partitions.length === 2 && b.partitions.length === 2)
    expect([...a.partitions, ...b.partitions].sort()).toEqual([0, 1, 2, 3])
    await fill(bench, 0, 20)
    await until(() => a.seen.length + b.seen.length >= 20)
    expect([...a.seen, ...b.seen].sort()).toEqual(values(0, 20))
    await a.consumer.disconnect()
    await until(() => b.partitions.length === PARTITIONS)
    await fill(bench, 20, 30)
    await until(() => a.seen.length + b.seen.length >= 30)
    expect([...a.seen, ...b.seen].sort()).toEqual(values(0, 30))
  })

  it('its admin lists, describes, resets and deletes groups', async () => {
    const bench = await started()
    await fill(bench, 0, 8)
    const kafka = kafkajs(bench.broker.address)
    const member = await join(kafka, 'g')
    await until(() => member.seen.length >= 8)
    const admin = kafka.admin()
    await admin.connect()
    undo.push(() => admin.disconnect())
    expect((await admin.listGroups()).groups).toEqual([{ groupId: 'g', protocolType: 'consumer' }])
    const { groups } = await admin.describeGroups(['g'])
    expect(groups[0]).toMatchObject({ state: 'Stable', protocol: 'RoundRobinAssigner' })
    expect(groups[0]!.members.map(({ clientId, clientHost }) => [clientId, clientHost])).toEqual([
      ['kafkajs', '/127.0.0.1'],
    ])
    await member.consumer.disconnect()
    const offsets = async () => {
      const [topic] = await admin.fetchOffsets({ groupId: 'g', topics: ['t'] })
      return topic!.partitions.map(({ offset }) => offset)
    }
    expect(await offsets()).toEqual(['2', '2', '2', '2'])
    await admin.resetOffsets({ groupId: 'g', topic: 't', earliest: true })
    const again = await join(kafka, 'g')
    await until(() => again.seen.length >= 8)
    await again.consumer.disconnect()
    await admin.deleteGroups(['g'])
    expect((await admin.listGroups()).groups).toEqual([])
  })
})

describe('groups: kcat', () => {
  it('reads everything in a group, and goes on where its group left off', async () => {
    const bench = await started()
    const read = async () => {
      const { stdout } = await runCommand(
        'kcat',
        // biome-ignore format: an option and its value
        ['-b', bench.broker.address, '-q', '-e', '-f', '%s\\n', '-X', 'auto.offset.reset=earliest',
          '-X', 'session.timeout.ms=10000', '-G', 'k', 't'],
      )
      return stdout.toString().trim().split('\n').sort()
    }
    await fill(bench, 0, 20)
    expect(await read()).toEqual(values(0, 20))
    await fill(bench, 20, 30)
    expect(await read()).toEqual(values(20, 30))
  })

  it('shares with a second member', async () => {
    const bench = await started()
    const members = [0, 1].map(() => {
      const options = ['-X', 'auto.offset.reset=earliest', '-G', 'k', 't']
      const member = new Server('kcat', [
        '-b',
        bench.broker.address,
        '-u',
        '-f',
        '%s\\n',
        ...options,
      ])
      undo.push(() => member.end('SIGTERM'))
      return member
    })
    const seen = () => members.flatMap(({ said }) => said.match(/^v\d+$/gm) ?? []).sort()
    const admin = kafkajs(bench.broker.address).admin()
    await admin.connect()
    undo.push(() => admin.disconnect())
    await until(async () => {
      const { groups } = await admin.describeGroups(['k'])
      return groups[0]!.state === 'Stable' && groups[0]!.members.length === 2
    })
    await fill(bench, 0, 20)
    await until(() => seen().length >= 20)
    expect(seen()).toEqual(values(0, 20))
  })
})

describe('groups: platformatic', () => {
  it('reads everything in a group, and goes on where its group left off', async () => {
    const bench = await started()
    const read = async (count: number) => {
      const consumer = new PlatformaticConsumer({
        clientId: 'platformatic',
        groupId: 'p',
        bootstrapBrokers: [bench.broker.address],
        retries: 60,
        retryDelay: 50,
      })
      const stream = await consumer.consume({
        topics: ['t'],
        mode: 'committed',
        fallbackMode: 'earliest',
        maxWaitTime: 100,
        autocommit: false,
      })
      const seen: string[] = []
      for await (const message of stream) {
        seen.push(message.value.toString())
        await message.commit()
        if (seen.length === count) break
      }
      await consumer.close(true)
      return seen.sort()
    }
    await fill(bench, 0, 20)
    expect(await read(20)).toEqual(values(0, 20))
    await fill(bench, 20, 30)
    expect(await read(10)).toEqual(values(20, 30))
  })
})
