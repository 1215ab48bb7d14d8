// A random story of one consumer group (KIP-848), told to our shard as it is made up, and written down for Apache Kafka:
// members that come, go, are silent, come back under their instance id, read other topics, by name or by pattern; topics
// that come, grow and go; one member that may speak the classic protocol, so that the group changes its own.

import { assignRanges } from '../../../src/group/assignors/range.ts'
import type { GroupRecord } from '../../../src/group/records.ts'
import type { GroupReply } from '../../../src/group/requests.ts'
import { RETENTION_TIMER } from '../../../src/group/timers.ts'
import { Random } from '../../../src/lib/random.ts'
import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/protocol/embedded.ts'
import { GROUP, type GroupBench } from '../../unit/group/bench.ts'
import { ConsumerBench } from '../../unit/group/kip848.ts'

type Json = Record<string, unknown>

/** A command, and what our shard made of it. */
export interface ConsumersTold {
  readonly command: Json
  readonly outcome: { replies: Json[]; stored: GroupRecord[]; group: Json | null }
}

interface Teller {
  readonly member: string
  readonly instance: string | null
  epoch: number
  names: string[] | null
  regex: string | null
  owned: Set<string>
  hasSpoken: boolean
}

const TOPICS = ['orders', 'orders-eu', 'bills', 'notes']
const PATTERNS = ['orders.*', '.*s', 'b.+', 'nothing']
const CLASSIC = 'old'

/** Tells one story. */
export class ConsumersStory {
  readonly told: ConsumersTold[] = []
  private readonly bench: ConsumerBench
  private readonly random: Random
  private readonly tellers: Teller[] = []
  private replies: GroupReply[] = []
  private stored: GroupRecord[] = []
  private named = 0
  private readonly hasClassic: boolean
  private classic = { id: '', generation: -1, owned: [] as number[], isAsking: false }
  private readonly classicInstance: string | null

  constructor(seed: number, hasClassic: boolean) {
    this.random = new Random(seed)
    this.hasClassic = hasClassic
    this.classicInstance = hasClassic && this.random.ratio(1, 2) ? 'both' : null
    const interval = this.random.pick([0, 0, 1000])
    this.bench = new ConsumerBench(
      {},
      {
        assignors: new Map([['range', assignRanges]]),
        assignmentIntervalMs: { value: interval, min: 0, max: 15_000 },
        membersMax: 6,
      },
    )
    Object.assign(this.bench.settings, { retentionCheckIntervalMs: 1e12 })
    this.bench.reload()
    this.bench.isVerifying = false
    this.bench.onDecision = ({ records, replies }) => {
      this.stored.push(...records)
      this.replies.push(...replies.map(([, reply]) => reply))
    }
    this.tell({ do: 'reset', interval }, () => {})
    this.topic('orders', 3)
    this.topic('bills', 2)
  }

  step(): void {
    const { random, tellers } = this
    while (tellers.length < 2 || (tellers.length < 8 && random.ratio(1, 25))) this.enter()
    const what = random.nextInt(100)
    const teller = random.pick(tellers)
    if (this.hasClassic && random.ratio(1, 3)) this.liveClassic()
    else if (what < 55) this.beat(teller)
    else if (what < 62) this.leave(teller)
    else if (what < 70) this.commit(teller)
    else if (what < 74) this.fetch(teller)
    else if (what < 80) this.changeTopic()
    else if (what < 92) this.time(random.pick([500, 1000, 5000, 10_001, 20_000, 45_000]))
    else if (what < 94) this.tell({ do: 'list' }, () => this.list())
    else if (what < 95) this.delete()
    else if (what < 96) this.tell({ do: 'clean' }, () => this.bench.fire(RETENTION_TIMER))
    else if (what < 98) this.move()
    else if (tellers.length > 3) tellers.splice(tellers.indexOf(teller), 1)
  }

  /** All sessions begin anew; where it matters which ends first, that is a hash's business in Kafka. */
  private move(): void {
    if (!this.hasClassic) this.tell({ do: 'move' }, () => this.bench.reload())
  }

  private enter(): void {
    const { random } = this
    const isStatic = random.ratio(1, 3)
    const hasRegex = random.ratio(1, 4)
    const instances = this.classicInstance === null ? ['one', 'two'] : ['one', 'both']
    this.tellers.push({
      member: `m${this.named++}`,
      instance: isStatic ? random.pick(instances) : null,
      epoch: 0,
      names: hasRegex ? (random.ratio(1, 3) ? ['bills'] : null) : this.someNames(),
      regex: hasRegex ? random.pick(PATTERNS) : null,
      owned: new Set(),
      hasSpoken: false,
    })
  }

