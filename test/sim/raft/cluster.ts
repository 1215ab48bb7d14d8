// A whole quorum in one thread under simulated time: real machines and real message bytes, a network
// that delays, drops and doubles, disks that forget what was not flushed.
//
// Checked after every event: one leader per epoch; one vote per node and epoch; what one node says is
// committed is the same for all, for ever. Every run is a function of its options.

import { Random } from '../../../src/lib/random.ts'
import { TimerQueue } from '../../../src/lib/timers.ts'
import { decode, encode } from '../../../src/protocol/codec.ts'
import { encodeControlBatch } from '../../../src/protocol/control_records.ts'
import type { Api, Message } from '../../../src/protocol/dsl.ts'
import { errorName } from '../../../src/protocol/errors.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { encodeQuorumState } from '../../../src/raft/quorum_state.ts'
import {
  Raft,
  type RaftApi,
  type RaftConfig,
  type RaftEffect,
  type RaftInput,
  type SendEffect,
} from '../../../src/raft/raft.ts'
import { VoterSet } from '../../../src/raft/voters.ts'
import { apis, configOf, voter } from '../../unit/raft/node.ts'
import { Disk, type SnapshotFile } from './disk.ts'

export interface SimOptions {
  readonly seed: number
  readonly voters: number
  readonly observers: number
  /** Nodes that may become voters and are none at first. */
  readonly joiners?: number
  /** Messages lost, of a hundred. */
  readonly lossPercent: number
  readonly duplicatePercent: number
  readonly delayMsMax: number
  /** The planted bug: votes and epochs are said to be durable while they are not. */
  readonly forgetVotes?: boolean
  /** The planted bug: appends are said to be durable while they are not. */
  readonly forgetAppends?: boolean
  /** controller.quorum.voters instead of a voter set in the first checkpoint. */
  readonly isStatic?: boolean
  /** Nodes up to this id know Vote 1 only, which has no pre-vote. */
  readonly oldVoters?: number
  readonly config?: Partial<RaftConfig>
}

/** A rule was broken; the message says which. */
export class Violation extends Error {}

type Event = () => void

const HEALED = { lossPercent: 0, duplicatePercent: 0, delayMsMax: 20 }

interface Committed {
  readonly epoch: number
  readonly text: string
}

class Machine {
  readonly id: number
  readonly disk: Disk
  raft: Raft | null = null
  incarnation = 0
  queue: RaftEffect[] = []
  isBlocked = false
  highWatermark = -1
  pendingState: string | null = null
  snapshotBytes = 0

  constructor(id: number, disk: Disk) {
    this.id = id
    this.disk = disk
  }
}

/** The simulation. */
export class Cluster {
  readonly random: Random
  readonly machines = new Map<number, Machine>()
  readonly committed: Committed[] = []
  nowMs = 1_000_000
  /** Pairs that cannot talk, as `from>to`. */
  readonly cuts = new Set<string>()
  leadersElected = 0
  snapshotsInstalled = 0
  votersChanged = 0
  readonly trace: string[] = []
  private readonly options: SimOptions
  private readonly events = new TimerQueue<Event>()
  private readonly leaders = new Map<number, number>()
  private readonly votes = new Map<string, number>()
  private nextTicket = 1
  private isHealed = false
  private readonly bootstrap: SnapshotFile

  constructor(options: SimOptions) {
    this.options = options
    this.random = new Random(options.seed)
    const ids = Array.from({ length: options.voters }, (_, index) => index + 1)
    const set = new VoterSet(ids.map(voter))
    this.bootstrap = {
      offset: 0,
      epoch: 0,
      bytes: 300,
      quorum:
        options.isStatic === true
          ? []
          : [
              { type: 'kraftVersion', value: { version: 0, kRaftVersion: 1 } },
              { type: 'voters', value: set.toRecord() },
            ],
    }
    const total = options.voters + options.observers + (options.joiners ?? 0)
    for (let id = 1; id <= total; id++) {
      const isNew = id > options.voters + options.observers
      const file = isNew ? { ...this.bootstrap, quorum: [] } : this.bootstrap
      this.machines.set(id, new Machine(id, new Disk(file)))
    }
    for (const id of this.machines.keys()) this.start(id)
  }

