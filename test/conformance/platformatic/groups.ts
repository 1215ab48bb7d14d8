// @platformatic/kafka in groups: sharing, static members, leaving, being removed; and its admin client's view.

import assert from 'node:assert/strict'
import { eventually } from '../../integration/support/eventually.ts'
import type { Check } from '../checks.ts'
import { check, type Scope } from '../scope.ts'
import {
  consume,
  fill,
  newTopic,
  openAdmin,
  openConsumer,
  openProducer,
  type Reader,
  refusals,
  texts,
} from './client.ts'

/** Waits until the readers own these many partitions, none twice. */
async function shares(readers: readonly Reader[], topic: string, sizes: readonly number[]) {
  await eventually(async () => {
    const owned = readers.map((reader) => reader.owns(topic))
    const all = owned.flat()
    const now = owned.map(({ length }) => length).toSorted()
    const isOnce = new Set(all).size === all.length
    return (isOnce && now.join() === [...sizes].toSorted().join()) || undefined
  })
}

const offsetsOf = async (scope: Scope, groupId: string) => {
  const [group] = await openAdmin(scope).listConsumerGroupOffsets({ groups: [groupId] })
  return group!.topics.map(({ name, partitions }) => [
    name,
    partitions
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
      .map(({ committedOffset }) => committedOffset),
  ])
}

const alter = (scope: Scope, groupId: string, topic: string, offset: bigint) =>
  openAdmin(scope).alterConsumerGroupOffsets({
    groupId,
    topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset }] }],
  })

