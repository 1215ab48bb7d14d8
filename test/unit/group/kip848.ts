// Consumers of KIP-848 against a shard by itself: what a client knows and does, and a cluster that tests change.
//
// A client gives up what is no longer assigned before it takes what is new, as Java's does, and says so with its next
// heartbeat.

import type { Cluster, ClusterTopic } from '../../../src/group/consumer/cluster.ts'
import type { HeartbeatRequest } from '../../../src/group/consumer/heartbeat.ts'
import type { GroupSettings } from '../../../src/group/settings.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { GROUP, GroupBench } from './bench.ts'

/** A uuid that is easy to read in a failure. */
export const idOf = (name: string) => `${name.padEnd(20, '_')}AA`

/** A cluster whose topics come, grow and go. */
export class TestCluster implements Cluster {
  version = 1
  topicsAddedVersion = 0
  readonly topics = new Map<string, { id: string; count: number; racks: string[] }>()
  readonly configs = new Map<string, Map<string, string>>()
  private incarnation = 0

  constructor(topics: Record<string, number> = {}) {
    for (const [name, count] of Object.entries(topics)) this.set(name, count)
  }

  set(name: string, count: number): void {
    this.version++
    const known = this.topics.get(name)
    if (known === undefined) this.topicsAddedVersion = this.version
    const id = known?.id ?? idOf(`${name}${this.incarnation++}`)
    this.topics.set(name, { racks: [], ...known, id, count })
  }

  delete(name: string): void {
    this.version++
    this.topics.delete(name)
  }

  topic(name: string): ClusterTopic | undefined {
    const topic = this.topics.get(name)
    if (topic === undefined) return undefined
    return { id: topic.id, name, partitionCount: topic.count, racksOf: () => topic.racks }
  }

  nameOf(topicId: string): string | undefined {
    for (const [name, { id }] of this.topics) if (id === topicId) return name
    return undefined
  }

  topicNames(): Iterable<string> {
    return this.topics.keys()
  }

  groupConfigs(groupId: string): ReadonlyMap<string, string> {
    return this.configs.get(groupId) ?? new Map()
  }
}

/** A bench with a cluster to read from; assignments at once unless a test says otherwise. */
export class ConsumerBench extends GroupBench {
  readonly topics: TestCluster

  constructor(topics: Record<string, number>, settings: Partial<GroupSettings['consumer']> = {}) {
    const cluster = new TestCluster(topics)
    super({}, 7, cluster)
    this.topics = cluster
    Object.assign(this.settings, {
      consumer: {
        ...this.settings.consumer,
        assignmentIntervalMs: { value: 0, min: 0, max: 15_000 },
        ...settings,
      },
    })
    this.reload()
  }

  beat(request: Partial<HeartbeatRequest>, version = 1) {
    return this.ask<'consumerGroupHeartbeat'>({
      kind: 'consumerGroupHeartbeat',
      version,
      client: { clientId: 'client', clientHost: '/127.0.0.1' },
      request: {
        groupId: GROUP,
        memberId: '',
        memberEpoch: 0,
        instanceId: null,
        rackId: null,
        rebalanceTimeoutMs: -1,
        subscribedTopicNames: null,
        subscribedTopicRegex: null,
        serverAssignor: null,
        topicPartitions: null,
        ...request,
      },
    }).response
  }

  change(...names: string[]): void {
    this.send({ kind: 'topicsChanged', names: new Set(names) })
  }

  get consumers() {
    return this.shard.truth.consumerGroups.get(GROUP)
  }

  describe(groupId = GROUP) {
    const request = { kind: 'consumerGroupDescribe', groupIds: [groupId] } as const
    return this.ask<'consumerGroupDescribe'>(request).groups[0]!
  }
}

