// A random story of one classic group, told to our shard as it is made up, and written down for Apache Kafka: commands,
// and what came of each, in the words Coordinator.java uses too. Clients do mostly what clients do, and sometimes not.

import type { Ticket } from '../../../src/coordinator/shard.ts'
import type { GroupRecord } from '../../../src/group/records.ts'
import type { DescribedGroup, GroupReply } from '../../../src/group/requests.ts'
import { RETENTION_TIMER } from '../../../src/group/timers.ts'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { GROUP, GroupBench, HOUR, subscription } from '../../unit/group/bench.ts'

type Json = Record<string, unknown>

/** A command, and what our shard made of it. */
export interface Told {
  readonly command: Json
  readonly outcome: { replies: Json[]; stored: Json[]; group: Json | null }
}

interface Teller {
  readonly who: string
  readonly instance: string | null
  readonly version: number
  /** Everyone's is different: Kafka goes through sessions that end at the same moment in the order of a hash. */
  readonly sessionMs: number
  memberId: string
  oldId: string
  generation: number
  isAsking: boolean
}

const RANGE = ['range', hex(subscription(['orders']))] as const
const STICKY = ['sticky', hex(subscription(['orders', 'bills']))] as const
// Never two protocols with as many votes: Kafka takes one of them by hash.
const PROTOCOLS = [[RANGE], [RANGE, STICKY], [RANGE, STICKY], [STICKY]]
const NOTE = 'note'

/** Tells one story. */
export class Story {
  readonly told: Told[] = []
  private readonly bench: GroupBench
  private readonly random: Random
  private readonly tellers: Teller[] = []
  private readonly asked = new Map<Ticket, Teller>()
  private readonly unheard = new Set<Ticket>()
  private replies: [Ticket, GroupReply][] = []
  private stored: GroupRecord[] = []
  private named = 0

  constructor(seed: number) {
    this.random = new Random(seed)
    // Retention is told, like everything else, and does not happen by itself.
    this.bench = new GroupBench({ retentionCheckIntervalMs: 1e12 }, seed + 1)
    this.bench.isVerifying = false
    this.bench.onDecision = ({ records, replies }) => {
      this.stored.push(...records)
      this.replies.push(...replies)
    }
    this.tell({ do: 'reset' }, () => {})
  }

  step(): void {
    const { random } = this
    this.retireForgotten()
    while (this.tellers.length < 2 || (this.tellers.length < 7 && random.ratio(1, 30))) this.enter()
    if (random.ratio(1, 12)) this.operate()
    else if (random.ratio(2, 3)) this.doWhatIsDue()
    else this.doAnything()
  }

  /** What clients do in the state the group is in. */
  private doWhatIsDue(): void {
    const { random, tellers } = this
    const { group } = this.bench
    const isIn = ({ memberId }: Teller) => group?.member(memberId) !== undefined
    const members = tellers.filter(isIn)
    if (group?.state === 'CompletingRebalance' && members.length > 0) {
      const waiting = members.filter(({ memberId }) => group.pendingSync.has(memberId))
      this.sync(random.pick(waiting.length > 0 ? waiting : members))
    } else if (group?.state === 'Stable' && members.length > 0) {
      const teller = random.pick(members)
      const what = random.nextInt(8)
      if (what < 2) this.sync(teller)
      else if (what < 5) this.beat(teller)
      else if (what === 5) this.commit(teller)
      else if (what === 6) this.time(random.pick([500, 3000]))
      else if (teller.instance !== null) this.join(teller, 'none')
    } else {
      const idle = tellers.filter(({ isAsking }) => !isAsking)
      if (idle.length === 0 || random.ratio(1, 8)) this.time(3000)
      else this.join(random.pick(idle))
    }
  }

  private doAnything(): void {
    const { random, tellers } = this
    const what = random.nextInt(100)
    const teller = random.pick(tellers)
    if (what < 30) this.join(teller)
    else if (what < 50) this.sync(teller)
    else if (what < 65) this.beat(teller)
    else if (what < 72) this.leave(teller)
    else if (what < 82) this.commit(teller)
    else if (what < 94) this.time(random.pick([1, 500, 2999, 3000, 4000, 5000, 9999, 31_000]))
    else if (what < 96) this.tell({ do: 'move' }, () => this.bench.reload())
    else if (what < 98) this.operate()
    else this.retire(teller)
  }

