// Each setting that claims an effect shows it here, on a running broker. The names are those that src/config's tables
// give; test/unit/config/states.test.ts keeps the two together.

import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bootstrapRecords } from '../../../src/host/formatting.ts'
import { StartRefused, startBroker } from '../../../src/index.ts'
import { metadataRecord } from '../../../src/metadata/record.ts'
import { encodeSnapshot } from '../../../src/metadata/snapshot.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { DescribeLogDirs } from '../../../src/protocol/messages/cluster.ts'
import {
  DescribeCluster,
  DescribeTopicPartitions,
  Metadata,
} from '../../../src/protocol/messages/metadata.ts'
import { Fetch } from '../../../src/protocol/messages/produce_fetch.ts'
import { DescribeQuorum } from '../../../src/protocol/messages/quorum.ts'
import { DeleteTopics } from '../../../src/protocol/messages/topics.ts'
import { sealBatch } from '../../../src/protocol/record_batch.ts'
import { eventually, pause } from '../support/eventually.ts'
import { Bench, batchOf } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

const own = (config: Record<string, string | number | boolean>) => Bench.start({ config })
const temporary = () => mkdtempSync(join(tmpdir(), 'ottla-config-'))
const HOUR = 3_600_000

/** How many of our own descriptors are of what is wanted. */
function descriptors(isWanted: (target: string) => boolean): number {
  const isOne = (descriptor: string) => {
    try {
      return isWanted(readlinkSync(`/proc/self/fd/${descriptor}`))
    } catch {
      return false // closed since it was listed
    }
  }
  return readdirSync('/proc/self/fd').filter(isOne).length
}