  get hasJoiners(): boolean {
    return (this.options.joiners ?? 0) > 0
  }

  get running(): Machine[] {
    return [...this.machines.values()].filter((machine) => machine.raft !== null)
  }

  get stopped(): Machine[] {
    return [...this.machines.values()].filter((machine) => machine.raft === null)
  }

  /** The running node that leads the highest epoch, if any. */
  get leader(): Machine | undefined {
    const leaders = this.running.filter((machine) => machine.raft!.role === 'leader')
    return leaders.sort((x, y) => y.raft!.epoch - x.raft!.epoch)[0]
  }

  /** The network works again: nothing is cut, lost or doubled, and delays are short. */
  heal(): void {
    this.cuts.clear()
    this.isHealed = true
  }

  start(id: number): void {
    const machine = this.machines.get(id)!
    const { voters, config, isStatic } = this.options
    const ids = Array.from({ length: voters }, (_, index) => index + 1)
    const staticVoters =
      isStatic === true ? ids.map((each) => ({ ...voter(each), directoryId: null })) : []
    const canVote = id <= voters || id > voters + this.options.observers
    const bootstrapServers = [...this.machines.keys()].flatMap((each) => voter(each).endpoints)
    const fields: Partial<RaftConfig> = { canVote, staticVoters, ...config }
    if ((this.options.joiners ?? 0) > 0) Object.assign(fields, { bootstrapServers })
    machine.raft = new Raft(configOf(id, fields), this.random.fork())
    machine.highWatermark = -1
    this.give(machine, machine.disk.boot())
  }

  crash(id: number): void {
    const machine = this.machines.get(id)!
    machine.raft = null
    machine.incarnation++
    machine.queue = []
    machine.isBlocked = false
    // A file that was being replaced is the old one or the new one.
    if (machine.pendingState !== null && this.random.ratio(1, 2)) {
      machine.disk.quorumState = machine.pendingState
    }
    machine.pendingState = null
    machine.disk.crash(this.random)
    this.note(`crash ${id}`)
  }