  /** What operators do. */
  private operate(): void {
    const { random, bench } = this
    const what = random.nextInt(20)
    if (what < 5) this.fetch()
    else if (what < 8) this.deleteOffsets(random.pick([['orders'], ['bills'], ['bills', 'orders']]))
    else if (what < 12) this.describe(random.pick([5, 6]))
    else if (what < 14) this.list(random.pick([[], ['stable'], ['Empty', 'preparingrebalance']]))
    else if (what < 15) this.delete()
    else if (what < 16) this.time(random.pick([3, 4, 8]) * 24 * HOUR)
    else if (bench.group?.state !== 'Empty' || bench.group.pendingJoin.size === 0) this.clean()
  }

  private fetch(): void {
    const request = { groupId: GROUP, memberId: null, memberEpoch: -1, topics: null }
    this.tell({ do: 'fetch' }, () => {
      this.bench.send({ kind: 'offsetFetch', request: { ...request, requireStable: false } })
    })
  }

  private deleteOffsets(topics: readonly string[]): void {
    const partitions = [{ partitionIndex: 0 }, { partitionIndex: 1 }]
    const request = { groupId: GROUP, topics: topics.map((name) => ({ name, partitions })) }
    this.tell({ do: 'deleteOffsets', topics }, () => {
      this.bench.send({ kind: 'offsetDelete', version: 0, request })
    })
  }

  private describe(version: number): void {
    this.tell({ do: 'describe', version }, () => {
      this.bench.send({ kind: 'describeGroups', version, groupIds: [GROUP] })
    })
  }

  private list(states: readonly string[]): void {
    const request = { statesFilter: [...states], typesFilter: [] }
    this.tell({ do: 'list', states }, () => {
      this.bench.send({ kind: 'listGroups', version: 5, request })
    })
  }

  private delete(): void {
    this.tell({ do: 'delete' }, () => {
      this.bench.send({ kind: 'deleteGroups', groupIds: [GROUP] })
    })
  }

  private clean(): void {
    this.tell({ do: 'clean' }, () => this.bench.fire(RETENTION_TIMER))
  }

  /** Mostly, clients that the group has forgotten make room for others. */
  private retireForgotten(): void {
    const { group } = this.bench
    for (const teller of [...this.tellers]) {
      const { memberId, instance, isAsking } = teller
      if (instance !== null || memberId === '' || isAsking || this.random.ratio(1, 3)) continue
      const isKnown = group?.member(memberId) !== undefined || group?.pendingJoin.has(memberId)
      if (isKnown !== true) this.retire(teller)
    }
  }

  private enter(): void {
    const { random } = this
    const isStatic = random.ratio(2, 5)
    const who = `client${this.named++}`
    const version = random.pick(isStatic ? [5, 7, 8, 9] : [3, 4, 6, 9])
    const instance = isStatic ? `instance${this.named}` : null
    const fresh = { memberId: '', oldId: 'bogus', generation: -1, isAsking: false }
    const sessionMs = 10_000 + 37 * this.named
    this.tellers.push({ who, instance, version, sessionMs, ...fresh })
  }

  private retire(teller: Teller): void {
    this.tellers.splice(this.tellers.indexOf(teller), 1)
  }

  /** Which id to use: nearly always its own. */
  private idOf(teller: Teller): 'own' | 'old' | 'none' | 'bogus' {
    const isWrong = this.random.ratio(1, 25)
    if (isWrong) return this.random.pick(['old', 'bogus', 'none'] as const)
    return teller.memberId === '' ? 'none' : 'own'
  }

  private spell(teller: Teller, id: string): string {
    if (id === 'own') return teller.memberId || 'bogus'
    return id === 'old' ? teller.oldId : id === 'none' ? '' : 'bogus'
  }