describe('identity and addresses', () => {
  test('integration: config: node id is registered', async () => {
    await using bench = await own({ 'node.id': 42 })
    const { brokers } = await bench.client.ask(Metadata, 1, { topics: [] })
    expect(brokers.map(({ nodeId }) => nodeId)).toEqual([42])
  })

  test('integration: config: rack is told in metadata', async () => {
    await using bench = await own({ 'broker.rack': 'north' })
    const { brokers } = await bench.client.ask(Metadata, 1, { topics: [] })
    expect(brokers[0]!.rack).toBe('north')
  })

  test('integration: config: listeners are bound', async () => {
    await using bench = await own({
      listeners: 'PLAINTEXT://127.0.0.1:0,INSIDE://127.0.0.1:0,CONTROLLER://127.0.0.1:0',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT',
    })
    const inside = await bench.connect('INSIDE')
    const { brokers } = await inside.ask(Metadata, 1, { topics: [] })
    expect(`127.0.0.1:${brokers[0]!.port}`).toBe(bench.broker.listeners.INSIDE)
  })

  test('integration: config: listener names map to protocols', async () => {
    await using bench = await own({
      listeners: 'OUTSIDE://127.0.0.1:0,CONTROLLER://127.0.0.1:0',
      'listener.security.protocol.map': 'OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name': 'OUTSIDE',
    })
    expect(Object.keys(bench.broker.listeners)).toContain('OUTSIDE')
  })

  test('integration: config: inter broker listener is the registered one', async () => {
    const listeners = 'ONE://127.0.0.1:0,TWO://127.0.0.1:0,CONTROLLER://127.0.0.1:0'
    const map = 'ONE:PLAINTEXT,TWO:PLAINTEXT,CONTROLLER:PLAINTEXT'
    await using bench = await own({
      listeners,
      'listener.security.protocol.map': map,
      'inter.broker.listener.name': 'TWO',
    })
    expect(Object.keys(bench.broker.listeners).sort()).toEqual(['CONTROLLER', 'ONE', 'TWO'])
    const wrong = own({
      listeners,
      'listener.security.protocol.map': map,
      'inter.broker.listener.name': 'THREE',
    })
    await expect(wrong).rejects.toThrow('inter.broker.listener.name')
  })

  test('integration: config: advertised listeners are what metadata tells', async () => {
    // A port that was free a moment ago: what is advertised leads nowhere, so the bound one must be known.
    const { port } = await Bench.start().then(async (bench) => {
      await bench[Symbol.asyncDispose]()
      return bench.broker
    })
    const broker = await startBroker({
      config: {
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:0`,
        'advertised.listeners': 'PLAINTEXT://broker.example:1234',
      },
    })
    const client = await RawClient.open(`127.0.0.1:${port}`)
    const { brokers } = await client.ask(Metadata, 1, { topics: [] })
    expect(brokers[0]).toMatchObject({ host: 'broker.example', port: 1234 })
    client.close()
    await broker.close()
  })

  test('integration: config: controller listener is served apart', async () => {
    await using bench = await Bench.start()
    const controller = await bench.connect('CONTROLLER')
    const cluster = await controller.ask(DescribeCluster, 1, { endpointType: 2 })
    expect(cluster.brokers.map(({ brokerId }) => brokerId)).toEqual([1])
    controller.send(Metadata, 1, { topics: [] })
    await controller.ended()
  })

  test('integration: config: roles decide what runs', async () => {
    for (const roles of ['broker', 'controller']) {
      await expect(own({ 'process.roles': roles })).rejects.toThrow()
    }
  })
})

describe('quorum', () => {
  const quorum = async (bench: Bench) => {
    const { topics } = await bench.client.ask(DescribeQuorum, 2, {
      topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
    })
    return topics[0]!.partitions[0]!
  }

  test('integration: config: bootstrap servers give a dynamic quorum', async () => {
    await using bench = await Bench.start()
    const { leaderId, currentVoters } = await quorum(bench)
    expect(leaderId).toBe(1)
    expect(currentVoters[0]).toMatchObject({ replicaId: 1 })
    expect(currentVoters[0]!.replicaDirectoryId).not.toBe('AAAAAAAAAAAAAAAAAAAAAA')
  })

  test('integration: config: voters give a static quorum', async () => {
    await using bench = await own({
      'controller.quorum.voters': '1@127.0.0.1:1',
      'controller.quorum.bootstrap.servers': '',
    })
    expect((await quorum(bench)).currentVoters.map(({ replicaId }) => replicaId)).toEqual([1])
    expect(readdirSync(join(bench.broker.directory, '__cluster_metadata-0'))).not.toContain(
      '00000000000000000000-0000000000.checkpoint',
    )
  })
})

describe('directories', () => {
  test('integration: config: data lives in log.dir', async () => {
    const directory = temporary()
    {
      await using bench = await own({ 'log.dir': directory, 'log.dirs': '' }).catch(() =>
        own({ 'log.dirs': directory }),
      )
      await bench.createTopic('here')
      expect(existsSync(join(directory, 'here-0'))).toBe(true)
    }
    rmSync(directory, { recursive: true })
  })

  test('integration: config: partitions spread over log.dirs', async () => {
    const directories = [temporary(), temporary()]
    {
      await using bench = await own({ 'log.dirs': directories.join(',') })
      await bench.createTopic('spread', 4)
      const { results } = await bench.client.ask(DescribeLogDirs, 4, { topics: null })
      const counts = results.map(({ topics }) => topics[0]?.partitions.length)
      expect(counts).toEqual([2, 2])
      expect(results[0]!.totalBytes).toBeGreaterThan(0)
    }
    for (const directory of directories) rmSync(directory, { recursive: true })
  })

  test('integration: config: metadata log directory', async () => {
    const directory = temporary()
    {
      await using bench = await own({ 'metadata.log.dir': directory })
      expect(existsSync(join(directory, '__cluster_metadata-0'))).toBe(true)
      expect(existsSync(join(bench.broker.directory, '__cluster_metadata-0'))).toBe(false)
    }
    rmSync(directory, { recursive: true })
  })
})

describe('topics', () => {
  test('integration: config: partitions of a topic without a count', async () => {
    await using bench = await own({ 'num.partitions': 7 })
    await bench.createTopic('many', -1)
    const { topics } = await bench.client.ask(Metadata, 1, { topics: [{ name: 'many' }] })
    expect(topics[0]!.partitions).toHaveLength(7)
  })

  test('integration: config: replicas of a topic without a factor', async () => {
    await using bench = await own({ 'default.replication.factor': 3 })
    const { CreateTopics } = await import('../../../src/protocol/messages/topics.ts')
    const { topics } = await bench.client.ask(CreateTopics, 7, {
      topics: [{ name: 'replicated', numPartitions: 1, replicationFactor: -1 }],
    })
    expect(topics[0]!.errorCode).toBe(ErrorCode.INVALID_REPLICATION_FACTOR)
  })

  test('integration: config: topics are created on first use', async () => {
    await using bench = await own({ 'auto.create.topics.enable': false })
    const ask = () => bench.client.ask(Metadata, 12, { topics: [{ name: 'never' }] })
    await ask()
    await bench.createTopic('barrier')
    expect((await ask()).topics[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('integration: config: topic deletion is refused', async () => {
    await using bench = await own({ 'delete.topic.enable': false })
    await bench.createTopic('kept')
    const { responses } = await bench.client.ask(DeleteTopics, 6, { topics: [{ name: 'kept' }] })
    expect(responses[0]!.errorCode).toBe(ErrorCode.TOPIC_DELETION_DISABLED)
  })

  test('integration: config: one answer describes at most this many partitions', async () => {
    await using bench = await own({ 'max.request.partition.size.limit': 3 })
    await bench.createTopic('long', 5)
    const first = await bench.client.ask(DescribeTopicPartitions, 0, { topics: [{ name: 'long' }] })
    expect(first.topics[0]!.partitions).toHaveLength(3)
    expect(first.nextCursor).toMatchObject({ topicName: 'long', partitionIndex: 3 })
  })
})

describe('produce', () => {
  test('integration: config: larger batches are refused', async () => {
    await using bench = await own({ 'message.max.bytes': 500 })
    await bench.createTopic('t')
    const { errorCode } = await bench.produce('t', batchOf(['x'.repeat(600)]))
    expect(errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE)
  })

  test('integration: config: batches keep the codec of their producer', async () => {
    await using bench = await Bench.start()
    await bench.createTopic('plain')
    await bench.produce('plain', batchOf(['x']))
    const { records } = await bench.fetch('plain', 0)
    expect(records![22]! & 7).toBe(0)
  })

  test('integration: config: records too far in the future are refused', async () => {
    await using bench = await own({ 'log.message.timestamp.after.max.ms': HOUR / 2 })
    await bench.createTopic('t')
    const batch = batchOf(['x'], { timestamp: Date.now() + HOUR * 0.75 })
    expect((await bench.produce('t', batch)).errorCode).toBe(ErrorCode.INVALID_TIMESTAMP)
  })

  test('integration: config: records too far in the past are refused', async () => {
    await using bench = await own({ 'log.message.timestamp.before.max.ms': HOUR })
    await bench.createTopic('t')
    const batch = batchOf(['x'], { timestamp: Date.now() - 2 * HOUR })
    expect((await bench.produce('t', batch)).errorCode).toBe(ErrorCode.INVALID_TIMESTAMP)
  })

  test('integration: config: timestamp type', async () => {
    await using bench = await own({ 'log.message.timestamp.type': 'LogAppendTime' })
    await bench.createTopic('t')
    const before = Date.now()
    const answer = await bench.produce('t', batchOf(['x'], { timestamp: 5 }))
    expect(Number(answer.logAppendTimeMs)).toBeGreaterThanOrEqual(before)
    const { decoded } = await bench.fetch('t', 0)
    expect(Number(decoded[0]!.timestamp)).toBe(Number(answer.logAppendTimeMs))
  })

  test('integration: config: produce validation', async () => {
    // A batch that claims gzip and holds none: its header is fine.
    const forged = batchOf(['not gzip at all'])
    forged[22] = 1
    sealBatch(forged, 0, forged.length)
    for (const [mode, code] of [
      ['header', ErrorCode.NONE],
      ['full', ErrorCode.CORRUPT_MESSAGE],
    ] as const) {
      await using bench = await own({ 'ottla.produce.validate': mode })
      await bench.createTopic('t')
      expect((await bench.produce('t', forged)).errorCode, mode).toBe(code)
    }
  })
})

describe('durability', () => {
  const SOON = { 'log.flush.offset.checkpoint.interval.ms': 100 }
  /** What the broker knows to be on the device, as its checkpoint tells. */
  const synced = (bench: Bench, expected: readonly string[]) =>
    eventually(async () => {
      const file = join(bench.broker.directory, 'recovery-point-offset-checkpoint')
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
      return expected.every((line) => lines.includes(line)) || undefined
    }, 20_000)

  test('integration: config: a topic asks for syncs by records and by time', async () => {
    await using bench = await own(SOON)
    const topics = { each: { 'flush.messages': '1' }, soon: { 'flush.ms': '100' }, never: {} }
    for (const [topic, configs] of Object.entries(topics)) {
      await bench.createTopic(topic, 1, configs)
      expect((await bench.produce(topic, batchOf(['x']))).errorCode).toBe(ErrorCode.NONE)
    }
    await synced(bench, ['each 0 1', 'soon 0 1', 'never 0 0'])
  })

  test('integration: config: flush.ms is looked at at its own pace', async () => {
    const ask = async (pace: number) => {
      const bench = await own({ ...SOON, 'log.flush.scheduler.interval.ms': pace })
      await bench.createTopic('t', 1, { 'flush.ms': '1' })
      await bench.createTopic('each', 1, { 'flush.messages': '1' })
      for (const topic of ['t', 'each']) await bench.produce(topic, batchOf(['x']))
      return bench
    }
    // A pace of its own, and none that comes true here: its second has passed when the other has been heard of.
    await using never = await ask(HOUR)
    await using often = await ask(50)
    await synced(often, ['t 0 1', 'each 0 1'])
    await pause(1500)
    await synced(never, ['t 0 0', 'each 0 1'])
  })

  test('integration: config: the broker asks for syncs by records and by time', async () => {
    const ask = async (config: Record<string, string | number>, expected: string) => {
      await using bench = await own({ ...SOON, ...config })
      await bench.createTopic('t')
      for (const _ of [1, 2]) await bench.produce('t', batchOf(['x']))
      await synced(bench, [expected])
    }
    await Promise.all([
      ask({ 'log.flush.interval.messages': 2 }, 't 0 2'),
      ask({ 'log.flush.interval.ms': 100 }, 't 0 2'),
    ])
  })
})

describe('fetch', () => {
  test('integration: config: fetch answers are bounded', async () => {
    await using bench = await own({ 'fetch.max.bytes': 1024 })
    await bench.createTopic('t')
    for (let index = 0; index < 10; index++) await bench.produce('t', batchOf(['x'.repeat(600)]))
    const { records } = await bench.fetch('t', 0)
    expect(records!.length).toBeLessThan(1500)
  })

  test('integration: config: fetch sessions are bounded', async () => {
    await using bench = await own({ 'max.incremental.fetch.session.cache.slots': 1 })
    await bench.createTopic('t')
    const full = async () => {
      const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
      const client = await bench.connect()
      const { sessionId } = await client.ask(Fetch, 11, {
        replicaId: -1,
        maxWaitMs: 0,
        maxBytes: 1000,
        topics: [{ topic: 't', partitions }],
        sessionEpoch: 0,
      })
      return sessionId
    }
    expect(await full()).not.toBe(0)
    expect(await full()).toBe(0)
  })
})

describe('connections', () => {
  const closes = async (bench: Bench) => {
    const client = await bench.connect()
    await client.ended()
  }

  test('integration: config: connections beyond the maximum are closed', async () => {
    await using bench = await own({ 'max.connections': 2 })
    await bench.connect()
    await closes(bench)
  })

  test('integration: config: connections beyond the maximum per address are closed', async () => {
    await using bench = await own({ 'max.connections.per.ip': 1 })
    await closes(bench)
  })

  test('integration: config: idle connection is closed', async () => {
    await using bench = await own({ 'connections.max.idle.ms': 200 })
    await bench.client.ended()
    expect(bench.client.isClosed).toBe(true)
  })

  test('integration: config: larger request closes the connection', async () => {
    await using bench = await own({ 'socket.request.max.bytes': 2000 })
    await bench.createTopic('t')
    await expect(bench.produce('t', batchOf(['x'.repeat(3000)]))).rejects.toThrow('closed')
  })
})

describe('producers', () => {
  test('integration: config: reactor threads', async () => {
    const threads = () => readdirSync('/proc/self/task').length
    await using one = await own({ 'ottla.reactor.threads': 1 })
    const before = threads()
    await using four = await own({ 'ottla.reactor.threads': 4 })
    expect(threads() - before).toBeGreaterThanOrEqual(4)
    for (const bench of [one, four]) {
      await bench.createTopic('t', 8)
      for (let partition = 0; partition < 8; partition++) {
        expect((await bench.produce('t', batchOf(['x']), { partition })).errorCode).toBe(0)
      }
    }
  })
})

describe('sockets', () => {
  test('integration: config: io backend', async () => {
    const rings = () => descriptors((target) => target.includes('io_uring'))
    const before = rings()
    await using usual = await own({})
    expect(rings()).toBe(before)
    const asked = { 'ottla.io.backend': 'io_uring', 'ottla.reactor.threads': 2 }
    await using other = await own(asked).catch((problem: Error) => {
      // Forbidden here: the start says so, and what to do.
      expect(problem.message).toMatch(/io_uring cannot be used here: .*ottla\.io\.backend=epoll/)
      return null
    })
    if (other !== null) expect(rings() - before).toBe(2)
    for (const bench of [usual, other]) {
      if (bench === null) continue
      await bench.createTopic('t', 4)
      for (let partition = 0; partition < 4; partition++) {
        expect((await bench.produce('t', batchOf(['x']), { partition })).errorCode).toBe(0)
      }
    }
  })
})

describe('files', () => {
  const filesOf = (bench: Bench, partition: string, ending: string) =>
    readdirSync(join(bench.broker.directory, partition)).filter((name) => name.endsWith(ending))
  const fill = async (bench: Bench, batches: number) => {
    for (let index = 0; index < batches; index++) {
      await bench.produce('t', batchOf(['x'.repeat(100_000)]))
    }
  }

  test('integration: config: segments roll by size', async () => {
    await using bench = await own({ 'log.segment.bytes': 1 << 20 })
    await bench.createTopic('t')
    await fill(bench, 25)
    expect(filesOf(bench, 't-0', '.log')).toHaveLength(3)
  })

  test('integration: config: segments roll by index size', async () => {
    await using bench = await own({ 'log.index.size.max.bytes': 64, 'log.index.interval.bytes': 0 })
    await bench.createTopic('t')
    for (let index = 0; index < 30; index++) await bench.produce('t', batchOf(['x']))
    expect(filesOf(bench, 't-0', '.log').length).toBeGreaterThan(2)
  })

  test('integration: config: index entries follow the interval', async () => {
    const directory = temporary()
    const entries: number[] = []
    for (const interval of [50_000, 1_000_000]) {
      const topic = `interval-${interval}`
      await using bench = await Bench.start({
        directory,
        config: { 'log.index.interval.bytes': interval },
      })
      await bench.createTopic(topic)
      for (let index = 0; index < 12; index++) {
        await bench.produce(topic, batchOf(['x'.repeat(100_000)]))
      }
      await bench[Symbol.asyncDispose]()
      const index = join(directory, `${topic}-0`, '00000000000000000000.index')
      entries.push(statSync(index).size / 8)
    }
    expect(entries[0]).toBeGreaterThan(8)
    expect(entries[1]).toBeLessThan(3)
    rmSync(directory, { recursive: true })
  })

  test('integration: config: segments are preallocated', async () => {
    await using bench = await own({ 'log.preallocate': true, 'log.segment.bytes': 4 << 20 })
    await bench.createTopic('t')
    await bench.produce('t', batchOf(['x']))
    const { blocks } = statSync(join(bench.broker.directory, 't-0', '00000000000000000000.log'))
    expect(blocks * 512).toBeGreaterThanOrEqual(4 << 20)
  })

  test('integration: config: metadata segments roll by size', async () => {
    await using bench = await own({ 'internal.metadata.log.segment.bytes': 2000 })
    for (let index = 0; index < 20; index++) await bench.createTopic(`t${index}`)
    expect(filesOf(bench, '__cluster_metadata-0', '.log').length).toBeGreaterThan(1)
  })

  test('integration: config: metadata segments roll by age', async () => {
    await using bench = await own({ 'metadata.log.segment.ms': 1 })
    for (let index = 0; index < 10; index++) await bench.createTopic(`t${index}`)
    expect(filesOf(bench, '__cluster_metadata-0', '.log').length).toBeGreaterThan(1)
  })

  test('integration: config: preallocation is bounded', async () => {
    const allocated: number[] = []
    for (const most of [0, 16 << 20]) {
      await using bench = await own({ 'ottla.log.preallocate.max.bytes': most })
      await bench.createTopic('t')
      await bench.produce('t', batchOf(['x']))
      const { blocks } = statSync(join(bench.broker.directory, 't-0', '00000000000000000000.log'))
      allocated.push(blocks * 512)
    }
    expect(allocated[0]).toBeLessThan(16 << 10)
    expect(allocated[1]).toBeGreaterThanOrEqual(64 << 10)
  })

  test('integration: config: open files are bounded', async () => {
    const logs = () => descriptors((target) => target.endsWith('/00000000000000000000.log'))
    for (const most of [0, 8]) {
      const before = logs()
      await using bench = await own({ 'ottla.log.open.files.max': most })
      await bench.createTopic('t', 40)
      for (let partition = 0; partition < 40; partition++) {
        expect((await bench.produce('t', batchOf(['x']), { partition })).errorCode).toBe(0)
      }
      if (most === 0) expect(logs() - before).toBeGreaterThanOrEqual(40)
      else expect(logs() - before).toBeLessThanOrEqual(most)
    }
  })

  test('integration: config: snapshots follow bytes', async () => {
    await using bench = await own({ 'metadata.log.max.record.bytes.between.snapshots': 500 })
    for (let index = 0; index < 10; index++) await bench.createTopic(`t${index}`)
    expect(filesOf(bench, '__cluster_metadata-0', '.checkpoint').length).toBeGreaterThan(2)
  })

  test('integration: config: snapshots follow time', async () => {
    await using bench = await own({ 'metadata.log.max.snapshot.interval.ms': 1 })
    for (let index = 0; index < 3; index++) await bench.createTopic(`t${index}`)
    expect(filesOf(bench, '__cluster_metadata-0', '.checkpoint').length).toBeGreaterThan(1)
  })

  test('integration: config: metadata log is trimmed by age', async () => {
    const few = { 'metadata.log.max.record.bytes.between.snapshots': 500 }
    for (const [age, isKept] of [
      [1, false],
      [-1, true],
    ] as const) {
      // A negative size is no limit.
      const policy = { 'metadata.max.retention.ms': age, 'metadata.max.retention.bytes': -1 }
      await using bench = await own({ ...few, ...policy })
      for (let index = 0; index < 10; index++) await bench.createTopic(`t${index}`)
      const { length } = filesOf(bench, '__cluster_metadata-0', '.checkpoint')
      expect(length > 3).toBe(isKept)
    }
  })

  test('integration: config: metadata log is trimmed by size', async () => {
    await using bench = await own({
      'metadata.log.max.record.bytes.between.snapshots': 500,
      'metadata.max.retention.bytes': 1,
    })
    for (let index = 0; index < 10; index++) await bench.createTopic(`t${index}`)
    expect(filesOf(bench, '__cluster_metadata-0', '.checkpoint')).toHaveLength(1)
  })
})

describe('safety', () => {
  test('integration: config: unenforced records are refused unless allowed', async () => {
    const directory = temporary()
    await (await startBroker({ directory })).close()
    rmSync(join(directory, '__cluster_metadata-0'), { recursive: true })
    const acl = metadataRecord('AccessControlEntryRecord', {
      id: 'abcdefghijklmnopqrstuw',
      resourceType: 2,
      resourceName: 'secret',
      patternType: 3,
      principal: 'User:alice',
      host: '*',
      operation: 3,
      permissionType: 2,
    })
    const bootstrap = encodeSnapshot(
      {
        endOffset: 0,
        epoch: 0,
        lastContainedLogTimestampMs: 0,
        kraftVersion: 0,
        voters: null,
        records: [...bootstrapRecords(30), acl],
      },
      0,
    )
    writeFileSync(join(directory, 'bootstrap.checkpoint'), bootstrap)
    const config = { 'controller.quorum.voters': '1@127.0.0.1:1' }
    await expect(startBroker({ directory, config })).rejects.toSatisfy(
      (problem) => problem instanceof StartRefused && problem.message.includes('1 ACL'),
    )
    const allowed = { ...config, 'ottla.allow.unenforced': true }
    await (await startBroker({ directory, config: allowed })).close()
    rmSync(directory, { recursive: true })
  })
})
