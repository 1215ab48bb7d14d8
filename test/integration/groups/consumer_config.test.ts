// Each setting of consumer groups that claims an effect shows it here; the names are those of src/config's tables.

import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { DescribeGroups, FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { UpdateFeatures } from '../../../src/protocol/messages/cluster.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
} from '../../../src/protocol/messages/consumer_group.ts'
import { eventually } from '../support/eventually.ts'
import { Bench } from '../support/harness.ts'

const GROUP_RESOURCE = 32
const BROKER_RESOURCE = 4
/** Shortest timings, so that a test sees them end. */
const QUICK = {
  'group.consumer.min.session.timeout.ms': 300,
  'group.consumer.session.timeout.ms': 300,
  'group.consumer.min.heartbeat.interval.ms': 50,
  'group.consumer.heartbeat.interval.ms': 100,
}

async function own(config: Record<string, string | number>): Promise<Bench> {
  const bench = await Bench.start({ config: { 'offsets.topic.num.partitions': 1, ...config } })
  await bench.client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['g'] })
  await eventually(async () => {
    const { groups } = await bench.client.ask(DescribeGroups, 5, { groups: ['g'] })
    return groups[0]!.errorCode === ErrorCode.NONE || undefined
  })
  await bench.createTopic('t', 4)
  return bench
}

const join = (bench: Bench, memberId: string, more: Record<string, unknown> = {}) =>
  bench.client.ask(ConsumerGroupHeartbeat, 1, {
    groupId: 'g',
    memberId,
    memberEpoch: 0,
    rebalanceTimeoutMs: 10_000,
    subscribedTopicNames: ['t'],
    topicPartitions: [],
    ...more,
  })

const beat = (bench: Bench, memberId: string, memberEpoch: number) =>
  bench.client.ask(ConsumerGroupHeartbeat, 1, { groupId: 'g', memberId, memberEpoch })

async function describeGroup(bench: Bench) {
  const { groups } = await bench.client.ask(ConsumerGroupDescribe, 1, { groupIds: ['g'] })
  return groups[0]!
}

async function alter(bench: Bench, type: number, name: string, key: string, value: string) {
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: [
      {
        resourceType: type,
        resourceName: name,
        configs: [{ name: key, configOperation: 0, value }],
      },
    ],
  })
  return responses[0]!.errorCode
}

describe('groups: configuration of consumer groups', () => {
  test('integration: config: consumer groups have the timings of their broker', async () => {
    await using bench = await own(QUICK)
    const joined = await join(bench, 'a')
    expect([joined.errorCode, joined.heartbeatIntervalMs]).toEqual([ErrorCode.NONE, 100])
    expect((await describeGroup(bench)).members.length).toBe(1)
    await eventually(async () => (await describeGroup(bench)).groupState === 'Empty' || undefined)
  })

  test('integration: config: a consumer group has timings of its own, within limits', async () => {
    await using bench = await own({
      ...QUICK,
      'group.consumer.max.heartbeat.interval.ms': 5000,
      'group.consumer.max.session.timeout.ms': 20_000,
      'group.consumer.session.timeout.ms': 20_000,
    })
    const set = (key: string, value: string) => alter(bench, GROUP_RESOURCE, 'g', key, value)
    expect(await set('consumer.heartbeat.interval.ms', '200')).toBe(ErrorCode.NONE)
    expect(await set('consumer.heartbeat.interval.ms', '5001')).toBe(ErrorCode.INVALID_CONFIG)
    expect(await set('consumer.session.timeout.ms', '20001')).toBe(ErrorCode.INVALID_CONFIG)
    expect(await set('consumer.session.timeout.ms', '400')).toBe(ErrorCode.NONE)
    const { heartbeatIntervalMs } = await join(bench, 'a')
    expect(heartbeatIntervalMs).toBe(200)
    await eventually(async () => (await describeGroup(bench)).groupState === 'Empty' || undefined)
  })

  test('integration: config: assignments of a consumer group keep their interval', async () => {
    await using bench = await own({
      'group.consumer.assignment.interval.ms': 15_000,
      'group.consumer.min.assignment.interval.ms': 0,
      'group.consumer.max.assignment.interval.ms': 15_000,
    })
    await join(bench, 'a')
    const { memberEpoch } = await join(bench, 'b')
    expect((await describeGroup(bench)).groupState).toBe('Assigning')
    const key = 'consumer.assignment.interval.ms'
    expect(await alter(bench, GROUP_RESOURCE, 'g', key, '15001')).toBe(ErrorCode.INVALID_CONFIG)
    expect(await alter(bench, GROUP_RESOURCE, 'g', key, '0')).toBe(ErrorCode.NONE)
    await beat(bench, 'b', memberEpoch)
    expect((await describeGroup(bench)).groupState).toBe('Reconciling')
  })

  test('integration: config: the interval of assignments can change while a broker runs', async () => {
    await using bench = await own({ 'group.consumer.assignment.interval.ms': 15_000 })
    await join(bench, 'a')
    const { memberEpoch } = await join(bench, 'b')
    expect((await describeGroup(bench)).groupState).toBe('Assigning')
    const key = 'group.consumer.assignment.interval.ms'
    expect(await alter(bench, BROKER_RESOURCE, '', key, '0')).toBe(ErrorCode.NONE)
    await eventually(async () => {
      await beat(bench, 'b', memberEpoch)
      return (await describeGroup(bench)).groupState === 'Reconciling' || undefined
    })
  })

  test('integration: config: consumer groups are bounded, and have the assignors they may', async () => {
    await using bench = await own({
      'group.consumer.max.size': 1,
      'group.consumer.assignors': 'range',
    })
    const other = await join(bench, 'a', { serverAssignor: 'uniform' })
    expect(other.errorCode).toBe(ErrorCode.UNSUPPORTED_ASSIGNOR)
    expect((await join(bench, 'a')).errorCode).toBe(ErrorCode.NONE)
    expect((await describeGroup(bench)).assignorName).toBe('range')
    expect((await join(bench, 'b')).errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
  })

  test('integration: config: consumer groups are served where they are wanted', async () => {
    await using bench = await own({ 'group.coordinator.rebalance.protocols': 'classic' })
    expect((await join(bench, 'a')).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION)
    expect((await describeGroup(bench)).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION)
  })

  test('integration: groups: group.version 0 is a cluster without consumer groups', async () => {
    await using bench = await own({})
    const lowered = await bench.client.ask(UpdateFeatures, 1, {
      timeoutMs: 10_000,
      featureUpdates: [{ feature: 'group.version', maxVersionLevel: 0, upgradeType: 2 }],
    })
    expect(lowered.errorCode).toBe(ErrorCode.NONE)
    await eventually(async () => {
      const { errorCode } = await join(bench, 'a')
      return errorCode === ErrorCode.UNSUPPORTED_VERSION || undefined
    })
  })
})
