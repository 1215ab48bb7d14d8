// A consumer as clients are: joins, syncs, beats, commits, and believes what it is told. It keeps its word (it is never
// silent for long), so a coordinator that forgets it while it lives is wrong, and it says so.

import type { Ticket } from '../../../src/coordinator/shard.ts'
import type { GroupShard } from '../../../src/group/shard.ts'
import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { GROUP, type GroupBench, range, text } from './bench.ts'

export const PARTITIONS = 8

/** What all consumers of a run agree about. */
export class Ledger {
  /** `generation partition` → who had it: an instance, or a member. */
  readonly owners = new Map<string, string>()
  /** The last commit that was accepted, by partition. */
  readonly committed = new Map<number, number>()

  own(generation: number, partition: number, owner: string): void {
    const key = `${generation} ${partition}`
    const before = this.owners.get(key) ?? owner
    if (before !== owner) {
      throw new Error(`partition ${partition} of generation ${generation}: ${before} and ${owner}`)
    }
    this.owners.set(key, owner)
  }
}

export interface Traits {
  readonly name: string
  readonly version: number
  readonly instance: string | null
}

type Phase = 'out' | 'joining' | 'syncing' | 'stable' | 'dead'

/** One client program. */
export class Consumer {
  readonly traits: Traits
  phase: Phase = 'out'
  memberId = ''
  generation = -1
  partitions: number[] = []
  /** The coordinator has no excuse for not knowing us. */
  isKnown = false
  topics: string[] = ['orders']
  private readonly bench: GroupBench
  private readonly ledger: Ledger
  private ticket: Ticket = 0
  /** The shard we asked; another one need not know what it answered. */
  private shard: GroupShard

  constructor(bench: GroupBench, ledger: Ledger, traits: Traits) {
    this.bench = bench
    this.ledger = ledger
    this.traits = traits
    this.shard = bench.shard
  }

  get owner(): string {
    return this.traits.instance ?? this.memberId
  }

  /** Does what is next. */
  act(): void {
    if (this.phase === 'out') this.join()
    else if (this.phase === 'joining') this.hearJoin()
    else if (this.phase === 'syncing') this.hearSync()
    else if (this.phase === 'stable') this.beat()
  }

  join(): void {
    const { name, version, instance } = this.traits
    this.phase = 'joining'
    this.shard = this.bench.shard
    this.ticket = this.bench.sendJoin({
      memberId: this.memberId,
      clientId: name,
      version,
      instance,
      protocols: range(...this.topics),
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 30_000,
    })
  }

  /** Commits the next offset of each partition it owns. */
  commit(): void {
    for (const partition of this.partitions) {
      const offset = (this.ledger.committed.get(partition) ?? 0) + 1
      const member = {
        memberId: this.memberId,
        generationIdOrMemberEpoch: this.generation,
        groupInstanceId: this.traits.instance,
      }
      const [errorCode] = this.bench.commit({ [`orders:${partition}`]: offset }, member)
      if (errorCode === ErrorCode.NONE) this.ledger.committed.set(partition, offset)
      else return this.hearError(errorCode!)
    }
  }

  leave(): void {
    this.bench.leave([{ memberId: this.memberId, groupInstanceId: this.traits.instance }])
    this.phase = 'dead'
  }

  private hearJoin(): void {
    if (!this.bench.isAnswered(this.ticket)) return
    const reply = this.bench.joinReply(this.ticket)
    if (reply.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = reply.memberId!
      this.isKnown = this.shard === this.bench.shard
      return this.join()
    }
    if (reply.errorCode !== ErrorCode.NONE) return this.hearError(reply.errorCode!)
    this.memberId = reply.memberId!
    this.isKnown = this.shard === this.bench.shard
    this.generation = reply.generationId!
    const leads = reply.leader === this.memberId && reply.skipAssignment !== true
    this.phase = 'syncing'
    this.ticket = this.bench.sendSync(
      this.memberId,
      this.generation,
      leads ? assignmentsFor(reply.members!.map(({ memberId }) => memberId!)) : {},
      { groupInstanceId: this.traits.instance },
    )
  }

  private hearSync(): void {
    if (!this.bench.isAnswered(this.ticket)) return
    const { errorCode, assignment } = this.bench.syncReply(this.ticket)
    if (errorCode !== ErrorCode.NONE) return this.hearError(errorCode!)
    const said = text(assignment as Uint8Array)
    this.partitions = said === '' ? [] : said.split(' ').map(Number)
    for (const partition of this.partitions) {
      this.ledger.own(this.generation, partition, this.owner)
    }
    this.phase = 'stable'
  }

  private beat(): void {
    const errorCode = this.bench.heartbeat(this.memberId, this.generation, this.traits.instance)
    if (errorCode !== ErrorCode.NONE) this.hearError(errorCode)
  }

  private hearError(errorCode: number): void {
    switch (errorCode) {
      case ErrorCode.FENCED_INSTANCE_ID:
        this.phase = 'dead'
        return
      case ErrorCode.UNKNOWN_MEMBER_ID:
        if (this.isKnown) throw new Error(`${this.traits.name} is known, and yet it is not`)
        this.memberId = ''
        this.phase = 'out'
        return
      case ErrorCode.REBALANCE_IN_PROGRESS:
      case ErrorCode.ILLEGAL_GENERATION:
      case ErrorCode.NOT_COORDINATOR:
        this.phase = 'out'
        return
      default:
        throw new Error(`${this.traits.name}: ${errorName(errorCode)} in ${GROUP}`)
    }
  }
}

function assignmentsFor(memberIds: readonly string[]): Record<string, string> {
  const parts = new Map(memberIds.map((id) => [id, [] as number[]]))
  for (let partition = 0; partition < PARTITIONS; partition++) {
    parts.get(memberIds[partition % memberIds.length]!)!.push(partition)
  }
  return Object.fromEntries(Array.from(parts, ([id, partitions]) => [id, partitions.join(' ')]))
}
