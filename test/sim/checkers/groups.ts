// What members of groups were told holds: a partition has one owner in a generation, and is with nobody else while a member
// of a consumer group has not given it up; a commit that was acknowledged is there; and a coordinator is at any time what its log says, and so the same after every restart.
//
// The log is read here from the disk itself, apart from the code that loads coordinators. Lost power may take the end of
// a log that nobody synced (Kafka's bargain): then generations may be numbered again, and what is left counts.

import { decodeGroupRecord } from '../../../src/group/records.ts'
import { GroupTruth } from '../../../src/group/truth.ts'
import type { ShardHost } from '../../../src/host/shard_host.ts'
import { batchesOf, recordsOf } from '../../../src/protocol/record_batch.ts'
import { readMarker } from '../../../src/protocol/transaction_marker.ts'
import type { SimDisk } from '../disk.ts'
import { Violation } from '../trace.ts'
import { Register, type Write } from './register.ts'

const GROUP_TOPIC = '__consumer_offsets'

/** What the checker sees of a node's coordinators. */
export interface Coordinators {
  readonly shards: { readonly hosts: ReadonlyMap<number, ShardHost<never, never, never>> }
}

/** The private side of a host. */
interface HostInside {
  readonly state: string
  readonly generation: number
  readonly isAppending: boolean
  readonly full: readonly unknown[]
  readonly batch: { readonly records: readonly unknown[] }
  readonly shard: { readonly truth: GroupTruth } | null
}

/** Who has a partition. */
interface Holder {
  readonly memberId: string
  /** Nobody may take it for gone before. */
  readonly untilMs: number
}

/** Every group that members speak of. */
export class GroupChecker {
  generations = 0
  commits = 0
  reloads = 0
  private readonly owners = new Map<string, string>()
  private readonly holders = new Map<string, Holder>()
  private readonly registers = new Map<string, Register>()
  /** Which load of which partition was compared with the disk. */
  private readonly compared = new Map<number, { host: unknown; generation: number }>()
  private powerLosses = 0
  private lastValue = 0
  private readonly disk: SimDisk

  constructor(disk: SimDisk) {
    this.disk = disk
  }

  /** A member was given partitions; `powerLosses` as they were when it asked. */
  given(
    of: { group: string; generation: number; memberId: string },
    partitions: readonly number[],
    powerLosses: number,
  ): void {
    if (powerLosses !== this.powerLosses) return
    for (const partition of partitions) {
      const key = `${powerLosses} ${of.group} ${of.generation} ${partition}`
      const owner = this.owners.get(key)
      if (owner === undefined) this.generations++
      else if (owner !== of.memberId) {
        const what = `partition ${partition} in generation ${of.generation} of ${of.group}`
        throw new Violation(`${owner} and ${of.memberId} both own ${what}`)
      }
      this.owners.set(key, of.memberId)
    }
  }

  /** All that a member of a consumer group has by now, as it knows itself; `untilMs`: it counts as alive for so long. */
  holds(
    { group, memberId }: { group: string; memberId: string },
    partitions: readonly number[],
    { nowMs, untilMs, powerLosses }: { nowMs: number; untilMs: number; powerLosses: number },
  ): void {
    if (powerLosses !== this.powerLosses) return
    this.lets(group, memberId)
    for (const partition of partitions) {
      const key = `${group} ${partition}`
      const holder = this.holders.get(key)
      if (holder !== undefined && holder.untilMs > nowMs) {
        const both = `${holder.memberId} has partition ${partition} of ${group}`
        throw new Violation(`${both}, and ${memberId} was given it`)
      }
      this.holders.set(key, { memberId, untilMs })
    }
  }

  /** It has given up these, or everything, or is about to say that it goes. */
  lets(group: string, memberId: string, partitions: readonly number[] | null = null): void {
    for (const [key, holder] of this.holders) {
      const [of, partition] = key.split(' ')
      if (holder.memberId !== memberId || of !== group) continue
      if (partitions?.includes(Number(partition)) !== false) this.holders.delete(key)
    }
  }

  /** A value that no commit had before. */
  nextValue(): number {
    return ++this.lastValue
  }

  committing(group: string, partition: number, value: number): Write {
    return this.of(group, partition).writing(value)
  }

  committed(group: string, partition: number, write: Write, powerLosses: number): void {
    if (powerLosses !== this.powerLosses) return
    this.commits++
    this.of(group, partition).written(write)
  }

  refused(group: string, partition: number, write: Write): void {
    this.of(group, partition).refused(write)
  }

  asking(group: string, partition: number): number {
    return this.of(group, partition).asking()
  }

