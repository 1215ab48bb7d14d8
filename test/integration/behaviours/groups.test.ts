// Behaviour that members of groups, and those who administer and watch them, rely on.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
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
import { OffsetCommit, OffsetDelete, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { eventually } from '../support/eventually.ts'
import { Bench } from '../support/harness.ts'
import type { RawClient } from '../support/raw_client.ts'

const { NONE } = ErrorCode
const LOG = '__consumer_offsets'
const SESSION_MS = 30_000

const start = (config: Readonly<Record<string, OptionValue>> = {}, directory?: string) =>
  Bench.start({
    config: { 'group.initial.rebalance.delay.ms': 0, 'offsets.topic.num.partitions': 3, ...config },
    ...(directory === undefined ? {} : { directory }),
  })

/** Makes the coordinator of a group and waits until it serves. */
async function find(bench: Bench, ...groups: string[]): Promise<void> {
  await bench.client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: groups })
  await eventually(async () => {
    const answer = await bench.client.ask(DescribeGroups, 5, { groups })
    return answer.groups.every(({ errorCode }) => errorCode === NONE) || undefined
  })
}

interface Committed {
  partition?: number
  metadata?: string | null
  retentionMs?: number
  version?: number
}

/** Commits without being a member. */
async function commit(bench: Bench, groupId: string, offset: number, options: Committed = {}) {
  const { partition = 0, metadata = '', retentionMs = -1, version = 4 } = options
  const { topics } = await bench.client.ask(OffsetCommit, version, {
    groupId,
    generationIdOrMemberEpoch: -1,
    memberId: '',
    ...(version < 5 ? { retentionTimeMs: BigInt(retentionMs) } : {}),
    topics: [
      {
        name: 't',
        partitions: [
          {
            partitionIndex: partition,
            committedOffset: BigInt(offset),
            committedMetadata: metadata,
          },
        ],
      },
    ],
  })
  return topics[0]!.partitions[0]!.errorCode
}

/** Everything that groups have committed: `partition offset metadata`. */
async function committed(bench: Bench, ...groupIds: string[]) {
  const { groups } = await bench.client.ask(OffsetFetch, 8, {
    groups: groupIds.map((groupId) => ({ groupId, topics: null })),
  })
  return groups.map(({ topics }) =>
    topics
      .flatMap(({ partitions }) => partitions)
      .map((p) => `${p.partitionIndex} ${p.committedOffset} ${p.metadata}`)
      .sort(),
  )
}

test('behaviour 6: notes come back with offsets; longer ones than allowed are refused', async () => {
  await using bench = await start({ 'offset.metadata.max.bytes': 8 })
  await bench.createTopic('t', 2)
  await find(bench, 'g')
  for (const version of [2, 4, 7, 9]) {
    const options = { metadata: `note ${version}`, version }
    expect(await commit(bench, 'g', version, options)).toBe(NONE)
    expect(await committed(bench, 'g')).toEqual([[`0 ${version} note ${version}`]])
  }
  const { OFFSET_METADATA_TOO_LARGE } = ErrorCode
  expect(await commit(bench, 'g', 1, { metadata: '123456789' })).toBe(OFFSET_METADATA_TOO_LARGE)
  expect(await commit(bench, 'g', 1, { metadata: '12345678' })).toBe(NONE)
  expect(await commit(bench, 'g', 3, { metadata: null, partition: 1 })).toBe(NONE)
  expect(await committed(bench, 'g')).toEqual([['0 1 12345678', '1 3 ']])
})

const METADATA = Uint8Array.of(0, 1, 0, 0, 0, 0)

/** A member that rejoins when it is told to, and remembers every error it met. */
class Member {
  readonly errors = new Set<number>()
  memberId = ''
  generationId = -1
  assignment = ''
  private readonly client: RawClient
  private readonly groupId: string

  constructor(client: RawClient, groupId: string) {
    this.client = client
    this.groupId = groupId
  }

  /** Joins and syncs until both succeed in one generation. */
  async enter(): Promise<void> {
    for (;;) {
      const joined = await this.client.ask(JoinGroup, 5, {
        groupId: this.groupId,
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: SESSION_MS,
        memberId: this.memberId,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: METADATA }],
      })
      this.memberId = joined.memberId
      if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) continue
      this.errors.add(joined.errorCode)
      if (joined.errorCode !== NONE) continue
      this.generationId = joined.generationId
      const assignments = joined.members.map(({ memberId }) => ({
        memberId,
        assignment: Buffer.from(`${joined.generationId}:${memberId}`),
      }))
      if ((await this.sync(assignments)) === NONE) return
    }
  }

  async sync(assignments: { memberId: string; assignment: Uint8Array }[] = []): Promise<number> {
    const { generationId, memberId, groupId } = this
    const body = { groupId, generationId, memberId, assignments }
    const answer = await this.client.ask(SyncGroup, 3, body)
    this.errors.add(answer.errorCode)
    this.assignment = Buffer.from(answer.assignment).toString()
    return answer.errorCode
  }

  async beat(): Promise<number> {
    const { generationId, memberId, groupId } = this
    const { errorCode } = await this.client.ask(Heartbeat, 3, { groupId, generationId, memberId })
    this.errors.add(errorCode)
    return errorCode
  }

  /** Beats until a rebalance is under way, then goes along. */
  async follow(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      const code = await this.beat()
      if (code === NONE) await this.sync()
      else await this.enter()
    }
  }
}

