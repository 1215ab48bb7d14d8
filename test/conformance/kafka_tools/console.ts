// ConsoleProducer and ConsoleConsumer: keys, headers, partitions, offsets, groups, formatters.

import assert from 'node:assert/strict'
import type { Printed } from './driver.ts'
import { printed, type Session, type ToolCheck } from './session.ts'

const PRINT = (...what: string[]) =>
  what.flatMap((name) => ['--formatter-property', `print.${name}=true`])
const FROM_START = '--from-beginning'
const FORMATTERS = 'org.apache.kafka.tools.consumer'

/** How many records the consumer says it has read. */
function total(what: Printed): number {
  return Number(what.err.match(/Processed a total of (\d+) messages/)?.[1])
}

interface Coordinated {
  key: { type: number; data: Record<string, unknown> }
  value: { version: number; data: Record<string, unknown> } | null
}

/** What Kafka's formatters print of __consumer_offsets about one group: objects with nothing between them. */
async function coordinated(t: Session, formatter: string, group: string): Promise<Coordinated[]> {
  const { out } = await t.consume(
    '--topic',
    '__consumer_offsets',
    FROM_START,
    '--formatter',
    `${FORMATTERS}.${formatter}`,
  )
  const lines = out
    .replaceAll('}{', '}\n{')
    .split('\n')
    .filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line)).filter(({ key }) => key.data.group === group)
}