  /** Runs until a time, or until `until` says so. */
  run(untilMs: number, until: () => boolean = () => false): boolean {
    while (!until()) {
      const next = this.events.nextDeadlineMs()
      if (next === undefined || next > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs)
        return until()
      }
      this.nowMs = Math.max(this.nowMs, next)
      this.events.pop(this.nowMs)!()
      this.check()
    }
    return true
  }

  propose(machine: Machine, text: string): void {
    const epoch = machine.raft!.epoch
    this.give(machine, { kind: 'propose', ticket: 0, epoch, count: 1, payload: text })
  }

  /** Asks a leader to let a replica in or to let a voter go. */
  reconfigure(machine: Machine): void {
    const { voters } = machine.raft!
    const canJoin = [...this.machines.keys()].filter(
      (id) => voters.get(id) === undefined && (id <= this.options.voters || this.isJoiner(id)),
    )
    const isJoin = canJoin.length > 0 && (voters.size < 3 || this.random.ratio(1, 2))
    const id = this.random.pick(isJoin ? canJoin : voters.ids())
    const { directoryId, endpoints } = voter(id)
    const ticket = this.nextTicket++
    const key = { clusterId: 'cluster', voterId: id, voterDirectoryId: directoryId! }
    const request = isJoin
      ? { ...key, timeoutMs: 1000, listeners: endpoints, ackWhenCommitted: true }
      : key
    const api = isJoin ? 'AddRaftVoter' : 'RemoveRaftVoter'
    this.changes.set(ticket, `${api} ${id}`)
    const [version, listener] = [apis[api].valid.max, 'CONTROLLER']
    this.give(machine, { kind: 'request', ticket, api, version, listener, request } as RaftInput)
  }

  private readonly changes = new Map<number, string>()

  private isJoiner(id: number): boolean {
    return id > this.options.voters + this.options.observers
  }

  /** Sums up a node's committed log and throws the log below away. */
  snapshot(machine: Machine): void {
    const offset = machine.highWatermark
    const known = machine.disk.snapshots.at(-1)!
    const isBatchEnd = machine.disk.batches().some((batch) => batch.endOffset === offset)
    if (offset <= known.offset || !isBatchEnd) return
    const epoch = this.committed[offset - 1]!.epoch
    const { kraftVersion, voters } = machine.raft!.quorumBefore(offset)
    const quorum: SnapshotFile['quorum'] =
      kraftVersion === 0
        ? []
        : [
            { type: 'kraftVersion', value: { version: 0, kRaftVersion: kraftVersion } },
            { type: 'voters', value: voters.toRecord() },
          ]
    const file: SnapshotFile = { offset, epoch, bytes: 2500, quorum }
    machine.disk.snapshots.push(file)
    this.give(machine, { kind: 'snapshotCreated', snapshot: file })
    machine.disk.trim(offset)
    const { snapshots } = machine.disk
    this.give(machine, { kind: 'logTrimmed', logStartOffset: offset, snapshots })
  }

  at(delayMs: number, event: Event): void {
    this.events.arm(event, this.nowMs + delayMs)
  }

  private give(machine: Machine, input: RaftInput): void {
    const out: RaftEffect[] = []
    machine.raft!.step(input, this.nowMs, out)
    machine.queue.push(...out)
    this.drain(machine)
    this.armTimer(machine)
  }

  private armTimer(machine: Machine): void {
    const { raft, incarnation } = machine
    if (raft === null || raft.wakeAtMs === Infinity) return
    const wakeAtMs = raft.wakeAtMs
    const fire = () => {
      if (machine.incarnation !== incarnation || machine.raft!.wakeAtMs !== wakeAtMs) return
      this.give(machine, { kind: 'timer' })
    }
    this.at(Math.max(1, wakeAtMs - this.nowMs), fire)
  }

  private drain(machine: Machine): void {
    while (!machine.isBlocked) {
      const effect = machine.queue.shift()
      if (effect === undefined) return
      this.carryOut(machine, effect)
    }
  }

  private later(machine: Machine, delayMs: number, event: Event): void {
    const { incarnation } = machine
    this.at(delayMs, () => {
      if (machine.incarnation === incarnation) event()
    })
  }

  private carryOut(machine: Machine, effect: RaftEffect): void {
    const { disk } = machine
    switch (effect.kind) {
      case 'persistQuorumState': {
        const content = encodeQuorumState(effect.state, effect.version, effect.voterIds)
        if (this.options.forgetVotes === true) return
        machine.pendingState = content
        machine.isBlocked = true
        this.later(machine, this.random.nextInt(1, 20), () => {
          disk.quorumState = content
          machine.pendingState = null
          machine.isBlocked = false
          this.drain(machine)
        })
        return
      }
      case 'append':
        disk.append(batchOf(effect))
        return
      case 'appendFetched':
        disk.append(effect.records)
        return
      case 'truncate':
        disk.truncate(effect.offset)
        return
      case 'flush': {
        const endOffset = disk.endOffset
        this.later(machine, this.random.nextInt(1, 15), () => {
          if (this.options.forgetAppends !== true) disk.flush()
          this.give(machine, { kind: 'flushed', logEndOffset: Math.min(endOffset, disk.endOffset) })
        })
        return
      }
      case 'send':
        this.send(machine, effect)
        return
      case 'respond':
        this.answer(machine, effect.ticket, effect.response)
        return
      case 'respondFetch': {
        const records = disk.read(effect.offset, effect.endOffset, effect.bytesMax)
        const topic = effect.response.responses![0]!
        const partitions = [{ ...topic.partitions![0]!, records }]
        this.answer(machine, effect.ticket, {
          ...effect.response,
          responses: [{ ...topic, partitions }],
        })
        return
      }
      case 'respondSnapshot': {
        const topic = effect.response.topics![0]!
        // Pieces of a thousand bytes, so that a snapshot takes several.
        const unalignedRecords = new Uint8Array(Math.min(1000, effect.bytesMax))
        const partitions = [{ ...topic.partitions![0]!, unalignedRecords }]
        this.answer(machine, effect.ticket, {
          ...effect.response,
          topics: [{ ...topic, partitions }],
        })
        return
      }
      case 'snapshotBegin':
        machine.snapshotBytes = 0
        return
      case 'snapshotWrite':
        if (effect.position !== machine.snapshotBytes) throw new Violation('a gap in a snapshot')
        machine.snapshotBytes += effect.bytes.length
        return
      case 'snapshotAbort':
        return
      case 'snapshotFinish':
        this.install(machine, effect.id)
        return
      case 'highWatermark':
        this.commit(machine, effect.offset)
        return
      case 'leaderChanged':
        if (effect.leaderId !== null) this.noteLeader(effect.epoch, effect.leaderId)
        return
      case 'becameLeader':
        this.leadersElected++
        this.note(`node ${machine.id} leads epoch ${effect.epoch}`)
        return
      case 'resigned':
      case 'proposed':
      case 'notLeader':
      case 'note':
        return
    }
  }

  private install(machine: Machine, id: { offset: number; epoch: number }): void {
    // Its content is what was committed below it, and the voters every node knows.
    const source = [...this.machines.values()]
      .flatMap((other) => other.disk.snapshots)
      .find((file) => file.offset === id.offset && file.epoch === id.epoch)
    const quorum = source?.quorum ?? this.bootstrap.quorum
    const file: SnapshotFile = { ...id, bytes: machine.snapshotBytes, quorum }
    this.later(machine, this.random.nextInt(1, 30), () => {
      this.snapshotsInstalled++
      machine.disk.install(file)
      this.give(machine, { kind: 'snapshotInstalled', snapshot: file, quorumRecords: quorum })
    })
  }

  private send(machine: Machine, effect: SendEffect): void {
    const { api, requestId, to } = effect
    const target = this.machines.get(Number(to.host.slice('node'.length)))!
    const table: Api = apis[api] as never
    const isOld = Math.min(machine.id, target.id) <= (this.options.oldVoters ?? 0)
    const version = isOld && api === 'Vote' ? 1 : table.valid.max
    if (version === 1 && isPreVote(effect)) {
      this.refuse(machine, target.id, requestId, true)
      return
    }
    const bytes = encode(table.request, version, effect.request as never)
    this.transmit(machine.id, target.id, () => {
      if (target.raft === null) {
        this.refuse(machine, target.id, requestId)
        return
      }
      if (api === 'ApiVersions') {
        this.answerApiVersions(target, machine, requestId)
        return
      }
      const ticket = this.nextTicket++
      this.openTickets.set(ticket, { to: machine, api, version, requestId, by: target.incarnation })
      const request = decode(table.request, version, bytes)
      const listener = 'CONTROLLER'
      if (api === 'Vote') this.askedVotes.set(ticket, request as never)
      const input = { kind: 'request', ticket, api, version, listener, request }
      this.give(target, input as RaftInput)
    })
  }

  private answerApiVersions(from: Machine, to: Machine, requestId: number): void {
    const table = apis.ApiVersions.response
    const supportedFeatures = [{ name: 'kraft.version', minVersion: 0, maxVersion: 1 }]
    const response = decode(table, 4, encode(table, 4, { supportedFeatures }))
    const { incarnation } = to
    this.transmit(from.id, to.id, () => {
      if (to.incarnation !== incarnation || to.raft === null) return
      this.give(to, { kind: 'response', requestId, api: 'ApiVersions', response })
    })
  }

  private readonly openTickets = new Map<
    number,
    { to: Machine; api: RaftApi; version: number; requestId: number; by: number }
  >()
  private readonly askedVotes = new Map<
    number,
    { topics: { partitions: { replicaEpoch: number; replicaId: number; preVote: boolean }[] }[] }
  >()

  private refuse(machine: Machine, from: number, requestId: number, unsupported = false): void {
    const { incarnation } = machine
    this.transmit(from, machine.id, () => {
      if (machine.incarnation !== incarnation || machine.raft === null) return
      this.give(machine, { kind: 'sendFailed', requestId, unsupported })
    })
  }

  private answer(machine: Machine, ticket: number, response: object): void {
    const change = this.changes.get(ticket)
    if (change !== undefined) {
      this.changes.delete(ticket)
      const { errorCode } = response as { errorCode: number }
      if (errorCode === 0) this.votersChanged++
      this.note(`${change}: ${errorName(errorCode)}`)
      return
    }
    const open = this.openTickets.get(ticket)
    if (open === undefined) throw new Violation('answered twice')
    this.openTickets.delete(ticket)
    const { api, version, requestId, to } = open
    const table: Message = apis[api].response as never
    const bytes = encode(table, version, response as never)
    if (api === 'Vote') this.noteVote(machine.id, ticket, decode(table, version, bytes) as never)
    const { incarnation } = to
    this.transmit(machine.id, to.id, () => {
      if (to.incarnation !== incarnation || to.raft === null) return
      const input = { kind: 'response', requestId, api, response: decode(table, version, bytes) }
      this.give(to, input as RaftInput)
    })
  }

  private transmit(from: number, to: number, deliver: Event): void {
    const { lossPercent, duplicatePercent, delayMsMax } = this.isHealed ? HEALED : this.options
    const isCut = () => this.cuts.has(`${from}>${to}`)
    const once = () => {
      if (isCut() || this.random.ratio(lossPercent, 100)) return
      this.at(this.random.nextInt(1, delayMsMax + 1), () => {
        if (!isCut()) deliver()
      })
    }
    once()
    if (this.random.ratio(duplicatePercent, 100)) once()
  }

  private noteVote(
    voterId: number,
    ticket: number,
    response: { topics: { partitions: { voteGranted: boolean }[] }[] },
  ): void {
    const question = this.askedVotes.get(ticket)!.topics[0]?.partitions[0]
    this.askedVotes.delete(ticket)
    if (question === undefined || question.preVote) return
    if (response.topics[0]?.partitions[0]?.voteGranted !== true) return
    const key = `${voterId} in epoch ${question.replicaEpoch}`
    const before = this.votes.get(key) ?? question.replicaId
    this.votes.set(key, before)
    if (before !== question.replicaId) throw new Violation(`two votes of node ${key}`)
  }

  private noteLeader(epoch: number, leaderId: number): void {
    const known = this.leaders.get(epoch) ?? leaderId
    this.leaders.set(epoch, known)
    if (known !== leaderId) {
      throw new Violation(`two leaders of epoch ${epoch}: nodes ${known} and ${leaderId}`)
    }
  }

  private commit(machine: Machine, offset: number): void {
    if (offset <= machine.highWatermark) throw new Violation('a high watermark that falls')
    machine.highWatermark = offset
    for (const batch of machine.disk.batches()) {
      if (batch.endOffset > offset) break
      const text = Buffer.from(batch.bytes).toString('base64')
      for (let at = batch.baseOffset; at < batch.endOffset; at++) {
        const known = this.committed[at]
        if (known === undefined) {
          if (at !== this.committed.length) throw new Violation(`a gap before offset ${at}`)
          this.committed.push({ epoch: batch.epoch, text })
        } else if (known.text !== text) {
          throw new Violation(`offset ${at} is committed twice, with different records`)
        }
      }
    }
  }

  private check(): void {
    for (const machine of this.running) {
      const raft = machine.raft!
      if (raft.role === 'leader') this.noteLeader(raft.epoch, machine.id)
    }
  }

  private note(text: string): void {
    this.trace.push(`${this.nowMs} ${text}`)
  }
}

function isPreVote(effect: SendEffect): boolean {
  return effect.api === 'Vote' && effect.request.topics![0]!.partitions![0]!.preVote === true
}

function batchOf(effect: Extract<RaftEffect, { kind: 'append' }>): Uint8Array {
  const { baseOffset, epoch, timestampMs, control } = effect
  if (control !== null) return encodeControlBatch(control, { baseOffset, epoch, timestampMs })
  const value = new TextEncoder().encode(String(effect.payload))
  return encodeBatch({
    records: [{ value }],
    baseOffset,
    partitionLeaderEpoch: epoch,
    timestamp: timestampMs,
  })
}
