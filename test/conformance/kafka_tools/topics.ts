// TopicCommand: everything that an operator does with topics, and the sentences of its errors.

import assert from 'node:assert/strict'
import {
  printed,
  printedInAnyOrder,
  refused,
  rows,
  type Session,
  type ToolCheck,
} from './session.ts'

const COLLIDE =
  "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. " +
  'To avoid issues it is best to use either, but not both.'

/** The line of one partition on one broker. */
function partition(topic: string, index: number): string {
  return ` Topic: ${topic} Partition: ${index} Leader: 1 Replicas: 1 Isr: 1 Elr: LastKnownElr:`
}

function head(topic: string, partitions: number, configs = ''): string {
  const all = ['min.insync.replicas=1', ...(configs === '' ? [] : configs.split(','))].join(',')
  return `Topic: ${topic} TopicId: <id> PartitionCount: ${partitions} ReplicationFactor: 1 Configs: ${all}`
}

async function described(t: Session, topic: string, ...args: string[]) {
  return await t.topics('--describe', '--topic', topic, ...args)
}

/** Configs of the describing line, in an order of their own: nobody promises one. */
function configsOf(text: string): string[] {
  return text
    .match(/Configs: (\S+)/)![1]!
    .split(/,(?=[a-z.]+=)/)
    .sort()
}