  private generationOf(teller: Teller): number {
    return teller.generation + (this.random.ratio(1, 25) ? this.random.pick([-1, 1]) : 0)
  }

  private join(teller: Teller, as?: 'none'): void {
    const { random } = this
    // Two members of one name could not be told apart, so a dynamic client has one id in its life.
    const isReturn = teller.instance !== null && random.ratio(1, 8)
    let id = as ?? (isReturn ? 'none' : this.idOf(teller))
    if (id === 'none' && teller.instance === null && teller.memberId !== '') id = 'own'
    if (teller.isAsking && teller.instance === null) return
    const { who, version, instance, sessionMs: session } = teller
    const protocols = random.pick(PROTOCOLS)
    const type = random.ratio(1, 40) ? 'connect' : 'consumer'
    const rebalance = random.pick([5000, 20_000, 30_000])
    const asks = { do: 'join', who, id, version, instance, session, rebalance, type }
    teller.isAsking = true
    this.tell({ ...asks, protocols }, () => {
      this.asked.set(this.bench.nextTicket, teller)
      this.bench.sendJoin({
        memberId: this.spell(teller, id),
        instance,
        clientId: who,
        version,
        sessionTimeoutMs: session,
        rebalanceTimeoutMs: rebalance,
        protocolType: type,
        protocols: protocols.map(([name, metadata]) => ({ name, metadata: unhex(metadata) })),
      })
    })
  }

  private sync(teller: Teller): void {
    const { who, version, instance } = teller
    const id = this.idOf(teller)
    const generation = this.generationOf(teller)
    const { group } = this.bench
    const leads = group?.isLeader(teller.memberId) === true
    const named = leads ? this.tellers.filter(() => this.random.ratio(9, 10)) : []
    const assignments = Object.fromEntries(
      named.map((other, index) => [other.who, hex(new Uint8Array([index + 1]))]),
    )
    const protocol = this.random.ratio(1, 30) ? 'sticky' : (group?.protocolName ?? 'range')
    const type = this.random.ratio(1, 40) ? 'connect' : 'consumer'
    const asks = { do: 'sync', who, id, version: 5, instance, generation, type, protocol }
    void version
    this.tell({ ...asks, assignments }, () => {
      this.bench.send({
        kind: 'syncGroup',
        version: 5,
        request: {
          groupId: GROUP,
          generationId: generation,
          memberId: this.spell(teller, id),
          groupInstanceId: instance,
          protocolType: type,
          protocolName: protocol,
          assignments: named.map((other) => ({
            memberId: other.memberId || 'bogus',
            assignment: unhex(assignments[other.who]!),
          })),
        },
      })
    })
  }

  private beat(teller: Teller): void {
    const { who, instance } = teller
    const id = this.idOf(teller)
    const generation = this.generationOf(teller)
    this.tell({ do: 'beat', who, id, version: 4, instance, generation }, () => {
      this.bench.heartbeat(this.spell(teller, id), generation, instance)
    })
  }

  private leave(teller: Teller): void {
    const others = this.tellers.filter((other) => other !== teller && this.random.ratio(1, 6))
    const leaving = [teller, ...others].map((each) => ({
      who: each.who,
      id: each.instance !== null && this.random.ratio(1, 3) ? 'none' : this.idOf(each),
      instance: each.instance,
    }))
    const members = leaving.map(({ who, id, instance }) => ({
      memberId: this.spell(this.tellers.find((each) => each.who === who)!, id),
      groupInstanceId: instance,
    }))
    this.tell({ do: 'leave', version: 5, members: leaving }, () => this.bench.leave(members))
  }

