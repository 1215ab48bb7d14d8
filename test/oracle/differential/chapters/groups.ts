// Groups as those who are no members meet them: finding coordinators, committing and fetching offsets by name and by id,
// notes of every length, batches, and what is refused. Conversations of members are compared in test/oracle/group.

import {
  DeleteGroups,
  DescribeGroups,
  FindCoordinator,
  Heartbeat,
  LeaveGroup,
  ListGroups,
} from '../../../../src/protocol/messages/classic_group.ts'
import { Metadata } from '../../../../src/protocol/messages/metadata.ts'
import {
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
} from '../../../../src/protocol/messages/offsets.ts'
import type { Side } from '../sides.ts'
import type { Talk } from '../talk.ts'

const TOPIC = 'grouped'
const NO_ID = 'bm8tc3VjaC10b3BpYy1pZA'
const BY_ID = 10

export async function groups(talk: Talk): Promise<void> {
  await talk.haveTopics([{ name: TOPIC, numPartitions: 3 }])
  await talk.settle(
    FindCoordinator,
    4,
    { keyType: 0, coordinatorKeys: ['g'] },
    ({ coordinators }: { coordinators: { errorCode: number }[] }) =>
      coordinators.every(({ errorCode }) => errorCode === 0),
  )
  await talk.settle(
    DescribeGroups,
    5,
    { groups: Array.from({ length: 200 }, (_, at) => `g${at}`) },
    ({ groups: described }: { groups: { errorCode: number }[] }) =>
      described.every(({ errorCode }) => errorCode === 0),
  )
  await coordinators(talk)
  await commits(talk)
  await fetches(talk)
  await others(talk)
}

async function coordinators(talk: Talk): Promise<void> {
  for (const key of ['g', '', 'ü', 'x'.repeat(300)]) {
    await talk.ask(`coordinator of ${key.slice(0, 9)}`, FindCoordinator, '0-3', { key })
  }
  for (const [label, coordinatorKeys] of Object.entries({
    none: [],
    one: ['g'],
    'an empty one': [''],
    several: ['b', 'a', 'c'],
    'the same twice': ['a', 'a'],
  })) {
    await talk.ask(`coordinators: ${label}`, FindCoordinator, '4-6', {
      keyType: 0,
      coordinatorKeys,
    })
  }
  await talk.ask('coordinators: key type 9', FindCoordinator, '4-6', {
    keyType: 9,
    coordinatorKeys: ['g'],
  })
  await talk.ask('coordinators: share keys that are none', FindCoordinator, '6', {
    keyType: 2,
    coordinatorKeys: ['g', 'g:t', 'g:t:x', ''],
  })
}

/** The topic by name, or by id where names are gone. */
function named(version: number, side: Side, name = TOPIC) {
  if (version < BY_ID) return { name }
  const known = [...side.names].find(([, known]) => known === name)
  return { topicId: known?.[0] ?? NO_ID }
}

interface Commit {
  group?: string
  topic?: string
  partition?: number
  offset?: bigint
  note?: string | null
  generation?: number
  member?: string
  instance?: string
}

async function commits(talk: Talk): Promise<void> {
  await talk.ask('names of ids', Metadata, '12', { topics: null })
  const commit = (label: string, one: Commit = {}, range = '2-10') =>
    talk.ask(`commit: ${label}`, OffsetCommit, range, (v, side) => ({
      groupId: one.group ?? 'g',
      generationIdOrMemberEpoch: one.generation ?? -1,
      memberId: one.member ?? '',
      ...(v >= 7 ? { groupInstanceId: one.instance ?? null } : {}),
      topics: [
        {
          ...named(v, side, one.topic),
          partitions: [
            {
              partitionIndex: one.partition ?? 0,
              committedOffset: one.offset ?? 5n,
              committedMetadata: one.note === undefined ? 'note' : one.note,
            },
          ],
        },
      ],
    }))
  await commit('plain')
  await commit('null note', { note: null, partition: 1 })
  for (const [label, note] of Object.entries({
    'longest note': 'x'.repeat(4096),
    'longest note of two bytes each': 'ü'.repeat(4096),
    'longest note of surrogates': '😀'.repeat(2048),
    'longer note': 'x'.repeat(4097),
    'longer note of surrogates': '😀'.repeat(2049),
  })) {
    await commit(label, { note, partition: 2 })
  }
  for (const offset of [-1n, -2n, 0n, 9_223_372_036_854_775_807n]) {
    await commit(`offset ${offset}`, { offset, group: 'offsets' })
  }
  await commit('partition 9', { partition: 9 })
  await commit('partition -1', { partition: -1 })
  await commit('unknown topic', { topic: 'nowhere' })
  await commit('a bad topic', { topic: 'not good' }, '2-9')
  await commit('an empty group', { group: '' })
  await commit('a generation of an unknown group', { group: 'nobody', generation: 1 })
  await commit('a member of a simple group', { generation: 1, member: 'm' })
  await commit('a member without generation', { member: 'm' })
  await commit('an instance', { instance: 'i' }, '7-10')
  for (const [label, topics] of Object.entries({
    'no topic': [],
    'no partition': [TOPIC],
    'no partition of nowhere': ['nowhere'],
  })) {
    await talk.ask(`commit: ${label}`, OffsetCommit, '2-10', (v, side) => ({
      groupId: 'g',
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: topics.map((name) => ({ ...named(v, side, name), partitions: [] })),
    }))
  }
}