export const groupChecks: readonly Check[] = [
  check('group: two members share, one takes over', async (scope) => {
    const topic = await newTopic(scope, 4)
    const groupId = scope.unique('group')
    const first = await consume(scope, openConsumer(scope, groupId), [topic])
    await shares([first], topic, [4])
    const second = await consume(scope, openConsumer(scope, groupId), [topic])
    await shares([first, second], topic, [2, 2])
    await first.stream.close()
    await first.consumer.close(true)
    await shares([second], topic, [4])
    for (const partition of [0, 1, 2, 3]) await fill(scope, topic, texts(5), partition)
    await second.sees(20)
  }),
  check('group: more members than partitions', async (scope) => {
    const topic = await newTopic(scope, 2)
    const groupId = scope.unique('group')
    const readers: Reader[] = []
    for (let i = 0; i < 3; i++)
      readers.push(await consume(scope, openConsumer(scope, groupId), [topic]))
    await shares(readers, topic, [0, 1, 1])
  }),
  check('group: static members are known by their names', async (scope) => {
    const topic = await newTopic(scope, 2)
    const groupId = scope.unique('group')
    const readers: Reader[] = []
    for (const groupInstanceId of ['a', 'b']) {
      const consumer = openConsumer(scope, groupId, { groupInstanceId })
      readers.push(await consume(scope, consumer, [topic]))
    }
    await shares(readers, topic, [1, 1])
    const group = (await openAdmin(scope).describeGroups({ groups: [groupId] })).get(groupId)!
    const members = [...group.members.values()]
    assert.deepEqual(members.map((member) => member.groupInstanceId).toSorted(), ['a', 'b'])
    for (const { id, groupInstanceId } of members) assert.ok(id.startsWith(`${groupInstanceId}-`))
  }),
  check('group: joinGroup and leaveGroup by hand', async (scope) => {
    const groupId = scope.unique('group')
    const consumer = openConsumer(scope, groupId)
    const memberId = await consumer.joinGroup()
    assert.equal(consumer.memberId, memberId)
    assert.equal(consumer.generationId, 1)
    assert.equal(await consumer.findGroupCoordinator(), 1)
    await consumer.leaveGroup()
    const admin = openAdmin(scope)
    await eventually(async () => {
      const group = (await admin.describeGroups({ groups: [groupId] })).get(groupId)!
      return group.state === 'EMPTY' || group.members.size === 0 || undefined
    })
  }),
  check('group: heartbeats', async (scope) => {
    const consumer = openConsumer(scope)
    let beats = 0
    consumer.on('consumer:heartbeat:end', () => {
      beats += 1
    })
    await consumer.joinGroup()
    await eventually(async () => beats >= 3 || undefined)
  }),
  check('group: an assigner of the application', async (scope) => {
    const topic = await newTopic(scope, 3)
    const groupId = scope.unique('group')
    const protocols = [{ name: 'all-to-first', version: 1 }]
    const partitionAssigner = (_: string, members: Map<string, unknown>) =>
      [...members.keys()].toSorted().map((memberId, i) => ({
        memberId,
        assignments: new Map(i === 0 ? [[topic, { topic, partitions: [0, 1, 2] }]] : []),
      }))
    const options = { protocols, partitionAssigner } as never
    const readers: Reader[] = []
    for (let i = 0; i < 2; i++) {
      readers.push(await consume(scope, openConsumer(scope, groupId, options), [topic]))
    }
    await shares(readers, topic, [0, 3])
  }),
  check('group: a session timeout out of range is refused', async (scope) => {
    const options = {
      sessionTimeout: 100,
      rebalanceTimeout: 200,
      heartbeatInterval: 50,
      retries: 0,
    }
    const consumer = openConsumer(scope, scope.unique('group'), options)
    assert.ok((await refusals(consumer.joinGroup())).includes('INVALID_SESSION_TIMEOUT'))
  }),
  check('group: describeGroups and listGroups', async (scope) => {
    const topic = await newTopic(scope, 2)
    const groupId = scope.unique('group')
    const reader = await consume(scope, openConsumer(scope, groupId), [topic])
    await shares([reader], topic, [2])
    const admin = openAdmin(scope)
    const group = await eventually(async () => {
      const known = (await admin.describeGroups({ groups: [groupId] })).get(groupId)!
      return known.state === 'STABLE' ? known : undefined
    })
    assert.equal(group.protocolType, 'consumer')
    const [member] = group.members.values()
    assert.equal(member!.clientId, 'conformance')
    assert.match(member!.clientHost, /127\.0\.0\.1/)
    assert.deepEqual(member!.assignments!.get(topic)!.partitions, [0, 1])
    const listed = (await admin.listGroups()).get(groupId)!
    assert.deepEqual([listed.state, listed.groupType], ['STABLE', 'classic'])
    const stable = await admin.listGroups({ states: ['STABLE'], types: ['classic'] })
    assert.ok(stable.has(groupId))
    assert.ok(!(await admin.listGroups({ states: ['EMPTY'] })).has(groupId))
  }),
  check('group: removeMembersFromConsumerGroup', async (scope) => {
    const groupId = scope.unique('group')
    const consumer = openConsumer(scope, groupId)
    await consumer.joinGroup()
    const admin = openAdmin(scope)
    const members = [{ memberId: consumer.memberId!, reason: 'to see it go' }]
    await admin.removeMembersFromConsumerGroup({ groupId, members })
    const stranger = [{ memberId: 'nobody' }]
    const error = refusals(admin.removeMembersFromConsumerGroup({ groupId, members: stranger }))
    assert.ok((await error).includes('UNKNOWN_MEMBER_ID'))
  }),
  check('group: deleteGroups', async (scope) => {
    const groupId = scope.unique('group')
    const consumer = openConsumer(scope, groupId)
    await consumer.joinGroup()
    const admin = openAdmin(scope)
    const remove = () => admin.deleteGroups({ groups: [groupId] })
    assert.ok((await refusals(remove())).includes('NON_EMPTY_GROUP'))
    await consumer.leaveGroup()
    await remove()
    assert.ok((await refusals(remove())).includes('GROUP_ID_NOT_FOUND'))
  }),
  check('offsets: alterConsumerGroupOffsets and listConsumerGroupOffsets', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(5))
    const groupId = scope.unique('group')
    await alter(scope, groupId, topic, 3n)
    assert.deepEqual(await offsetsOf(scope, groupId), [[topic, [3n]]])
    const consumer = openConsumer(scope, groupId)
    const reader = await consume(scope, consumer, [topic], { mode: 'committed' })
    await reader.sees(2)
    assert.deepEqual(reader.values, ['v3', 'v4'])
  }),
  check('offsets: listConsumerGroupOffsets of chosen partitions', async (scope) => {
    const topic = await newTopic(scope, 2)
    const groupId = scope.unique('group')
    await alter(scope, groupId, topic, 3n)
    const [group] = await openAdmin(scope).listConsumerGroupOffsets({
      requireStable: true,
      groups: [{ groupId, topics: [{ name: topic, partitionIndexes: [0, 1] }] }],
    })
    const found = group!.topics[0]!.partitions.toSorted(
      (a, b) => a.partitionIndex - b.partitionIndex,
    )
    assert.deepEqual(
      found.map(({ committedOffset }) => committedOffset),
      [3n, -1n],
    )
  }),
  check('offsets: alterConsumerGroupOffsets of a group with members is refused', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await openConsumer(scope, groupId).joinGroup()
    assert.ok((await refusals(alter(scope, groupId, topic, 0n))).includes('UNKNOWN_MEMBER_ID'))
  }),
  check('offsets: deleteConsumerGroupOffsets', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await alter(scope, groupId, topic, 3n)
    const deleted = await openAdmin(scope).deleteConsumerGroupOffsets({
      groupId,
      topics: [{ name: topic, partitionIndexes: [0] }],
    })
    assert.deepEqual(deleted, [{ name: topic, partitionIndexes: [0] }])
    assert.deepEqual(await offsetsOf(scope, groupId), [])
  }),
  check(
    'restart: an idempotent producer goes on',
    async (scope) => {
      const topic = await newTopic(scope, 2)
      const producer = openProducer(scope, { idempotent: true, acks: -1, retries: 100 })
      const send = (from: number) =>
        producer.send({
          messages: texts(10, from).map((value, i) => ({ topic, value, partition: i % 2 })),
        })
      await send(0)
      await scope.restart()
      await eventually(() => send(10))
      const consumer = openConsumer(scope)
      const ends = await consumer.listOffsets({ topics: [topic] })
      assert.deepEqual(ends.get(topic), [10n, 10n]) // nothing twice
    },
    180_000,
  ),
  check('kip-848: a group of the new protocol', async (scope) => {
    const topic = await newTopic(scope, 2)
    await fill(scope, topic, texts(3))
    const consumer = openConsumer(scope, scope.unique('group'), { groupProtocol: 'consumer' })
    const reader = await consume(scope, consumer, [topic])
    await reader.sees(3)
  }),
]
