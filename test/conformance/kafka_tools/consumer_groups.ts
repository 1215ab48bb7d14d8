// ConsumerGroupCommand, GroupsCommand and ConfigCommand on groups of the new protocol (KIP-848): epochs, targets, static
// members, migration both ways, and settings of one group.

import assert from 'node:assert/strict'
import type { Running } from './driver.ts'
import { COMMAND, consumed, current, moved, OFFSETS, reset } from './groups.ts'
import { printed, refused, rows, type Session, said, type ToolCheck } from './session.ts'

const NEW = ['--command-property', 'group.protocol=consumer']
const STATE_VERBOSE =
  'GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE GROUP-EPOCH TARGET-ASSIGNMENT-EPOCH #MEMBERS'
const MEMBER =
  'HOST CLIENT-ID #PARTITIONS CURRENT-EPOCH CURRENT-ASSIGNMENT TARGET-EPOCH TARGET-ASSIGNMENT'
const STATIC_MEMBERS = `GROUP CONSUMER-ID GROUP-INSTANCE-ID ${MEMBER}`
const CLIENT = '/127.0.0.1 console-consumer'

interface Active {
  topic: string
  group: string
  member: Running
}

const member = (t: Session, topic: string, group: string, ...args: string[]) =>
  t.start('consumer.ConsoleConsumer', '--topic', topic, '--group', group, ...args)

/** Until the group is in this state with so many members. */
const settled = (t: Session, group: string, state: string) =>
  t.until(COMMAND, ['--describe', '--group', group, '--state'], new RegExp(` ${state}$`))

/** A group of the new protocol with one member that goes on. */
async function active(t: Session, word: string, ...args: string[]): Promise<Active> {
  const { topic, group } = await consumed(t, word, ...NEW)
  const running = member(t, topic, group, ...NEW, ...args)
  await settled(t, group, 'Stable 1')
  return { topic, group, member: running }
}

const describe = (t: Session, group: string, ...args: string[]) =>
  t.groups('--describe', '--group', group, ...args)

/** The last column of the rows about a group. */
async function shares(t: Session, group: string): Promise<(string | undefined)[]> {
  return rows(t, await describe(t, group, '--members'), group).map((cells) => cells.at(-1))
}

/** The type that a list shows. */
async function typeOf(t: Session, group: string): Promise<string | undefined> {
  return rows(t, await t.groups('--list', '--type'), group)[0]?.[1]
}

