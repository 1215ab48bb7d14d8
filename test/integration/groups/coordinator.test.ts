// Groups over a raw connection: where their coordinator is, what a member may do, and what outlives a restart.

import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { OptionValue } from '../../../src/config/parse.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import {
  DeleteGroups,
  DescribeGroups,
  FindCoordinator,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  SyncGroup,
} from '../../../src/protocol/messages/classic_group.ts'
import { DescribeConfigs } from '../../../src/protocol/messages/configs.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { OffsetCommit, OffsetDelete, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { DeleteTopics } from '../../../src/protocol/messages/topics.ts'
import { eventually } from '../support/eventually.ts'
import { Bench } from '../support/harness.ts'

const GROUP_TOPIC = '__consumer_offsets'
const METADATA = Uint8Array.of(0, 1, 0, 0, 0, 0)
const ASSIGNMENT = Uint8Array.of(7, 7)
const FAST = { 'group.initial.rebalance.delay.ms': 0, 'offsets.topic.num.partitions': 4 }

const open: Bench[] = []
const directories: string[] = []

afterEach(async () => {
  for (const bench of open.splice(0)) await bench[Symbol.asyncDispose]()
  for (const path of directories.splice(0)) await rm(path, { recursive: true, force: true })
})

async function start(
  config: Readonly<Record<string, OptionValue>> = FAST,
  directory?: string,
): Promise<Bench> {
  const bench = await Bench.start({ config, ...(directory === undefined ? {} : { directory }) })
  open.push(bench)
  return bench
}

async function stop(bench: Bench): Promise<void> {
  open.splice(open.indexOf(bench), 1)
  await bench[Symbol.asyncDispose]()
}

async function temporary(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ottla-groups-'))
  directories.push(path)
  return path
}

/** Asks where a group is and waits until it is served there. */
async function find(bench: Bench, groupId: string): Promise<void> {
  await bench.client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: [groupId] })
  await eventually(async () => {
    const { groups } = await bench.client.ask(DescribeGroups, 5, { groups: [groupId] })
    return groups[0]!.errorCode === ErrorCode.NONE || undefined
  })
}

/** One member joins, leads and hands itself an assignment. */
async function joined(bench: Bench, groupId: string, groupInstanceId: string | null = null) {
  await find(bench, groupId)
  const body = {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    groupInstanceId,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: METADATA }],
  }
  let answer = await bench.client.ask(JoinGroup, 9, body)
  if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
    answer = await bench.client.ask(JoinGroup, 9, { ...body, memberId: answer.memberId })
  }
  expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, leader: answer.memberId })
  const { generationId, memberId } = answer
  const synced = await bench.client.ask(SyncGroup, 5, {
    groupId,
    generationId,
    memberId,
    groupInstanceId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: [{ memberId, assignment: ASSIGNMENT }],
  })
  expect(synced.errorCode).toBe(ErrorCode.NONE)
  expect([...synced.assignment]).toEqual([...ASSIGNMENT])
  return { groupId, generationId, memberId, groupInstanceId }
}

const commitBody = (
  member: { groupId: string; generationId: number; memberId: string },
  name: string,
  committedOffset: bigint,
  partitionIndex = 0,
) => ({
  groupId: member.groupId,
  generationIdOrMemberEpoch: member.generationId,
  memberId: member.memberId,
  topics: [{ name, partitions: [{ partitionIndex, committedOffset, committedMetadata: 'm' }] }],
})

async function committed(bench: Bench, groupId: string, name: string): Promise<bigint> {
  const { groups } = await bench.client.ask(OffsetFetch, 8, {
    groups: [{ groupId, topics: [{ name, partitionIndexes: [0] }] }],
  })
  expect(groups[0]!.errorCode).toBe(ErrorCode.NONE)
  return groups[0]!.topics[0]!.partitions[0]!.committedOffset
}

