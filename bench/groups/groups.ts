// Groups at scale: ten thousand members in a thousand groups, each with a heartbeat every 3 s and a commit every 5 s, which
// are 3,333 heartbeats and 2,000 commits a second. Says how late answers and the broker's event loop are, what it costs,
// and fails when a member loses its session or its generation.
//   node bench/groups/groups.ts [--protocol consumer] [--kafka] [--seconds 60] [--groups 1000] [--size 10] [--lanes 100] [--restart] [--prof FOLDER]
//
// Method: the broker is a process of its own, from the sources; so is this. Members share connections, because a broker
// answers a connection's requests in order and holds a JoinGroup until its group is whole: member n of a group is on
// connection n of the group's lane, groups of a lane form one after the other, and so no JoinGroup waits for one behind
// it; beats go over others, so none waits for a JoinGroup. A heartbeat may wait behind another member's commit, as it may
// not with a connection each: latencies are no better for it. `--restart` kills the broker in the middle, and members go on under their old ids.
// `--kafka` asks Apache Kafka the same: take the two in turns, on a machine with nothing else to do.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram, monitorEventLoopDelay, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { encodeAssignment, encodeSubscription } from '../../src/protocol/embedded.ts'
import { ErrorCode, errorName } from '../../src/protocol/errors.ts'
import {
  FindCoordinator,
  Heartbeat,
  JoinGroup,
  ListGroups,
  SyncGroup,
} from '../../src/protocol/messages/classic_group.ts'
import { ConsumerGroupHeartbeat } from '../../src/protocol/messages/consumer_group.ts'
import { OffsetCommit } from '../../src/protocol/messages/offsets.ts'
import { createTopic } from '../../test/integration/support/admin.ts'
import { freePorts } from '../../test/integration/support/commands.ts'
import { eventually } from '../../test/integration/support/eventually.ts'
import { RawClient } from '../../test/integration/support/raw_client.ts'
import { type Cost, type Measured, MeasuredKafka, MeasuredOttla } from './measured.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    groups: { type: 'string', default: '1000' },
    size: { type: 'string', default: '10' },
    lanes: { type: 'string', default: '100' },
    protocol: { type: 'string', default: 'classic' },
    kafka: { type: 'boolean', default: false },
    restart: { type: 'boolean', default: false },
    prof: { type: 'string' },
  },
})
const SECONDS = Number(values.seconds)
const GROUPS = Number(values.groups)
const GROUP_SIZE = Number(values.size)
const LANES = Number(values.lanes)
/** KIP-848. */
const IS_CONSUMER = values.protocol === 'consumer'
const BEAT_MS = 3000
const COMMIT_MS = 5000
const SESSION_MS = 10_000
const TICK_MS = 5
/** Members of a group arrive within it, and form one generation. */
const INITIAL_DELAY_MS = 300
const PARTITIONS_PER_MEMBER = 2
const TOPIC = 'read-by-all'
/** Joining: well, or the coordinator is not ready yet. */
const MAY_JOIN_LATER: ReadonlySet<number> = new Set([
  ErrorCode.NONE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
])
/** A member that hears one of these has lost its session, or another of its group has. */
const LOST = [
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.FENCED_MEMBER_EPOCH,
]

/** Connections of one lane: a JoinGroup on one of them waits for the others only. */
class Lane {
  clients: RawClient[] = []
  /** For JoinGroup and SyncGroup, which are held. */
  joiners: RawClient[] = []

  async connect(address: string): Promise<void> {
    for (const client of this.clients) client.close()
    this.clients = await Promise.all(
      Array.from({ length: GROUP_SIZE }, () => RawClient.open(address)),
    )
  }

  /** Forms groups one after the other. */
  async form(address: string, groups: () => Iterable<readonly Member[]>, clockwork: Clockwork) {
    this.joiners = await Promise.all(this.clients.map(() => RawClient.open(address)))
    for (const members of groups()) {
      await Promise.all(members.map((member) => member.join()))
      for (const member of members) clockwork.add(member)
    }
    for (const client of this.joiners) client.close()
  }
}

interface Figures {
  readonly beats: RecordableHistogram
  readonly commits: RecordableHistogram
  readonly errors: Map<string, number>
  unanswered: number
}

