// The checks of the suite kcat, in the order of its modes: -L, -P, -C, -Q, -G. Each has topics of its own, made by the
// broker when they are first written to.

import assert from 'node:assert/strict'
import type { Check } from '../checks.ts'
import { groupChecks } from './group_checks.ts'
import { consume, fresh, kcat, produce } from './kcat.ts'
import { timeChecks } from './time_checks.ts'

const metadataChecks: readonly Check[] = [
  {
    name: '-L names the broker and the controller',
    async run(target) {
      const { out } = await kcat(target, ['-L'])
      assert.match(out, / 1 brokers:\n {2}broker \d+ at \S+:\d+ \(controller\)\n/)
    },
  },
  {
    name: '-L -t tells leader, replicas and in-sync replicas of each partition',
    async run(target) {
      const topic = fresh('metadata')
      await produce(target, topic, ['a'])
      const { out } = await kcat(target, ['-L', '-t', topic])
      assert.match(out, new RegExp(` 1 topics:\n {2}topic "${topic}" with 3 partitions:\n`))
      for (const partition of [0, 1, 2]) {
        assert.match(
          out,
          new RegExp(`partition ${partition}, leader (\\d+), replicas: \\1, isrs: \\1\n`),
        )
      }
    },
  },
  {
    name: '-L -J is the same as JSON',
    async run(target) {
      const topic = fresh('metadata')
      await produce(target, topic, ['a'])
      const { out } = await kcat(target, ['-L', '-J', '-t', topic])
      const { brokers, topics, controllerid } = JSON.parse(out)
      assert.equal(brokers.length, 1)
      assert.equal(controllerid, brokers[0].id)
      const here = { id: brokers[0].id }
      const partitions = [0, 1, 2].map((partition) => ({
        partition,
        leader: here.id,
        replicas: [here],
        isrs: [here],
      }))
      assert.deepEqual(topics, [{ topic, partitions }])
    },
  },
  {
    name: '-L -t of an invalid topic says so',
    async run(target) {
      const { out } = await kcat(target, ['-L', '-t', 'no such*topic'])
      assert.match(out, /topic "no such\*topic" with 0 partitions: Broker: Invalid topic/)
    },
  },
  {
    name: '-C of a topic that is not there fails with its name',
    async run(target) {
      const args = ['-C', '-e', '-t', fresh('missing'), '-X', 'allow.auto.create.topics=false']
      const { err, code } = await kcat(target, args, '', true)
      assert.equal(code, 1)
      assert.match(err, /Unknown topic or partition/)
    },
  },
]

/** Lines that compress, and more than one batch of them. */
const LINES = Array.from({ length: 500 }, (_, at) => `${at} ${'la'.repeat(at % 97)}`)

const codecChecks: readonly Check[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'].map((codec) => ({
  name: `-P -z ${codec} is read back as it was, in order`,
  async run(target) {
    const topic = fresh(codec)
    await produce(target, topic, LINES, '-p', '0', '-z', codec, '-X', 'batch.num.messages=100')
    assert.deepEqual(await consume(target, topic, '-p', '0'), LINES)
  },
}))