  /** A member was told what is committed; -1 stands for nothing. */
  told(
    group: string,
    partition: number,
    answer: { value: number; askedAt: number; powerLosses: number },
  ): void {
    if (answer.powerLosses !== this.powerLosses) return
    const register = this.of(group, partition)
    const value = answer.value === -1 ? null : answer.value
    if (register.explains(value, answer.askedAt)) return
    throw new Violation(
      `${group} was told ${answer.value} of partition ${partition}: ${register.candidates}`,
    )
  }

  /** The process is gone, and with it what it was about to write. */
  lifeEnded(): void {
    for (const register of this.registers.values()) register.cut()
  }

  /** What the disk has kept counts, if it was ever sent. */
  powerLost(): void {
    this.powerLosses++
    this.holders.clear()
    this.lifeEnded()
    const truths = this.readDisk()
    for (const [key, register] of this.registers) {
      register.reset(offsetOf(truths, key))
    }
  }

  /** The disk holds what was acknowledged. */
  check(): void {
    const truths = this.readDisk()
    for (const [key, register] of this.registers) {
      const value = offsetOf(truths, key)
      if (register.explains(value, register.asking())) continue
      throw new Violation(`the log has ${value ?? 'no offset'} of ${key}: ${register.candidates}`)
    }
  }

  /** After every event: a coordinator that was just loaded is what its log says. */
  checkLoaded({ shards }: Coordinators): void {
    for (const [partition, host] of shards.hosts) {
      const { generation } = host as unknown as HostInside
      const before = this.compared.get(partition)
      const isKnown = before?.host === host && before.generation === generation
      if (!host.isActive || isKnown) continue
      this.compared.set(partition, { host, generation })
      this.reloads++
      this.compare(shards.hosts)
    }
  }

  /** Coordinators between two appends are what their logs say. */
  compare(hosts: Coordinators['shards']['hosts']): void {
    const truths = this.readDisk()
    for (const [partition, host] of hosts) {
      const inside = host as unknown as HostInside
      const { state, shard, isAppending, full, batch } = inside
      const isBetween = !isAppending && full.length === 0 && batch.records.length === 0
      if (state !== 'active' || shard === null || !isBetween) continue
      const expected = textOf(truths.get(partition) ?? new GroupTruth())
      const found = textOf(shard.truth)
      if (found === expected) continue
      throw new Violation(
        `the coordinator of ${GROUP_TOPIC}-${partition} is ${found}, and its log says ${expected}`,
      )
    }
  }

  private of(group: string, partition: number): Register {
    const key = `${group} ${partition}`
    let register = this.registers.get(key)
    if (register === undefined) this.registers.set(key, (register = new Register()))
    return register
  }

  /** What the logs on disk say, by partition. */
  private readDisk(): Map<number, GroupTruth> {
    const truths = new Map<number, GroupTruth>()
    for (const { topic, partition, segments } of this.disk.logs.logs()) {
      if (topic !== GROUP_TOPIC) continue
      const truth = new GroupTruth()
      truths.set(partition, truth)
      for (const { bytes } of segments.flatMap(({ batches }) => batches)) replay(truth, bytes)
    }
    return truths
  }
}

function replay(truth: GroupTruth, bytes: Uint8Array): void {
  for (const batch of batchesOf(bytes)) {
    const { producerId, isControl, isTransactional } = batch
    for (const each of recordsOf(bytes, batch)) {
      if (isControl) {
        truth.endTransaction(producerId, readMarker(each)?.isCommit === true)
        continue
      }
      const { key, value, offset } = each
      const record = decodeGroupRecord({ key: key!, value })
      if (record === null) continue
      if (isTransactional) truth.hold(record, offset, producerId)
      else truth.replay(record, offset)
    }
  }
}

/** The committed offset of `group partition`, wherever the group is. */
function offsetOf(truths: ReadonlyMap<number, GroupTruth>, key: string): number | null {
  const [group, partition] = key.split(' ') as [string, string]
  for (const truth of truths.values()) {
    for (const partitions of truth.offsets.get(group)?.values() ?? []) {
      const found = partitions.get(Number(partition))
      if (found !== undefined) return Number(found.offset)
    }
  }
  return null
}

/** Groups and offsets as text, in an order that does not depend on history. */
function textOf(truth: GroupTruth): string {
  const plain = (_: string, value: unknown) => {
    if (typeof value === 'bigint') return String(value)
    if (value instanceof Map) return [...value].sort(([a], [b]) => (a < b ? -1 : 1))
    return value
  }
  const { groups, offsets, consumerGroups } = truth
  return JSON.stringify({ groups, offsets, consumerGroups }, plain)
}