  private commit(teller: Teller): void {
    const isSimple = this.random.ratio(1, 6)
    const { who } = teller
    const id = isSimple ? 'none' : this.idOf(teller)
    const generation = isSimple ? -1 : this.generationOf(teller)
    const instance = isSimple ? null : teller.instance
    const version = this.random.pick([3, 8, 9])
    const retention = version === 3 && this.random.ratio(1, 2) ? 5000 : -1
    const offset = this.random.nextInt(1000)
    const topic = this.random.pick(['orders', 'bills'])
    const partition = this.random.nextInt(2)
    const where = { topic, partition, offset }
    const asks = { do: 'commit', who, id, version, instance, generation, retention, ...where }
    this.tell(asks, () => {
      const topics = [
        {
          name: topic,
          topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
          partitions: [
            {
              partitionIndex: partition,
              committedOffset: BigInt(offset),
              committedLeaderEpoch: -1,
              committedMetadata: NOTE,
            },
          ],
        },
      ]
      this.bench.commit(
        {},
        {
          version,
          memberId: this.spell(teller, id),
          groupInstanceId: instance,
          generationIdOrMemberEpoch: generation,
          retentionTimeMs: BigInt(retention),
          topics,
        },
      )
    })
  }

  /** Step by step, until nothing is left to happen. */
  private time(ms: number): void {
    for (let leftMs = ms; leftMs > 0; ) {
      const stepMs = ms - leftMs < 120_000 ? Math.min(leftMs, 1000) : leftMs
      this.tell({ do: 'time', ms: stepMs }, () => this.bench.advance(stepMs))
      leftMs -= stepMs
    }
  }

  private tell(command: Json, act: () => void): void {
    this.replies = []
    this.stored = []
    const ticket = this.bench.nextTicket
    if (['join', 'sync'].includes(String(command['do']))) this.unheard.add(ticket)
    act()
    const heard = new Map(this.replies.filter(([each]) => each !== 0))
    for (const each of this.unheard) {
      const reply = this.bench.replies.get(each)
      if (reply !== undefined) heard.set(each, reply)
    }
    const replies = [...heard].sort(([x], [y]) => x - y).map((each) => this.hear(...each))
    const { group } = this.bench
    const leader = group?.leaderId ?? null
    this.told.push({
      command: { ...command, ticket, leader: leader === null ? '' : nameOf(leader) },
      outcome: { replies, stored: this.stored.map(described), group: this.state() },
    })
  }

  private hear(ticket: Ticket, reply: GroupReply): Json {
    this.unheard.delete(ticket)
    if (reply.kind === 'joinGroup') this.asked.get(ticket)!.isAsking = false
    if ('response' in reply && 'errorCode' in reply.response) {
      const { errorCode: error } = reply.response
      const kind = reply.kind === 'joinGroup' ? 'join' : 'sync'
      if (error === ErrorCode.NOT_COORDINATOR) return { ticket, kind, error }
    }
    switch (reply.kind) {
      case 'joinGroup':
        return this.hearJoin(ticket, reply.response)
      case 'syncGroup': {
        const { errorCode: error, protocolType, protocolName, assignment } = reply.response
        const said = { type: protocolType ?? null, protocol: protocolName ?? null }
        return { ticket, kind: 'sync', error, ...said, assignment: hex(assignment as Uint8Array) }
      }
      case 'heartbeat':
        return { ticket, kind: 'beat', error: reply.response.errorCode }
      case 'leaveGroup': {
        const members = reply.response.members!.map(({ errorCode }) => errorCode)
        return { ticket, kind: 'leave', error: reply.response.errorCode, members }
      }
      case 'offsetCommit': {
        const [topic] = reply.response.topics!
        return { ticket, kind: 'commit', error: topic!.partitions![0]!.errorCode }
      }
      case 'offsetFetch': {
        const offsets = reply.response.topics.flatMap(({ name, partitions }) =>
          partitions.map((each) => {
            return `${name}:${each.partitionIndex}=${each.committedOffset} ${each.metadata}`
          }),
        )
        return { ticket, kind: 'fetch', error: 0, offsets: offsets.sort() }
      }
      case 'offsetDelete': {
        const { errorCode: error, topics } = reply.response
        const partitions = topics!.flatMap((topic) =>
          topic.partitions!.map((each) => each.errorCode),
        )
        return { ticket, kind: 'deleteOffsets', error, partitions }
      }
      case 'describeGroups':
        return { ticket, kind: 'describe', ...describedGroup(reply.groups[0]!) }
      case 'listGroups': {
        const groups = reply.response.groups!.map(
          (each) => `${each.groupId} ${each.protocolType} ${each.groupState} ${each.groupType}`,
        )
        return { ticket, kind: 'list', error: reply.response.errorCode, groups }
      }
      case 'deleteGroups':
        return { ticket, kind: 'delete', error: reply.results[0]!.errorCode }
      default:
        throw new Error(`${reply.kind} is not in the story`)
    }
  }

