// Tells random stories of consumer groups (KIP-848) to our shard and to the group coordinator of Apache Kafka 4.3.1, and
// compares every reply, record and state. Needs JDK 17 and Kafka's jars under .cache/kafka-4.3.1/libs.
//   node test/oracle/group/consumers.ts [SEEDS [FIRST]] [--classic]
//
// With --classic one member may speak the classic protocol, and the group changes its own, both ways. The hash of what a
// group reads is not compared: it is another function here. Two things a story passes by, because Kafka trips over them: a
// member of the new protocol in the first join phase of a classic group; a pattern that nobody has matched, from a member
// that joins while the target is behind.

import { isDeepStrictEqual } from 'node:util'
import {
  decodeGroupRecord,
  encodeGroupRecord,
  type GroupRecord,
} from '../../../src/group/records.ts'
import { ConsumersStory, type ConsumersTold } from './consumer_story.ts'
import { printDifference, tellKafka } from './kafka_side.ts'

const STEPS = 250

interface Heard {
  readonly replies: Record<string, unknown>[]
  readonly stored: [string, string | null][]
  readonly group: unknown
}

/** A record in words: lists in order, bytes as text, without what is ours alone. */
function plain(record: GroupRecord): string {
  const { type, key, version } = record
  const value = record.value === null ? null : { ...record.value }
  if (value !== null && 'metadataHash' in value) value.metadataHash = 0n
  if (value !== null && 'leader' in value) value.leader = ''
  return JSON.stringify({ type, key, version: value === null ? 0 : version, value }, inOrder)
}

/** Topics and partitions stand in the order of a hash in Kafka. */
function inOrder(_: string, each: unknown): unknown {
  if (typeof each === 'bigint') return String(each)
  if (each instanceof Uint8Array) return Buffer.from(each).toString('hex')
  if (isOwned(each)) return { ...each, assignmentEpochs: undefined, partitions: pairs(each) }
  if (!Array.isArray(each) || each.every((item) => typeof item !== 'object')) return each
  return [...each].sort((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1))
}

function membersInOrder(key: string, each: unknown): unknown {
  return key === 'members' && Array.isArray(each) ? [...each].sort() : each
}

interface OwnedPartitions {
  readonly partitions: readonly number[]
  readonly assignmentEpochs: readonly number[]
}

function isOwned(each: unknown): each is OwnedPartitions {
  return (
    typeof each === 'object' &&
    each !== null &&
    Array.isArray(Reflect.get(each, 'assignmentEpochs'))
  )
}

function pairs({ partitions, assignmentEpochs }: OwnedPartitions): string[] {
  return partitions.map((partition, at) => `${partition} since ${assignmentEpochs[at]}`).sort()
}

/**
 * A static member came back with the classic protocol and was the last of the new one. Kafka writes its member down before
 * it deletes it with the group, and may name it generation 0, in which nobody can sync; we do neither.
 */
function isJoinThatDowngrades({ command, outcome }: ConsumersTold): boolean {
  const isClassic = outcome.stored.some(
    ({ type, value }) => type === 'GroupMetadata' && value !== null,
  )
  const wasOther = outcome.stored.some(
    ({ type, value }) => type === 'ConsumerGroupMetadata' && value === null,
  )
  return command['do'] === 'join' && isClassic && wasOther
}

/**
 * Kafka leaves the timers of a member running when its group becomes a classic one; is it a consumer group again when one
 * of them ends, the member is out for something it did not do in a former life.
 */
function isOldTimer(command: Record<string, unknown>, ours: unknown, theirs: unknown): boolean {
  const stored = (side: unknown) => (side as { stored: string[] }).stored ?? []
  const isOut = stored(theirs).some((each) =>
    each.includes('"memberId":"old"},"version":0,"value":null'),
  )
  return withClassic && command['do'] === 'time' && isOut && stored(ours).length === 0
}

/**
 * Patterns are matched in a turn of their own. Kafka matches those that the group had when that was asked for, and a pattern that
 * comes in between waits ten seconds for the next time; here it is matched with the others.
 */
function isPatternBetween(
  command: Record<string, unknown>,
  ours: unknown,
  theirs: unknown,
): boolean {
  const patterns = (side: unknown) =>
    (side as { stored: string[] }).stored.filter((each) => each.includes('RegularExpression"'))
  const known = new Set(patterns(theirs).map(patternOf))
  const more = patterns(ours).map(patternOf)
  const isMore =
    more.length > known.size && more.filter((each) => known.has(each)).length === known.size
  return command['do'] === 'time' && known.size > 0 && isMore
}

function patternOf(record: string): string {
  return (JSON.parse(record) as { key: { regularExpression: string } }).key.regularExpression
}

/** Both sides give the member of the classic protocol an id of their own. */
class Names {
  private readonly ids = new Set<string>()

  learn(replies: readonly Record<string, unknown>[]): void {
    for (const { memberId } of replies) if (typeof memberId === 'string') this.ids.add(memberId)
  }

  in(text: string): string {
    let named = text
    for (const id of this.ids) named = named.replaceAll(id, 'old')
    return named
  }
}

const withClassic = process.argv.includes('--classic')
const [seeds, first] = [20, 1].map((standard, at) => {
  const words = process.argv.slice(2).filter((word) => !word.startsWith('--'))
  return Number(words[at] ?? standard)
}) as [number, number]
const told: ConsumersTold[] = []
for (let seed = first; seed < first + seeds; seed++) {
  const story = new ConsumersStory(seed, withClassic)
  for (let i = 0; i < STEPS; i++) story.step()
  told.push(...story.told)
}
const kafkas = tellKafka<Heard>('Consumers', told)
let seed = first - 1
let isLost = false
let compared = 0
let differences = 0
let explained = 0
let names = [new Names(), new Names()] as const
const sides = (index: number): [unknown, unknown] => {
  const ours = told[index]!.outcome
  const theirs = kafkas[index]!
  names[0].learn(ours.replies)
  names[1].learn(theirs.replies)
  const stored = [
    // What would be read back, so that both have been bytes.
    ours.stored.map((record) => plain(decodeGroupRecord(encodeGroupRecord(record))!)),
    theirs.stored.map(([key, value]) => {
      const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
      return plain(
        decodeGroupRecord({ key: bytes(key), value: value === null ? null : bytes(value) })!,
      )
    }),
  ]
  const isDowngrade = isJoinThatDowngrades(told[index]!)
  return [ours, theirs].map((side, at) => {
    const replies = side.replies.map(({ ticket: _, ...reply }) => reply)
    if (isDowngrade) return { errors: replies.map(({ error }) => error), group: side.group }
    const whole = {
      replies,
      stored: stored[at]!.map((each) => names[at]!.in(each)).sort(),
      group: side.group,
    }
    return JSON.parse(names[at]!.in(JSON.stringify(whole)), membersInOrder)
  }) as [unknown, unknown]
}
for (const [index, { command }] of told.entries()) {
  if (command['do'] === 'reset') {
    seed++
    isLost = false
    names = [new Names(), new Names()]
  }
  if (isLost) continue
  const [ours, theirs] = sides(index)
  compared++
  if (isDeepStrictEqual(ours, theirs)) continue
  isLost = true
  if (isOldTimer(command, ours, theirs) || isPatternBetween(command, ours, theirs)) {
    explained++
    continue
  }
  differences++
  printDifference(told, index, seed, ours, theirs)
}
console.log(
  `${compared} commands compared in ${seeds} stories, ${differences} stories differ, ${explained} end explained`,
)
process.exitCode = differences === 0 ? 0 : 1