export const consoleChecks: readonly ToolCheck[] = [
  {
    name: 'console: lines in, lines out',
    async run(t) {
      const topic = await t.topic('lines')
      await t.produce(topic, ['one', 'two', 'grüße, 世界', ''])
      const what = await t.consume('--topic', topic, FROM_START, '--max-messages', '4')
      assert.equal(what.out, 'one\ntwo\ngrüße, 世界\n\n')
      assert.equal(total(what), 4)
    },
  },
  {
    name: 'console: a process of its own for each side',
    async run(t) {
      const topic = await t.topic('alone')
      await t.alone('ConsoleProducer', [...t.server, '--topic', topic], 'a\nb\n')
      const args = ['--topic', topic, FROM_START, '--max-messages', '2', '--timeout-ms', '20000']
      const what = await t.alone('consumer.ConsoleConsumer', [...t.server, ...args])
      printed(t, what, 'a', 'b')
      assert.equal(total(what), 2)
    },
  },
  {
    name: 'console: keys, headers, partitions, offsets',
    async run(t) {
      const topic = await t.topic('all')
      const property = '--reader-property'
      await t.produce(
        topic,
        ['h1:a,h2:b\tk1\tv1', 'h1:\tk2\tv2'],
        ...[property, 'parse.headers=true', property, 'parse.key=true'],
      )
      const show = PRINT('key', 'headers', 'partition', 'offset', 'timestamp', 'delivery', 'epoch')
      const what = await t.consume('--topic', topic, FROM_START, '--max-messages', '2', ...show)
      printed(
        t,
        what,
        'CreateTime:<ms> Partition:0 Offset:0 Delivery:NOT_PRESENT Epoch:NOT_PRESENT h1:a,h2:b k1 v1',
        'CreateTime:<ms> Partition:0 Offset:1 Delivery:NOT_PRESENT Epoch:NOT_PRESENT h1: k2 v2',
      )
    },
  },
  {
    name: 'console: null values and keys',
    async run(t) {
      const topic = await t.topic('nulls')
      const property = '--reader-property'
      await t.produce(
        topic,
        ['k1:v1', 'k2:NULL', 'NULL:v3'],
        ...[property, 'parse.key=true', property, 'key.separator=:', property, 'null.marker=NULL'],
      )
      const show = [...PRINT('key'), '--formatter-property', 'null.literal=nil']
      printed(
        t,
        await t.consume('--topic', topic, FROM_START, '--max-messages', '3', ...show),
        'k1 v1',
        'k2 nil',
        'nil v3',
      )
    },
  },
  {
    name: 'console: a line without its key',
    async run(t) {
      const topic = await t.topic('nokey')
      const what = await t.run(
        'ConsoleProducer',
        [...t.server, '--topic', topic, '--reader-property', 'parse.key=true'],
        'nokey\n',
      )
      assert.equal(what.code, 1)
      assert.match(what.err, /No key separator found on line number 1: 'nokey'/)
      printed(t, await t.offsets('--topic', topic), `${topic}:0:0`)
    },
  },
  {
    name: 'console: one key, one partition',
    async run(t) {
      const topic = await t.topic('keyed', '--partitions', '3')
      const keys = ['a', 'b', 'c', 'd', 'e', 'f']
      await t.produceKeyed(
        topic,
        keys.map((key) => `${key}:1`),
      )
      await t.produceKeyed(
        topic,
        keys.map((key) => `${key}:2`),
      )
      const what = await t.consume(
        '--topic',
        topic,
        FROM_START,
        '--max-messages',
        '12',
        ...PRINT('key', 'partition'),
      )
      const rows = t
        .plain(what.out)
        .split('\n')
        .map((line) => line.split(' '))
      // Kafka's own murmur2 of the keys on three partitions.
      const places = new Map(
        rows.map(([partition, key]) => [key!, partition!.slice('Partition:'.length)]),
      )
      assert.equal(rows.length, 12)
      for (const [partition, key] of rows) assert.equal(partition, `Partition:${places.get(key!)}`)
      assert.equal(new Set(places.values()).size > 1, true)
    },
  },
  ...['gzip', 'snappy', 'lz4', 'zstd', 'none'].map(
    (codec): ToolCheck => ({
      name: `console: compression ${codec}`,
      async run(t) {
        const topic = await t.topic(`codec-${codec}`)
        const lines = ['1', '2', '3'].map((n) => n.repeat(300))
        await t.produce(topic, lines, '--compression-codec', codec)
        printed(t, await t.consume('--topic', topic, FROM_START, '--max-messages', '3'), ...lines)
      },
    }),
  ),
  {
    name: 'console: acks 0, 1 and all',
    async run(t) {
      const topic = await t.topic('acks')
      for (const acks of ['0', '1', '-1'])
        await t.produce(topic, [acks], '--request-required-acks', acks)
      await t.produce(topic, ['sync', 'too'], '--sync')
      const what = await t.consume('--topic', topic, FROM_START, '--max-messages', '5')
      printed(t, what, '0', '1', '-1', 'sync', 'too')
    },
  },
  {
    name: 'console: a partition from an offset',
    async run(t) {
      const topic = await t.topic('seek')
      await t.produce(topic, ['0', '1', '2', '3'])
      const from = (...offset: string[]) => ['--topic', topic, '--partition', '0', ...offset]
      printed(t, await t.consume(...from('--offset', '2'), '--max-messages', '2'), '2', '3')
      printed(t, await t.consume(...from('--offset', 'earliest'), '--max-messages', '1'), '0')
      const late = await t.consume(...from('--offset', 'latest'), '--timeout-ms', '1000')
      assert.equal(total(late), 0)
      const beyond = await t.consume(...from('--offset', '99'), '--timeout-ms', '1500')
      assert.equal(total(beyond), 0)
    },
  },
  {
    name: 'console: topics by a pattern',
    async run(t) {
      const names = [await t.topic('inc1'), await t.topic('inc2')]
      for (const name of names) await t.produce(name, [name])
      const what = await t.consume(
        '--include',
        `${t.name('inc')}.`,
        FROM_START,
        '--max-messages',
        '2',
      )
      assert.deepEqual(t.plain(what.out).split('\n').sort(), names)
    },
  },
  {
    name: 'console: a group goes on where it was',
    async run(t) {
      const topic = await t.topic('resume')
      const read = (n: string) =>
        t.consume('--topic', topic, '--group', t.name('resume'), FROM_START, '--max-messages', n)
      await t.produce(topic, ['1', '2', '3'])
      printed(t, await read('2'), '1', '2')
      await t.produce(topic, ['4'])
      printed(t, await read('2'), '3', '4')
    },
  },
  {
    name: 'console: reading committed records only',
    async run(t) {
      const topic = await t.topic('committed')
      await t.produce(topic, ['1', '2'])
      const args = [
        '--topic',
        topic,
        FROM_START,
        '--max-messages',
        '2',
        '--isolation-level',
        'read_committed',
      ]
      printed(t, await t.consume(...args), '1', '2')
    },
  },
  {
    name: 'console: a topic that nobody made is made',
    async run(t) {
      const topic = t.name('auto')
      await t.produce(topic, ['first'], '--sync')
      printed(t, await t.consume('--topic', topic, FROM_START, '--max-messages', '1'), 'first')
    },
  },
  {
    name: 'console: the formatter that prints nothing',
    async run(t) {
      const topic = await t.topic('noop')
      await t.produce(topic, ['1', '2', '3'])
      const args = ['--topic', topic, FROM_START, '--max-messages', '3']
      const what = await t.consume(...args, '--formatter', `${FORMATTERS}.NoOpMessageFormatter`)
      assert.equal(what.out, '')
      assert.equal(total(what), 3)
    },
  },
  {
    name: 'console: deserializers of numbers',
    async run(t) {
      const topic = await t.topic('numbers')
      await t.produce(topic, ['ABCD', 'AAAA'])
      const integer = 'org.apache.kafka.common.serialization.IntegerDeserializer'
      const args = ['--topic', topic, FROM_START, '--max-messages', '2']
      const what = await t.consume(...args, '--formatter-property', `value.deserializer=${integer}`)
      printed(t, what, String(0x41424344), String(0x41414141))
    },
  },
  {
    name: 'console: OffsetsMessageFormatter reads what groups commit',
    async run(t) {
      const [topic, group] = [
        await t.topic('fmt-offsets', '--partitions', '2'),
        t.name('fmt-offsets'),
      ]
      await t.produceKeyed(topic, ['a:1', 'b:2', 'c:3', 'd:4'])
      await t.consume('--topic', topic, '--group', group, FROM_START, '--max-messages', '4')
      const ends = (await t.offsets('--topic', topic)).out.trim().split('\n')
      const commits = await coordinated(t, 'OffsetsMessageFormatter', group)
      const seen = commits.map(({ key, value }) => {
        const { commitTimestamp, topicId, ...data } = value!.data
        assert.ok(Number(commitTimestamp) > 1.7e12)
        assert.match(String(topicId), /^[\w-]{22}$/)
        assert.deepEqual([key.type, value!.version, data.metadata, data.leaderEpoch], [1, 4, '', 0])
        return `${key.data.topic}:${key.data.partition}:${data.offset}`
      })
      assert.deepEqual([...new Set(seen)].sort(), ends)
    },
  },
  {
    name: 'console: GroupMetadataMessageFormatter reads what groups are',
    async run(t) {
      const [topic, group] = [await t.topic('fmt-groups'), t.name('fmt-groups')]
      await t.produce(topic, ['1'])
      await t.consume('--topic', topic, '--group', group, FROM_START, '--max-messages', '1')
      const states = (await coordinated(t, 'GroupMetadataMessageFormatter', group)).map(
        ({ value }) => value!,
      )
      const facts = states.map(
        ({ version, data: { protocolType, generation, protocol, members } }) => ({
          facts: [version, protocolType, generation, protocol],
          members: (members as Record<string, unknown>[]).map(({ memberId, ...rest }) => {
            assert.match(String(memberId), /^console-consumer-[0-9a-f-]{36}$/)
            return rest
          }),
        }),
      )
      const text = (word: string) => Buffer.from(word).toString('latin1')
      const stable = facts.find(({ members }) => members.length === 1)!
      assert.deepEqual(stable.facts, [3, 'consumer', 1, 'range'])
      const { subscription, assignment, clientHost, ...member } = stable.members[0]!
      assert.deepEqual(member, {
        groupInstanceId: null,
        clientId: 'console-consumer',
        rebalanceTimeout: 300_000,
        sessionTimeout: 45_000,
      })
      assert.match(String(clientHost), /^\/127\.0\.0\.1$/)
      for (const bytes of [subscription, assignment]) {
        assert.ok(Buffer.from(String(bytes), 'base64').toString('latin1').includes(text(topic)))
      }
      assert.deepEqual(facts.at(-1), { facts: [3, 'consumer', 2, null], members: [] })
    },
  },
]
