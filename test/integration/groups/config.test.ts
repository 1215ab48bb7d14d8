// Each setting of groups that claims an effect shows it here; the names are those of src/config's tables.

import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import {
  DescribeGroups,
  FindCoordinator,
  JoinGroup,
} from '../../../src/protocol/messages/classic_group.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { OffsetCommit, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { eventually } from '../support/eventually.ts'
import { Bench } from '../support/harness.ts'

const SMALL = { 'offsets.topic.num.partitions': 1, 'group.initial.rebalance.delay.ms': 0 }

async function own(config: Record<string, string | number>): Promise<Bench> {
  const bench = await Bench.start({ config: { ...SMALL, ...config } })
  await bench.client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['g'] })
  await eventually(async () => {
    const { groups } = await bench.client.ask(DescribeGroups, 5, { groups: ['g'] })
    return groups[0]!.errorCode === ErrorCode.NONE || undefined
  })
  return bench
}

/** A first JoinGroup, in a version that needs no member id. */
const join = (bench: Bench, sessionTimeoutMs = 10_000) =>
  bench.client.ask(JoinGroup, 3, {
    groupId: 'g',
    sessionTimeoutMs,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: new Uint8Array(6) }],
  })

async function commit(bench: Bench, committedMetadata: string, retentionTimeMs = -1n) {
  const { topics } = await bench.client.ask(OffsetCommit, 2, {
    groupId: 'g',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    retentionTimeMs,
    topics: [
      { name: 't', partitions: [{ partitionIndex: 0, committedOffset: 3n, committedMetadata }] },
    ],
  })
  return topics[0]!.partitions[0]!.errorCode
}

describe('groups: configuration', () => {
  test('integration: config: sessions of groups are bounded', async () => {
    await using bench = await own({
      'group.min.session.timeout.ms': 8000,
      'group.max.session.timeout.ms': 9000,
    })
    expect((await join(bench, 7999)).errorCode).toBe(ErrorCode.INVALID_SESSION_TIMEOUT)
    expect((await join(bench, 9001)).errorCode).toBe(ErrorCode.INVALID_SESSION_TIMEOUT)
    expect((await join(bench, 8500)).errorCode).toBe(ErrorCode.NONE)
  })

  test('integration: config: a new group waits for more members', async () => {
    await using bench = await own({ 'group.initial.rebalance.delay.ms': 400 })
    const other = await bench.connect()
    const startedMs = performance.now()
    const first = join(bench)
    const second = other.ask(JoinGroup, 3, {
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array(6) }],
    })
    const answers = await Promise.all([first, second])
    expect(performance.now() - startedMs).toBeGreaterThan(390)
    expect(answers.map(({ generationId }) => generationId)).toEqual([1, 1])
  })

  test('integration: config: groups are bounded', async () => {
    await using bench = await own({ 'group.max.size': 1 })
    expect((await join(bench)).errorCode).toBe(ErrorCode.NONE)
    expect((await join(bench)).errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
  })

  test('integration: config: notes of commits are bounded', async () => {
    await using bench = await own({ 'offset.metadata.max.bytes': 3 })
    await bench.createTopic('t')
    expect(await commit(bench, 'abcd')).toBe(ErrorCode.OFFSET_METADATA_TOO_LARGE)
    expect(await commit(bench, 'abc')).toBe(ErrorCode.NONE)
  })

  test('integration: config: offsets are forgotten at the pace of the checks', async () => {
    await using bench = await own({ 'offsets.retention.check.interval.ms': 50 })
    await bench.createTopic('t')
    expect(await commit(bench, '', 1n)).toBe(ErrorCode.NONE)
    const ask = () =>
      bench.client.ask(OffsetFetch, 2, {
        groupId: 'g',
        topics: [{ name: 't', partitionIndexes: [0] }],
      })
    await eventually(async () => {
      const { topics } = await ask()
      return topics[0]!.partitions[0]!.committedOffset === -1n || undefined
    })
  })

  test('integration: config: the topic of groups has its own shape', async () => {
    await using bench = await own({ 'offsets.topic.num.partitions': 3 })
    const { topics } = await bench.client.ask(Metadata, 12, {
      topics: [{ name: '__consumer_offsets' }],
    })
    expect(topics[0]!.partitions.map(({ replicaNodes }) => replicaNodes)).toEqual([[1], [1], [1]])
    // coordinator.test.ts has its other settings, and what too few brokers for its replicas mean.
  })
})
