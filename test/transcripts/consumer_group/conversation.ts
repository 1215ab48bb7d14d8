// Conversations between consumers of KIP-848 and the coordinator of their group, as text: a command, four dashes, what
// happened. A line for each record that is stored, one for each answer.
//
// Consumers are single letters, and that is their member id; a classic one is called so when it first comes. A consumer gives up at
// once what is not assigned to it any more, and says so with its next heartbeat, unless it holds on.
//
//   topics orders=3 bills=2           what there is; later: what has come, grown or gone (orders=0)
//   config NAME VALUE                 a setting of consumer groups, before anything else
//   join A [as INSTANCE] [reading T,T] [like REGEX] [by ASSIGNOR]
//   beat A …                          one heartbeat each
//   hold A | release A                keeps what it should give up; gives it up
//   leave A [for a while]             for a while: a static member that restarts
//   commit A orders:0=42 [at EPOCH] | status | time MS
//   move                              the shard is loaded from its log, elsewhere
//   classic A | classic A beats       a consumer of the classic protocol joins and syncs; beats, and does what that calls for

import type { GroupRecord } from '../../../src/group/records.ts'
import { errorName } from '../../../src/protocol/errors.ts'
import { GROUP } from '../../unit/group/bench.ts'
import { ClassicConsumer, classicGroup } from '../../unit/group/classic_consumer.ts'
import { Consumer848, ConsumerBench } from '../../unit/group/kip848.ts'
import { answered } from '../folder.ts'

/** Runs the commands of a script and prints what happened under each. */
export function converse(script: string): string {
  const conversation = new Conversation()
  return answered(script, (line) => conversation.run(line), '(nothing)')
}

const STATES = ['Stable', 'UnrevokedPartitions', 'UnreleasedPartitions']

class Conversation {
  private readonly settings: Record<string, unknown> = {}
  private readonly consumers = new Map<string, Consumer848>()
  private readonly classics = new Map<string, ClassicConsumer>()
  /** What a consumer still has, that it should have given up. */
  private readonly held = new Map<string, Set<string>>()
  private lines: string[] = []
  private started: ConsumerBench | null = null
  private sinceMs = 0

  run(line: string): string[] {
    this.lines = []
    const [verb, ...words] = line.split(' ')
    this.command(verb!, words)
    return this.lines
  }

  private get bench(): ConsumerBench {
    if (this.started !== null) return this.started
    const bench = new ConsumerBench({}, this.settings)
    bench.onDecision = ({ records }) => {
      for (const record of records) this.say(`stored: ${this.describeRecord(record)}`)
    }
    this.started = bench
    this.sinceMs = bench.nowMs
    return bench
  }

  private command(verb: string, words: string[]): void {
    switch (verb) {
      case 'config':
        this.settings[words[0]!] = { value: Number(words[1]), min: 0, max: 1e9 }
        return this.say(`${words[0]} is ${words[1]}`)
      case 'topics':
        return this.changeTopics(words)
      case 'join':
        return this.join(words[0]!, words.slice(1))
      case 'beat':
        for (const name of words) this.beat(name)
        return
      case 'hold':
        return void this.held.set(words[0]!, new Set())
      case 'release':
        return void this.held.delete(words[0]!)
      case 'leave':
        return this.leave(words[0]!, words.includes('while'))
      case 'commit':
        return this.commit(words)
      case 'classic':
        return words.includes('beats') ? this.beatClassic(words[0]!) : this.joinClassic(words[0]!)
      case 'status':
        return this.say(this.status())
      case 'time':
        this.sinceMs = this.bench.nowMs
        this.bench.advance(Number(words[0]))
        this.sinceMs = this.bench.nowMs
        return
      case 'move':
        this.bench.reload()
        return this.say(`loaded: ${this.status()}`)
      default:
        throw new Error(`no such command: ${verb}`)
    }
  }

  private changeTopics(words: string[]): void {
    const { topics } = this.bench
    for (const word of words) {
      const [name, count] = word.split('=')
      if (Number(count) === 0) topics.delete(name!)
      else topics.set(name!, Number(count))
      this.bench.change(name!)
    }
  }

