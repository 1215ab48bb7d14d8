// Conversations between raft machines, as text: a command, four dashes, what happened.
//
// A script is a list of blocks; the interpreter runs each command on a small cluster whose disks are
// instant and whose messages wait until they are delivered. What it prints is meant to be read: one
// line per effect and per message, in the order of events.
//
//   nodes N [observers M] [joiners K]   boot N voters that were formatted together, M observers, and
//                           K nodes that may become voters
//   time MS                 let time pass; timers fire when they are due, nothing is delivered
//   run MS                  let time pass and deliver at once; messages are not printed
//   deliver [A>B]           deliver waiting messages (of one direction) until none is left
//   drop A>B | cut A B | heal
//   add A B | remove A B    ask A to let B into the voters or out of them
//   propose A TEXT | resign A | snapshot A | crash A | start A | status

import { Random } from '../../../src/lib/random.ts'
import { decode, encode } from '../../../src/protocol/codec.ts'
import { encodeControlBatch } from '../../../src/protocol/control_records.ts'
import type { Api, Message } from '../../../src/protocol/dsl.ts'
import { errorName } from '../../../src/protocol/errors.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { encodeQuorumState } from '../../../src/raft/quorum_state.ts'
import { Raft, type RaftEffect, type RaftInput } from '../../../src/raft/raft.ts'
import { VoterSet } from '../../../src/raft/voters.ts'
import { Disk, type SnapshotFile } from '../../sim/raft/disk.ts'
import { apis, configOf, voter } from '../../unit/raft/node.ts'
import { answered } from '../folder.ts'

interface Letter {
  readonly from: number
  readonly to: number
  readonly text: string
  readonly deliver: () => void
}

interface Machine {
  readonly id: number
  readonly disk: Disk
  raft: Raft | null
  incarnation: number
  highWatermark: number
}

type Fields = Record<string, unknown>

/** Runs the commands of a script and prints what happened under each. */
export function converse(script: string): string {
  const conversation = new Conversation()
  return answered(script, (line) => conversation.run(line), '(nothing)')
}

class Conversation {
  private readonly machines = new Map<number, Machine>()
  private letters: Letter[] = []
  private readonly cuts = new Set<string>()
  private nowMs = 0
  private lines: string[] = []
  private nextTicket = 1
  private isQuiet = false
  private readonly open = new Map<number, (response: object) => void>()
  private bootstrap: SnapshotFile | null = null
  private readonly joiners = new Set<number>()

  run(line: string): string[] {
    this.lines = []
    const [verb, ...words] = line.split(' ')
    this.command(verb!, words)
    return this.lines
  }

  private command(verb: string, words: string[]): void {
    const first = Number(words[0])
    switch (verb) {
      case 'nodes':
        this.boot(first, countOf(words, 'observers'), countOf(words, 'joiners'))
        return
      case 'time':
        this.passTime(first)
        return
      case 'run':
        this.isQuiet = true
        this.passTime(first, () => this.deliver())
        this.isQuiet = false
        return
      case 'deliver':
        this.deliver(words[0])
        return
      case 'drop':
        this.letters = this.letters.filter((letter) => route(letter) !== words[0])
        return
      case 'cut':
        this.cuts.add(`${words[0]}>${words[1]}`).add(`${words[1]}>${words[0]}`)
        return
      case 'heal':
        this.cuts.clear()
        return
      case 'propose': {
        const machine = this.machines.get(first)!
        const epoch = machine.raft!.epoch
        const payload = words.slice(1).join(' ')
        this.give(machine, { kind: 'propose', ticket: 0, epoch, count: 1, payload })
        return
      }
      case 'add':
      case 'remove':
        this.change(verb, this.machines.get(first)!, Number(words[1]))
        return
      case 'resign': {
        const machine = this.machines.get(first)!
        this.give(machine, { kind: 'resign', epoch: machine.raft!.epoch })
        return
      }
      case 'snapshot':
        this.snapshot(this.machines.get(first)!)
        return
      case 'crash': {
        const machine = this.machines.get(first)!
        machine.raft = null
        machine.incarnation++
        this.letters = this.letters.filter(({ from, to }) => from !== first && to !== first)
        return
      }
      case 'start':
        this.start(this.machines.get(first)!)
        return
      case 'status':
        for (const machine of this.machines.values()) this.lines.push(status(machine))
        return
      default:
        throw new Error(`no such command: ${verb}`)
    }
  }