  private hearJoin(
    ticket: Ticket,
    response: Extract<GroupReply, { kind: 'joinGroup' }>['response'],
  ): Json {
    const teller = this.asked.get(ticket)!
    const memberId = response.memberId ?? ''
    const isGiven = response.errorCode === 0 || response.errorCode === ErrorCode.MEMBER_ID_REQUIRED
    if (isGiven && memberId !== teller.memberId) {
      teller.oldId = teller.memberId || 'bogus'
      teller.memberId = memberId
    }
    if (response.errorCode === 0) teller.generation = response.generationId!
    const members = (response.members ?? []).map(
      (member) =>
        `${nameOf(member.memberId!)} ${member.groupInstanceId} ${hex(member.metadata as Uint8Array)}`,
    )
    return {
      ticket,
      kind: 'join',
      error: response.errorCode,
      generation: response.generationId ?? -1,
      type: response.protocolType ?? null,
      protocol: response.protocolName ?? '',
      leader: nameOf(response.leader ?? ''),
      member: nameOf(memberId),
      skip: response.skipAssignment ?? false,
      members: members.sort(),
    }
  }

  private state(): Json | null {
    const { group } = this.bench
    if (group === undefined) return null
    const members = Array.from(group.members, (member) => {
      const waits = `${member.awaitingJoin ? ' joins' : ''}${member.awaitingSync ? ' syncs' : ''}`
      return `${nameOf(member.memberId)} ${hex(member.assignment)}${waits}`
    })
    return {
      state: group.state,
      generation: group.generationId,
      type: group.protocolType,
      protocol: group.protocolName,
      members: members.sort(),
      pendingJoin: group.pendingJoin.size,
      pendingSync: group.pendingSync.size,
    }
  }
}

function describedGroup(group: DescribedGroup): Json {
  const members = group.members.map((member) =>
    [
      nameOf(member.memberId),
      member.groupInstanceId,
      member.clientId,
      member.clientHost,
      hex(member.memberMetadata),
      hex(member.memberAssignment),
    ]
      .map(String)
      .join(' '),
  )
  return {
    error: group.errorCode,
    message: group.errorMessage,
    state: group.groupState,
    type: group.protocolType,
    protocol: group.protocolData,
    members: members.sort(),
  }
}

function described(record: GroupRecord): Json {
  const { version } = record
  if (record.value === null) {
    const { key } = record
    return { version: -1, gone: 'topic' in key ? `${key.topic}:${key.partition}` : 'group' }
  }
  if (record.type === 'GroupMetadata') {
    const { value } = record
    const members = value.members.map((member) =>
      [
        nameOf(member.memberId),
        member.groupInstanceId,
        member.clientId,
        member.clientHost,
        member.rebalanceTimeout,
        member.sessionTimeout,
        hex(member.subscription),
        hex(member.assignment),
      ]
        .map(String)
        .join(' '),
    )
    return {
      version,
      generation: value.generation,
      type: value.protocolType,
      protocol: value.protocol,
      since: value.currentStateTimestamp,
      members: members.sort(),
    }
  }
  if (record.type !== 'OffsetCommit') throw new Error(`${record.type} is not in the story`)
  const { value } = record
  return {
    version,
    where: `${record.key.topic}:${record.key.partition}`,
    offset: Number(value.offset),
    metadata: value.metadata,
    epoch: value.leaderEpoch,
    committed: Number(value.commitTimestamp),
    expires: Number(value.expireTimestamp),
  }
}

/** An id without its uuid: the client's or the instance's name. */
function nameOf(id: string): string {
  return id.length > 37 ? id.slice(0, -37) : id
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'))
}
