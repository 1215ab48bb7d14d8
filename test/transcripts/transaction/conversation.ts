// Conversations between producers and the coordinator of their transactional id, as text: a command, four dashes, what
// happened. A line for each record that is stored, one for what is owed after it, one for each answer.
//
// Producers are single letters; all have the transactional id `tx`. What one is told of its id and epoch it uses from then on.
//
//   version N               the cluster's transaction.version, before anything else; producers speak the same unless told
//   init A [timeout MS] [speaking N]     takes the id over, as a producer that knows nothing
//   init A again            says which producer it is (KIP-360)
//   add A t:0,1             AddPartitionsToTxn, or what a Produce of version 12 does by itself
//   verify A t:0            what the leader of a partition asks before it takes a batch
//   commit A | abort A
//   unheard A               it did not hear the last answer: it is again who it was before
//   markers                 every partition has its marker
//   spend A N               N epochs are used up
//   time MS                 let time pass; transactions time out and ids expire when they are due
//   crash                   the coordinator dies; another reads the log
//   describe | list STATE

import { errorName } from '../../../src/protocol/errors.ts'
import {
  encodeTransactionRecord,
  type Transaction,
  type TransactionRecord,
  transactionOf,
} from '../../../src/transaction/records.ts'
import type { TransactionReply } from '../../../src/transaction/requests.ts'
import { TransactionBench } from '../../unit/transaction/bench.ts'
import { answered } from '../folder.ts'

/** Runs the commands of a script and prints what happened under each. */
export function converse(script: string): string {
  const conversation = new Conversation()
  return answered(script, (line) => conversation.run(line), '(nothing)')
}

interface Producer {
  readonly name: string
  identity: Identity
  /** Who it was before the last answer. */
  before: Identity
  timeoutMs: number
  version: number
}

interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

const NOBODY: Identity = { producerId: -1, producerEpoch: -1 }
const ID = 'tx'

class Conversation {
  private readonly bench = new TransactionBench()
  private readonly producers = new Map<string, Producer>()
  private lines: string[] = []
  private sinceMs = this.bench.nowMs
  private isSilent = false

  constructor() {
    this.bench.restart()
    this.bench.onRecord = (record) => this.store(record)
  }

  run(line: string): string[] {
    this.lines = []
    const [verb, ...words] = line.split(' ')
    this.command(verb!, words)
    for (const id of this.bench.owed.splice(0)) this.say(`markers are owed for ${id}`)
    return this.lines
  }

  private command(verb: string, words: string[]): void {
    const { bench } = this
    switch (verb) {
      case 'version':
        bench.serverVersion = Number(words[0])
        return this.say(`transaction.version is ${words[0]}`)
      case 'init':
        return this.init(this.producer(words[0]!), words.slice(1))
      case 'add':
      case 'verify':
        return this.add(this.producer(words[0]!), words[1]!, verb === 'verify')
      case 'commit':
      case 'abort':
        return this.end(this.producer(words[0]!), verb === 'commit')
      case 'unheard':
        return this.forgetAnswer(this.producer(words[0]!))
      case 'markers':
        return this.markers()
      case 'spend':
        return this.spend(this.producer(words[0]!), Number(words[1]))
      case 'time':
        this.sinceMs = bench.nowMs
        bench.advance(Number(words[0]))
        this.sinceMs = bench.nowMs
        return
      case 'crash':
        bench.restart()
        return this.say(`read from the log: ${this.stateOf(bench.get())}`)
      case 'describe':
        return this.describe()
      case 'list':
        return this.list(words)
      default:
        throw new Error(`no such command: ${verb}`)
    }
  }

  private producer(name: string): Producer {
    const known = this.producers.get(name)
    if (known !== undefined) return known
    const version = this.bench.serverVersion
    const producer = { name, identity: NOBODY, before: NOBODY, timeoutMs: 60_000, version }
    this.producers.set(name, producer)
    return producer
  }

  private init(producer: Producer, words: string[]): void {
    for (const [at, word] of words.entries()) {
      if (word === 'timeout') producer.timeoutMs = Number(words[at + 1])
      if (word === 'speaking') producer.version = Number(words[at + 1])
    }
    this.take(producer, {
      kind: 'initProducerId',
      timeoutMs: producer.timeoutMs,
      expected: words.includes('again') ? producer.identity : null,
    })
  }

  private end(producer: Producer, isCommit: boolean): void {
    this.take(producer, {
      kind: 'endTransaction',
      producer: { transactionalId: ID, ...producer.identity },
      isCommit,
      transactionVersion: producer.version,
    })
  }