const freshFigures = (): Figures => ({
  beats: createHistogram(),
  commits: createHistogram(),
  errors: new Map(),
  unanswered: 0,
})
let figures = freshFigures()

/** One member of one group. */
class Member {
  readonly groupId: string
  memberId = ''
  generationId = -1
  beatAtMs = 0
  commitAtMs = 0
  private isBeating = false
  private isCommitting = false
  private offset = 0n
  protected readonly lane: Lane
  protected readonly number: number

  constructor(groupId: string, lane: Lane, number: number) {
    this.groupId = groupId
    this.lane = lane
    this.number = number
  }

  protected get client(): RawClient {
    return this.lane.clients[this.number]!
  }

  async join(): Promise<void> {
    const { groupId } = this
    const client = this.lane.joiners[this.number]!
    for (;;) {
      const joined = await client.ask(JoinGroup, 9, {
        groupId,
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: 60_000,
        memberId: this.memberId,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: encodeSubscription(1, { topics: [TOPIC] }) }],
      })
      const { errorCode, memberId, generationId, leader, members } = joined
      this.memberId = memberId
      if (errorCode === ErrorCode.MEMBER_ID_REQUIRED) continue
      if (errorCode !== ErrorCode.NONE) throw new Error(`${groupId}: ${errorName(errorCode)}`)
      const assignments = leader !== memberId ? [] : members.map(assignmentOf)
      const synced = await client.ask(SyncGroup, 5, {
        groupId,
        generationId,
        memberId,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments,
      })
      this.generationId = generationId
      if (synced.errorCode === ErrorCode.NONE) return
      if (synced.errorCode !== ErrorCode.REBALANCE_IN_PROGRESS) {
        throw new Error(`${groupId}: ${errorName(synced.errorCode)}`)
      }
    }
  }

  beat(nowMs: number): void {
    this.beatAtMs = nowMs + BEAT_MS
    if (this.isBeating) return
    this.isBeating = true
    const sentMs = performance.now()
    const { beats } = figures
    this.ask().then(
      ({ errorCode }) => {
        this.isBeating = false
        note(beats, sentMs, 'heartbeat', errorCode)
      },
      () => {
        this.isBeating = false
        figures.unanswered++
      },
    )
  }

  protected ask(): Promise<{ errorCode: number }> {
    const { groupId, generationId, memberId, client } = this
    return client.ask(Heartbeat, 4, { groupId, generationId, memberId })
  }

  commit(nowMs: number): void {
    this.commitAtMs = nowMs + COMMIT_MS
    if (this.isCommitting) return
    const { groupId, generationId, memberId, client } = this
    this.isCommitting = true
    this.offset++
    const partitions = Array.from({ length: PARTITIONS_PER_MEMBER }, (_, i) => ({
      partitionIndex: this.number * PARTITIONS_PER_MEMBER + i,
      committedOffset: this.offset,
      committedMetadata: '',
    }))
    const request = {
      groupId,
      generationIdOrMemberEpoch: generationId,
      memberId,
      topics: [{ name: TOPIC, partitions }],
    }
    const sentMs = performance.now()
    const { commits } = figures
    client.ask(OffsetCommit, IS_CONSUMER ? 9 : 8, request).then(
      ({ topics }) => {
        this.isCommitting = false
        note(commits, sentMs, 'commit', topics[0]!.partitions[0]!.errorCode)
      },
      () => {
        this.isCommitting = false
        figures.unanswered++
      },
    )
  }
}

type Partitions = readonly { readonly topicId: string; readonly partitions: readonly number[] }[]

/** One member of a group of KIP-848: its heartbeats are the whole conversation. */
class ConsumerMember extends Member {
  private owned: Partitions = []
  /** What it owns is said when it has changed. */
  private isNews = true

  override async join(): Promise<void> {
    this.memberId = `${this.groupId}-${this.number}`
    this.generationId = 0
    const isWhole = () =>
      this.owned.reduce((sum, { partitions }) => sum + partitions.length, 0) ===
      PARTITIONS_PER_MEMBER
    while (!isWhole() || this.isNews) {
      const { errorCode } = await this.ask()
      if (!MAY_JOIN_LATER.has(errorCode))
        throw new Error(`${this.groupId}: ${errorName(errorCode)}`)
      await sleep(100)
    }
  }