  private someNames(): string[] {
    const names = TOPICS.filter(() => this.random.ratio(1, 2))
    return names.length === 0 ? ['orders'] : names
  }

  private beat(teller: Teller): void {
    const { random } = this
    const isWrong = random.ratio(1, 20)
    const epoch = isWrong ? Math.max(0, teller.epoch + random.pick([-1, 1])) : teller.epoch
    const isJoining = epoch === 0
    if (isJoining) teller.owned.clear()
    if (!isJoining && random.ratio(1, 15)) {
      if (teller.regex === null) teller.names = this.someNames()
      else teller.regex = random.pick(PATTERNS)
      teller.hasSpoken = false
    }
    const isFull = isJoining || !teller.hasSpoken
    // Kafka hands out by what the group was like before, when a pattern nobody has matched comes while the target is
    // behind: for a moment the others have nothing.
    const { consumers } = this.bench
    const isUnmatched = teller.regex !== null && consumers?.regexes.has(teller.regex) !== true
    // In the first join phase of a classic group Kafka trips over the protocol that is not chosen yet.
    const { group } = this.bench
    if (isJoining && group !== undefined && group.size > 0 && group.protocolName === null) return
    if (isFull && isUnmatched && consumers?.state === 'Assigning') return
    // A client may take its time to give something up.
    const owned = isJoining || random.ratio(4, 5) ? listed(teller.owned) : null
    const request = {
      memberId: teller.member,
      memberEpoch: epoch,
      instanceId: teller.instance,
      rackId: null,
      rebalanceTimeoutMs: isFull ? 20_000 : -1,
      subscribedTopicNames: isFull ? teller.names : null,
      subscribedTopicRegex: isFull ? teller.regex : null,
      topicPartitions: owned,
    }
    const command = {
      do: 'beat',
      member: teller.member,
      epoch,
      instance: teller.instance,
      rack: null,
      rebalance: request.rebalanceTimeoutMs,
      names: request.subscribedTopicNames,
      regex: request.subscribedTopicRegex,
      owned,
    }
    let response: ReturnType<ConsumerBench['beat']> | undefined
    this.tell(command, () => {
      response = this.bench.beat(request)
    })
    this.hearBeat(teller, response!)
    // Patterns are matched in a turn of their own.
    this.time(0)
  }

  private hearBeat(teller: Teller, response: ReturnType<ConsumerBench['beat']>): void {
    if ((response.errorCode ?? 0) !== 0) {
      teller.epoch = 0
      teller.owned.clear()
      return
    }
    teller.hasSpoken = true
    teller.epoch = response.memberEpoch!
    if (response.assignment === null || response.assignment === undefined) return
    teller.owned = new Set(
      response.assignment.topicPartitions!.flatMap(({ topicId, partitions }) =>
        partitions!.map((each) => `${topicId}:${each}`),
      ),
    )
  }

  private leave(teller: Teller): void {
    const epoch = teller.instance !== null && this.random.ratio(2, 3) ? -2 : -1
    const { member, instance } = teller
    const nothing = { rack: null, rebalance: -1, names: null, regex: null, owned: null }
    this.tell({ do: 'beat', member, epoch, instance, ...nothing }, () => {
      this.bench.beat({ memberId: member, memberEpoch: epoch, instanceId: instance })
    })
    teller.epoch = 0
    teller.owned.clear()
    // Somebody else comes back for it.
    if (instance !== null) this.tellers.splice(this.tellers.indexOf(teller), 1)
  }

  private commit(teller: Teller): void {
    const { random, bench } = this
    const epoch = teller.epoch + (random.ratio(1, 3) ? random.pick([-2, -1, 1]) : 0)
    const version = random.pick([8, 9, 9, 9])
    const [own] = teller.owned
    const topicId = own?.split(':')[0] ?? ''
    const topic = bench.topics.nameOf(topicId) ?? 'orders'
    const id = bench.topics.topic(topic)?.id ?? 'AAAAAAAAAAAAAAAAAAAAAA'
    const partition = Number(own?.split(':')[1] ?? 0)
    const { member } = teller
    this.tell({ do: 'commit', member, epoch, version, topic, id, partition }, () => {
      const partitions = [
        {
          partitionIndex: partition,
          committedOffset: 5n,
          committedLeaderEpoch: -1,
          committedMetadata: '',
        },
      ]
      const topics = [{ name: topic, topicId: id, partitions }]
      const who = { memberId: member, generationIdOrMemberEpoch: epoch }
      bench.commit({}, { ...who, version, topics })
    })
  }

