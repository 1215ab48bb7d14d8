// Settings of a broker and of the cluster's default that change while it runs: the next request meets them, DescribeConfigs
// says where they come from, a restart keeps them, and what may not change is refused in Kafka's words.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CONFIG_SOURCE } from '../../../src/config/describe.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { DescribeConfigs, IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf } from '../support/harness.ts'
import type { RawClient } from '../support/raw_client.ts'

const TOPIC = 2
const BROKER = 4
const [SET, DELETE] = [0, 1]
const CLUSTER = ''
const THIS_BROKER = '1'

/** Sets keys of a broker, or of the cluster's default; null goes back. */
async function alter(client: RawClient, name: string, changes: Record<string, string | null>) {
  const configs = Object.entries(changes).map(([key, value]) => ({
    name: key,
    configOperation: value === null ? DELETE : SET,
    value,
  }))
  const { responses } = await client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: BROKER, resourceName: name, configs }],
  })
  const { errorCode, errorMessage } = responses[0]!
  return { errorCode, errorMessage }
}

async function set(bench: Bench, name: string, changes: Record<string, string | null>) {
  const answer = await alter(bench.client, name, changes)
  expect(answer).toEqual({ errorCode: ErrorCode.NONE, errorMessage: null })
}

async function describeOne(bench: Bench, resourceType: number, resourceName: string, key: string) {
  const { results } = await bench.client.ask(DescribeConfigs, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: [key] }],
    includeSynonyms: true,
  })
  const found = results[0]!.configs[0]
  const synonyms = found?.synonyms.map(({ name, value, source }) => [name, value, source])
  return found && { value: found.value, source: found.configSource, synonyms }
}

const closes = async (bench: Bench) => {
  const client = await bench.connect()
  await client.ended()
}

/** One more connection is served. */
const serves = async (bench: Bench) => {
  const client = await bench.connect()
  await client.ask(DescribeConfigs, 4, { resources: [] })
}

