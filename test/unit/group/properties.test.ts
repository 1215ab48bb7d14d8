// Properties of groups under any schedule at all: five clients that say what they like, with true and false member ids and
// generations, in any order, in several versions, with time that passes, shards that move and logs that are compacted. What
// fails is shrunk to its shortest schedule. Well-behaved consumers and what they may expect are in schedules.test.ts.
//
// After every decision bench.ts reads the log back, whole and compacted, and expects the state of the shard; no ticket
// is answered twice. Here: generations only grow; who is not in the generation changes nothing; whoever is a member is
// watched by a timer or held by a request that one will answer; silence empties every group; the same schedule gives
// the same bytes.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClassicGroup } from '../../../src/group/classic_group.ts'
import { joinTimer, sessionTimer, syncTimer } from '../../../src/group/timers.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { compacted, GROUP, GroupBench, subscription } from './bench.ts'

const CLIENTS = 5
const RUNS = 150
const SILENCE_MS = 200_000

type Step =
  | { do: 'join'; who: number; version: number; isStatic: boolean; protocols: number }
  | { do: 'sync'; who: number; generation: number }
  | { do: 'beat'; who: number; generation: number }
  | { do: 'commit'; who: number; generation: number; partition: number }
  | { do: 'leave'; who: number }
  | { do: 'wait'; ms: number }
  | { do: 'move' }
  | { do: 'compact' }
  | { do: 'delete' }

/** Most know their generation; some are behind or ahead. */
const generation = fc.constantFrom(0, 0, 0, 0, -1, 1)
const who = fc.nat(CLIENTS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      who,
      version: fc.constantFrom(0, 3, 4, 5, 8, 9),
      isStatic: fc.boolean(),
      protocols: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('sync' as const), who, generation }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('beat' as const), who, generation }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      who,
      generation,
      partition: fc.nat(2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), who }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 1, 100, 3000, 9999, 10_000, 60_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('move', 'compact', 'delete') }) },
)
const schedules = fc.array(step, { maxLength: 80, size: 'max' })

const PROTOCOLS = [
  { name: 'range', metadata: subscription(['orders']) },
  { name: 'sticky', metadata: subscription(['orders', 'bills']) },
]

interface Client {
  memberId: string
  instance: string | null
}

/** Plays a schedule and watches. */
class Play {
  readonly bench = new GroupBench({ membersMax: 4 }, 11)
  private readonly clients: Client[] = Array.from({ length: CLIENTS }, () => ({
    memberId: '',
    instance: null,
  }))
  private generationSeen = -1
  commitsTaken = 0
  commitsRefused = 0
  settled = 0

  run(steps: readonly Step[]): this {
    for (const one of steps) {
      this.take(one)
      this.look()
    }
    return this
  }

  private take(one: Step): void {
    const { bench } = this
    if (one.do === 'join') return this.join(one)
    if (one.do === 'sync') return this.sync(one.who, one.generation)
    if (one.do === 'commit') return this.commit(one)
    if (one.do === 'wait') return bench.advance(one.ms)
    if (one.do === 'move') return bench.reload()
    if (one.do === 'compact') {
      bench.log.splice(0, bench.log.length, ...compacted(bench.log))
    } else if (one.do === 'delete') {
      // A group that is gone begins at generation 0 again.
      bench.send({ kind: 'deleteGroups', groupIds: [GROUP] })
      if (bench.group === undefined) this.generationSeen = -1
    } else {
      const { memberId, instance } = this.clients[one.who]!
      if (one.do === 'leave') bench.leave([{ memberId, groupInstanceId: instance }])
      else bench.heartbeat(memberId, this.generation(one.generation), instance)
    }
  }

  private generation(difference: number): number {
    return (this.bench.group?.generationId ?? 0) + difference
  }

  private join({ who, version, isStatic, protocols }: Extract<Step, { do: 'join' }>): void {
    const client = this.clients[who]!
    client.instance = isStatic && version >= 5 ? `instance-${who}` : null
    const { memberId, instance } = client
    const ticket = this.bench.sendJoin({
      memberId,
      instance,
      version,
      clientId: `client-${who}`,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 30_000,
      protocols: PROTOCOLS.filter((_, at) => (protocols & (1 << at)) !== 0),
    })
    const known = [...(this.bench.group?.members ?? [])].find((member) => {
      return member.awaitingJoin?.ticket === ticket
    })
    // Held: a client learns its id with the answer; here it knows it at once.
    if (known !== undefined) client.memberId = known.memberId
    else if (this.bench.isAnswered(ticket)) {
      const reply = this.bench.joinReply(ticket)
      if (reply.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) client.memberId = ''
      else if (reply.memberId) client.memberId = reply.memberId
    }
  }