test('behaviour 11: a stable member gets its assignment whenever it syncs; rebalances forget nobody', async () => {
  await using bench = await start()
  await find(bench, 'g')
  const member = async () => new Member(await bench.connect(), 'g')
  const alone = await member()
  await alone.enter()
  for (let times = 0; times < 3; times++) {
    expect(await alone.sync()).toBe(NONE)
    expect(alone.assignment).toBe(`${alone.generationId}:${alone.memberId}`)
  }
  // Others come one after the other, in the middle of each other's rebalances.
  const members = [alone, ...(await Promise.all([1, 2, 3, 4].map(member)))]
  let arrived = 1
  const isDone = () => arrived === members.length
  await Promise.all(
    members.map(async (one, index) => {
      if (index > 0) {
        await one.enter()
        arrived++
      }
      await one.follow(isDone)
    }),
  )
  const { UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS } = ErrorCode
  for (const { errors } of members) {
    expect(errors).not.toContain(UNKNOWN_MEMBER_ID)
    const allowed = new Set<number>([NONE, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS])
    expect([...errors].filter((code) => !allowed.has(code))).toEqual([])
  }
  // Once nobody moves, all are in one generation and each has what was given to it.
  await eventually(async () => {
    const codes = await Promise.all(members.map((one) => one.beat()))
    if (codes.every((code) => code === NONE)) return true
    await Promise.all(members.map((one, at) => (codes[at] === NONE ? undefined : one.enter())))
    return undefined
  })
  for (const one of members) {
    expect(await one.sync()).toBe(NONE)
    expect(one.assignment).toBe(`${one.generationId}:${one.memberId}`)
  }
  expect(new Set(members.map(({ generationId }) => generationId)).size).toBe(1)
}, 60_000)

test('behaviour 13: deletions and expiry are the same after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-groups-'))
  const config = { 'offsets.retention.check.interval.ms': 50 }
  const groups = ['kept', 'deleted', 'thinned', 'expired', 'half', 'again']
  const see = async (bench: Bench) => {
    const listed = await bench.client.ask(ListGroups, 4, { statesFilter: [] })
    const names = listed.groups.map(({ groupId, groupState }) => `${groupId} ${groupState}`).sort()
    return { names, offsets: await committed(bench, ...groups) }
  }
  let before: Awaited<ReturnType<typeof see>>
  {
    await using bench = await start(config, directory)
    await bench.createTopic('t', 2)
    await find(bench, ...groups)
    for (const group of groups) {
      const retentionMs = group === 'expired' || group === 'half' ? 1 : -1
      await commit(bench, group, 1, { retentionMs })
      await commit(bench, group, 2, { partition: 1, ...(group === 'half' ? {} : { retentionMs }) })
    }
    await bench.client.ask(DeleteGroups, 2, { groupsNames: ['deleted', 'again'] })
    await commit(bench, 'again', 9)
    await bench.client.ask(OffsetDelete, 0, {
      groupId: 'thinned',
      topics: [{ name: 't', partitions: [{ partitionIndex: 0 }] }],
    })
    await eventually(async () => {
      const [expired, half] = await committed(bench, 'expired', 'half')
      return (expired!.length === 0 && half!.length === 1) || undefined
    })
    before = await see(bench)
  }
  expect(before.offsets).toEqual([['0 1 ', '1 2 '], [], ['1 2 '], [], ['1 2 '], ['0 9 ']])
  const names = ['again Empty', 'half Empty', 'kept Empty', 'thinned Empty']
  expect(before.names).toEqual(names)
  {
    await using bench = await start(config, directory)
    await find(bench, ...groups)
    expect(await see(bench)).toEqual(before)
  }
  rmSync(directory, { recursive: true })
})

test('behaviour 20: coordinators are found in batches', async () => {
  await using bench = await start()
  const { host, port, nodeId } = bench.broker
  for (const version of [4, 5, 6]) {
    const { coordinators } = await bench.client.ask(FindCoordinator, version, {
      keyType: 0,
      coordinatorKeys: ['b', 'a', 'ü'],
    })
    const keys = ['b', 'a', 'ü']
    expect(coordinators).toMatchObject(
      keys.map((key) => ({ key, errorCode: NONE, nodeId, host, port })),
    )
    const none = await bench.client.ask(FindCoordinator, version, {
      keyType: 0,
      coordinatorKeys: [],
    })
    expect(none.coordinators).toEqual([])
  }
  // A share partition is `group:topic id:partition`; whatever is none of these is refused one by one.
  const share = await bench.client.ask(FindCoordinator, 6, {
    keyType: 2,
    coordinatorKeys: ['group', 'group:topic', 'group:topic:x'],
  })
  const codes = share.coordinators.map(({ errorCode }) => errorCode)
  expect(codes).toEqual(codes.map(() => ErrorCode.INVALID_REQUEST))
  expect(codes).toHaveLength(3)
})