describe('what topics inherit', () => {
  test('the size of batches: the topic before the broker before the cluster before the file', async () => {
    await using bench = await Bench.start({ config: { 'message.max.bytes': 5000 } })
    await bench.createTopic('plain')
    await bench.createTopic('own', 1, { 'max.message.bytes': '4000' })
    const fits = async (topic: string, bytes: number) => {
      const { errorCode } = await bench.produce(topic, batchOf(['x'.repeat(bytes)]))
      return errorCode === ErrorCode.NONE
    }
    const see = () => describeOne(bench, TOPIC, 'plain', 'max.message.bytes')
    expect(await fits('plain', 3000)).toBe(true)
    expect(await see()).toMatchObject({ value: '5000', source: CONFIG_SOURCE.STATIC_BROKER })
    await set(bench, CLUSTER, { 'message.max.bytes': '1000' })
    expect(await fits('plain', 3000)).toBe(false)
    expect(await fits('own', 3000)).toBe(true)
    expect(await see()).toMatchObject({
      value: '1000',
      source: CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER,
    })
    await set(bench, THIS_BROKER, { 'message.max.bytes': '2000' })
    expect(await fits('plain', 1500)).toBe(true)
    expect(await fits('plain', 3000)).toBe(false)
    expect(await see()).toEqual({
      value: '2000',
      source: CONFIG_SOURCE.DYNAMIC_BROKER,
      synonyms: [
        ['message.max.bytes', '2000', CONFIG_SOURCE.DYNAMIC_BROKER],
        ['message.max.bytes', '1000', CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER],
        ['message.max.bytes', '5000', CONFIG_SOURCE.STATIC_BROKER],
        ['message.max.bytes', '1048588', CONFIG_SOURCE.DEFAULT],
      ],
    })
    expect(await describeOne(bench, BROKER, CLUSTER, 'message.max.bytes')).toMatchObject({
      value: '1000',
      source: CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER,
    })
    await set(bench, THIS_BROKER, { 'message.max.bytes': null })
    expect(await fits('plain', 1500)).toBe(false)
    await set(bench, CLUSTER, { 'message.max.bytes': null })
    expect(await fits('plain', 3000)).toBe(true)
    expect(await see()).toMatchObject({ value: '5000', source: CONFIG_SOURCE.STATIC_BROKER })
  })

  test('whose clock stamps, and how far stamps may be off', async () => {
    await using bench = await Bench.start()
    await bench.createTopic('log')
    const late = () => batchOf(['a'], { timestamp: 1000 })
    expect((await bench.produce('log', late())).logAppendTimeMs).toBe(-1)
    await set(bench, CLUSTER, { 'log.message.timestamp.before.max.ms': '60000' })
    expect((await bench.produce('log', late())).errorCode).toBe(ErrorCode.INVALID_TIMESTAMP)
    await set(bench, CLUSTER, { 'log.message.timestamp.type': 'LogAppendTime' })
    const stamped = await bench.produce('log', late())
    expect(stamped.errorCode).toBe(ErrorCode.NONE)
    expect(stamped.logAppendTimeMs).toBeGreaterThan(1000)
  })

  test('policies: keys are asked for as soon as the default says compact', async () => {
    await using bench = await Bench.start()
    await bench.createTopic('log')
    await set(bench, CLUSTER, { 'log.cleanup.policy': 'compact' })
    expect((await bench.produce('log', batchOf(['a']))).errorCode).toBe(ErrorCode.INVALID_RECORD)
    await set(bench, CLUSTER, { 'log.cleanup.policy': null })
    expect((await bench.produce('log', batchOf(['a']))).errorCode).toBe(ErrorCode.NONE)
  })

  test('segments: open logs roll at the new size', async () => {
    await using bench = await Bench.start()
    await bench.createTopic('log')
    const files = (suffix: string) =>
      readdirSync(join(bench.broker.directory, 'log-0')).filter((name) => name.endsWith(suffix))
    const half = () => bench.produce('log', batchOf(['x'.repeat(700_000)]))
    for (let times = 0; times < 2; times++) await half()
    expect(files('.log')).toHaveLength(1)
    await set(bench, CLUSTER, { 'log.segment.bytes': '1048576' })
    for (let times = 0; times < 2; times++) await half()
    expect(files('.log')).toHaveLength(3)
  })

  test('what a new topic is told of itself', async () => {
    await using bench = await Bench.start()
    await set(bench, CLUSTER, { 'min.insync.replicas': '2', 'log.retention.ms': '12345' })
    const { topics } = await bench.client.ask(CreateTopics, 7, {
      topics: [{ name: 'told', numPartitions: 1, replicationFactor: 1 }],
      timeoutMs: 10_000,
    })
    const told = new Map(topics[0]!.configs!.map(({ name, ...rest }) => [name, rest]))
    const source = CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER
    expect(told.get('min.insync.replicas')).toMatchObject({ value: '2', configSource: source })
    expect(told.get('retention.ms')).toMatchObject({ value: '12345', configSource: source })
  })
})

describe('connections', () => {
  test('the maximum of all changes at once; whoever is there stays', async () => {
    await using bench = await Bench.start()
    await serves(bench)
    await set(bench, CLUSTER, { 'max.connections': '2' })
    await closes(bench)
    await set(bench, THIS_BROKER, { 'max.connections': '3' })
    await serves(bench)
    await closes(bench)
    await set(bench, CLUSTER, { 'max.connections': '1' })
    await set(bench, THIS_BROKER, { 'max.connections': null })
    await closes(bench)
    await set(bench, CLUSTER, { 'max.connections': null })
    await serves(bench)
  })

  test('integration: config: an address may have a maximum of its own', async () => {
    await using bench = await Bench.start({
      config: { 'max.connections.per.ip': 1, 'max.connections.per.ip.overrides': '127.0.0.1:2' },
    })
    await serves(bench)
    await closes(bench)
    await set(bench, CLUSTER, { 'max.connections.per.ip.overrides': '10.0.0.1:5,localhost:3' })
    await serves(bench)
    await closes(bench)
    await set(bench, CLUSTER, { 'max.connections.per.ip': '4' })
    await closes(bench)
    await set(bench, CLUSTER, { 'max.connections.per.ip.overrides': '' })
    await serves(bench)
    await closes(bench)
  })
})