  private join(name: string, words: string[]): void {
    const said = new Map<string, string>()
    for (let at = 0; at < words.length; at += 2) said.set(words[at]!, words[at + 1]!)
    const regex = said.get('like') ?? null
    const names = regex === null ? (said.get('reading') ?? 'orders').split(',') : null
    const consumer = new Consumer848(this.bench, name, names, said.get('as') ?? null)
    consumer.regex = regex
    consumer.assignor = said.get('by') ?? null
    this.consumers.set(name, consumer)
    this.beat(name)
  }

  private beat(name: string): void {
    const consumer = this.consumers.get(name)!
    const held = this.held.get(name)
    for (const partition of held ?? []) consumer.owned.add(partition)
    const before = {
      assigned: [...consumer.assigned],
      epoch: consumer.epoch,
      held: [...consumer.owned],
    }
    const errorCode = consumer.beat()
    if (errorCode !== 0) {
      held?.clear()
      return this.say(`${name} hears ${errorName(errorCode)}`)
    }
    const lost = before.held.filter((partition) => !consumer.assigned.has(partition))
    for (const partition of lost) held?.add(partition)
    const isSame = sorted(before.assigned) === sorted(consumer.assigned) && before.epoch > 0
    const has = isSame ? 'nothing new' : `it has ${this.partitions(consumer.assigned)}`
    const verb = held === undefined ? 'gives up' : 'should give up'
    const loses = lost.length === 0 ? '' : ` and ${verb} ${this.partitions(lost)}`
    this.say(`${name} hears epoch ${consumer.epoch}, ${has}${loses}`)
  }

  private leave(name: string, forAWhile: boolean): void {
    const errorCode = this.consumers.get(name)!.leave(forAWhile ? -2 : -1)
    this.say(`${name} hears ${errorName(errorCode)}`)
  }

  private commit([name, said, , at]: string[]): void {
    const [where, offset] = said!.split('=')
    const { memberId, epoch } = this.consumers.get(name!)!
    const generationIdOrMemberEpoch = at === undefined ? epoch : Number(at)
    const more = { memberId, generationIdOrMemberEpoch }
    const errors = this.bench.commit({ [where!]: Number(offset) }, more)
    this.say(`${name} hears ${errorName(errors[0]!)}`)
  }

  private joinClassic(name: string): void {
    const isFirst = this.bench.consumers === undefined && !this.classics.has(name)
    if (isFirst) {
      this.classics.set(name, classicGroup(this.bench))
      this.sinceMs = this.bench.nowMs
      return
    }
    const consumer = this.classics.get(name) ?? new ClassicConsumer(this.bench)
    this.classics.set(name, consumer)
    const errorCode = consumer.join()
    if (errorCode !== 0) return this.say(`${name} hears ${errorName(errorCode)}`)
    this.say(`${name} hears generation ${consumer.generation}`)
    // Of a classic group it is the leader, and assigns by itself.
    if (this.bench.consumers !== undefined) this.syncClassic(name, consumer)
  }

  private syncClassic(name: string, consumer: ClassicConsumer): void {
    const errorCode = consumer.sync()
    if (errorCode !== 0) return this.say(`${name} hears ${errorName(errorCode)}`)
    this.say(
      `${name} hears that it has ${consumer.owned.map((each) => `orders:${each}`).join(' ') || 'nothing'}`,
    )
  }

  private beatClassic(name: string): void {
    const consumer = this.classics.get(name)!
    const errorCode = consumer.beat()
    this.say(`${name} hears ${errorCode === 0 ? 'all is well' : errorName(errorCode)}`)
    if (errorName(errorCode) === 'REBALANCE_IN_PROGRESS') this.joinClassic(name)
  }

