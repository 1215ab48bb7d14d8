// ConsumerGroupCommand and GroupsCommand: listing, describing, moving and deleting, with and without members.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Printed, Running } from './driver.ts'
import { printed, rows, type Session, said, type ToolCheck } from './session.ts'

export const OFFSETS =
  'GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID'
const NEW = 'GROUP TOPIC PARTITION NEW-OFFSET'
export const COMMAND = 'consumer.group.ConsumerGroupCommand'

interface Consumed {
  topic: string
  group: string
}

/** A group without members that has read all of a topic of two partitions, four records in each. */
export async function consumed(
  t: Session,
  word: string,
  ...more: readonly string[]
): Promise<Consumed> {
  const [topic, group] = [await t.topic(word, '--replica-assignment', '1,1'), t.name(word)]
  // These keys go to partitions 0 and 1, four records each, by Kafka's own partitioner.
  await t.produceKeyed(topic, ['k3:1', 'k3:2', 'k3:3', 'k3:4', 'k1:5', 'k1:6', 'k1:7', 'k1:8'])
  const args = ['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '8']
  await t.consume(...args, ...more)
  return { topic, group }
}

/** A group with one member that goes on. */
async function active(
  t: Session,
  word: string,
  ...args: string[]
): Promise<Consumed & { member: Running }> {
  const { topic, group } = await consumed(t, word)
  const member = t.start('consumer.ConsoleConsumer', '--topic', topic, '--group', group, ...args)
  await t.until(COMMAND, ['--describe', '--group', group, '--state'], / Stable 1$/)
  return { topic, group, member }
}

/** Rows `partition:offset` of a table about one group. */
export async function moved(t: Session, what: Printed, group: string): Promise<string[]> {
  assert.equal(what.code, 0, what.out + what.err)
  const [head] = t
    .plain(what.out)
    .split('\n')
    .filter((line) => !line.startsWith('Warn: '))
  assert.equal(head, NEW)
  return rows(t, what, group)
    .map((cells) => `${cells[2]}:${cells[3]}`)
    .sort()
}

export async function current(t: Session, group: string): Promise<string[]> {
  const what = await t.groups('--describe', '--group', group)
  return rows(t, what, group)
    .map((cells) => `${cells[2]}:${cells[3]}`)
    .sort()
}

export const reset = (t: Session, group: string, ...args: string[]) =>
  t.groups('--group', group, '--reset-offsets', ...args)

export const groupChecks: readonly ToolCheck[] = [
  {
    name: 'groups: list',
    async run(t) {
      const { group } = await consumed(t, 'g-list')
      assert.ok(
        t
          .plain((await t.groups('--list')).out)
          .split('\n')
          .includes(group),
      )
      assert.deepEqual(rows(t, await t.groups('--list', '--state'), group), [[group, 'Empty']])
      assert.deepEqual(rows(t, await t.groups('--list', '--state', 'Empty,Stable'), group), [
        [group, 'Empty'],
      ])
      printed(t, await t.groups('--list', '--state', 'PreparingRebalance'), 'GROUP STATE')
      assert.deepEqual(rows(t, await t.groups('--list', '--type', 'classic'), group), [
        [group, 'Classic'],
      ])
      assert.deepEqual(rows(t, await t.groups('--list', '--type', 'consumer'), group), [])
      assert.deepEqual(rows(t, await t.groups('--list', '--type', '--state'), group), [
        [group, 'Classic', 'Empty'],
      ])
    },
  },
  {
    name: 'groups: list with a state or a type that is none',
    async run(t) {
      said(
        t,
        await t.groups('--list', '--state', 'Happy'),
        /Invalid state list 'Happy'\. Valid states are: /,
      )
      said(
        t,
        await t.groups('--list', '--type', 'Odd'),
        /Invalid types list 'Odd'\. Valid types are: /,
      )
    },
  },
  {
    name: 'groups: GroupsCommand lists',
    async run(t) {
      const { group } = await consumed(t, 'g-groups')
      const row = [[group, 'Classic', 'consumer']]
      const list = (...args: string[]) => t.tool('GroupsCommand', '--list', ...args)
      assert.deepEqual(rows(t, await list(), group), row)
      assert.deepEqual(rows(t, await list('--consumer'), group), row)
      assert.deepEqual(
        rows(t, await list('--group-type', 'classic', '--protocol', 'consumer'), group),
        row,
      )
      assert.deepEqual(
        rows(t, await list('--group-type', 'classic', '--protocol', 'connect'), group),
        [],
      )
      printed(t, await list('--share'), 'GROUP TYPE PROTOCOL')
    },
  },
  {
    name: 'groups: describe without members',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-desc')
      await t.produceKeyed(topic, ['k3:more'])
      const what = await t.groups('--describe', '--group', group)
      printed(
        t,
        what,
        OFFSETS,
        `${group} ${topic} 0 4 5 1 - - -`,
        `${group} ${topic} 1 4 4 0 - - -`,
      )
      assert.equal(t.plain(what.err), `Consumer group '${group}' has no active members.`)
      printed(
        t,
        await t.groups('--describe', '--group', group, '--offsets', '--verbose'),
        'GROUP TOPIC PARTITION LEADER-EPOCH CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID',
        `${group} ${topic} 0 0 4 5 1 - - -`,
        `${group} ${topic} 1 0 4 4 0 - - -`,
      )
    },
  },
  {
    name: 'groups: describe states without members',
    async run(t) {
      const { group } = await consumed(t, 'g-state')
      const describe = (...args: string[]) => t.groups('--describe', '--group', group, ...args)
      printed(
        t,
        await describe('--state'),
        'GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE #MEMBERS',
        `${group} <address> (1) - Empty 0`,
      )
      printed(
        t,
        await describe('--state', '--verbose'),
        'GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE GROUP-EPOCH TARGET-ASSIGNMENT-EPOCH #MEMBERS',
        `${group} <address> (1) - Empty - - 0`,
      )
      const members = await describe('--members')
      printed(t, members, 'GROUP CONSUMER-ID HOST CLIENT-ID #PARTITIONS')
      assert.equal(t.plain(members.err), `Consumer group '${group}' has no active members.`)
    },
  },
  {
    name: 'groups: describe all',
    async run(t) {
      const groups = [await consumed(t, 'g-all1'), await consumed(t, 'g-all2')]
      const what = await t.groups('--describe', '--all-groups')
      for (const { topic, group } of groups) {
        assert.deepEqual(rows(t, what, group), [
          [group, topic, '0', '4', '4', '0', '-', '-', '-'],
          [group, topic, '1', '4', '4', '0', '-', '-', '-'],
        ])
      }
    },
  },
  {
    name: 'groups: describe one that is not there',
    async run(t) {
      const group = t.name('g-absent')
      for (const what of ['--offsets', '--members', '--state']) {
        const said = await t.groups('--describe', '--group', group, what)
        assert.match(
          t.plain(said.out + said.err),
          new RegExp(`GroupIdNotFoundException: Group ${group} not found\\.`),
        )
      }
    },
  },
  {
    name: 'groups: describe with a member',
    async run(t) {
      const { topic, group, member } = await active(t, 'g-active')
      const describe = (...args: string[]) => t.groups('--describe', '--group', group, ...args)
      const id = 'console-consumer-<uuid>'
      printed(
        t,
        await describe(),
        OFFSETS,
        `${group} ${topic} 0 4 4 0 ${id} /127.0.0.1 console-consumer`,
        `${group} ${topic} 1 4 4 0 ${id} /127.0.0.1 console-consumer`,
      )
      printed(
        t,
        await describe('--members'),
        'GROUP CONSUMER-ID HOST CLIENT-ID #PARTITIONS',
        `${group} ${id} /127.0.0.1 console-consumer 2`,
      )
      const verbose = await describe('--members', '--verbose')
      assert.deepEqual(rows(t, verbose, group), [
        [group, id, '/127.0.0.1', 'console-consumer', '2', '-', `${topic}:0,1`, '-', '-'].filter(
          (cell) => cell !== '',
        ),
      ])
      printed(
        t,
        await describe('--state'),
        'GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE #MEMBERS',
        `${group} <address> (1) range Stable 1`,
      )
      assert.deepEqual(rows(t, await t.groups('--list', '--state', 'Stable'), group), [
        [group, 'Stable'],
      ])
      await member.stop()
      await t.until(COMMAND, ['--describe', '--group', group, '--state'], / Empty 0$/)
    },
  },
  {
    name: 'groups: two members share, one stays',
    async run(t) {
      const { topic, group, member } = await active(t, 'g-two')
      const second = t.start('consumer.ConsoleConsumer', '--topic', topic, '--group', group)
      await t.until(COMMAND, ['--describe', '--group', group, '--state'], / Stable 2$/)
      const members = await t.groups('--describe', '--group', group, '--members')
      assert.deepEqual(
        rows(t, members, group).map((cells) => cells.at(-1)),
        ['1', '1'],
      )
      await member.stop()
      await t.until(COMMAND, ['--describe', '--group', group, '--state'], / Stable 1$/)
      const one = await t.groups('--describe', '--group', group, '--members')
      assert.deepEqual(
        rows(t, one, group).map((cells) => cells.at(-1)),
        ['2'],
      )
      await second.stop()
    },
  },
  {
    name: 'groups: a static member',
    async run(t) {
      const { topic, group, member } = await active(
        t,
        'g-static',
        '--command-property',
        'group.instance.id=sarah',
      )
      const shown = await t.groups('--describe', '--group', group, '--members', '--verbose')
      assert.match(
        t.plain(shown.out),
        new RegExp(` sarah-<uuid> sarah /127\\.0\\.0\\.1 console-consumer 2 .*${topic}`),
      )
      await member.stop()
      // It did not leave: its place is kept until the session ends.
      const kept = await t.groups('--describe', '--group', group, '--state')
      assert.match(t.plain(kept.out), / Stable 1$/)
      said(
        t,
        await t.groups('--delete', '--group', group),
        /GroupNotEmptyException: The group is not empty\./,
      )
    },
  },
  {
    name: 'groups: a cooperative member',
    async run(t) {
      const assignor = 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor'
      const { group, member } = await active(
        t,
        'g-coop',
        ...['--command-property', `partition.assignment.strategy=${assignor}`],
      )
      const state = await t.groups('--describe', '--group', group, '--state')
      assert.match(t.plain(state.out), / cooperative-sticky Stable 1$/)
      await member.stop()
    },
  },
  {
    name: 'groups: active groups are not moved, emptied or deleted',
    async run(t) {
      const { topic, group, member } = await active(t, 'g-busy')
      said(
        t,
        await reset(t, group, '--to-earliest', '--topic', topic, '--execute'),
        `Error: Assignments can only be reset if the group '${group}' is inactive, but the current state is Stable.`,
      )
      said(
        t,
        await t.groups('--delete', '--group', group),
        `Error: Deletion of some consumer groups failed:`,
        `* Group '${group}' could not be deleted due to: org.apache.kafka.common.errors.GroupNotEmptyException: The group is not empty.`,
      )
      const deleted = await t.groups('--delete-offsets', '--group', group, '--topic', topic)
      assert.match(
        t.plain(deleted.out + deleted.err),
        /GroupSubscribedToTopicException|subscribed to/,
      )
      assert.deepEqual(await current(t, group), ['0:4', '1:4'])
      await member.stop()
    },
  },
  {
    name: 'groups: reset to an end or an offset',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-reset')
      const move = async (...args: string[]) =>
        await moved(t, await reset(t, group, '--topic', topic, ...args, '--execute'), group)
      assert.deepEqual(await move('--to-earliest'), ['0:0', '1:0'])
      assert.deepEqual(await current(t, group), ['0:0', '1:0'])
      assert.deepEqual(await move('--to-offset', '3'), ['0:3', '1:3'])
      assert.deepEqual(await move('--to-current'), ['0:3', '1:3'])
      assert.deepEqual(await move('--to-latest'), ['0:4', '1:4'])
      assert.deepEqual(await move('--to-offset', '100'), ['0:4', '1:4'])
      assert.deepEqual(await current(t, group), ['0:4', '1:4'])
    },
  },
  {
    name: 'groups: reset by a shift',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-shift')
      const move = async (by: string) =>
        await moved(t, await reset(t, group, '--all-topics', '--shift-by', by, '--execute'), group)
      assert.deepEqual(await move('-3'), ['0:1', '1:1'])
      assert.deepEqual(await move('2'), ['0:3', '1:3'])
      assert.deepEqual(await move('-100'), ['0:0', '1:0'])
      const args = ['--topic', topic, '--group', group, '--max-messages', '8']
      assert.equal(t.plain((await t.consume(...args)).out).split('\n').length, 8)
    },
  },
  {
    name: 'groups: reset by time',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-time')
      const move = async (...args: string[]) =>
        await moved(t, await reset(t, group, '--topic', topic, ...args, '--execute'), group)
      assert.deepEqual(await move('--to-datetime', '2000-01-01T00:00:00.000'), ['0:0', '1:0'])
      assert.deepEqual(await move('--to-datetime', '2100-01-01T00:00:00.000'), ['0:4', '1:4'])
      assert.deepEqual(await move('--by-duration', 'PT1H'), ['0:0', '1:0'])
      assert.deepEqual(await move('--by-duration', 'PT0S'), ['0:4', '1:4'])
    },
  },
  {
    name: 'groups: a reset that is only shown, of one partition, of a new group',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-dry')
      const dry = await reset(t, group, '--topic', topic, '--to-earliest', '--dry-run')
      assert.deepEqual(await moved(t, dry, group), ['0:0', '1:0'])
      assert.deepEqual(await current(t, group), ['0:4', '1:4'])
      const one = await reset(t, group, '--topic', `${topic}:1`, '--to-earliest', '--execute')
      assert.deepEqual(await moved(t, one, group), ['1:0'])
      assert.deepEqual(await current(t, group), ['0:4', '1:0'])
      const fresh = t.name('g-fresh')
      const made = await reset(t, fresh, '--topic', topic, '--to-offset', '2', '--execute')
      assert.deepEqual(await moved(t, made, fresh), ['0:2', '1:2'])
      assert.deepEqual(await current(t, fresh), ['0:2', '1:2'])
    },
  },
  {
    name: 'groups: reset from a file and export into one',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-file')
      const exported = await reset(
        t,
        group,
        '--topic',
        topic,
        '--to-latest',
        '--export',
        '--dry-run',
      )
      assert.deepEqual(t.plain(exported.out).split('\n').sort(), [`${topic},0,4`, `${topic},1,4`])
      const directory = mkdtempSync(join(tmpdir(), 'kafka-tools-'))
      const file = join(directory, 'offsets.csv')
      try {
        writeFileSync(file, `${topic},0,1\n${topic},1,2\n`)
        const all = [
          ...t.server,
          '--group',
          group,
          '--reset-offsets',
          '--from-file',
          file,
          '--execute',
        ]
        assert.deepEqual(await moved(t, await t.run(COMMAND, all), group), ['0:1', '1:2'])
        assert.deepEqual(await current(t, group), ['0:1', '1:2'])
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
  },
  {
    name: 'groups: reset over partitions that are not there',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-none')
      said(
        t,
        await reset(t, group, '--topic', `${topic}:7`, '--to-earliest', '--execute'),
        /UnknownTopicOrPartitionException|partitions? .*(not exist|doesn't exist|unknown)/i,
      )
      assert.deepEqual(await current(t, group), ['0:4', '1:4'])
    },
  },
  {
    name: 'groups: delete offsets',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-forget')
      const what = await t.groups('--delete-offsets', '--group', group, '--topic', `${topic}:0`)
      printed(
        t,
        what,
        `Request succeeded for deleting offsets from group ${group}.`,
        'TOPIC PARTITION STATUS',
        `${topic} 0 Successful`,
      )
      assert.deepEqual(await current(t, group), ['1:4'])
      printed(
        t,
        await t.groups('--delete-offsets', '--group', group, '--topic', topic),
        `Request succeeded for deleting offsets from group ${group}.`,
        'TOPIC PARTITION STATUS',
        `${topic} 0 Successful`,
        `${topic} 1 Successful`,
      )
    },
  },
  {
    name: 'groups: delete offsets of a group that is not there',
    async run(t) {
      const topic = await t.topic('g-noone')
      const what = await t.groups(
        '--delete-offsets',
        '--group',
        t.name('g-noone'),
        '--topic',
        topic,
      )
      assert.match(
        t.plain(what.out + what.err),
        /GroupIdNotFoundException|group id .*not.*found|does not exist/,
      )
    },
  },
  {
    name: 'groups: delete',
    async run(t) {
      const { group } = await consumed(t, 'g-del')
      printed(
        t,
        await t.groups('--delete', '--group', group),
        `Deletion of requested consumer groups ('${group}') was successful.`,
      )
      assert.ok(
        !t
          .plain((await t.groups('--list')).out)
          .split('\n')
          .includes(group),
      )
      said(
        t,
        await t.groups('--delete', '--group', group),
        'Error: Deletion of some consumer groups failed:',
        `* Group '${group}' could not be deleted due to: ` +
          'org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.',
      )
    },
  },
  {
    name: 'groups: delete some of several',
    async run(t) {
      const { group } = await consumed(t, 'g-some')
      const absent = t.name('g-some-absent')
      said(
        t,
        await t.groups('--delete', '--group', group, '--group', absent),
        `* Group '${absent}' could not be deleted due to:`,
        new RegExp(`These consumer groups were deleted successfully: '${group}'`),
      )
    },
  },
  {
    name: 'groups: a topic that goes takes its offsets along',
    async run(t) {
      const { topic, group } = await consumed(t, 'g-topic')
      await t.topics('--delete', '--topic', topic)
      await t.until(
        COMMAND,
        ['--describe', '--group', group],
        (text) => !text.includes(`${topic} 0`),
      )
      await t.topic('g-topic')
      assert.deepEqual(await current(t, group), [])
    },
  },
]