export const consumerGroupChecks: readonly ToolCheck[] = [
  {
    name: 'consumer groups: list',
    async run(t) {
      const { group } = await consumed(t, 'n-list', ...NEW)
      assert.deepEqual(rows(t, await t.groups('--list', '--state'), group), [[group, 'Empty']])
      assert.deepEqual(rows(t, await t.groups('--list', '--type', 'consumer'), group), [
        [group, 'Consumer'],
      ])
      assert.deepEqual(rows(t, await t.groups('--list', '--type', 'classic'), group), [])
      const list = (...args: string[]) => t.tool('GroupsCommand', '--list', ...args)
      const row = [[group, 'Consumer', 'consumer']]
      assert.deepEqual(rows(t, await list(), group), row)
      assert.deepEqual(rows(t, await list('--consumer'), group), row)
      assert.deepEqual(rows(t, await list('--group-type', 'consumer'), group), row)
      assert.deepEqual(rows(t, await list('--group-type', 'classic'), group), [])
    },
  },
  {
    name: 'consumer groups: describe without members',
    async run(t) {
      const { topic, group } = await consumed(t, 'n-desc', ...NEW)
      const what = await describe(t, group)
      printed(
        t,
        what,
        OFFSETS,
        `${group} ${topic} 0 4 4 0 - - -`,
        `${group} ${topic} 1 4 4 0 - - -`,
      )
      assert.equal(t.plain(what.err), `Consumer group '${group}' has no active members.`)
      printed(
        t,
        await describe(t, group, '--state', '--verbose'),
        STATE_VERBOSE,
        `${group} <address> (1) uniform Empty 3 2 0`,
      )
    },
  },
  {
    name: 'consumer groups: describe with a member',
    async run(t) {
      const { topic, group, member } = await active(t, 'n-active')
      printed(
        t,
        await describe(t, group),
        OFFSETS,
        `${group} ${topic} 0 4 4 0 <id> ${CLIENT}`,
        `${group} ${topic} 1 4 4 0 <id> ${CLIENT}`,
      )
      printed(
        t,
        await describe(t, group, '--members'),
        'GROUP CONSUMER-ID HOST CLIENT-ID #PARTITIONS',
        `${group} <id> ${CLIENT} 2`,
      )
      printed(
        t,
        await describe(t, group, '--members', '--verbose'),
        `GROUP CONSUMER-ID ${MEMBER}`,
        `${group} <id> ${CLIENT} 2 4 ${topic}:0,1 4 ${topic}:0,1`,
      )
      printed(
        t,
        await describe(t, group, '--state'),
        'GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE #MEMBERS',
        `${group} <address> (1) uniform Stable 1`,
      )
      printed(
        t,
        await describe(t, group, '--state', '--verbose'),
        STATE_VERBOSE,
        `${group} <address> (1) uniform Stable 4 4 1`,
      )
      await member.stop()
      await settled(t, group, 'Empty 0')
    },
  },
  {
    name: 'consumer groups: the assignor of the members',
    async run(t) {
      const { group, member } = await active(
        t,
        'n-range',
        '--command-property',
        'group.remote.assignor=range',
      )
      printed(
        t,
        await describe(t, group, '--state'),
        'GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE #MEMBERS',
        `${group} <address> (1) range Stable 1`,
      )
      await member.stop()
    },
  },
  {
    name: 'consumer groups: two members share, one stays',
    async run(t) {
      const { topic, group, member: first } = await active(t, 'n-two')
      const second = member(t, topic, group, ...NEW)
      await settled(t, group, 'Stable 2')
      assert.deepEqual(await shares(t, group), ['1', '1'])
      await first.stop()
      await settled(t, group, 'Stable 1')
      assert.deepEqual(await shares(t, group), ['2'])
      await second.stop()
    },
  },
  {
    name: 'consumer groups: a static member',
    async run(t) {
      const name = ['--command-property', 'group.instance.id=sarah']
      const { topic, group, member: first } = await active(t, 'n-static', ...name)
      const row = (epoch: string) =>
        `${group} <id> sarah ${CLIENT} 2 ${epoch} ${topic}:0,1 4 ${topic}:0,1`
      const members = async () => await describe(t, group, '--members', '--verbose')
      printed(t, await members(), STATIC_MEMBERS, row('4'))
      await first.stop()
      // It left for a while: epoch -2, and its partitions wait for it.
      printed(t, await members(), STATIC_MEMBERS, row('-2'))
      const again = member(t, topic, group, ...NEW, ...name)
      await t.until(COMMAND, ['--describe', '--group', group, '--members', '--verbose'], (text) =>
        text.includes(row('4')),
      )
      await again.stop()
    },
  },
  {
    name: 'consumer groups: a pattern',
    async run(t) {
      const { topic, group } = await consumed(t, 'n-pattern', ...NEW)
      const include = ['--include', `${topic}.*`, '--group', group]
      const running = t.start('consumer.ConsoleConsumer', ...include, ...NEW)
      await settled(t, group, 'Stable 1')
      await t.until(COMMAND, ['--describe', '--group', group, '--members'], / 2$/)
      await running.stop()
    },
  },
  {
    name: 'consumer groups: active groups are not moved, emptied or deleted',
    async run(t) {
      const { topic, group, member } = await active(t, 'n-busy')
      said(
        t,
        await reset(t, group, '--to-earliest', '--topic', topic, '--execute'),
        `Error: Assignments can only be reset if the group '${group}' is inactive, but the current state is Stable.`,
      )
      said(
        t,
        await t.groups('--delete', '--group', group),
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
    name: 'consumer groups: reset, delete offsets, delete',
    async run(t) {
      const { topic, group } = await consumed(t, 'n-reset', ...NEW)
      const move = async (...args: string[]) =>
        await moved(t, await reset(t, group, '--topic', topic, ...args, '--execute'), group)
      assert.deepEqual(await move('--to-earliest'), ['0:0', '1:0'])
      assert.deepEqual(await move('--to-offset', '3'), ['0:3', '1:3'])
      assert.deepEqual(await move('--shift-by', '-2'), ['0:1', '1:1'])
      assert.deepEqual(await current(t, group), ['0:1', '1:1'])
      printed(
        t,
        await t.groups('--delete-offsets', '--group', group, '--topic', `${topic}:0`),
        `Request succeeded for deleting offsets from group ${group}.`,
        'TOPIC PARTITION STATUS',
        `${topic} 0 Successful`,
      )
      assert.deepEqual(await current(t, group), ['1:1'])
      printed(
        t,
        await t.groups('--delete', '--group', group),
        `Deletion of requested consumer groups ('${group}') was successful.`,
      )
      assert.equal(await typeOf(t, group), undefined)
      said(
        t,
        await describe(t, group),
        new RegExp(`GroupIdNotFoundException: Group ${group} not found\\.`),
      )
    },
  },
  {
    name: 'consumer groups: a classic group becomes one, and classic again',
    async run(t) {
      const { topic, group } = await consumed(t, 'n-live')
      assert.equal(await typeOf(t, group), 'Classic')
      const old = member(t, topic, group)
      await settled(t, group, 'Stable 1')
      const fresh = member(t, topic, group, ...NEW)
      await settled(t, group, 'Stable 2')
      assert.equal(await typeOf(t, group), 'Consumer')
      const mixed = await describe(t, group, '--members', '--verbose')
      const upgraded = rows(t, mixed, group).map((cells) => cells.at(-1))
      assert.deepEqual(upgraded.sort(), ['false', 'true'])
      assert.deepEqual(await shares(t, group), ['1', '1'])
      await fresh.stop()
      await settled(t, group, 'Stable 1')
      assert.equal(await typeOf(t, group), 'Classic')
      assert.deepEqual(await shares(t, group), ['2'])
      await old.stop()
      await settled(t, group, 'Empty 0')
      assert.deepEqual(await current(t, group), ['0:4', '1:4'])
    },
  },
  {
    name: 'consumer groups: an empty classic group becomes one',
    async run(t) {
      const { topic, group } = await consumed(t, 'n-empty')
      const running = member(t, topic, group, ...NEW)
      await settled(t, group, 'Stable 1')
      assert.equal(await typeOf(t, group), 'Consumer')
      assert.deepEqual(await current(t, group), ['0:4', '1:4'])
      await running.stop()
      await settled(t, group, 'Empty 0')
      const back = member(t, topic, group)
      await settled(t, group, 'Stable 1')
      assert.equal(await typeOf(t, group), 'Classic')
      await back.stop()
    },
  },
  {
    name: 'consumer groups: settings of one group',
    async run(t) {
      const group = t.name('n-config')
      const entity = ['--entity-type', 'groups', '--entity-name', group]
      const done = `Completed updating config for group ${group}.`
      const add = (pair: string) => t.configs(...entity, '--alter', '--add-config', pair)
      printed(
        t,
        await add('consumer.session.timeout.ms=46000,consumer.heartbeat.interval.ms=6000'),
        done,
      )
      const said = t.plain((await t.configs(...entity, '--describe')).out)
      assert.match(said, /consumer\.heartbeat\.interval\.ms=6000 sensitive=false/)
      assert.match(said, /consumer\.session\.timeout\.ms=46000 sensitive=false/)
      await t.configs(...entity, '--describe', '--all')
      for (const [pair, why] of [
        ['consumer.session.timeout.ms=1', 'must be greater than or equal to'],
        ['consumer.session.timeout.ms=10000000', 'must be less than or equal to'],
        ['consumer.heartbeat.interval.ms=1', 'must be greater than or equal to'],
        ['consumer.heartbeat.interval.ms=46000', /consumer\.(heartbeat|session)\.\w+/],
        ['consumer.session.timeout.ms=soon', 'Invalid value'],
        ['consumer.colour=red', 'consumer.colour'],
      ] as const) {
        refused(t, await add(pair), why)
      }
      const gone = 'consumer.session.timeout.ms,consumer.heartbeat.interval.ms'
      printed(t, await t.configs(...entity, '--alter', '--delete-config', gone), done)
      const rest = t.plain((await t.configs(...entity, '--describe')).out)
      assert.doesNotMatch(rest, /46000/)
    },
  },
]