  private describeRecord(record: GroupRecord): string {
    const { type, value } = record
    const kind = type.replace('ConsumerGroup', '')
    switch (type) {
      case 'ConsumerGroupMetadata':
        return value === null
          ? `${GROUP} is no consumer group`
          : `group epoch ${record.value!.epoch}`
      case 'ConsumerGroupMemberMetadata': {
        if (record.value === null) return `member ${this.nameOf(record.key.memberId)} is no more`
        return `member ${this.nameOf(record.key.memberId)}${this.describeMember(record.value)}`
      }
      case 'ConsumerGroupTargetAssignmentMetadata':
        return value === null ? 'no target' : `target of epoch ${record.value!.assignmentEpoch}`
      case 'ConsumerGroupTargetAssignmentMember': {
        const name = this.nameOf(record.key.memberId)
        if (record.value === null) return `no target for ${name}`
        return `target: ${name} ${this.topics(record.value.topicPartitions)}`
      }
      case 'ConsumerGroupCurrentMemberAssignment':
        return this.describeCurrent(record)
      case 'ConsumerGroupRegularExpression': {
        const { regularExpression } = record.key
        if (record.value === null) return `pattern ${regularExpression} is no more`
        return `pattern ${regularExpression} is ${record.value.topics.join(' ') || 'nothing'}`
      }
      case 'GroupMetadata':
        if (record.value === null) return `${GROUP} is no classic group`
        return `${GROUP} is a classic group, generation ${record.value.generation}, ${record.value.members.length} members`
      case 'OffsetCommit':
        return `${record.key.topic}:${record.key.partition} at ${record.value?.offset ?? 'nothing'}`
      default:
        return kind
    }
  }

  private describeMember(value: {
    instanceId: string | null
    subscribedTopicNames: readonly string[]
    subscribedTopicRegex: string | null
    classicMemberMetadata: object | null
  }): string {
    const { subscribedTopicNames: names, subscribedTopicRegex: regex, instanceId } = value
    const is = instanceId === null ? '' : ` is ${instanceId}`
    const reads = names.length === 0 ? '' : ` reads ${names.join(',')}`
    const likes = (regex ?? '') === '' ? '' : ` likes ${regex}`
    const speaks = value.classicMemberMetadata === null ? '' : ' and speaks the classic protocol'
    return `${is}${reads}${likes}${speaks}`
  }

  private describeCurrent(
    record: Extract<GroupRecord, { type: 'ConsumerGroupCurrentMemberAssignment' }>,
  ): string {
    const name = this.nameOf(record.key.memberId)
    if (record.value === null) return `${name} has nothing any more`
    const { memberEpoch, state, assignedPartitions, partitionsPendingRevocation } = record.value
    const revoking = this.topics(partitionsPendingRevocation)
    const revokes = revoking === 'nothing' ? '' : `, to give up ${revoking}`
    const is = STATES[state] ?? `state ${state}`
    return `${name} is ${is} in epoch ${memberEpoch} with ${this.topics(assignedPartitions)}${revokes}`
  }

  private topics(
    topics: readonly { readonly topicId: string; readonly partitions: readonly number[] }[],
  ): string {
    return this.partitions(
      topics.flatMap(({ topicId, partitions }) => partitions.map((each) => `${topicId}:${each}`)),
    )
  }

  /** `topicId:partition` by the names of topics. */
  private partitions(all: Iterable<string>): string {
    const named = Array.from(all, (each) => {
      const [topicId, partition] = each.split(':') as [string, string]
      return `${this.bench.topics.nameOf(topicId) ?? 'a topic that is gone'}:${partition}`
    })
    return named.length === 0 ? 'nothing' : named.sort().join(' ')
  }

  private status(): string {
    const { consumers, group } = this.bench
    if (consumers === undefined) {
      return group === undefined
        ? `${GROUP} is not there`
        : `${GROUP} is a classic group, ${group.state}`
    }
    const { groupState, groupEpoch, assignmentEpoch, assignorName, members } = this.bench.describe()
    const who = members.map(({ memberId, memberEpoch, assignment }) => {
      const has = assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
        partitions.map((each) => `${topicName}:${each}`),
      )
      return `${this.nameOf(memberId)} in ${memberEpoch} with ${has.sort().join(' ') || 'nothing'}`
    })
    const epochs = `group epoch ${groupEpoch}, target of ${assignmentEpoch} (${assignorName})`
    return `${GROUP} is ${groupState}, ${epochs}${who.map((each) => `; ${each}`).join('')}`
  }

  /** Members of the classic protocol have ids that the coordinator made. */
  private nameOf(memberId: string): string {
    for (const [name, classic] of this.classics) if (classic.memberId === memberId) return name
    return this.consumers.has(memberId) ? memberId : 'a classic member'
  }

  private say(line: string): void {
    const ms = this.started === null ? 0 : this.bench.nowMs - this.sinceMs
    this.lines.push(`  ${ms > 0 ? `after ${ms} ms: ` : ''}${line}`)
  }
}

function sorted(partitions: Iterable<string>): string {
  return [...partitions].sort().join(' ')
}