  private fetch(teller: Teller): void {
    const isTool = this.random.ratio(1, 3)
    const member = isTool ? null : teller.member
    const epoch = isTool ? -1 : teller.epoch + (this.random.ratio(1, 3) ? 1 : 0)
    this.tell({ do: 'fetch', member, epoch }, () => {
      const who = { groupId: GROUP, memberId: member, memberEpoch: epoch }
      const request = { ...who, topics: null, requireStable: false }
      this.bench.send({ kind: 'offsetFetch', request })
    })
  }

  private changeTopic(): void {
    const name = this.random.pick(TOPICS)
    const count = this.bench.topics.topic(name)?.partitionCount ?? 0
    if (count > 0 && this.random.ratio(1, 3)) this.topic(name, 0)
    else this.topic(name, count + 1 + this.random.nextInt(2))
  }

  private topic(name: string, count: number): void {
    const { topics } = this.bench
    if (count === 0) topics.delete(name)
    else topics.set(name, count)
    const id = topics.topic(name)?.id ?? ''
    this.tell({ do: 'topic', name, count, id, version: topics.version }, () => {
      this.bench.change(name)
    })
  }

  private list(): void {
    const request = { statesFilter: [], typesFilter: [] }
    this.bench.send({ kind: 'listGroups', version: 5, request })
  }

  private delete(): void {
    this.tell({ do: 'delete' }, () => {
      this.bench.send({ kind: 'deleteGroups', groupIds: [GROUP] })
    })
  }

  // --- the one that speaks the classic protocol

  private liveClassic(): void {
    const { random, classic, bench } = this
    const isMember =
      bench.consumers?.member(classic.id) !== undefined ||
      bench.group?.member(classic.id) !== undefined
    if (classic.isAsking) return this.time(3000)
    if (!isMember || classic.generation < 0) return this.joinClassic()
    const what = random.nextInt(10)
    if (what < 5) this.beatClassic()
    else if (what < 7) this.syncClassic()
    else if (what < 9) this.joinClassic()
    else this.leaveClassic()
  }

  private get classicWho() {
    return { who: CLASSIC, instance: this.classicInstance }
  }

  private joinClassic(): void {
    const { classic, bench } = this
    const isKnown =
      bench.consumers?.member(classic.id) !== undefined ||
      bench.group?.member(classic.id) !== undefined ||
      bench.group?.pendingJoin.has(classic.id) === true
    const id = isKnown ? 'own' : 'none'
    const owned = this.random.ratio(4, 5) ? [] : [{ topic: 'orders', partitions: classic.owned }]
    const subscription = encodeSubscription(1, { topics: ['orders'], ownedPartitions: owned })
    const asks = { session: 30_000, rebalance: 25_000, subscription: hex(subscription) }
    classic.isAsking = true
    this.tell({ do: 'join', ...this.classicWho, id, version: 5, ...asks }, () => {
      bench.sendJoin({
        memberId: id === 'own' ? classic.id : '',
        instance: this.classicInstance,
        clientId: 'client',
        version: 5,
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 25_000,
        protocols: [{ name: 'range', metadata: subscription }],
      })
    })
  }

  private syncClassic(): void {
    const { classic, bench } = this
    const assignment = encodeAssignment(1, {
      assignedPartitions: [{ topic: 'orders', partitions: [0, 1] }],
    })
    const asks = {
      id: 'own',
      epoch: classic.generation,
      assignments: { [CLASSIC]: hex(assignment) },
    }
    this.tell({ do: 'sync', ...this.classicWho, ...asks, version: 5 }, () => {
      bench.send({
        kind: 'syncGroup',
        version: 5,
        request: {
          groupId: GROUP,
          generationId: classic.generation,
          memberId: classic.id,
          groupInstanceId: this.classicInstance,
          protocolType: 'consumer',
          protocolName: 'range',
          assignments: [{ memberId: classic.id, assignment }],
        },
      })
    })
  }

  private beatClassic(): void {
    const { classic } = this
    const asks = { id: 'own', epoch: classic.generation }
    this.tell({ do: 'classicBeat', ...this.classicWho, ...asks, version: 4 }, () => {
      this.bench.heartbeat(classic.id, classic.generation, this.classicInstance)
    })
  }

  private leaveClassic(): void {
    this.tell({ do: 'leave', ...this.classicWho, id: 'own', version: 5 }, () => {
      this.bench.leave([{ memberId: this.classic.id, groupInstanceId: this.classicInstance }])
    })
  }