const produceChecks: readonly Check[] = [
  {
    name: '-K gives keys; equal keys share a partition',
    async run(target) {
      const topic = fresh('keys')
      const lines = Array.from({ length: 60 }, (_, at) => `k${at % 12}:v${at}`)
      await produce(target, topic, lines, '-K', ':')
      const read = await consume(target, topic, '-f', '%p %k:%s\\n')
      const places = new Map<string, Set<string>>()
      for (const line of read) {
        const [, partition, key] = line.match(/^(\d) (k\d+):v\d+$/)!
        places.set(key!, (places.get(key!) ?? new Set()).add(partition!))
      }
      assert.equal(read.length, 60)
      assert.equal(places.size, 12)
      assert.ok([...places.values()].every(({ size }) => size === 1))
    },
  },
  {
    name: '-k gives every message one key',
    async run(target) {
      const topic = fresh('key')
      await produce(target, topic, ['a', 'b'], '-k', 'same')
      assert.deepEqual(await consume(target, topic, '-f', '%k=%s\\n'), ['same=a', 'same=b'])
    },
  },
  {
    name: '-H gives headers, one name twice and one without a value',
    async run(target) {
      const topic = fresh('headers')
      await produce(target, topic, ['a'], '-H', 'x=1', '-H', 'x=2', '-H', 'empty')
      assert.deepEqual(await consume(target, topic, '-f', '%h|%s\\n'), ['x=1,x=2,empty=NULL|a'])
    },
  },
  {
    name: '-p writes to one partition and no other',
    async run(target) {
      const topic = fresh('partition')
      await produce(target, topic, ['a', 'b'], '-p', '2')
      assert.deepEqual(await consume(target, topic, '-f', '%p:%o:%s\\n'), ['2:0:a', '2:1:b'])
    },
  },
  {
    name: '-Z makes an empty value null, with a length of -1',
    async run(target) {
      const topic = fresh('null')
      await produce(target, topic, ['k:', 'k:v'], '-p', '0', '-Z', '-K', ':')
      assert.deepEqual(await consume(target, topic, '-Z', '-f', '%S:%s\\n'), ['-1:NULL', '1:v'])
    },
  },
  {
    name: 'an empty value is not null',
    async run(target) {
      const topic = fresh('empty')
      await produce(target, topic, ['k:'], '-p', '0', '-K', ':')
      assert.deepEqual(await consume(target, topic, '-f', '%K %S [%s]\\n'), ['1 0 []'])
    },
  },
  {
    name: 'bytes that are no text come back',
    async run(target) {
      const topic = fresh('bytes')
      const bytes = Buffer.from([0, 255, 254, 128, 13, 9, 0, 27])
      await kcat(target, ['-P', '-t', topic, '-D', '\\x0a'], Buffer.concat([bytes, Buffer.of(10)]))
      const { out } = await kcat(target, ['-C', '-q', '-e', '-t', topic, '-s', 'value=BBBBBBBB'])
      assert.equal(out, '0255254128139027\n')
    },
  },
  {
    name: 'acks=0, 1 and all are all stored',
    async run(target) {
      const topic = fresh('acks')
      for (const acks of ['0', '1', 'all']) {
        await produce(target, topic, [`acks ${acks}`], '-p', '0', '-X', `topic.acks=${acks}`)
      }
      const read = await consume(target, topic)
      assert.deepEqual(read.sort(), ['acks 0', 'acks 1', 'acks all'])
    },
  },
  {
    name: 'an idempotent producer writes each message once',
    async run(target) {
      const topic = fresh('idempotent')
      await produce(target, topic, LINES, '-p', '1', '-X', 'enable.idempotence=true')
      assert.deepEqual(await consume(target, topic), LINES)
    },
  },
  {
    name: 'a message larger than the broker takes is refused',
    async run(target) {
      const args = ['-P', '-t', fresh('large'), '-X', 'message.max.bytes=3000000']
      const { err, code } = await kcat(target, args, `${'x'.repeat(2_000_000)}\n`, true)
      assert.equal(code, 1)
      assert.match(err, /Message size too large/)
    },
  },
  {
    name: 'a transaction commits what it wrote',
    async run(target) {
      const topic = fresh('transaction')
      await produce(target, topic, ['a', 'b'], '-p', '0', '-X', `transactional.id=${topic}`)
      assert.deepEqual(await consume(target, topic), ['a', 'b'])
    },
  },
]