/** One client; partitions are `topicId:partition`. */
export class Consumer848 {
  readonly bench: ConsumerBench
  readonly memberId: string
  readonly instanceId: string | null
  epoch = 0
  names: string[] | null
  regex: string | null = null
  assignor: string | null = null
  rebalanceTimeoutMs = 30_000
  owned = new Set<string>()
  /** No longer meant for it: it goes on with them until it has said that it has given them up. */
  private readonly giving = new Set<string>()
  assigned = new Set<string>()
  lastError: number = ErrorCode.NONE
  private isKnown = false

  constructor(
    bench: ConsumerBench,
    memberId: string,
    names: string[] | null = ['orders'],
    instanceId: string | null = null,
  ) {
    this.bench = bench
    this.memberId = memberId
    this.names = names
    this.instanceId = instanceId
  }

  /** One heartbeat; the error code of its answer. */
  beat(more: Partial<HeartbeatRequest> = {}): number {
    const isJoining = this.epoch <= 0
    if (isJoining) {
      this.epoch = 0
      this.owned.clear()
    }
    if (isJoining || more.topicPartitions !== null) this.giving.clear()
    const everything = isJoining || !this.isKnown
    const response = this.bench.beat({
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      topicPartitions: listed(this.owned),
      ...(everything
        ? {
            rebalanceTimeoutMs: this.rebalanceTimeoutMs,
            subscribedTopicNames: this.regex === null ? this.names : this.names,
            subscribedTopicRegex: this.regex,
            serverAssignor: this.assignor,
          }
        : {}),
      ...more,
    })
    this.lastError = response.errorCode ?? ErrorCode.NONE
    if (this.lastError !== ErrorCode.NONE) {
      this.epoch = 0
      this.owned.clear()
      this.giving.clear()
      this.assigned.clear()
      return this.lastError
    }
    this.isKnown = true
    this.epoch = response.memberEpoch!
    if (response.assignment !== null && response.assignment !== undefined) {
      this.assigned = flattened(response.assignment.topicPartitions!)
      for (const partition of this.owned) {
        if (this.assigned.has(partition)) continue
        this.owned.delete(partition)
        this.giving.add(partition)
      }
      // What is new is taken only when nothing is left to give up, which is now.
      for (const partition of this.assigned) this.owned.add(partition)
    }
    return this.lastError
  }

  /** All that it may be reading: nobody else may. */
  get held(): string[] {
    return [...new Set([...this.owned, ...this.giving])]
  }

  /** Reads other topics from the next heartbeat on. */
  subscribe(names: string[]): void {
    this.names = names
    this.isKnown = false
  }

  leave(epoch = -1): number {
    const { memberId, instanceId } = this
    const response = this.bench.beat({ memberId, instanceId, memberEpoch: epoch })
    this.epoch = 0
    this.owned.clear()
    this.giving.clear()
    return response.errorCode ?? ErrorCode.NONE
  }
}

/** Heartbeats until nothing changes any more; fails when that takes too long. */
export function settle(consumers: readonly Consumer848[]): void {
  for (let round = 0; round < 30; round++) {
    const before = consumers.map(({ epoch, owned }) => `${epoch} ${[...owned].sort()}`).join()
    for (const consumer of consumers) consumer.beat()
    const after = consumers.map(({ epoch, owned }) => `${epoch} ${[...owned].sort()}`).join()
    if (before === after) return
  }
  throw new Error('the group does not come to rest')
}

function listed(partitions: ReadonlySet<string>): { topicId: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>()
  for (const each of partitions) {
    const [topicId, partition] = each.split(':') as [string, string]
    topics.set(topicId, [...(topics.get(topicId) ?? []), Number(partition)])
  }
  return Array.from(topics, ([topicId, numbers]) => ({ topicId, partitions: numbers }))
}

function flattened(
  topics: readonly { readonly topicId?: string; readonly partitions?: readonly number[] }[],
): Set<string> {
  return new Set(
    topics.flatMap(({ topicId, partitions }) => partitions!.map((each) => `${topicId}:${each}`)),
  )
}
