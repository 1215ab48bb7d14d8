// Conversations between consumers and the coordinator of their group, as text: a command, four dashes, what happened.
//
// What is printed is meant to be read: a line for each reply, when it comes, and one for each record that is stored.
// Members are called by their client and how often it was given an id: `a1`, and `a2` after it forgot.
//
//   config NAME VALUE                       a setting of the coordinator, before anything else
//   join A [as INSTANCE] [version V] [speaking P,P] [reading T,T] [owning P,P] [session MS] [rebalance MS]
//   sync A [MEMBER=P,P …]                   with assignments, when it leads
//   beat A … | leave A | forget A           forget: the client restarts and knows its member id no more
//   commit A TOPIC:PARTITION=OFFSET | fetch | status
//   time MS                                 let time pass; sessions and rebalances end when they are due
//   move                                    the shard is loaded from its log, elsewhere

import type { Ticket } from '../../../src/coordinator/shard.ts'
import type { GroupRecord } from '../../../src/group/records.ts'
import type { GroupReply } from '../../../src/group/requests.ts'
import { decodeSubscription, encodeSubscription } from '../../../src/protocol/embedded.ts'
import { errorName } from '../../../src/protocol/errors.ts'
import { GROUP, GroupBench, SETTINGS, text } from '../../unit/group/bench.ts'
import { answered } from '../folder.ts'

/** Runs the commands of a script and prints what happened under each. */
export function converse(script: string): string {
  const conversation = new Conversation()
  return answered(script, (line) => conversation.run(line), '(nothing yet)')
}

interface Client {
  readonly name: string
  memberId: string
  generationId: number
  /** How it joined last; it joins so again unless told otherwise. */
  words: Map<string, string>
}

type Reply<K extends GroupReply['kind']> = Extract<GroupReply, { kind: K }>

const list = (said: string | undefined) => (said ?? '').split(',').filter((word) => word !== '')

class Conversation {
  private readonly settings: Record<string, number> = {}
  private readonly clients = new Map<string, Client>()
  private readonly asked = new Map<Ticket, Client>()
  private readonly names = new Map<string, string>()
  private lines: string[] = []
  private started: GroupBench | null = null
  private sinceMs = 0

  run(line: string): string[] {
    this.lines = []
    const [verb, ...words] = line.split(' ')
    this.command(verb!, words)
    return this.lines
  }

  private get bench(): GroupBench {
    if (this.started !== null) return this.started
    const bench = new GroupBench({ ...SETTINGS, ...this.settings })
    bench.onDecision = ({ records, replies }) => {
      for (const record of records) this.say(this.describeRecord(record))
      for (const [ticket, reply] of replies) this.hear(ticket, reply)
    }
    this.started = bench
    this.sinceMs = bench.nowMs
    return bench
  }

  private command(verb: string, words: string[]): void {
    const client = this.client(words[0] ?? '')
    switch (verb) {
      case 'config':
        this.settings[words[0]!] = Number(words[1])
        this.lines.push(`  ${words[0]} is ${words[1]}`)
        return
      case 'join':
        return this.join(client, words.slice(1))
      case 'sync':
        return this.sync(client, words.slice(1))
      case 'beat':
        for (const name of words) this.beat(this.client(name))
        return
      case 'leave':
        return this.leave(client)
      case 'forget':
        client.memberId = ''
        return
      case 'commit':
        return this.commit(client, words[1]!)
      case 'fetch':
        this.lines.push(`  committed: ${this.bench.fetch().join(' ') || 'nothing'}`)
        return
      case 'status':
        this.lines.push(`  ${this.status()}`)
        return
      case 'time':
        this.sinceMs = this.bench.nowMs
        this.bench.advance(Number(words[0]))
        this.sinceMs = this.bench.nowMs
        return
      case 'move':
        return this.move()
      default:
        throw new Error(`no such command: ${verb}`)
    }
  }

  private client(name: string): Client {
    const known = this.clients.get(name)
    if (known !== undefined) return known
    const client = { name, memberId: '', generationId: -1, words: new Map<string, string>() }
    if (/^[a-z]$/.test(name)) this.clients.set(name, client)
    return client
  }

  private join(client: Client, said: string[]): void {
    for (let i = 0; i < said.length; i += 2) client.words.set(said[i]!, said[i + 1]!)
    const { words } = client
    const partitions = list(words.get('owning')).map(Number)
    const subscription = encodeSubscription(1, {
      topics: list(words.get('reading') ?? 'orders'),
      ownedPartitions: partitions.length > 0 ? [{ topic: 'orders', partitions }] : [],
    })
    const protocols = list(words.get('speaking') ?? 'range')
    this.expect(client, () =>
      this.bench.sendJoin({
        memberId: client.memberId,
        clientId: client.name,
        instance: words.get('as') ?? null,
        version: Number(words.get('version') ?? 9),
        sessionTimeoutMs: Number(words.get('session') ?? 10_000),
        rebalanceTimeoutMs: Number(words.get('rebalance') ?? 60_000),
        protocols: protocols.map((name) => ({ name, metadata: subscription })),
      }),
    )
  }

  private sync(client: Client, said: string[]): void {
    const assignments = Object.fromEntries(
      said.map((word) => {
        const [name, partitions] = word.split('=')
        return [this.clients.get(name!)!.memberId, partitions!]
      }),
    )
    const groupInstanceId = client.words.get('as') ?? null
    const protocolName = this.bench.group?.protocolName ?? 'range'
    this.expect(client, () =>
      this.bench.sendSync(client.memberId, client.generationId, assignments, {
        groupInstanceId,
        protocolName,
      }),
    )
  }

