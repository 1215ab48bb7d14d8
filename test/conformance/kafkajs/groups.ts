// kafkajs in groups: sharing, joining, leaving, dying; and its admin client's view of groups and their offsets.

import assert from 'node:assert/strict'
import kafkajs from 'kafkajs'
import { eventually, pause } from '../../integration/support/eventually.ts'
import type { Check } from '../checks.ts'
import { check, type Scope } from '../scope.ts'
import {
  fill,
  join,
  kafka,
  type Member,
  newTopic,
  openAdmin,
  openProducer,
  refusal,
  texts,
  typeOf,
} from './client.ts'

/** Waits until the members' assignments are these many partitions, none owned twice. */
async function shares(members: readonly Member[], topic: string, sizes: readonly number[]) {
  await eventually(async () => {
    const owned = members.map(({ assigned }) => assigned[topic] ?? [])
    const all = owned.flat()
    const isOnce = new Set(all).size === all.length
    const now = owned.map(({ length }) => length).toSorted()
    return (isOnce && now.join() === [...sizes].toSorted().join()) || undefined
  })
}

const offsetOf = async (scope: Scope, groupId: string, topic: string) =>
  (await (await openAdmin(scope)).fetchOffsets({ groupId, topics: [topic] }))[0]!.partitions
    .toSorted((a, b) => a.partition - b.partition)
    .map(({ offset }) => offset)

/** What ends a consumer that reads `topic`. */
async function crashOf(scope: Scope, consumer: kafkajs.Consumer, topic: string): Promise<Error> {
  scope.after(() => consumer.disconnect())
  const crashed = new Promise<Error>((resolve) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error))
  })
  await consumer.connect()
  await consumer.subscribe({ topic })
  await consumer.run({ eachMessage: async () => {} })
  return await crashed
}

/** Outlasts a restart. */
const PATIENT = { retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 100 } }