  private boot(voters: number, observers: number, joiners: number): void {
    const count = voters + observers + joiners
    const ids = Array.from({ length: count }, (_, index) => index + 1)
    const set = new VoterSet(ids.slice(0, voters).map(voter))
    const version = { version: 0, kRaftVersion: 1 }
    this.bootstrap = {
      offset: 0,
      epoch: 0,
      bytes: 300,
      quorum: [
        { type: 'kraftVersion', value: version },
        { type: 'voters', value: set.toRecord() },
      ],
    }
    for (const id of ids) {
      const isJoiner = id > voters + observers
      if (isJoiner) this.joiners.add(id)
      const disk = new Disk(isJoiner ? { ...this.bootstrap, quorum: [] } : this.bootstrap)
      this.machines.set(id, { id, disk, raft: null, incarnation: 0, highWatermark: -1 })
    }
    for (const machine of this.machines.values()) this.start(machine)
  }

  private start(machine: Machine): void {
    const { id } = machine
    const voters = new VoterSet(this.votersNow())
    const isJoiner = this.joiners.has(id)
    const config = configOf(id, {
      canVote: isJoiner || voters.get(id) !== undefined,
      bootstrapServers: isJoiner ? voters.voters().flatMap((each) => each.endpoints) : [],
    })
    machine.raft = new Raft(config, new Random(id * 7919 + machine.incarnation))
    machine.highWatermark = -1
    this.give(machine, machine.disk.boot())
  }

  private votersNow() {
    const record = this.bootstrap!.quorum[1]!
    return record.type === 'voters' ? VoterSet.fromRecord(record.value).voters() : []
  }

  private passTime(ms: number, after: () => void = () => {}): void {
    after()
    const untilMs = this.nowMs + ms
    for (;;) {
      const due = [...this.machines.values()]
        .filter((machine) => (machine.raft?.wakeAtMs ?? Infinity) <= untilMs)
        .sort((x, y) => x.raft!.wakeAtMs - y.raft!.wakeAtMs || x.id - y.id)[0]
      if (due === undefined) break
      this.nowMs = Math.max(this.nowMs, due.raft!.wakeAtMs)
      this.give(due, { kind: 'timer' })
      after()
    }
    this.nowMs = untilMs
  }

  private deliver(only?: string): void {
    for (let round = 0; round < 200; round++) {
      const at = this.letters.findIndex((letter) => only === undefined || route(letter) === only)
      if (at < 0) return
      const [letter] = this.letters.splice(at, 1)
      const isCut = this.cuts.has(route(letter!))
      const lost = isCut ? '  (lost)' : ''
      if (!this.isQuiet) this.lines.push(`${route(letter!)}  ${letter!.text}${lost}`)
      if (!isCut) letter!.deliver()
    }
  }

  private change(verb: 'add' | 'remove', machine: Machine, id: number): void {
    const { directoryId, endpoints } = voter(id)
    const key = { clusterId: 'cluster', voterId: id, voterDirectoryId: directoryId! }
    const more = { timeoutMs: 1000, listeners: endpoints, ackWhenCommitted: true }
    const api = verb === 'add' ? 'AddRaftVoter' : 'RemoveRaftVoter'
    const request = verb === 'add' ? { ...key, ...more } : key
    const ticket = this.nextTicket++
    this.open.set(ticket, (response) => {
      const { errorCode, errorMessage } = response as { errorCode: number; errorMessage: string }
      const why = errorMessage === null ? '' : `: ${errorMessage}`
      this.lines.push(`  ${machine.id}: answers ${verb} ${id}: ${errorName(errorCode)}${why}`)
    })
    const [version, listener] = [apis[api].valid.max, 'CONTROLLER']
    this.give(machine, { kind: 'request', ticket, api, version, listener, request } as RaftInput)
  }

  private snapshot(machine: Machine): void {
    const offset = machine.highWatermark
    const epoch = machine.disk.batches().findLast((batch) => batch.endOffset <= offset)!.epoch
    const file: SnapshotFile = { offset, epoch, bytes: 1500, quorum: this.bootstrap!.quorum }
    machine.disk.snapshots.push(file)
    this.give(machine, { kind: 'snapshotCreated', snapshot: file })
    machine.disk.trim(offset)
    const { snapshots } = machine.disk
    this.give(machine, { kind: 'logTrimmed', logStartOffset: offset, snapshots })
  }