  private beat(client: Client): void {
    this.expect(client, () => {
      const instance = client.words.get('as') ?? null
      this.bench.heartbeat(client.memberId, client.generationId, instance)
    })
  }

  private leave(client: Client): void {
    const groupInstanceId = client.words.get('as') ?? null
    this.expect(client, () => {
      this.bench.leave([{ memberId: client.memberId, groupInstanceId }])
    })
  }

  private commit(client: Client, said: string): void {
    const [where, offset] = said.split('=')
    this.expect(client, () => {
      const { memberId, generationId: generationIdOrMemberEpoch } = client
      const groupInstanceId = client.words.get('as') ?? null
      const member = { memberId, generationIdOrMemberEpoch, groupInstanceId }
      this.bench.commit({ [where!]: Number(offset) }, member)
    })
  }

  /** Asks for a client. Tickets are numbered as they are used, so the next one is known. */
  private expect(client: Client, ask: () => void): void {
    this.asked.set(this.bench.nextTicket, client)
    ask()
  }

  private move(): void {
    const { bench } = this
    const waiting = [...this.asked.keys()].filter((ticket) => !bench.isAnswered(ticket))
    bench.reload()
    for (const ticket of waiting) {
      if (bench.isAnswered(ticket)) this.hear(ticket, bench.replies.get(ticket)!)
    }
    this.lines.push(`  loaded: ${this.status()}`)
  }

  private say(line: string): void {
    const ms = this.bench.nowMs - this.sinceMs
    this.lines.push(`  ${ms > 0 ? `after ${ms} ms: ` : ''}${line}`)
  }

  private hear(ticket: Ticket, reply: GroupReply): void {
    const client = this.asked.get(ticket)
    if (client === undefined) return
    const said = this.describeReply(client, reply)
    if (said !== null) this.say(`${client.name} hears ${said}`)
  }

  private describeReply(client: Client, reply: GroupReply): string | null {
    switch (reply.kind) {
      case 'joinGroup':
        return this.describeJoin(client, reply)
      case 'syncGroup': {
        const { errorCode, assignment } = reply.response
        if (errorCode !== 0) return errorName(errorCode!)
        return `its assignment: ${text(assignment as Uint8Array) || 'nothing'}`
      }
      case 'heartbeat':
        return reply.response.errorCode === 0 ? 'all is well' : errorName(reply.response.errorCode!)
      case 'leaveGroup':
        return `goodbye: ${errorName(reply.response.members![0]!.errorCode!)}`
      case 'offsetCommit':
        return errorName(reply.response.topics![0]!.partitions![0]!.errorCode!)
      default:
        return null
    }
  }

  private describeJoin(client: Client, { response }: Reply<'joinGroup'>): string {
    const { errorCode, memberId, generationId, protocolName, leader, members } = response
    if (errorCode !== 0 && errorName(errorCode!) !== 'MEMBER_ID_REQUIRED') {
      return errorName(errorCode!)
    }
    client.memberId = memberId!
    if (errorCode !== 0) return `MEMBER_ID_REQUIRED, be ${this.nameOf(memberId!)}`
    client.generationId = generationId!
    const start = `generation ${generationId} (${protocolName}), it is ${this.nameOf(memberId!)}`
    if (members!.length === 0) return `${start}, ${this.nameOf(leader!)} leads`
    const seen = members!.map((member) => {
      const { topics, ownedPartitions } = decodeSubscription(member.metadata!)
      const owned = ownedPartitions.flatMap(({ partitions }) => partitions).join(',')
      const name = this.nameOf(member.memberId!)
      return `${name} reads ${topics.join(',')}${owned === '' ? '' : ` and owns ${owned}`}`
    })
    const skips = response.skipAssignment === true ? ' but keeps the assignment' : ''
    return `${start} and leads${skips}: ${seen.join('; ')}`
  }

  private describeRecord(record: GroupRecord): string {
    if (record.type === 'OffsetCommit') {
      const { topic, partition } = record.key
      return `stored: ${topic}:${partition} at ${record.value?.offset ?? 'nothing'}`
    }
    if (record.type !== 'GroupMetadata') return `stored: ${record.type}`
    if (record.value === null) return `stored: ${GROUP} is no more`
    const { generation, protocol, leader, members } = record.value
    if (members.length === 0) return `stored: ${GROUP} is empty, generation ${generation}`
    const shares = members.map(
      ({ memberId, assignment }) => `${this.nameOf(memberId)}=${text(assignment) || 'nothing'}`,
    )
    const who = `${shares.join(' ')}, ${this.nameOf(leader!)} leads`
    return `stored: generation ${generation} (${protocol}): ${who}`
  }

  private status(): string {
    const { group } = this.bench
    if (group === undefined) return `${GROUP} is not there`
    const ids = Array.from(group.members, ({ memberId }) => this.nameOf(memberId))
    const members = ids.length === 0 ? 'no members' : ids.join(' ')
    return `${GROUP} is ${group.state}, generation ${group.generationId}, ${members}`
  }

  private nameOf(memberId: string): string {
    const known = this.names.get(memberId)
    if (known !== undefined) return known
    const prefix = memberId.slice(0, -37)
    const given = [...this.names.keys()].filter((id) => id.slice(0, -37) === prefix).length + 1
    const name = `${prefix}${given}`
    this.names.set(memberId, name)
    return name
  }
}