async function fetches(talk: Talk): Promise<void> {
  const one = (label: string, groupId: string, topics: unknown, range: string, more = {}) =>
    talk.ask(`fetch one: ${label}`, OffsetFetch, range, { groupId, topics, ...more } as never)
  const partitions = { name: TOPIC, partitionIndexes: [0, 1, 2, 9, -1] }
  await one('some', 'g', [partitions], '1-7')
  await one('all', 'g', null, '2-7')
  await one('none', 'g', [], '1-7')
  await one('unknown topic', 'g', [{ name: 'nowhere', partitionIndexes: [0] }], '1-7')
  await one('of nobody', 'nobody at all', [partitions], '1-7')
  await one('all of nobody', 'nobody at all', null, '2-7')
  await one('of an empty group', '', [partitions], '1-7')
  await one('stable', 'g', [partitions], '7', { requireStable: true })
  const many = (label: string, asked: { groupId: string; topics: string[] | null }[], more = {}) =>
    talk.ask(`fetch many: ${label}`, OffsetFetch, '8-10', (v, side) => ({
      groups: asked.map(({ groupId, topics }) => ({
        groupId,
        topics:
          topics?.map((name) => ({ ...named(v, side, name), partitionIndexes: [0, 1, 9] })) ?? null,
      })),
      ...more,
    }))
  await many('none', [])
  await many('all of several', [
    { groupId: 'g', topics: null },
    { groupId: 'offsets', topics: null },
    { groupId: 'nobody at all', topics: null },
    { groupId: '', topics: null },
  ])
  await many('some', [
    { groupId: 'g', topics: [TOPIC] },
    { groupId: 'offsets', topics: [TOPIC, 'nowhere'] },
    { groupId: 'nobody at all', topics: [TOPIC] },
  ])
  await many('no topic', [{ groupId: 'g', topics: [] }])
  await many('stable', [{ groupId: 'g', topics: null }], { requireStable: true })
  await many('with a member', [{ groupId: 'g', topics: [TOPIC] }])
}

async function others(talk: Talk): Promise<void> {
  const leave = (label: string, groupId: string, memberIds: string[]) =>
    talk.ask(`leave: ${label}`, LeaveGroup, '3-5', {
      groupId,
      members: memberIds.map((memberId) => ({ memberId })),
    })
  await talk.ask('leave: alone', LeaveGroup, '0-2', { groupId: 'g', memberId: 'm' })
  await talk.ask('leave: alone, of nobody', LeaveGroup, '0-2', { groupId: 'nobody', memberId: 'm' })
  await leave('several', 'g', ['m', 'n', 'm'])
  await leave('none', 'g', [])
  await leave('of nobody', 'nobody', ['m'])
  await leave('of an empty group', '', ['m'])
  await talk.ask('beat', Heartbeat, '0-4', { groupId: 'g', generationId: 1, memberId: 'm' })
  await talk.ask('describe', DescribeGroups, '0-6', { groups: ['g', 'nobody at all', ''] })
  await talk.ask('list', ListGroups, '0-5', {})
  await talk.ask('list: some', ListGroups, '4-5', { statesFilter: ['Empty', 'Nonsense'] })
  await talk.ask('list: none', ListGroups, '4-5', { statesFilter: ['Stable'] })
  await talk.ask('list: classic', ListGroups, '5', { typesFilter: ['classic'] })
  await talk.ask('list: nonsense', ListGroups, '5', { typesFilter: ['nonsense'] })
  const remove = (label: string, groupId: string, name: string, indexes: number[]) =>
    talk.ask(`remove: ${label}`, OffsetDelete, '0', {
      groupId,
      topics: [{ name, partitions: indexes.map((partitionIndex) => ({ partitionIndex })) }],
    })
  await remove('one', 'g', TOPIC, [1])
  await remove('one again', 'g', TOPIC, [1])
  await remove('partition 9', 'g', TOPIC, [9, 0])
  await remove('unknown topic', 'g', 'nowhere', [0])
  await remove('of nobody', 'nobody at all', TOPIC, [0])
  await remove('of an empty group', '', TOPIC, [0])
  await remove('no partition', 'g', TOPIC, [])
  await remove('no partition of nowhere', 'g', 'nowhere', [])
  await talk.ask('delete', DeleteGroups, '0-2', { groupsNames: ['g', 'nobody at all', '', 'g'] })
  await talk.ask('delete again', DeleteGroups, '0-2', { groupsNames: ['g'] })
  await talk.ask('delete none', DeleteGroups, '0-2', { groupsNames: [] })
}