  /** Asks what is answered with who the producer is from here on. */
  private take(producer: Producer, request: IdentityRequest): void {
    const whole = { transactionalId: ID, freshProducerId: null as number | null, ...request }
    let reply = this.bench.ask(whole)
    if (reply.kind === 'producerIdNeeded') {
      reply = this.bench.ask({ ...whole, freshProducerId: this.bench.freshId() })
    }
    if (reply.kind !== 'initProducerId' && reply.kind !== 'endTransaction') {
      throw new Error(reply.kind)
    }
    this.hear(producer, reply)
  }

  private hear(producer: Producer, reply: Extract<TransactionReply, { producerId: number }>): void {
    const { errorCode, producerId, producerEpoch } = reply
    if (errorCode !== 0) return this.say(`${producer.name} hears ${errorName(errorCode)}`)
    producer.before = producer.identity
    producer.identity = { producerId, producerEpoch }
    this.say(`${producer.name} hears that it is ${nameOf(producer.identity)}`)
  }

  private add(producer: Producer, said: string, verifyOnly: boolean): void {
    const [topic, numbers] = said.split(':')
    const reply = this.bench.ask({
      kind: 'addPartitions',
      producer: { transactionalId: ID, ...producer.identity },
      topics: [{ topic: topic!, partitionIds: numbers!.split(',').map(Number) }],
      verifyOnly,
      transactionVersion: producer.version,
    })
    if (reply.kind !== 'addPartitions') throw new Error(reply.kind)
    const who = verifyOnly ? `${topic} hears of ${producer.name}` : `${producer.name} hears`
    const single = reply.errors.flatMap(({ partitions }) =>
      partitions.map(({ partition, errorCode }) => `${partition} ${errorName(errorCode)}`),
    )
    this.say(`${who}: ${single.length > 0 ? single.join(', ') : errorName(reply.errorCode)}`)
  }

  private forgetAnswer(producer: Producer): void {
    producer.identity = producer.before
    this.say(`${producer.name} takes itself for ${nameOf(producer.identity)}`)
  }

  private markers(): void {
    const owed = this.bench.owedMarkers()
    if (owed === null) return
    const what = owed.isCommit ? 'COMMIT' : 'ABORT'
    const where = listed(owed.partitions)
    this.say(`${what} of ${nameOf(owed)} is written to ${where === '' ? 'nothing' : where}`)
    const { transactionalId, producerId, producerEpoch } = owed
    const producer = { transactionalId, producerId, producerEpoch }
    this.bench.ask({ kind: 'markersWritten', producer })
  }

  private spend(producer: Producer, count: number): void {
    this.isSilent = true
    for (let i = 0; i < count; i++) this.init(producer, ['again'])
    this.isSilent = false
    this.say(`${producer.name} is ${nameOf(producer.identity)}`)
  }

  private describe(): void {
    const reply = this.bench.ask({ kind: 'describe', transactionalId: ID })
    if (reply.kind === 'describe') this.say(this.stateOf(reply.transaction ?? undefined))
  }

  private list(states: string[]): void {
    const filter = { states, producerIds: [], durationMs: -1, matches: () => true }
    const reply = this.bench.ask({ kind: 'list', filter })
    if (reply.kind !== 'list') throw new Error(reply.kind)
    const names = reply.transactions.map(({ transactionalId }) => transactionalId)
    this.say(`listed: ${names.join(' ') || 'nothing'}`)
  }

  private store(record: TransactionRecord): void {
    // As it is read back.
    encodeTransactionRecord(record)
    const { transactionalId } = record.key
    const what =
      record.value === null
        ? `${transactionalId} is forgotten`
        : this.stateOf(transactionOf(record.value))
    this.say(`stored: ${what}`)
  }

  private stateOf(transaction: Transaction | undefined): string {
    if (transaction === undefined) return `${ID} is not known`
    const { state, partitions, nextProducerId } = transaction
    const within = listed(partitions)
    const next = nextProducerId < 0 ? '' : `, ${nextProducerId} takes over`
    return `${ID} is ${state}, ${nameOf(transaction)}${within === '' ? '' : ` with ${within}`}${next}`
  }

  private say(line: string): void {
    if (this.isSilent) return
    const ms = this.bench.nowMs - this.sinceMs
    this.lines.push(`  ${ms > 0 ? `after ${ms} ms: ` : ''}${line}`)
  }
}

type IdentityRequest =
  | { kind: 'initProducerId'; timeoutMs: number; expected: Identity | null }
  | {
      kind: 'endTransaction'
      producer: Identity & { transactionalId: string }
      isCommit: boolean
      transactionVersion: number
    }

function nameOf({ producerId, producerEpoch }: Identity): string {
  return producerId < 0 ? 'nobody' : `producer ${producerId} epoch ${producerEpoch}`
}

function listed(topics: Transaction['partitions']): string {
  return topics.map(({ topic, partitionIds }) => `${topic}:${partitionIds.join(',')}`).join(' ')
}