  private give(machine: Machine, input: RaftInput): void {
    if (machine.raft === null) return
    const out: RaftEffect[] = []
    machine.raft.step(input, this.nowMs, out)
    for (const effect of out) this.carryOut(machine, effect)
  }

  private carryOut(machine: Machine, effect: RaftEffect): void {
    const { disk } = machine
    const say = (text: string) => this.lines.push(`  ${machine.id}: ${text}`)
    switch (effect.kind) {
      case 'persistQuorumState': {
        const { epoch, leaderId, votedKey } = effect.state
        disk.quorumState = encodeQuorumState(effect.state, effect.version, effect.voterIds)
        say(`persists epoch ${epoch}, leader ${leaderId ?? '-'}, voted ${votedKey?.id ?? '-'}`)
        return
      }
      case 'append': {
        const what = effect.control?.map((record) => record.type).join('+') ?? effect.payload
        disk.append(batchOf(effect))
        say(`appends ${effect.baseOffset} in epoch ${effect.epoch}: ${String(what)}`)
        return
      }
      case 'appendFetched':
        disk.append(effect.records)
        say(`appends ${effect.baseOffset}..${effect.endOffset - 1} as fetched`)
        return
      case 'truncate':
        disk.truncate(effect.offset)
        say(`truncates to ${effect.offset}`)
        return
      case 'flush':
        disk.flush()
        this.give(machine, { kind: 'flushed', logEndOffset: disk.endOffset })
        return
      case 'send':
        this.send(machine, effect)
        return
      case 'respond':
        this.reply(effect.ticket, effect.response)
        return
      case 'respondFetch': {
        const records = disk.read(effect.offset, effect.endOffset, effect.bytesMax)
        const topic = effect.response.responses![0]!
        const partitions = [{ ...topic.partitions![0]!, records }]
        this.reply(effect.ticket, { ...effect.response, responses: [{ ...topic, partitions }] })
        return
      }
      case 'respondSnapshot': {
        const topic = effect.response.topics![0]!
        const unalignedRecords = new Uint8Array(Math.min(1000, effect.bytesMax))
        const partitions = [{ ...topic.partitions![0]!, unalignedRecords }]
        this.reply(effect.ticket, { ...effect.response, topics: [{ ...topic, partitions }] })
        return
      }
      case 'snapshotWrite':
        say(`writes ${effect.bytes.length} bytes of a snapshot at ${effect.position}`)
        return
      case 'snapshotFinish': {
        const file: SnapshotFile = { ...effect.id, bytes: 1500, quorum: this.bootstrap!.quorum }
        disk.install(file)
        say(`replaces its log by snapshot ${effect.id.offset}-${effect.id.epoch}`)
        const quorumRecords = file.quorum
        this.give(machine, { kind: 'snapshotInstalled', snapshot: file, quorumRecords })
        return
      }
      case 'highWatermark':
        machine.highWatermark = effect.offset
        say(`high watermark ${effect.offset}`)
        return
      case 'leaderChanged':
        say(`epoch ${effect.epoch}, leader ${effect.leaderId ?? '-'}`)
        return
      case 'becameLeader':
        say(`is the active controller of epoch ${effect.epoch}`)
        return
      case 'resigned':
        say(`leads epoch ${effect.epoch} no more`)
        return
      case 'note':
        say(`notes: ${effect.text}`)
        return
      case 'notLeader':
        say('refuses: not the leader')
        return
      case 'snapshotBegin':
      case 'snapshotAbort':
      case 'proposed':
        return
    }
  }