  protected override async ask(): Promise<{ errorCode: number }> {
    const isJoining = this.generationId === 0
    const topicPartitions = this.isNews || isJoining ? this.owned : null
    const response = await this.client.ask(ConsumerGroupHeartbeat, 1, {
      groupId: this.groupId,
      memberId: this.memberId,
      memberEpoch: this.generationId,
      rebalanceTimeoutMs: isJoining ? 60_000 : -1,
      subscribedTopicNames: isJoining ? [TOPIC] : null,
      topicPartitions: topicPartitions === null ? null : [...topicPartitions],
    } as never)
    const { errorCode, memberEpoch, assignment } = response
    if (errorCode !== ErrorCode.NONE) return { errorCode }
    this.generationId = memberEpoch
    this.isNews = assignment !== null
    if (assignment !== null) this.owned = assignment.topicPartitions
    return { errorCode }
  }
}

function assignmentOf({ memberId }: { memberId: string }, number: number) {
  const first = number * PARTITIONS_PER_MEMBER
  const partitions = Array.from({ length: PARTITIONS_PER_MEMBER }, (_, i) => first + i)
  const assignedPartitions = [{ topic: TOPIC, partitions }]
  return { memberId, assignment: encodeAssignment(1, { assignedPartitions }) }
}

function note(into: RecordableHistogram, sentMs: number, what: string, errorCode: number): void {
  into.record(Math.max(1, Math.round((performance.now() - sentMs) * 1000)))
  if (errorCode === ErrorCode.NONE) return
  const key = `${what} ${errorName(errorCode)}`
  figures.errors.set(key, (figures.errors.get(key) ?? 0) + 1)
}

/** Sends what is due, until told to stop. */
class Clockwork {
  private readonly members: Member[] = []
  private isOver = false

  /** A member lives on its own clock from now on. */
  add(member: Member): void {
    const nowMs = performance.now()
    member.beatAtMs = nowMs + Math.random() * BEAT_MS
    member.commitAtMs = nowMs + Math.random() * COMMIT_MS
    this.members.push(member)
  }

  async run(): Promise<void> {
    while (!this.isOver) {
      const nowMs = performance.now()
      for (const member of this.members) {
        if (member.beatAtMs <= nowMs) member.beat(nowMs)
        if (member.commitAtMs <= nowMs) member.commit(nowMs)
      }
      await sleep(TICK_MS)
    }
  }

  stop(): void {
    this.isOver = true
  }
}

const inMs = (us: number) => (us / 1000).toFixed(1)

function describe(name: string, histogram: RecordableHistogram, seconds: number): void {
  const { count, max } = histogram
  const [p50, p99, p999] = [50, 99, 99.9].map((at) => inMs(histogram.percentile(at)))
  const rate = (Number(count) / seconds).toFixed(0)
  console.log(
    `${name}: ${rate}/s; ms: p50 ${p50}, p99 ${p99}, p99.9 ${p999}, max ${inMs(Number(max))}`,
  )
}

function tell({ cores, rssMb, loop }: Cost): void {
  console.log(`  process: ${cores.toFixed(2)} cores, RSS ${rssMb.toFixed(0)} MB`)
  if (loop === undefined) return
  const { p50Ms, p99Ms, p999Ms, maxMs, loopBusy, heapMb } = loop
  const late = [p50Ms, p99Ms, p999Ms, maxMs].map((ms) => ms.toFixed(1))
  console.log(
    `  event loop: late by ms: p50 ${late[0]}, p99 ${late[1]}, p99.9 ${late[2]}, max ${late[3]}; ` +
      `busy ${(loopBusy * 100).toFixed(0)} %, heap ${heapMb.toFixed(0)} MB`,
  )
}

async function untilLoaded(address: string): Promise<void> {
  await eventually(async () => {
    const client = await RawClient.open(address)
    await client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['any'] })
    const { errorCode } = await client.ask(ListGroups, 4, {})
    client.close()
    return errorCode === ErrorCode.NONE || undefined
  })
}