  private sync(who: number, difference: number): void {
    const { memberId, instance } = this.clients[who]!
    const members = [...(this.bench.group?.members ?? [])]
    const assignments = Object.fromEntries(
      members.map((member, at) => [member.memberId, `part ${at}`]),
    )
    this.bench.sendSync(memberId, this.generation(difference), assignments, {
      groupInstanceId: instance,
      protocolName: this.bench.group?.protocolName ?? 'range',
    })
  }

  /** Accepted from members of the generation alone; refused without a trace. */
  private commit({
    who,
    generation: difference,
    partition,
  }: Extract<Step, { do: 'commit' }>): void {
    const { bench: it } = this
    const { memberId, instance } = this.clients[who]!
    const { group } = it
    const isSimple = group === undefined || (group.state === 'Empty' && group.protocolType === null)
    const before = it.fetch()
    const value = it.log.length + 1
    const [errorCode] = it.commit(
      { [`orders:${partition}`]: value },
      {
        memberId,
        generationIdOrMemberEpoch: this.generation(difference),
        groupInstanceId: instance,
      },
    )
    const isMember = group?.member(memberId) !== undefined && difference === 0
    if (errorCode === ErrorCode.NONE) {
      this.commitsTaken++
      expect(isMember || isSimple || (difference < 0 && group?.state === 'Empty')).toBe(true)
      expect(it.fetch()).toContain(`orders:${partition}=${value}`)
    } else {
      this.commitsRefused++
      expect(it.fetch()).toEqual(before)
    }
  }

  private look(): void {
    const { group } = this.bench
    if (group === undefined) return
    expect(group.generationId).toBeGreaterThanOrEqual(this.generationSeen)
    // A generation that no record tells of yet is not known after a move.
    if (group.state === 'Stable' || group.state === 'Empty') {
      this.settled++
      this.generationSeen = group.generationId
    }
    this.watched(group)
    if (group.size > 0) expect(group.member(group.leaderId!)).toBeDefined()
    const { state, protocolName } = group
    if (state !== 'Stable' && state !== 'CompletingRebalance') return
    for (const { protocols } of group.members) {
      expect(protocols.map(({ name }) => name)).toContain(protocolName)
    }
  }

  /** Nobody is a member for ever: a session ends, or what holds the member's request does. */
  private watched(group: ClassicGroup): void {
    const { timers } = this.bench
    const isArmed = (key: string) => timers.deadlineOf(key) !== undefined
    const phase = isArmed(joinTimer(GROUP)) || isArmed(syncTimer(GROUP))
    for (const { memberId, awaitingJoin, awaitingSync } of group.members) {
      const isHeld = (awaitingJoin !== null || awaitingSync !== null) && phase
      expect(isHeld || isArmed(sessionTimer(GROUP, memberId)), memberId).toBe(true)
    }
    for (const memberId of group.pendingJoin) {
      expect(isArmed(sessionTimer(GROUP, memberId)), memberId).toBe(true)
    }
    if (group.state === 'PreparingRebalance') expect(isArmed(joinTimer(GROUP))).toBe(true)
    if (group.pendingSync.size > 0) expect(isArmed(syncTimer(GROUP))).toBe(true)
  }
}

const json = (value: unknown) =>
  JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each))

describe('group: properties', () => {
  it('any schedule keeps the rules', { timeout: 120_000 }, () => {
    let settled = 0
    let taken = 0
    let refused = 0
    fc.assert(
      fc.property(schedules, (steps) => {
        const play = new Play().run(steps)
        settled += play.settled
        taken += play.commitsTaken
        refused += play.commitsRefused
      }),
      { numRuns: RUNS },
    )
    // Schedules in which no group ever forms keep every rule.
    expect(settled).toBeGreaterThan(RUNS)
    expect(taken).toBeGreaterThan(RUNS / 10)
    expect(refused).toBeGreaterThan(RUNS / 10)
  })

  it('after a long silence every request is answered and no member is left', {
    timeout: 120_000,
  }, () => {
    fc.assert(
      fc.property(schedules, (steps) => {
        const play = new Play().run(steps)
        play.bench.advance(SILENCE_MS)
        const { group, nextTicket, replies } = play.bench
        expect(group?.state ?? 'Empty').toBe('Empty')
        expect(group?.pendingJoin.size ?? 0).toBe(0)
        const open = Array.from({ length: nextTicket - 1 }, (_, at) => at + 1)
        expect(open.filter((ticket) => !replies.has(ticket))).toEqual([])
      }),
      { numRuns: RUNS },
    )
  })

  it('the same schedule gives the same replies and the same log', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(schedules, (steps) => {
        const [one, other] = [new Play().run(steps).bench, new Play().run(steps).bench]
        expect(json([...other.replies])).toBe(json([...one.replies]))
        expect(other.log.map(String)).toEqual(one.log.map(String))
      }),
      { numRuns: RUNS / 3 },
    )
  })
})