  private send(machine: Machine, effect: Extract<RaftEffect, { kind: 'send' }>): void {
    const { api, requestId } = effect
    const target = this.machines.get(Number(effect.to.host.slice('node'.length)))!
    const table: Api = apis[api] as never
    const version = table.valid.max
    const request = recode(table.request, version, effect.request)
    const { incarnation } = machine
    const returned = (response: object) => {
      const answered = recode(table.response, version, response)
      this.post(target.id, machine.id, `${api} ${responseText(answered)}`, () => {
        if (machine.incarnation !== incarnation) return
        this.give(machine, { kind: 'response', requestId, api, response: answered } as never)
      })
    }
    this.post(machine.id, target.id, `${api} ${requestText(api, request)}`, () => {
      if (api === 'ApiVersions') {
        returned({ supportedFeatures: [{ name: 'kraft.version', minVersion: 0, maxVersion: 1 }] })
        return
      }
      const ticket = this.nextTicket++
      this.open.set(ticket, returned)
      const listener = 'CONTROLLER'
      this.give(target, { kind: 'request', ticket, api, version, listener, request } as never)
    })
  }

  private reply(ticket: number, response: object): void {
    this.open.get(ticket)!(response)
    this.open.delete(ticket)
  }

  private post(from: number, to: number, text: string, deliver: () => void): void {
    if (this.machines.get(to)!.raft === null) return
    this.letters.push({ from, to, text, deliver })
  }
}

const countOf = (words: readonly string[], name: string) =>
  Number(words[words.indexOf(name) + 1] ?? 0) * (words.includes(name) ? 1 : 0)

const route = ({ from, to }: Letter) => `${from}>${to}`

function status({ id, raft, disk, highWatermark }: Machine): string {
  if (raft === null) return `${id} is down`
  const leader = raft.leaderId ?? '-'
  const log = `[${disk.startOffset},${disk.endOffset})`
  return `${id} ${raft.role}: epoch ${raft.epoch}, leader ${leader}, log ${log}, hw ${highWatermark}`
}

function recode(table: Message, version: number, value: object): object {
  return decode(table, version, encode(table, version, value as never)) as object
}

function partitionOf(message: Fields): Fields {
  const topics = (message['topics'] ?? message['responses']) as { partitions: Fields[] }[]
  return topics[0]?.partitions[0] ?? {}
}

function requestText(api: string, request: object): string {
  if (api === 'ApiVersions') return 'asks what it can run'
  const p = partitionOf(request as Fields)
  switch (api) {
    case 'Vote': {
      const what = p['preVote'] === true ? 'asks about' : 'asks for'
      return `${what} epoch ${p['replicaEpoch']}, log ends at ${p['lastOffset']}/${p['lastOffsetEpoch']}`
    }
    case 'Fetch':
      return `from ${p['fetchOffset']}/${p['lastFetchedEpoch']} in epoch ${p['currentLeaderEpoch']}`
    case 'FetchSnapshot':
      return `from byte ${p['position']}`
    default:
      return `epoch ${p['leaderEpoch']}, leader ${p['leaderId']}`
  }
}

function responseText(response: object): string {
  if ('supportedFeatures' in response) return 'answers kraft.version 0-1'
  const p = partitionOf(response as Fields)
  const leader = (p['currentLeader'] ?? p) as Fields
  const parts = [`answers epoch ${leader['leaderEpoch']}, leader ${leader['leaderId']}`]
  if (p['errorCode'] !== 0) parts.push(errorName(Number(p['errorCode'])))
  if ('voteGranted' in p) parts.push(p['voteGranted'] === true ? 'granted' : 'refused')
  const { divergingEpoch, snapshotId, records } = p as Record<string, Fields & Uint8Array>
  if (Number(divergingEpoch?.['epoch'] ?? -1) >= 0) {
    parts.push(`epoch ${divergingEpoch!['epoch']} ends at ${divergingEpoch!['endOffset']}`)
  }
  if (Number(snapshotId?.['epoch'] ?? -1) >= 0) {
    parts.push(`snapshot ${snapshotId!['endOffset']}-${snapshotId!['epoch']}`)
  }
  if (records !== undefined) parts.push(`${records.length} bytes, hw ${String(p['highWatermark'])}`)
  return parts.join(', ')
}

function batchOf(effect: Extract<RaftEffect, { kind: 'append' }>): Uint8Array {
  const { baseOffset, epoch, timestampMs, control } = effect
  if (control !== null) return encodeControlBatch(control, { baseOffset, epoch, timestampMs })
  const records = [{ value: new TextEncoder().encode(String(effect.payload)) }]
  return encodeBatch({ records, baseOffset, partitionLeaderEpoch: epoch, timestamp: timestampMs })
}