  /** In steps, so that what happens is told one after the other. */
  private time(ms: number): void {
    let leftMs = ms
    do {
      const stepMs = Math.min(leftMs, 1000)
      this.tell({ do: 'time', ms: stepMs }, () => this.bench.advance(stepMs))
      leftMs -= stepMs
    } while (leftMs > 0)
  }

  private tell(command: Json, act: () => void): void {
    this.replies = []
    this.stored = []
    const ticket = (this.bench as GroupBench).nextTicket
    act()
    const replies = this.replies.flatMap((reply) => this.hear(reply))
    this.told.push({
      command: { ...command, ticket },
      outcome: { replies, stored: this.stored, group: this.state() },
    })
  }

  private hear(reply: GroupReply): Json[] {
    switch (reply.kind) {
      case 'consumerGroupHeartbeat': {
        const { response } = reply
        const error = response.errorCode ?? 0
        if (error !== 0) return [{ kind: 'beat', error }]
        const { memberId: member, memberEpoch: epoch, heartbeatIntervalMs: interval } = response
        const partitions = response.assignment?.topicPartitions?.flatMap((topic) =>
          topic.partitions!.map((each) => `${topic.topicId}:${each}`),
        )
        const told = partitions === undefined ? {} : { assignment: partitions.sort() }
        return [{ kind: 'beat', error, member, epoch, interval: interval ?? 0, ...told }]
      }
      case 'offsetCommit':
        return [
          { kind: 'commit', error: reply.response.topics![0]!.partitions![0]!.errorCode ?? 0 },
        ]
      case 'offsetFetch':
        return [{ kind: 'fetch', error: reply.response.errorCode }]
      case 'listGroups': {
        const groups = reply.response.groups!.map(
          (each) => `${each.groupId} ${each.protocolType} ${each.groupState} ${each.groupType}`,
        )
        return [{ kind: 'list', error: 0, groups }]
      }
      case 'deleteGroups':
        return [{ kind: 'delete', error: reply.results[0]!.errorCode }]
      case 'joinGroup': {
        const { errorCode: error = 0, memberId = '', generationId = -1 } = reply.response
        this.classic.isAsking = false
        const isGiven = error === 0 || error === 79
        if (isGiven) this.classic.id = memberId!
        if (error === 0) this.classic.generation = generationId
        const given = isGiven ? { who: CLASSIC, memberId } : {}
        return [{ kind: 'join', error, ...given, generation: generationId }]
      }
      case 'syncGroup': {
        const { errorCode: error = 0, assignment } = reply.response
        const bytes = assignment as Uint8Array
        if (error === 0 && bytes.length > 0) {
          const { assignedPartitions } = decodeAssignment(bytes)
          this.classic.owned = assignedPartitions.flatMap(({ partitions }) => [...partitions])
        }
        return [{ kind: 'sync', error, assignment: hex(bytes) }]
      }
      case 'heartbeat':
        return [{ kind: 'classicBeat', error: reply.response.errorCode ?? 0 }]
      case 'leaveGroup':
        return [{ kind: 'leave', error: reply.response.members![0]!.errorCode ?? 0 }]
      default:
        return []
    }
  }

  private state(): Json | null {
    const onDecision = this.bench.onDecision
    this.bench.onDecision = () => {}
    const group = this.bench.describe()
    this.bench.onDecision = onDecision
    if (group.errorCode !== 0) return null
    const members = group.members.map((member) =>
      [
        member.memberId,
        member.instanceId,
        member.rackId,
        member.memberEpoch,
        [...member.subscribedTopicNames].sort().join(','),
        member.subscribedTopicRegex,
        'has',
        said(member.assignment),
        'for',
        said(member.targetAssignment),
        member.memberType,
      ]
        .map(String)
        .join(' '),
    )
    return {
      state: group.groupState,
      epoch: group.groupEpoch,
      assignmentEpoch: group.assignmentEpoch,
      assignor: group.assignorName,
      members: members.sort(),
    }
  }
}

function said(assignment: {
  readonly topicPartitions: readonly {
    readonly topicName: string
    readonly partitions: readonly number[]
  }[]
}): string {
  return assignment.topicPartitions
    .flatMap(({ topicName, partitions }) => partitions.map((each) => `${topicName}:${each}`))
    .sort()
    .join(',')
}

function listed(partitions: ReadonlySet<string>): { topicId: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>()
  for (const each of partitions) {
    const [topicId, partition] = each.split(':') as [string, string]
    topics.set(topicId, [...(topics.get(topicId) ?? []), Number(partition)])
  }
  return Array.from(topics, ([topicId, numbers]) => ({ topicId, partitions: numbers }))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
