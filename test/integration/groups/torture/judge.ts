// What clients of a group may expect, checked against what they saw (reads, assignments) and what the witness heard.
//
// - A generation's partitions have one owner each, by what members were told and by what they said they own.
// - A committed offset is a register: whoever asks is told the last one that was acknowledged, or one that was under way.
// - A member that is told where to go on goes on there, or where it is: nothing is skipped.
// - What a producer was told is written is read by somebody, at its offset, with its value.

import type { Commit, Given, Told, Witness } from './witness.ts'

/** A run of records that a client handed to its program. */
export interface Read {
  readonly who: string
  readonly partition: number
  readonly offset: number
  readonly values: readonly string[]
}

/** What members said, in the order of each. */
export interface Owned {
  readonly who: string
  readonly partitions: readonly number[]
}

/** The records that were sent to one partition. */
class Sent {
  readonly values = new Set<string>()
  readonly acknowledged = new Map<number, string>()
  /** Offsets that somebody has read. */
  readonly read = new Map<number, string>()
}

/** Collects what happened; `verdict` says what of it must not be. */
export class Judge {
  private readonly sent: Sent[]
  private readonly owned: Owned[] = []
  private readonly expected = new Map<string, number>()
  private readonly problems: string[] = []
  reads = 0
  repeated = 0

  constructor(partitions: number) {
    this.sent = Array.from({ length: partitions }, () => new Sent())
  }

  sending(partition: number, values: readonly string[]): void {
    for (const value of values) this.sent[partition]!.values.add(value)
  }

  acknowledged(partition: number, offset: number, values: readonly string[]): void {
    const { acknowledged } = this.sent[partition]!
    for (const [at, value] of values.entries()) acknowledged.set(offset + at, value)
  }

  /** How many records producers know to be written, and how many of these were read. */
  get progress(): { acknowledged: number; read: number } {
    let acknowledged = 0
    let read = 0
    for (const sent of this.sent) {
      acknowledged += sent.acknowledged.size
      for (const offset of sent.acknowledged.keys()) if (sent.read.has(offset)) read++
    }
    return { acknowledged, read }
  }

  /** Partitions with records that nobody has read. */
  unread(): number[] {
    return this.sent.flatMap(({ acknowledged, read }, partition) =>
      [...acknowledged.keys()].some((offset) => !read.has(offset)) ? [partition] : [],
    )
  }

  /** The offset after the last record that is known to be in a partition. */
  endOf(partition: number): number {
    return Math.max(-1, ...this.sent[partition]!.acknowledged.keys()) + 1
  }

  /** A member says what it owns now. */
  owns(owned: Owned): void {
    this.owned.push(owned)
  }

  read({ who, partition, offset, values }: Read, toldTo: Witness['toldTo']): void {
    const key = `${who} ${partition}`
    const expected = this.expected.get(key)
    const told = toldTo.get(key)
    // Where nothing is committed, a group of ours begins at the beginning.
    const isWhereItWasTold = () => told?.has(offset) || (offset === 0 && told?.has(-1))
    // Repetition is a member's right; it had no right to go ahead.
    if ((expected === undefined || offset > expected) && !isWhereItWasTold()) {
      const from = expected === undefined ? 'nowhere' : `offset ${expected}`
      this.problems.push(`${who} went from ${from} to offset ${offset} of partition ${partition}`)
    }
    this.expected.set(key, Math.max(offset + values.length, expected ?? 0))
    for (const [at, value] of values.entries()) this.note(partition, offset + at, value)
  }

  private note(partition: number, offset: number, value: string): void {
    const sent = this.sent[partition]!
    this.reads++
    const known = sent.acknowledged.get(offset) ?? sent.read.get(offset)
    if (sent.read.has(offset)) this.repeated++
    if (!sent.values.has(value) || (known !== undefined && known !== value)) {
      this.problems.push(`offset ${offset} of partition ${partition} was ${known}, is ${value}`)
    }
    sent.read.set(offset, value)
  }

  /** Everything that is wrong, in words. Lives of one static member are one owner. */
  verdict(witness: Witness, ownerOf: (who: string) => string): string[] {
    return [
      ...this.problems,
      ...this.lost(),
      ...ownedTwice(witness.given, ownerOf, 'was given'),
      ...ownedTwice(resolve(this.owned, witness.given, this.problems), ownerOf, 'said it owned'),
      ...wronglyTold(witness.commits, witness.told),
    ]
  }

  private lost(): string[] {
    return this.sent.flatMap(({ acknowledged, read }, partition) =>
      Array.from(acknowledged)
        .filter(([offset]) => !read.has(offset))
        .map(([offset, value]) => `nobody read ${value}, offset ${offset} of ${partition}`),
    )
  }
}

/** Members do not all say which generation they speak of: each speaks of one it was told of, in order. */
function resolve(owned: readonly Owned[], given: readonly Given[], problems: string[]): Given[] {
  const left = new Map<string, Given[]>()
  for (const one of given) left.set(one.who, [...(left.get(one.who) ?? []), one])
  const resolved: Given[] = []
  for (const { who, partitions } of owned) {
    const said = partitions.toSorted((a, b) => a - b).join()
    const of = left.get(who) ?? []
    const at = of.findIndex((one) => one.partitions.join() === said)
    if (at < 0) problems.push(`${who} says that it owns ${said}, and was never told so`)
    else resolved.push(of.splice(0, at + 1).at(-1)!)
  }
  return resolved
}

function ownedTwice(
  given: readonly Given[],
  ownerOf: (who: string) => string,
  verb: string,
): string[] {
  const owners = new Map<string, string>()
  const problems: string[] = []
  for (const { who, generation, partitions } of given) {
    for (const partition of partitions) {
      const key = `${generation} ${partition}`
      const other = owners.get(key) ?? who
      owners.set(key, who)
      if (ownerOf(other) === ownerOf(who)) continue
      problems.push(`generation ${generation}: ${other} and ${who} ${verb} partition ${partition}`)
    }
  }
  return problems
}

/** A regular register: some commit explains the answer, and none that was complete in between contradicts it. */
export function wronglyTold(commits: readonly Commit[], told: readonly Told[]): string[] {
  const byPartition = Map.groupBy(commits, ({ partition }) => partition)
  const problems: string[] = []
  for (const { who, partition, offset, from, to } of told) {
    const all = byPartition.get(partition) ?? []
    // The last that was certainly complete before the question began.
    const before = all.filter((commit) => commit.to < from)
    const isOverwritten = (end: number) => before.some((commit) => commit.from > end)
    const explains =
      offset === -1
        ? before.length === 0
        : all.some((one) => one.offset === offset && one.from < to && !isOverwritten(one.to))
    if (explains) continue
    const last = before.toSorted((a, b) => a.to - b.to).at(-1)
    problems.push(
      `${who} was told ${offset} of partition ${partition}; the last acknowledged was ${last?.offset}`,
    )
  }
  return problems
}