describe('what is refused', () => {
  const { INVALID_REQUEST } = ErrorCode

  test('what only a restart changes, what belongs to one broker, and what cannot be', async () => {
    await using bench = await Bench.start()
    const refusals: [string, Record<string, string>, RegExp][] = [
      [CLUSTER, { 'num.partitions': '3' }, /^Cannot update these configs dynamically: .*num\.part/],
      [THIS_BROKER, { 'node.id': '3' }, /^Cannot update these configs dynamically: .*node\.id/],
      [
        CLUSTER,
        { 'message.max.bytes': 'big' },
        /^Invalid value big for configuration message\.max/,
      ],
      [CLUSTER, { 'message.max.bytes': '-1' }, /^Invalid value -1 for configuration message\.max/],
      [THIS_BROKER, { 'max.connections.per.ip': '0' }, /max\.connections\.per\.ip/],
      [CLUSTER, { 'max.connections.per.ip.overrides': '127.0.0.1' }, /max\.connections\.per\.ip/],
    ]
    for (const [name, changes, message] of refusals) {
      const { errorCode, errorMessage } = await alter(bench.client, name, changes)
      expect([name, changes, errorCode]).toEqual([name, changes, INVALID_REQUEST])
      expect(errorMessage).toMatch(message)
    }
    // One bad key takes the good ones of its resource with it.
    const both = { 'message.max.bytes': '100', 'num.partitions': '3' }
    expect((await alter(bench.client, CLUSTER, both)).errorCode).toBe(INVALID_REQUEST)
    expect(await describeOne(bench, BROKER, THIS_BROKER, 'message.max.bytes')).toMatchObject({
      source: CONFIG_SOURCE.DEFAULT,
    })
  })

  test('threads at most double or halve in one step', async () => {
    await using bench = await Bench.start()
    const refused = async (value: string) => {
      const { errorCode, errorMessage } = await alter(bench.client, CLUSTER, {
        'num.io.threads': value,
      })
      expect(errorCode).toBe(INVALID_REQUEST)
      return errorMessage
    }
    const failed = 'Dynamic thread count update validation failed for num.io.threads='
    expect(await refused('17')).toBe(
      `${failed}17, value should not be greater than double the current value 8`,
    )
    expect(await refused('3')).toBe(`${failed}3, value should be at least half the current value 8`)
    await set(bench, CLUSTER, { 'num.io.threads': '16' })
    await set(bench, CLUSTER, { 'num.io.threads': '32' })
    const { errorCode } = await alter(bench.client, CLUSTER, { 'num.io.threads': null })
    expect(errorCode).toBe(INVALID_REQUEST)
  })
})

test('a restart keeps what was set', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-dynamic-'))
  {
    await using bench = await Bench.start({ directory })
    await bench.createTopic('log')
    await set(bench, CLUSTER, { 'message.max.bytes': '1000', 'max.connections': '2' })
    await set(bench, THIS_BROKER, { 'log.message.timestamp.type': 'LogAppendTime' })
  }
  {
    await using bench = await Bench.start({ directory })
    await serves(bench)
    await closes(bench)
    const large = await eventually(async () => {
      const { errorCode } = await bench.produce('log', batchOf(['x'.repeat(2000)]))
      return errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER ? undefined : errorCode
    })
    expect(large).toBe(ErrorCode.MESSAGE_TOO_LARGE)
    expect((await bench.produce('log', batchOf(['a']))).logAppendTimeMs).toBeGreaterThan(0)
    const key = 'log.message.timestamp.type'
    const source = CONFIG_SOURCE.DYNAMIC_BROKER
    expect(await describeOne(bench, BROKER, THIS_BROKER, key)).toMatchObject({ source })
  }
  rmSync(directory, { recursive: true })
})
