// Apache Kafka compacts the groups of our stopped directory, hard, and hands it back: the same groups, members and offsets
// are there, for it and for us, and a member that was away meanwhile goes on in its generation.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeGroupRecord } from '../../../src/group/records.ts'
import { encodeAssignment, encodeSubscription } from '../../../src/protocol/embedded.ts'
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
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { OffsetCommit, OffsetDelete, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { batchesOf, recordsOf } from '../../../src/protocol/record_batch.ts'
import { formatKafka, Kafka, writeProperties } from '../../oracle/kafka/kafka.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { freePorts } from '../support/commands.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/raw_client.ts'

const SHARDS = 3
const SIMPLE_GROUPS = Array.from({ length: 9 }, (_, at) => `simple-${at}`)
const ROUNDS = 150
const PARTITIONS = [0, 1, 2, 3]
/** Longer than the test: nobody's session ends in it. */
const SESSION_MS = 1_800_000
const OFFSETS = '__consumer_offsets'

const CLEANING = {
  'offsets.topic.num.partitions': SHARDS,
  'log.cleaner.backoff.ms': 200,
  'log.cleaner.min.cleanable.ratio': 0.001,
  'log.cleaner.delete.retention.ms': 100,
  'log.initial.task.delay.ms': 100,
}
const ROLLING = [
  ['segment.ms', '300'],
  ['min.cleanable.dirty.ratio', '0.001'],
  ['delete.retention.ms', '100'],
  ['max.compaction.lag.ms', '500'],
] as const

/** A connection, once every group is served. */
async function connected(address: string): Promise<RawClient> {
  return await eventually(async () => {
    const client = await RawClient.open(address)
    await client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['any'] })
    const { errorCode } = await client.ask(ListGroups, 4, {})
    const { groups } = await client.ask(DescribeGroups, 5, { groups: [...SIMPLE_GROUPS, 'living'] })
    const isServed = groups.every((group) => group.errorCode === ErrorCode.NONE)
    if (errorCode === ErrorCode.NONE && isServed) return client
    client.close()
    return undefined
  }, 60_000)
}

async function commit(
  client: RawClient,
  groupId: string,
  offset: number,
  member: { memberId?: string; generationIdOrMemberEpoch?: number } = {},
): Promise<void> {
  const { topics } = await client.ask(OffsetCommit, 8, {
    groupId,
    ...member,
    topics: [
      {
        name: 't',
        partitions: PARTITIONS.map((partitionIndex) => ({
          partitionIndex,
          committedOffset: BigInt(offset + partitionIndex),
          committedMetadata: `${groupId} ${offset}`,
        })),
      },
    ],
  })
  expect(topics[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 0])
}

/** A member of its own in a generation of its own. */
async function joined(client: RawClient, groupId: string, known = '') {
  const ask = (memberId: string) =>
    client.ask(JoinGroup, 9, {
      groupId,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: 60_000,
      memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: encodeSubscription(1, { topics: ['t'] }) }],
    })
  const memberId = known === '' ? (await ask('')).memberId : known
  const { errorCode, generationId } = await ask(memberId)
  expect(errorCode).toBe(ErrorCode.NONE)
  const assignedPartitions = [{ topic: 't', partitions: PARTITIONS }]
  const synced = await client.ask(SyncGroup, 5, {
    groupId,
    generationId,
    memberId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: [{ memberId, assignment: encodeAssignment(1, { assignedPartitions }) }],
  })
  expect(synced.errorCode).toBe(ErrorCode.NONE)
  return { memberId, generationIdOrMemberEpoch: generationId }
}

/** What groups are: overwritten, emptied, deleted, half deleted, and one with a member. */
async function live(client: RawClient) {
  let living = await joined(client, 'living')
  const leaving = await joined(client, 'left')
  for (let round = 1; round <= ROUNDS; round++) {
    for (const group of SIMPLE_GROUPS) await commit(client, group, round * 10)
    await commit(client, 'deleted', round)
    await commit(client, 'half', round)
    await commit(client, 'left', round, leaving)
    await commit(client, 'living', round, living)
    if (round % 30 === 0) living = await joined(client, 'living', living.memberId)
  }
  const { memberId } = leaving
  await client.ask(LeaveGroup, 5, { groupId: 'left', members: [{ memberId }] })
  await client.ask(DeleteGroups, 2, { groupsNames: ['deleted'] })
  const partitions = [{ partitionIndex: 1 }, { partitionIndex: 2 }]
  await client.ask(OffsetDelete, 0, { groupId: 'half', topics: [{ name: 't', partitions }] })
  return living
}