/** Every so-many-th group is of this lane. */
function* groupsOf(lane: Lane, at: number): Iterable<readonly Member[]> {
  for (let group = at; group < GROUPS; group += LANES) {
    const numbers = Array.from({ length: GROUP_SIZE }, (_, number) => number)
    const Kind = IS_CONSUMER ? ConsumerMember : Member
    yield numbers.map((number) => new Kind(`group-${group}`, lane, number))
  }
}

/** All groups form, lane by lane; gives the members and how long it took. */
async function form(address: string, clockwork: Clockwork): Promise<{ lanes: Lane[]; ms: number }> {
  const lanes = Array.from({ length: LANES }, () => new Lane())
  await Promise.all(lanes.map((lane) => lane.connect(address)))
  const startedMs = performance.now()
  const forming = lanes.map((lane, at) => lane.form(address, () => groupsOf(lane, at), clockwork))
  await Promise.all(forming)
  return { lanes, ms: performance.now() - startedMs }
}

/** Some seconds of it; false when a member was told that it is none. */
async function measure(broker: Measured, title: string, seconds: number): Promise<boolean> {
  figures = freshFigures()
  const own = monitorEventLoopDelay({ resolution: TICK_MS })
  own.enable()
  broker.reset()
  await sleep(seconds * 1000)
  const cost = await broker.report()
  const { beats, commits, errors, unanswered } = figures
  console.log(`${title}, ${seconds} s:`)
  describe('  heartbeats', beats, seconds)
  describe('  commits', commits, seconds)
  tell(cost)
  own.disable()
  const [p99, most] = [own.percentile(99), own.max].map((ns) => (ns / 1e6 - TICK_MS).toFixed(1))
  console.log(`  this program was late itself, by ms: p99 ${p99}, max ${most}`)
  const problems = Array.from(errors, ([what, count]) => `${count} × ${what}`)
  console.log(`  refused: ${problems.join(', ') || 'none'}; unanswered: ${unanswered}`)
  return !LOST.some((errorCode) =>
    [...errors.keys()].some((what) => what.endsWith(errorName(errorCode))),
  )
}

/** Members come back as soon as somebody listens, as clients do. */
async function restart(directory: string, broker: Measured, lanes: readonly Lane[]) {
  const port = Number(broker.address.split(':')[1])
  await broker.end('SIGKILL')
  const startedMs = performance.now()
  const next = await start(directory, port)
  const listensMs = performance.now() - startedMs
  await Promise.all(lanes.map((lane) => lane.connect(next.address)))
  await untilLoaded(next.address)
  const servedMs = performance.now() - startedMs
  console.log(
    `killed; listens after ${listensMs.toFixed(0)} ms, all groups after ${servedMs.toFixed(0)}`,
  )
  return next
}

function start(directory: string, port: number): Promise<Measured> {
  const settings = { 'group.initial.rebalance.delay.ms': String(INITIAL_DELAY_MS) }
  if (values.kafka) return MeasuredKafka.start(directory, port, settings)
  return MeasuredOttla.start(directory, port, settings, values.prof)
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-groups-'))
  let broker = await start(directory, await freePorts())
  const clockwork = new Clockwork()
  try {
    await createTopic(broker.address, TOPIC, GROUP_SIZE * PARTITIONS_PER_MEMBER)
    await untilLoaded(broker.address)
    const running = clockwork.run()
    const { lanes, ms } = await form(broker.address, clockwork)
    const what = `${GROUPS * GROUP_SIZE} members in ${GROUPS} groups on ${LANES * GROUP_SIZE} connections`
    console.log(`${what}: formed in ${(ms / 1000).toFixed(1)} s`)
    let isWell = await measure(broker, 'steady', SECONDS)
    if (values.restart) {
      broker = await restart(directory, broker, lanes)
      isWell = (await measure(broker, 'after the restart', SECONDS)) && isWell
    }
    clockwork.stop()
    await running
    if (!isWell) process.exitCode = 1
    for (const lane of lanes) for (const client of lane.clients) client.close()
  } finally {
    clockwork.stop()
    await broker.end('SIGTERM')
    rmSync(directory, { recursive: true, force: true })
  }
}

await main()