export const topicChecks: readonly ToolCheck[] = [
  {
    name: 'topics: create and describe',
    async run(t) {
      const name = t.name('made')
      printed(
        t,
        await t.topics('--create', '--topic', name, '--partitions', '3'),
        `Created topic ${name}.`,
      )
      printed(
        t,
        await described(t, name),
        head(name, 3),
        ...[0, 1, 2].map((i) => partition(name, i)),
      )
    },
  },
  {
    name: 'topics: create with defaults takes num.partitions',
    async run(t) {
      const name = await t.topic('plain')
      printed(t, await described(t, name), head(name, 1), partition(name, 0))
    },
  },
  {
    name: 'topics: create what exists',
    async run(t) {
      const name = await t.topic('twice')
      refused(
        t,
        await t.topics('--create', '--topic', name),
        `Error while executing topic command : Topic '${name}' already exists.`,
      )
      printed(t, await t.topics('--create', '--topic', name, '--if-not-exists'))
    },
  },
  {
    name: 'topics: create with settings',
    async run(t) {
      const settings = [
        'retention.ms=1000',
        'cleanup.policy=compact,delete',
        'max.message.bytes=2048',
      ]
      const name = await t.topic('set', ...settings.flatMap((s) => ['--config', s]))
      const text = t.plain((await described(t, name)).out)
      assert.deepEqual(configsOf(text), [...settings, 'min.insync.replicas=1'].sort())
    },
  },
  {
    name: 'topics: create with an unknown setting',
    async run(t) {
      refused(
        t,
        await t.topics('--create', '--topic', t.name('unknown'), '--config', 'foo=1'),
        'Error while executing topic command : Unknown topic config name: foo',
      )
      assert.ok(!(await t.topics('--list')).out.includes(t.name('unknown')))
    },
  },
  {
    name: 'topics: create with a bad value',
    async run(t) {
      const args = ['--create', '--topic', t.name('bad'), '--config']
      refused(
        t,
        await t.topics(...args, 'retention.ms=soon'),
        'Invalid value soon for configuration retention.ms: Not a number of type LONG',
      )
      refused(
        t,
        await t.topics(...args, 'cleanup.policy=burn'),
        /Invalid value burn for configuration cleanup\.policy: .*[Ss]tring must be one of/,
      )
      refused(
        t,
        await t.topics(...args, 'segment.bytes=1'),
        'Invalid value 1 for configuration segment.bytes: Value must be at least 1048576',
      )
    },
  },
  {
    name: 'topics: names that collide',
    async run(t) {
      const [dot, line] = [t.name('col.x'), t.name('col_x')]
      printed(t, await t.topics('--create', '--topic', dot), COLLIDE, `Created topic ${dot}.`)
      refused(
        t,
        await t.topics('--create', '--topic', line),
        COLLIDE,
        `Error while executing topic command : Topic '${line}' collides with existing topic: ${dot}`,
      )
    },
  },
  {
    name: 'topics: a name that is none',
    async run(t) {
      refused(
        t,
        await t.topics('--create', '--topic', 'a/b'),
        "Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
      )
      const long = 'x'.repeat(250)
      refused(
        t,
        await t.topics('--create', '--topic', long),
        /the length of .* is longer than the max allowed length 249/,
      )
    },
  },
  {
    name: 'topics: more replicas than brokers',
    async run(t) {
      refused(
        t,
        await t.topics('--create', '--topic', t.name('rf'), '--replication-factor', '3'),
        'Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because ' +
          'only 1 broker(s) are registered',
      )
    },
  },
  {
    name: 'topics: replicas by hand',
    async run(t) {
      const name = await t.topic('hand', '--replica-assignment', '1,1,1')
      printed(
        t,
        await described(t, name),
        head(name, 3),
        ...[0, 1, 2].map((i) => partition(name, i)),
      )
      refused(
        t,
        await t.topics('--create', '--topic', t.name('hand2'), '--replica-assignment', '2'),
        'The manual partition assignment includes broker 2, but no such broker is registered.',
      )
    },
  },
  {
    name: 'topics: list',
    async run(t) {
      const names = [await t.topic('list.a'), await t.topic('list.b')]
      const all = t.plain((await t.topics('--list')).out).split('\n')
      assert.deepEqual(all.filter((name) => name.startsWith(t.name('list.'))).sort(), names)
      printedInAnyOrder(t, await t.topics('--list', '--topic', `${t.name('list')}..*`), ...names)
    },
  },
  {
    name: 'topics: list without internal topics',
    async run(t) {
      const name = await t.topic('internal')
      await t.produce(name, ['1'])
      await t.consume(
        '--topic',
        name,
        '--group',
        t.name('internal'),
        '--from-beginning',
        '--max-messages',
        '1',
      )
      assert.match((await t.topics('--list')).out, /^__consumer_offsets$/m)
      const without = await t.topics('--list', '--exclude-internal')
      assert.doesNotMatch(without.out, /__consumer_offsets/)
      assert.match(without.out, new RegExp(`^${name}$`, 'm'))
      const all = t.plain((await described(t, '__consumer_offsets')).out)
      assert.match(all, /PartitionCount: 50 ReplicationFactor: 1/)
      assert.deepEqual(configsOf(all), [
        'cleanup.policy=compact',
        'compression.type=producer',
        'min.insync.replicas=1',
        'segment.bytes=104857600',
      ])
    },
  },
  {
    name: 'topics: describe by a pattern',
    async run(t) {
      const names = [await t.topic('many1'), await t.topic('many2', '--partitions', '2')]
      printedInAnyOrder(
        t,
        await described(t, `${t.name('many')}.`),
        head(names[0]!, 1),
        partition(names[0]!, 0),
        head(names[1]!, 2),
        partition(names[1]!, 0),
        partition(names[1]!, 1),
      )
    },
  },
  {
    name: 'topics: describe what is not there',
    async run(t) {
      refused(
        t,
        await described(t, t.name('absent')),
        `Error while executing topic command : Topic '${t.name('absent')}' does not exist as expected`,
      )
      printed(t, await described(t, t.name('absent'), '--if-exists'))
    },
  },
  {
    name: 'topics: describe by id',
    async run(t) {
      const name = await t.topic('by-id')
      const id = (await described(t, name)).out.match(/TopicId: (\S+)/)![1]!
      printed(
        t,
        await t.topics('--describe', '--topic-id', id),
        head(name, 1),
        partition(name, 0).replace('Elr: LastKnownElr:', 'Elr: N/A LastKnownElr: N/A'),
      )
      refused(
        t,
        await t.topics('--describe', '--topic-id', 'bm8tc3VjaC10b3BpYy1pZA'),
        "TopicId 'bm8tc3VjaC10b3BpYy1pZA' does not exist as expected".replace(
          'bm8tc3VjaC10b3BpYy1pZA',
          '<id>',
        ),
      )
    },
  },
  {
    name: 'topics: describe in pages',
    async run(t) {
      const name = await t.topic('paged', '--partitions', '7')
      const lines = [head(name, 7), ...[0, 1, 2, 3, 4, 5, 6].map((i) => partition(name, i))]
      printed(t, await described(t, name, '--partition-size-limit-per-response', '2'), ...lines)
    },
  },
  {
    name: 'topics: describe those with settings of their own',
    async run(t) {
      const name = await t.topic('own', '--config', 'segment.ms=60000')
      const text = t.plain((await described(t, name, '--topics-with-overrides')).out)
      assert.equal(text.split('\n').length, 1)
      assert.deepEqual(configsOf(text), ['min.insync.replicas=1', 'segment.ms=60000'])
    },
  },
  {
    name: 'topics: describe partitions in need',
    async run(t) {
      const name = await t.topic('health', '--partitions', '2')
      for (const need of ['under-replicated', 'unavailable', 'under-min-isr']) {
        printed(t, await described(t, name, `--${need}-partitions`))
      }
      printed(
        t,
        await described(t, name, '--at-min-isr-partitions'),
        partition(name, 0),
        partition(name, 1),
      )
    },
  },
  {
    name: 'topics: add partitions',
    async run(t) {
      const name = await t.topic('grown', '--partitions', '2')
      printed(t, await t.topics('--alter', '--topic', name, '--partitions', '4'))
      assert.equal(rows(t, await described(t, name), 'Topic:').length, 5)
      refused(
        t,
        await t.topics('--alter', '--topic', name, '--partitions', '3'),
        `The topic ${name} currently has 4 partition(s); 3 would not be an increase.`,
      )
      refused(
        t,
        await t.topics('--alter', '--topic', name, '--partitions', '4'),
        'Topic already has 4 partition(s).',
      )
    },
  },
  {
    name: 'topics: add partitions to what is not there',
    async run(t) {
      const args = ['--alter', '--topic', t.name('absent'), '--partitions', '4']
      refused(t, await t.topics(...args), `Topic '${t.name('absent')}' does not exist as expected`)
      printed(t, await t.topics(...args, '--if-exists'))
    },
  },
  {
    name: 'topics: delete',
    async run(t) {
      const name = await t.topic('gone')
      printed(t, await t.topics('--delete', '--topic', name))
      refused(
        t,
        await t.topics('--delete', '--topic', name),
        `Topic '${name}' does not exist as expected`,
      )
      printed(t, await t.topics('--delete', '--topic', name, '--if-exists'))
      assert.ok(!(await t.topics('--list')).out.split('\n').includes(name))
    },
  },
  {
    name: 'topics: delete by a pattern and make again',
    async run(t) {
      const names = [await t.topic('wipe1'), await t.topic('wipe2')]
      await t.produce(names[0]!, ['old'])
      printed(t, await t.topics('--delete', '--topic', `${t.name('wipe')}.`))
      assert.equal(await t.topic('wipe1'), names[0])
      await t.produce(names[0]!, ['new'])
      printed(
        t,
        await t.consume('--topic', names[0]!, '--from-beginning', '--max-messages', '1'),
        'new',
      )
    },
  },
]
