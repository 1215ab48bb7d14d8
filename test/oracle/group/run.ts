// Tells random stories of classic groups to our shard and to the group coordinator of Apache Kafka 4.3.1, and compares
// every reply, record and state. Needs JDK 17 and Kafka's jars under .cache/kafka-4.3.1/libs.
//   node test/oracle/group/run.ts [SEEDS [FIRST]]
//
// Three things differ on purpose and are not compared: of several members that may lead, Kafka takes one by hash; a
// request that another one of the same member replaces is answered here and never in Kafka; so is a SyncGroup of a
// member that is removed.

import { isDeepStrictEqual } from 'node:util'
import { printDifference, tellKafka } from './kafka_side.ts'
import { Story, type Told } from './story.ts'

const STEPS = 300
const REBALANCE_IN_PROGRESS = 27
const NOT_COORDINATOR = 16
const UNKNOWN_MEMBER_ID = 25

type Outcome = Told['outcome']

/** The replies as both sides should give them. */
function comparable(ours: Outcome, kafkas: Outcome): [Outcome, Outcome] {
  const known = new Map(kafkas.replies.map((reply) => [reply['ticket'], reply]))
  const replies = ours.replies.filter((reply) => {
    const { kind, error, ticket } = reply
    const isReplaced = error === REBALANCE_IN_PROGRESS && ['join', 'sync'].includes(String(kind))
    const isRemoved = error === UNKNOWN_MEMBER_ID && kind === 'sync'
    return known.has(ticket) || !(isReplaced || isRemoved)
  })
  const leaders = new Map(replies.map((reply) => [reply['ticket'], reply['leader']]))
  const theirs = kafkas.replies.map((reply) => {
    const leader = leaders.get(reply['ticket'])
    const isOther = leader !== undefined && leader !== reply['leader']
    const protocol = reply['kind'] === 'join' ? (reply['protocol'] ?? '') : reply['protocol']
    const { ticket, kind, error } = reply
    // The host refuses what waits when a shard goes; it does not know more.
    if (error === NOT_COORDINATOR)
      return { ticket, kind, error, protocol: undefined, isOther: false }
    return { ...reply, protocol, isOther }
  })
  const others = new Set(
    theirs.filter(({ isOther }) => isOther).map((reply) => reply['ticket' as never]),
  )
  const plain = (reply: Record<string, unknown>) => {
    const { isOther: _, leader, members, skip, protocol, ...rest } = reply
    const told = protocol === undefined ? {} : { protocol }
    const led = others.has(reply['ticket'] as never) ? {} : { leader, members, skip }
    return { ...rest, ...told, ...JSON.parse(JSON.stringify(led)) }
  }
  return [
    { ...ours, stored: sorted(ours.stored), replies: replies.map(plain) },
    { ...kafkas, stored: sorted(kafkas.stored), replies: theirs.map(plain) },
  ]
}

/** Records of one batch about different keys may come in any order. */
function sorted(stored: Outcome['stored']): Outcome['stored'] {
  return stored
    .map((record) => JSON.stringify(record))
    .sort()
    .map((text) => JSON.parse(text))
}

const seeds = Number(process.argv[2] ?? 20)
const first = Number(process.argv[3] ?? 1)
let compared = 0
const told: Told[] = []
const starts: number[] = []
for (let seed = first; seed < first + seeds; seed++) {
  const story = new Story(seed)
  for (let i = 0; i < STEPS; i++) story.step()
  starts.push(told.length)
  told.push(...story.told)
}
const kafkas = tellKafka<Outcome>('Coordinator', told)
let seed = first - 1
let isLost = false
let differences = 0
for (const [index, { command, outcome }] of told.entries()) {
  if (command['do'] === 'reset') {
    seed++
    isLost = false
  }
  if (isLost) continue
  const [ours, theirs] = comparable(outcome, kafkas[index]!)
  compared++
  if (isDeepStrictEqual(JSON.parse(JSON.stringify(ours)), JSON.parse(JSON.stringify(theirs))))
    continue
  isLost = true
  differences++
  printDifference(told, index, seed, ours, theirs)
}
console.log(`${compared} commands compared in ${seeds} stories, ${differences} stories differ`)
process.exitCode = differences === 0 ? 0 : 1