const consumeChecks: readonly Check[] = [
  {
    name: '-e ends at the end of every partition and says where',
    async run(target) {
      const topic = fresh('end')
      for (const partition of ['0', '1', '2']) {
        await produce(target, topic, ['a'], '-p', partition)
      }
      const { out, err } = await kcat(target, ['-C', '-e', '-t', topic])
      assert.equal(out, 'a\na\na\n')
      for (const partition of [0, 1, 2]) {
        assert.match(
          err,
          new RegExp(`Reached end of topic ${topic} \\[${partition}\\] at offset 1`),
        )
      }
      assert.match(err, /exiting/)
    },
  },
  {
    name: '-o N starts at an offset, -c ends after so many',
    async run(target) {
      const topic = fresh('offset')
      await produce(target, topic, LINES.slice(0, 50), '-p', '0')
      const read = await consume(target, topic, '-p', '0', '-o', '20', '-c', '5', '-f', '%o\\n')
      assert.deepEqual(read, ['20', '21', '22', '23', '24'])
    },
  },
  {
    name: '-o -N starts so many before the end',
    async run(target) {
      const topic = fresh('tail')
      await produce(target, topic, LINES.slice(0, 50), '-p', '0')
      const read = await consume(target, topic, '-p', '0', '-o', '-3', '-f', '%o\\n')
      assert.deepEqual(read, ['47', '48', '49'])
    },
  },
  {
    name: '-o beginning and -o end',
    async run(target) {
      const topic = fresh('ends')
      await produce(target, topic, ['a', 'b'], '-p', '0')
      assert.deepEqual(await consume(target, topic, '-p', '0', '-o', 'beginning'), ['a', 'b'])
      assert.deepEqual(await consume(target, topic, '-p', '0', '-o', 'end'), [])
    },
  },
  {
    name: 'an offset out of range is reset as the client asks',
    async run(target) {
      const topic = fresh('range')
      await produce(target, topic, ['a', 'b'], '-p', '0')
      const reset = ['-p', '0', '-o', '99', '-X', 'topic.auto.offset.reset=earliest']
      assert.deepEqual(await consume(target, topic, ...reset), ['a', 'b'])
    },
  },
  {
    name: '-J tells everything of a message',
    async run(target) {
      const topic = fresh('json')
      const before = Date.now()
      await produce(target, topic, ['k:v'], '-p', '1', '-K', ':', '-H', 'h=1')
      const [line] = await consume(target, topic, '-J')
      const { ts, broker, ...rest } = JSON.parse(line!)
      assert.ok(ts >= before && ts <= Date.now())
      assert.ok(Number.isInteger(broker))
      const expected = { topic, partition: 1, offset: 0, tstype: 'create' }
      assert.deepEqual(rest, { ...expected, headers: ['h', '1'], key: 'k', payload: 'v' })
    },
  },
  {
    name: 'a message of 900 kB comes back whole',
    async run(target) {
      const topic = fresh('big')
      const value = 'x'.repeat(900_000)
      await produce(target, topic, [value], '-p', '0')
      assert.deepEqual(await consume(target, topic), [value])
    },
  },
  {
    name: 'small fetches reach the end of large batches',
    async run(target) {
      const topic = fresh('fetches')
      await produce(target, topic, LINES, '-p', '0', '-z', 'lz4')
      const small = ['-X', 'fetch.message.max.bytes=100', '-X', 'fetch.wait.max.ms=50']
      assert.deepEqual(await consume(target, topic, ...small), LINES)
    },
  },
  {
    name: 'read_committed and read_uncommitted read what is not transactional',
    async run(target) {
      const topic = fresh('isolation')
      await produce(target, topic, ['a', 'b'], '-p', '0')
      for (const level of ['read_committed', 'read_uncommitted']) {
        const read = await consume(target, topic, '-X', `isolation.level=${level}`)
        assert.deepEqual(read, ['a', 'b'])
      }
    },
  },
]

/** Every check. */
export const kcatChecks: readonly Check[] = [
  ...metadataChecks,
  ...codecChecks,
  ...produceChecks,
  ...consumeChecks,
  ...timeChecks,
  ...groupChecks,
]