/** Java's String.hashCode. */
const hashOf = (text: string) =>
  [...text].reduce((hash, char) => (Math.imul(hash, 31) + char.charCodeAt(0)) | 0, 0)

test('behaviour 26: committed offsets are records of Kafka in the partition of the group', async () => {
  await using bench = await start()
  await bench.createTopic('t', 8)
  await find(bench, 'reader')
  const began = Date.now()
  await commit(bench, 'reader', 77, { partition: 5, metadata: 'mé' })
  await bench.client.ask(DeleteGroups, 2, { groupsNames: ['reader'] })
  const partition = Math.abs(hashOf('reader')) % 3
  const { decoded } = await bench.fetch(LOG, 0, { partition })
  const text = (value: string) => {
    const bytes = Buffer.from(value)
    return [...[bytes.length >> 8, bytes.length & 255], ...bytes]
  }
  const offsetKey = Buffer.from([0, 1, ...text('reader'), ...text('t'), 0, 0, 0, 5])
  const offsets = decoded.filter(({ key }) => Buffer.compare(key!, offsetKey) === 0)
  expect(offsets).toHaveLength(2)
  const value = Buffer.from(offsets[0]!.value!)
  expect(value.readInt16BE(0)).toBe(4)
  expect(value.readBigInt64BE(2)).toBe(77n)
  // Version 4 is flexible: leader epoch -1, the note behind its length and one, the time, tagged fields.
  expect([...value.subarray(10, 18)]).toEqual([255, 255, 255, 255, 4, ...Buffer.from('mé')])
  const time = Number(value.readBigInt64BE(18))
  expect(time).toBeGreaterThanOrEqual(began)
  expect(time).toBeLessThanOrEqual(Date.now())
  expect(offsets[1]!.value).toBeNull()
  const groupKey = Buffer.from([0, 2, ...text('reader')])
  const groupRecords = decoded.filter(({ key }) => Buffer.compare(key!, groupKey) === 0)
  expect(groupRecords.at(-1)!.value).toBeNull()
})

test('behaviour 33: members leave and offsets are fetched in batches; null means all', async () => {
  await using bench = await start()
  await bench.createTopic('t', 3)
  await find(bench, 'g', 'h', 'empty')
  const members = [
    new Member(await bench.connect(), 'g'),
    new Member(await bench.connect(), 'g'),
  ] as const
  await Promise.all(members.map((one) => one.enter()))
  const leave = (version: number, memberIds: string[]) =>
    bench.client.ask(LeaveGroup, version, {
      groupId: 'g',
      members: memberIds.map((memberId) => ({ memberId })),
    })
  const left = await leave(3, [members[0].memberId, 'nobody', members[1].memberId])
  expect(left.errorCode).toBe(NONE)
  expect(left.members.map(({ memberId, errorCode }) => [memberId, errorCode])).toEqual([
    [members[0].memberId, NONE],
    ['nobody', ErrorCode.UNKNOWN_MEMBER_ID],
    [members[1].memberId, NONE],
  ])
  const described = await bench.client.ask(DescribeGroups, 5, { groups: ['g'] })
  expect(described.groups[0]).toMatchObject({ groupState: 'Empty', members: [] })
  expect((await leave(5, [members[0].memberId])).members[0]!.errorCode).toBe(
    ErrorCode.UNKNOWN_MEMBER_ID,
  )

  await commit(bench, 'g', 1)
  await commit(bench, 'g', 3, { partition: 2 })
  await commit(bench, 'h', 7)
  for (const requireStable of [false, true]) {
    const { groups } = await bench.client.ask(OffsetFetch, 9, {
      groups: [
        { groupId: 'h', topics: null },
        { groupId: 'g', topics: [{ name: 't', partitionIndexes: [0, 1, 2] }] },
        { groupId: 'empty', topics: null },
        { groupId: 'g', topics: [] },
      ],
      requireStable,
    })
    const seen = groups.map(({ groupId, errorCode, topics }) => [
      groupId,
      errorCode,
      topics.flatMap(({ partitions }) => partitions.map(({ committedOffset: at }) => Number(at))),
    ])
    expect(seen).toEqual([
      ['h', NONE, [7]],
      ['g', NONE, [1, -1, 3]],
      ['empty', NONE, []],
      ['g', NONE, []],
    ])
  }
}, 30_000)