/** Everything a client can learn of groups, in one order. */
async function known(client: RawClient) {
  const { groups: listed } = await client.ask(ListGroups, 4, {})
  const ids = listed.map(({ groupId }) => groupId).filter((id) => !id.startsWith('kick'))
  ids.sort()
  const { groups: described } = await client.ask(DescribeGroups, 5, { groups: ids })
  const { groups: fetched } = await client.ask(OffsetFetch, 8, {
    groups: ids.map((groupId) => ({ groupId, topics: null })),
  })
  return ids.map((groupId, at) => {
    const { groupState, protocolType, members } = described[at]!
    const offsets = fetched[at]!.topics.flatMap(({ name, partitions }) =>
      partitions.map(
        (one) => `${name}-${one.partitionIndex} ${one.committedOffset} ${one.metadata}`,
      ),
    )
    const who = members.map(({ memberId, memberAssignment }) => [
      memberId,
      String(memberAssignment),
    ])
    return { groupId, groupState, protocolType, who, offsets: offsets.sort() }
  })
}

/** Records of groups in the logs of a directory. */
function stored(directory: string): number {
  let count = 0
  for (const folder of readdirSync(directory).filter((name) => name.startsWith(OFFSETS))) {
    for (const file of readdirSync(join(directory, folder))) {
      if (!file.endsWith('.log')) continue
      const bytes = readFileSync(join(directory, folder, file))
      for (const batch of batchesOf(bytes, true)) {
        if (batch.isControl) continue
        for (const { key, value } of recordsOf(bytes, batch)) {
          if (decodeGroupRecord({ key: key!, value }) !== null) count++
        }
      }
    }
  }
  return count
}

/** Up to which offset Apache Kafka has cleaned each partition. */
function cleaned(directory: string): Map<string, number> {
  const text = readFileSync(join(directory, 'cleaner-offset-checkpoint'), 'utf8')
  const rows = text.trim().split('\n').slice(2)
  return new Map(
    rows.flatMap((row): [string, number][] => {
      const [topic, partition, offset] = row.split(' ')
      return topic === OFFSETS ? [[partition!, Number(offset)]] : []
    }),
  )
}

/** Writes to every shard, so that segments roll, until all that was there is cleaned. */
async function clean(client: RawClient, directory: string, before: number): Promise<void> {
  let kicks = 0
  await eventually(async () => {
    for (let at = 0; at < 12; at++) await commit(client, `kick-${at}`, ++kicks)
    const offsets = cleaned(directory)
    if (offsets.size < SHARDS) throw new Error(`${offsets.size} partitions were cleaned`)
    const count = stored(directory)
    if (count > before / 2) throw new Error(`${count} records are left of ${before}`)
    return true
  }, 120_000)
}

test('groups: compaction: what the cleaner of Apache Kafka leaves of our log has the same groups', {
  timeout: 600_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-compaction-'))
  const data = join(directory, 'data')
  const port = await freePorts()
  const file = writeProperties({ directory, port, config: CLEANING })
  await formatKafka(file, 'MkU3OEVBNTcwNTJENDM2Qk')
  try {
    const ours = await BrokerProcess.start({ file, port, directory })
    await createTopic(ours.address, 't', PARTITIONS.length)
    const client = await connected(ours.address)
    const living = await live(client)
    const expected = await known(client)
    expect(expected.map(({ groupId }) => groupId)).toEqual([
      'half',
      'left',
      'living',
      ...SIMPLE_GROUPS,
    ])
    const configs = ROLLING.map(([name, value]) => ({ name, configOperation: 0, value }))
    const resource = { resourceType: 2, resourceName: OFFSETS, configs }
    const { responses } = await client.ask(IncrementalAlterConfigs, 1, { resources: [resource] })
    expect(responses[0]!.errorCode).toBe(ErrorCode.NONE)
    client.close()
    await ours.stop()
    const before = stored(data)
    expect(before).toBeGreaterThan(ROUNDS * SIMPLE_GROUPS.length * PARTITIONS.length)

    const kafka = await Kafka.start(file, port)
    try {
      const guest = await connected(kafka.address)
      await clean(guest, data, before)
      expect(await known(guest)).toEqual(expected)
      guest.close()
      await kafka.stop()
    } finally {
      await kafka.kill()
    }
    console.log(`${before} records became ${stored(data)}`)

    await ours.start()
    const again = await connected(ours.address)
    expect(await known(again)).toEqual(expected)
    const { memberId, generationIdOrMemberEpoch: generationId } = living
    const beat = { groupId: 'living', generationId, memberId }
    expect((await again.ask(Heartbeat, 4, beat)).errorCode).toBe(ErrorCode.NONE)
    await commit(again, 'living', 1_000_000, living)
    again.close()
    await ours[Symbol.asyncDispose]()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