describe('groups: finding the coordinator', () => {
  it('makes the topic with its own partitions, replicas and settings', async () => {
    // A directory of its own: a temporary broker makes do with one partition.
    const bench = await start({ 'offsets.topic.segment.bytes': 2_000_000 }, await temporary())
    const { coordinators } = await bench.client.ask(FindCoordinator, 4, {
      keyType: 0,
      coordinatorKeys: ['a', 'b'],
    })
    const { host, port, nodeId } = bench.broker
    expect(coordinators).toMatchObject(
      ['a', 'b'].map((key) => ({ key, errorCode: ErrorCode.NONE, nodeId, host, port })),
    )
    const { topics } = await bench.client.ask(Metadata, 12, { topics: [{ name: GROUP_TOPIC }] })
    expect(topics[0]).toMatchObject({ isInternal: true, errorCode: ErrorCode.NONE })
    expect(topics[0]!.partitions.length).toBe(50)
    const { results } = await bench.client.ask(DescribeConfigs, 4, {
      resources: [{ resourceType: 2, resourceName: GROUP_TOPIC, configurationKeys: null }],
    })
    const own = results[0]!.configs.filter(({ configSource }) => configSource === 1)
    expect(Object.fromEntries(own.map(({ name, value }) => [name, value]))).toEqual({
      'cleanup.policy': 'compact',
      'compression.type': 'producer',
      'segment.bytes': '2000000',
    })
  })

  it('is not told before it is there, however many ask while its topic is made', async () => {
    const bench = await start({ 'offsets.topic.num.partitions': 50 }, await temporary())
    const first = bench.client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['g'] })
    const second = await bench.connect()
    const isThere = async () => {
      const body = { topics: [{ name: GROUP_TOPIC }], allowAutoTopicCreation: false }
      const { topics } = await second.ask(Metadata, 12, body)
      return topics[0]!.errorCode === ErrorCode.NONE
    }
    while (!(await isThere()));
    // All at once, since the partitions are opened one after the other.
    const keys = Array.from({ length: 100 }, (_, i) => `g${i}`)
    const found = second.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: keys })
    const { coordinators } = await found
    const asked = keys.map((groupId) => ({ groupId, topics: null }))
    const { groups } = await second.ask(OffsetFetch, 8, { groups: asked })
    const errors = groups
      .filter((_, i) => coordinators[i]!.errorCode === ErrorCode.NONE)
      .map(({ errorCode }) => errorCode)
    await first
    expect(errors.length).toBeGreaterThan(0)
    expect(errors).not.toContain(ErrorCode.NOT_COORDINATOR)
  })

  it('Metadata makes the same topic', async () => {
    const bench = await start({ 'offsets.topic.num.partitions': 7 })
    const seen = () => bench.client.ask(Metadata, 12, { topics: [{ name: GROUP_TOPIC }] })
    await eventually(async () => (await seen()).topics[0]!.partitions.length === 7 || undefined)
  })

  it.each([0, 1, 2, 3])('answers one key at version %i', async (version) => {
    const bench = await start()
    const answer = await bench.client.ask(FindCoordinator, version, { key: 'g' })
    expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, nodeId: 1, port: bench.broker.port })
  })

  it('what has no coordinator is an error that nobody retries', async () => {
    const bench = await start()
    for (const keyType of [2, 9]) {
      const one = await bench.client.ask(FindCoordinator, 3, { key: 'x', keyType })
      expect(one).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, nodeId: -1, port: -1 })
      const many = await bench.client.ask(FindCoordinator, 6, { keyType, coordinatorKeys: ['x'] })
      expect(many.coordinators).toMatchObject([{ key: 'x', errorCode: ErrorCode.INVALID_REQUEST }])
    }
  })

  it('says COORDINATOR_NOT_AVAILABLE while the topic cannot be made', async () => {
    const bench = await start({ 'offsets.topic.replication.factor': 3 })
    const answer = await bench.client.ask(FindCoordinator, 3, { key: 'g' })
    expect(answer).toMatchObject({ errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, nodeId: -1 })
  })

  it('a group asked for before the topic is there is not here', async () => {
    const bench = await start()
    const beat = await bench.client.ask(Heartbeat, 4, {
      groupId: 'g',
      generationId: 1,
      memberId: 'm',
    })
    expect(beat.errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    const { groups } = await bench.client.ask(ListGroups, 4, { statesFilter: [] })
    expect(groups).toEqual([])
  })
})

