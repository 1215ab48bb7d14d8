// The small pieces: names of timers, subscriptions as strangers write them, settings, records of other kinds.

import { describe, expect, it } from 'vitest'
import { compileTopicRegex } from '../../../src/broker/topic_regex.ts'
import { parseConfig } from '../../../src/config/parse.ts'
import { Decision } from '../../../src/coordinator/shard.ts'
import { groupSettings } from '../../../src/group/settings.ts'
import { GroupShard } from '../../../src/group/shard.ts'
import { subscribedTopics } from '../../../src/group/subscription.ts'
import {
  joinTimer,
  parseTimer,
  RETENTION_TIMER,
  sessionTimer,
  syncTimer,
  TOPICS_TIMER,
} from '../../../src/group/timers.ts'
import { Random } from '../../../src/lib/random.ts'
import { encodeSubscription } from '../../../src/protocol/embedded.ts'
import { bytes, SETTINGS } from './bench.ts'

describe('group: timers', () => {
  it.each([
    ['a', 'b'],
    ['a b', 'c 1'],
    ['', ''],
    ['1 a', ''],
    [' ', ' x'],
  ])('group: timers: %j and %j are told apart again', (groupId, memberId) => {
    expect(parseTimer(sessionTimer(groupId, memberId))).toEqual({
      kind: 'session',
      groupId,
      memberId,
    })
    expect(parseTimer(joinTimer(groupId))).toEqual({ kind: 'join', groupId })
    expect(parseTimer(syncTimer(groupId))).toEqual({ kind: 'sync', groupId })
  })

  it('group: timers: retention and deleted topics have one name each', () => {
    expect(parseTimer(RETENTION_TIMER)).toEqual({ kind: 'retention' })
    expect(parseTimer(TOPICS_TIMER)).toEqual({ kind: 'topics' })
  })
})

describe('group: subscriptions', () => {
  it('group: subscriptions: topics are read from every version', () => {
    for (const version of [0, 1, 2, 3]) {
      const written = encodeSubscription(version, { topics: ['orders', 'Übung'] })
      expect(subscribedTopics(written)).toEqual(['orders', 'Übung'])
    }
  })

  it('group: subscriptions: bytes that are none are no error, and cost nothing', () => {
    const written = encodeSubscription(1, { topics: ['orders', 'bills'] })
    for (let length = 0; length < written.length - 8; length++) {
      expect(subscribedTopics(written.subarray(0, length))).toBeNull()
    }
    expect(subscribedTopics(bytes('???????????????'))).toBeNull()
    expect(subscribedTopics(new Uint8Array([0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0]))).toBeNull()
    expect(subscribedTopics(new Uint8Array([0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0]))).toBeNull()
  })
})

const NODE = {
  'process.roles': 'broker,controller',
  'node.id': 1,
  listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
  'controller.listener.names': 'CONTROLLER',
  'controller.quorum.bootstrap.servers': '127.0.0.1:9093',
  'log.dirs': '/data',
}

describe('group: settings', () => {
  it('group: settings: are those of Kafka where nothing is set', () => {
    const { config } = parseConfig({
      options: NODE,
    })
    expect(groupSettings(() => config, compileTopicRegex)).toEqual({
      ...SETTINGS,
      membersMax: 2_147_483_647,
    })
  })
})

describe('group: policy', () => {
  it('group: policy: says which way groups may change', () => {
    const ways = ['DISABLED', 'upgrade', 'Downgrade', 'bidirectional'].map((policy) => {
      const { config } = parseConfig({
        options: { ...NODE, 'group.consumer.migration.policy': policy },
      })
      const { mayUpgrade, mayDowngrade } = groupSettings(() => config, compileTopicRegex).consumer
        .migration
      return [mayUpgrade, mayDowngrade]
    })
    expect(ways).toEqual([
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ])
  })
})

describe('group: replay', () => {
  it('group: replay: records of other kinds of groups are passed over', () => {
    const shard = new GroupShard(SETTINGS, new Random(1))
    const key = { groupId: 'shared' }
    const value = { epoch: 3, metadataHash: 0n }
    shard.replay({ type: 'ShareGroupMetadata', key, version: 0, value }, 0)
    shard.handle({ kind: 'activate' }, 1, 0, new Decision())
    expect(shard.groups.size).toBe(0)
    expect(shard.truth.consumerGroups.size).toBe(0)
  })

  it('group: replay: a group of old records has no rebalance timeout of its own and no age', () => {
    const shard = new GroupShard(SETTINGS, new Random(1))
    const member = {
      memberId: 'm',
      groupInstanceId: null,
      clientId: 'c',
      clientHost: '/h',
      rebalanceTimeout: -1,
      sessionTimeout: 8000,
      subscription: bytes('x'),
      assignment: bytes('y'),
    }
    const value = {
      protocolType: 'consumer',
      generation: 4,
      protocol: 'range',
      leader: 'm',
      currentStateTimestamp: -1,
      members: [member],
    }
    shard.replay({ type: 'GroupMetadata', key: { group: 'old' }, version: 0, value }, 0)
    shard.handle({ kind: 'activate' }, 1, 0, new Decision())
    const group = shard.groups.get('old')!
    expect([group.state, group.rebalanceTimeoutMs, group.stateSinceMs]).toEqual([
      'Stable',
      8000,
      -1,
    ])
  })
})