export const groupChecks: readonly Check[] = [
  check('group: two members share, one takes over', async (scope) => {
    const topic = await newTopic(scope, 4)
    const groupId = scope.unique('group')
    const first = await join(scope, { groupId, topics: [topic] })
    await shares([first], topic, [4])
    const second = await join(scope, { groupId, topics: [topic] })
    await shares([first, second], topic, [2, 2])
    assert.equal([first, second].filter(({ isLeader }) => isLeader).length, 1)
    await first.consumer.disconnect()
    await shares([second], topic, [4])
    for (const partition of [0, 1, 2, 3]) await fill(scope, topic, texts(5), partition)
    await second.sees(20)
  }),
  check('group: more members than partitions', async (scope) => {
    const topic = await newTopic(scope, 2)
    const groupId = scope.unique('group')
    const members = await Promise.all(
      [1, 2, 3, 4].map(() => join(scope, { groupId, topics: [topic] })),
    )
    await shares(members, topic, [0, 0, 1, 1])
  }),
  check('group: every record once while members come and go', async (scope) => {
    const topic = await newTopic(scope, 6)
    const groupId = scope.unique('group')
    const run = { autoCommitThreshold: 1 }
    const members = [await join(scope, { groupId, topics: [topic], run })]
    for (let round = 0; round < 3; round++) {
      for (let partition = 0; partition < 6; partition++) {
        await fill(scope, topic, texts(10, round * 10), partition)
      }
      members.push(await join(scope, { groupId, topics: [topic], run }))
    }
    await members[0]!.consumer.disconnect()
    const all = () => members.flatMap(({ seen }) => seen.map((r) => `${r.partition}:${r.offset}`))
    await eventually(async () => new Set(all()).size === 180 || undefined)
  }),
  check('group: an assigner of the application', async (scope) => {
    const topic = await newTopic(scope, 3)
    const groupId = scope.unique('group')
    const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol
    const allToFirst: kafkajs.PartitionAssigner = ({ cluster }) => ({
      name: 'all-to-first',
      version: 1,
      protocol: ({ topics }) => ({
        name: 'all-to-first',
        metadata: MemberMetadata.encode({ version: 1, topics, userData: Buffer.from('mine') }),
      }),
      assign: async ({ members, topics }) => {
        await cluster.connect()
        const data = members.map(
          ({ memberMetadata }) => MemberMetadata.decode(memberMetadata)!.userData,
        )
        assert.ok(data.every((bytes) => bytes.toString() === 'mine'))
        const sorted = members.map(({ memberId }) => memberId).toSorted()
        return sorted.map((memberId, i) => ({
          memberId,
          memberAssignment: MemberAssignment.encode({
            version: 1,
            assignment: Object.fromEntries(topics.map((t) => [t, i === 0 ? [0, 1, 2] : []])),
            userData: Buffer.alloc(0),
          }),
        }))
      },
    })
    const options = { groupId, topics: [topic], partitionAssigners: [allToFirst] }
    const members = [await join(scope, options), await join(scope, options)]
    await shares(members, topic, [0, 3])
  }),
  check('group: members that speak no common protocol are refused', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await join(scope, { groupId, topics: [topic] })
    const stranger: kafkajs.PartitionAssigner = () => ({
      name: 'strange',
      version: 1,
      protocol: () => ({ name: 'strange', metadata: Buffer.alloc(0) }),
      assign: async () => [],
    })
    const consumer = kafka(scope).consumer({ groupId, partitionAssigners: [stranger] })
    assert.equal(typeOf(await crashOf(scope, consumer, topic)), 'INCONSISTENT_GROUP_PROTOCOL')
  }),
  check('group: a member that falls silent is replaced', async (scope) => {
    const topic = await newTopic(scope, 2)
    const groupId = scope.unique('group')
    await fill(scope, topic, ['v0'], 0)
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await join(scope, {
      groupId,
      topics: [topic],
      sessionTimeout: 6000,
      rebalanceTimeout: 6000,
      run: { eachMessage: () => held },
    })
    const second = await join(scope, { groupId, topics: [topic] })
    await shares([second], topic, [2])
    release() // a consumer waits for its handler before it closes
  }),
  check('group: heartbeats keep a slow member', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await fill(scope, topic, texts(2))
    const member = await join(scope, {
      groupId,
      topics: [topic],
      sessionTimeout: 6000,
      run: {
        eachMessage: async ({ heartbeat, message, partition }) => {
          for (let i = 0; i < 35 && message.offset === '0'; i++) {
            await pause(200)
            await heartbeat()
          }
          member.seen.push({ ...message, topic, partition } as never)
        },
      },
    })
    await member.sees(2)
    assert.equal(member.joins, 1)
  }),
  check('group: refuses a session timeout out of range', async (scope) => {
    const topic = await newTopic(scope)
    const consumer = kafka(scope).consumer({
      groupId: scope.unique('group'),
      sessionTimeout: 100,
      heartbeatInterval: 30,
    })
    assert.equal(typeOf(await crashOf(scope, consumer, topic)), 'INVALID_SESSION_TIMEOUT')
  }),
  check('group: new partitions are shared as well', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    const member = await join(scope, { groupId, topics: [topic], metadataMaxAge: 300 })
    const admin = await openAdmin(scope)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    await shares([member], topic, [3])
    await fill(scope, topic, texts(2), 2)
    await member.sees(2)
  }),
  check('group: describeGroup, describeGroups and listGroups', async (scope) => {
    const topic = await newTopic(scope, 2)
    const groupId = scope.unique('group')
    const { consumer } = await join(scope, { groupId, topics: [topic] })
    const own = await consumer.describeGroup()
    const admin = await openAdmin(scope)
    const { groups } = await admin.describeGroups([groupId])
    assert.deepEqual(groups[0], own)
    const { state, protocol, protocolType, members } = groups[0]!
    assert.deepEqual([state, protocol, protocolType], ['Stable', 'RoundRobinAssigner', 'consumer'])
    const [member] = members
    assert.equal(member!.clientId, 'conformance')
    assert.match(member!.clientHost, /^\/127\.0\.0\.1$/)
    assert.match(member!.memberId, /^conformance-[0-9a-f-]{36}$/)
    const { assignment } = kafkajs.AssignerProtocol.MemberAssignment.decode(
      member!.memberAssignment,
    )!
    assert.deepEqual(assignment, { [topic]: [0, 1] })
    const listed = (await admin.listGroups()).groups.find((group) => group.groupId === groupId)
    assert.deepEqual(listed, { groupId, protocolType: 'consumer' })
  }),
  check('group: describeGroups of an unknown group is Dead', async (scope) => {
    const admin = await openAdmin(scope)
    const { groups } = await admin.describeGroups([scope.unique('none')])
    assert.deepEqual([groups[0]!.state, groups[0]!.members], ['Dead', []])
  }),
  check('group: deleteGroups', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    const { consumer } = await join(scope, { groupId, topics: [topic] })
    const admin = await openAdmin(scope)
    assert.equal(typeOf(await refusal(admin.deleteGroups([groupId]))), undefined)
    const live = (await refusal(admin.deleteGroups([groupId]))) as Error & {
      groups: { error: { type: string } }[]
    }
    assert.equal(live.groups[0]!.error.type, 'NON_EMPTY_GROUP')
    await consumer.disconnect()
    const [gone] = await eventually(() => admin.deleteGroups([groupId]))
    assert.equal(gone!.errorCode, 0)
    const { groups } = await admin.listGroups()
    assert.ok(!groups.some((group) => group.groupId === groupId))
    const again = (await refusal(admin.deleteGroups([groupId]))) as Error & {
      groups: { error: { type: string } }[]
    }
    assert.equal(again.groups[0]!.error.type, 'GROUP_ID_NOT_FOUND')
  }),
  check('offsets: setOffsets of a group without members', async (scope) => {
    const topic = await newTopic(scope, 2)
    const groupId = scope.unique('group')
    await fill(scope, topic, texts(5), 1)
    const admin = await openAdmin(scope)
    const partitions = [
      { partition: 0, offset: '0' },
      { partition: 1, offset: '3' },
    ]
    await admin.setOffsets({ groupId, topic, partitions })
    assert.deepEqual(await offsetOf(scope, groupId, topic), ['0', '3'])
    const member = await join(scope, { groupId, topics: [topic] })
    await member.sees(2)
    assert.deepEqual(member.values, ['v3', 'v4'])
  }),
  check('offsets: setOffsets of a group with members is refused', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await join(scope, { groupId, topics: [topic] })
    const admin = await openAdmin(scope)
    const partitions = [{ partition: 0, offset: '0' }]
    const error = await refusal(admin.setOffsets({ groupId, topic, partitions }))
    assert.match(error.message, /must have no running instances/)
  }),
  check('offsets: resetOffsets to the beginning and to the end', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await fill(scope, topic, texts(5))
    const admin = await openAdmin(scope)
    await admin.resetOffsets({ groupId, topic, earliest: true })
    assert.deepEqual(await offsetOf(scope, groupId, topic), ['-2'])
    await admin.resetOffsets({ groupId, topic, earliest: false })
    assert.deepEqual(await offsetOf(scope, groupId, topic), ['-1'])
  }),
  check('offsets: fetchOffsets resolves, and without topics tells all', async (scope) => {
    const [a, b] = [await newTopic(scope), await newTopic(scope)]
    const groupId = scope.unique('group')
    await fill(scope, a, texts(5))
    const admin = await openAdmin(scope)
    await admin.resetOffsets({ groupId, topic: a, earliest: false })
    const [resolved] = await admin.fetchOffsets({ groupId, topics: [a], resolveOffsets: true })
    assert.equal(resolved!.partitions[0]!.offset, '5')
    await admin.setOffsets({ groupId, topic: a, partitions: [{ partition: 0, offset: '1' }] })
    await admin.setOffsets({ groupId, topic: b, partitions: [{ partition: 0, offset: '0' }] })
    const all = await admin.fetchOffsets({ groupId })
    assert.deepEqual(all.map(({ topic }) => topic).toSorted(), [a, b].toSorted())
  }),
  check(
    'restart: an idempotent producer goes on',
    async (scope) => {
      const topic = await newTopic(scope, 2)
      const producer = await openProducer(scope, { idempotent: true, ...PATIENT })
      const send = (from: number) =>
        producer.send({
          topic,
          messages: texts(10, from).map((value, i) => ({ value, partition: i % 2 })),
        })
      await send(0)
      await scope.restart()
      await eventually(() => send(10))
      const admin = await openAdmin(scope)
      const ends = (await admin.fetchTopicOffsets(topic)).map(({ high }) => high)
      assert.deepEqual(ends, ['10', '10']) // nothing twice
    },
    180_000,
  ),
  check(
    'restart: groups and their offsets are still there',
    async (scope) => {
      const topic = await newTopic(scope)
      const groupId = scope.unique('group')
      const admin = await openAdmin(scope)
      await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '7' }] })
      await scope.restart()
      await eventually(async () => (await offsetOf(scope, groupId, topic))[0] === '7' || undefined)
      await eventually(async () => {
        const { groups } = await (await openAdmin(scope)).describeGroups([groupId])
        return groups[0]!.state === 'Empty' || undefined
      })
    },
    180_000,
  ),
]