describe('groups: a member', () => {
  it('joins, is heard, commits, leaves', async () => {
    const bench = await start()
    await bench.createTopic('t')
    const member = await joined(bench, 'g')
    const beat = await bench.client.ask(Heartbeat, 4, member)
    expect(beat.errorCode).toBe(ErrorCode.NONE)
    const commit = await bench.client.ask(OffsetCommit, 8, commitBody(member, 't', 42n))
    expect(commit.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.NONE)
    expect(await committed(bench, 'g', 't')).toBe(42n)
    const { groups } = await bench.client.ask(DescribeGroups, 5, { groups: ['g', 'none'] })
    const stateOf = (id: string) => groups.find(({ groupId }) => groupId === id)!.groupState
    expect([stateOf('g'), stateOf('none')]).toEqual(['Stable', 'Dead'])
    const { memberId, groupId } = member
    const left = await bench.client.ask(LeaveGroup, 5, { groupId, members: [{ memberId }] })
    expect(left.members[0]!.errorCode).toBe(ErrorCode.NONE)
    const listed = await bench.client.ask(ListGroups, 4, { statesFilter: [] })
    expect(listed.groups).toMatchObject([{ groupId: 'g', groupState: 'Empty' }])
  })

  it('is forgotten when its session ends, and not before', async () => {
    const bench = await start({ ...FAST, 'group.min.session.timeout.ms': 100 })
    await find(bench, 'g')
    const body = {
      groupId: 'g',
      sessionTimeoutMs: 200,
      rebalanceTimeoutMs: 200,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: METADATA }],
    }
    const { generationId, memberId } = await bench.client.ask(JoinGroup, 3, body)
    await bench.client.ask(SyncGroup, 3, {
      groupId: 'g',
      generationId,
      memberId,
      assignments: [{ memberId, assignment: ASSIGNMENT }],
    })
    const beat = () => bench.client.ask(Heartbeat, 3, { groupId: 'g', generationId, memberId })
    expect((await beat()).errorCode).toBe(ErrorCode.NONE)
    await eventually(async () => {
      const { groups } = await bench.client.ask(DescribeGroups, 5, { groups: ['g'] })
      return groups[0]!.groupState === 'Empty' || undefined
    })
    expect((await beat()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('is forgotten with the topic of groups, which is made again', async () => {
    const bench = await start()
    await bench.createTopic('t')
    const member = await joined(bench, 'g')
    await bench.client.ask(OffsetCommit, 8, commitBody(member, 't', 42n))
    await bench.client.ask(DeleteTopics, 5, { topicNames: [GROUP_TOPIC], timeoutMs: 10_000 })
    expect((await bench.client.ask(Heartbeat, 4, member)).errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    await find(bench, 'g')
    expect(await committed(bench, 'g', 't')).toBe(-1n)
  })

  it('that waits is told when the broker stops', async () => {
    const bench = await start({ ...FAST, 'group.initial.rebalance.delay.ms': 60_000 })
    await find(bench, 'g')
    const waiting = bench.client.ask(JoinGroup, 3, {
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: METADATA }],
    })
    // A request on another connection is behind it in the shard.
    const other = await bench.connect()
    await other.ask(DescribeGroups, 5, { groups: ['g'] })
    await bench.broker.close()
    expect((await waiting).errorCode).toBe(ErrorCode.NOT_COORDINATOR)
  })

  it('and what it committed outlive a restart', async () => {
    const directory = await temporary()
    const first = await start(FAST, directory)
    await first.createTopic('t')
    const member = await joined(first, 'g', 'static')
    await first.client.ask(OffsetCommit, 8, commitBody(member, 't', 42n))
    await stop(first)
    const second = await start(FAST, directory)
    await find(second, 'g')
    expect(await committed(second, 'g', 't')).toBe(42n)
    const beat = await second.client.ask(Heartbeat, 4, member)
    expect(beat.errorCode).toBe(ErrorCode.NONE)
  })
})

describe('groups: offsets', () => {
  it('a topic or partition that is not there is UNKNOWN_TOPIC_OR_PARTITION', async () => {
    const bench = await start()
    await bench.createTopic('t')
    await find(bench, 'g')
    const alone = { groupId: 'g', generationId: -1, memberId: '' }
    const codeOf = async (name: string, partition: number) => {
      const body = commitBody(alone, name, 1n, partition)
      const { topics } = await bench.client.ask(OffsetCommit, 8, body)
      return topics[0]!.partitions[0]!.errorCode
    }
    expect(await codeOf('none', 0)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await codeOf('t', 5)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await codeOf('t', 0)).toBe(ErrorCode.NONE)
  })

  it('are committed and fetched by topic id', async () => {
    const bench = await start()
    const topicId = await bench.createTopic('t')
    const unknownId = 'AAAAAAAAAAAAAAAAAAAAAQ'
    await find(bench, 'g')
    const partitions = [{ partitionIndex: 0, committedOffset: 9n, committedMetadata: null }]
    const commit = await bench.client.ask(OffsetCommit, 10, {
      groupId: 'g',
      topics: [
        { topicId: unknownId, partitions },
        { topicId, partitions },
      ],
    })
    const codes = new Map(commit.topics.map((t) => [t.topicId, t.partitions[0]!.errorCode]))
    expect(codes.get(topicId)).toBe(ErrorCode.NONE)
    expect(codes.get(unknownId)).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
    const some = await bench.client.ask(OffsetFetch, 10, {
      groups: [
        {
          groupId: 'g',
          topics: [
            { topicId, partitionIndexes: [0] },
            { topicId: unknownId, partitionIndexes: [0] },
          ],
        },
      ],
    })
    const fetched = new Map(some.groups[0]!.topics.map((t) => [t.topicId, t.partitions[0]!]))
    expect(fetched.get(topicId)).toMatchObject({ committedOffset: 9n, errorCode: ErrorCode.NONE })
    expect(fetched.get(unknownId)!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
    const all = await bench.client.ask(OffsetFetch, 10, {
      groups: [{ groupId: 'g', topics: null }],
    })
    expect(all.groups[0]!.topics).toMatchObject([
      { topicId, partitions: [{ committedOffset: 9n }] },
    ])
  })

  it.each([1, 2, 5, 7])('are fetched for one group at version %i', async (version) => {
    const bench = await start()
    await bench.createTopic('t')
    await find(bench, 'g')
    const alone = { groupId: 'g', generationId: -1, memberId: '' }
    await bench.client.ask(OffsetCommit, 2, commitBody(alone, 't', 5n))
    const { topics } = await bench.client.ask(OffsetFetch, version, {
      groupId: 'g',
      topics: [{ name: 't', partitionIndexes: [0, 1] }],
    })
    expect(topics[0]!.partitions.map(({ committedOffset }) => committedOffset)).toEqual([5n, -1n])
  })

  it('that were committed by name are kept with the id that the topic has', async () => {
    const directory = await temporary()
    const bench = await start(FAST, directory)
    const topicId = await bench.createTopic('t')
    await find(bench, 'g')
    const alone = { groupId: 'g', generationId: -1, memberId: '' }
    await bench.client.ask(OffsetCommit, 9, commitBody(alone, 't', 5n))
    const logs = globSync(join(directory, '**', `${GROUP_TOPIC}-*`, '*.log'))
    expect(logs.length).toBe(4)
    const kept = Buffer.concat(logs.map((file) => readFileSync(file)))
    expect(kept.includes(Buffer.from(topicId, 'base64url'))).toBe(true)
  })

  it('several groups are fetched at once', async () => {
    const bench = await start()
    await bench.createTopic('t')
    for (const [i, groupId] of ['a', 'b', 'c'].entries()) {
      await find(bench, groupId)
      const alone = { groupId, generationId: -1, memberId: '' }
      await bench.client.ask(OffsetCommit, 8, commitBody(alone, 't', BigInt(i)))
    }
    const { groups } = await bench.client.ask(OffsetFetch, 8, {
      groups: ['a', 'b', 'c'].map((groupId) => ({ groupId, topics: null })),
    })
    expect(
      groups.map(({ groupId, topics }) => [groupId, topics[0]!.partitions[0]!.committedOffset]),
    ).toEqual([
      ['a', 0n],
      ['b', 1n],
      ['c', 2n],
    ])
  })

  it('are deleted with OffsetDelete, with their topic, and with their group', async () => {
    const bench = await start()
    await bench.createTopic('t')
    await find(bench, 'g')
    const alone = { groupId: 'g', generationId: -1, memberId: '' }
    await bench.client.ask(OffsetCommit, 8, commitBody(alone, 't', 5n))
    const deleted = await bench.client.ask(OffsetDelete, 0, {
      groupId: 'g',
      topics: [
        { name: 't', partitions: [{ partitionIndex: 0 }] },
        { name: 'none', partitions: [{ partitionIndex: 0 }] },
      ],
    })
    expect(deleted.errorCode).toBe(ErrorCode.NONE)
    const codes = new Map(deleted.topics.map((t) => [t.name, t.partitions[0]!.errorCode]))
    expect(codes.get('t')).toBe(ErrorCode.NONE)
    expect(codes.get('none')).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await committed(bench, 'g', 't')).toBe(-1n)
    await bench.client.ask(OffsetCommit, 8, commitBody(alone, 't', 6n))
    const { results } = await bench.client.ask(DeleteGroups, 2, { groupsNames: ['g', 'none'] })
    const errorOf = (id: string) => results.find(({ groupId }) => groupId === id)!.errorCode
    expect([errorOf('g'), errorOf('none')]).toEqual([ErrorCode.NONE, ErrorCode.GROUP_ID_NOT_FOUND])
    expect(await committed(bench, 'g', 't')).toBe(-1n)
  })
})
