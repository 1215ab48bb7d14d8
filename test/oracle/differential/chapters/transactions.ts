// Transactions: who may do what in which state, at every version of every api, and what is seen of it.

import { FindCoordinator } from '../../../../src/protocol/messages/classic_group.ts'
import { ListOffsets, OffsetFetch } from '../../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../../src/protocol/messages/produce_fetch.ts'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  DescribeProducers,
  DescribeTransactions,
  EndTxn,
  InitProducerId,
  ListTransactions,
  TxnOffsetCommit,
  WriteTxnMarkers,
} from '../../../../src/protocol/messages/transaction.ts'
import type { Outcome, Side } from '../sides.ts'
import type { Talk } from '../talk.ts'
import { batch } from './produce.ts'

const LOG = 'transacted'

export interface Producer {
  producerId: number
  producerEpoch: number
}

const NOBODY: Producer = { producerId: -1, producerEpoch: -1 }

/** A transactional id, with what each side has made of its producer. */
export class Transactional {
  readonly id: string
  private readonly log: string
  private readonly talk: Talk
  private readonly sides = new Map<Side, Producer>()
  private readonly sequences = new Map<Side, number>()

  constructor(talk: Talk, id: string, log = LOG) {
    this.talk = talk
    this.id = id
    this.log = log
  }

  of(side: Side, change: Partial<Producer> = {}): Producer {
    return { ...(this.sides.get(side) ?? NOBODY), ...change }
  }

  /** Until both sides have given it a producer id, without counting. */
  async init(timeoutMs = 60_000): Promise<void> {
    for (const side of [this.talk.kafka, this.talk.ottla]) {
      for (let left = 200; ; left--) {
        const body = { transactionalId: this.id, transactionTimeoutMs: timeoutMs }
        const outcome = await side.ask(InitProducerId, 4, body, 'broker')
        const answer = outcome.end === 'answered' ? (outcome.value as Producer & Failed) : null
        if (answer?.errorCode === 0) {
          const { producerId, producerEpoch } = answer
          this.sides.set(side, { producerId, producerEpoch })
          this.sequences.set(side, 0)
          break
        }
        if (left === 0) throw new Error(`${side.name}: no producer id for ${this.id}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  /** What each side has answered is its producer from here on, where it went well. */
  take(answers: { kafka: Outcome; ottla: Outcome }): void {
    for (const [side, outcome] of [
      [this.talk.kafka, answers.kafka],
      [this.talk.ottla, answers.ottla],
    ] as const) {
      const answer = outcome.end === 'answered' ? (outcome.value as Producer & Failed) : null
      if (answer?.errorCode !== 0 || answer.producerId < 0) continue
      const { producerId, producerEpoch } = answer
      const now = this.of(side)
      const isSame = now.producerId === producerId && now.producerEpoch === producerEpoch
      if (!isSame) this.sequences.set(side, 0)
      this.sides.set(side, { producerId, producerEpoch })
    }
  }

  add(
    label: string,
    range: string,
    change: Partial<Producer> = {},
    partitions = [0],
    name = this.log,
  ) {
    return this.talk.ask(`txn: add ${label}`, AddPartitionsToTxn, range, (version, side) => {
      const { producerId, producerEpoch } = this.of(side, change)
      const topics = [{ name, partitions }]
      if (version < 4) {
        return {
          v3AndBelowTransactionalId: this.id,
          v3AndBelowProducerId: producerId,
          v3AndBelowProducerEpoch: producerEpoch,
          v3AndBelowTopics: topics,
        }
      }
      const transactionalId = this.id
      return {
        transactions: [{ transactionalId, producerId, producerEpoch, verifyOnly: false, topics }],
      }
    })
  }

  verify(label: string, change: Partial<Producer> = {}, partitions = [0]) {
    return this.talk.ask(`txn: verify ${label}`, AddPartitionsToTxn, '4-5', (_, side) => ({
      transactions: [
        {
          transactionalId: this.id,
          ...this.of(side, change),
          verifyOnly: true,
          topics: [{ name: this.log, partitions }],
        },
      ],
    }))
  }

  /** `moves`: what was written is counted, so that the next one follows. */
  async produce(label: string, range: string, change: Partial<Producer> = {}, moves = false) {
    await this.talk.ask(`txn: produce ${label}`, Produce, range, (version, side) => {
      const baseSequence = this.sequences.get(side) ?? 0
      if (moves) this.sequences.set(side, baseSequence + 1)
      const records = batch({
        values: ['a'],
        isTransactional: true,
        ...this.of(side, change),
        baseSequence,
      })
      const data = version >= 13 ? { topicId: side.idOf(this.log) } : { name: this.log }
      return {
        transactionalId: this.id,
        acks: -1,
        timeoutMs: 5000,
        topicData: [{ ...data, partitionData: [{ index: 0, records }] }],
      }
    })
  }

  end(label: string, range: string, committed: boolean, change: Partial<Producer> = {}) {
    return this.talk.ask(`txn: end ${label}`, EndTxn, range, (_, side) => ({
      transactionalId: this.id,
      ...this.of(side, change),
      committed,
    }))
  }

  /** Ends it on both sides and waits for the markers; the epoch of what comes next is known. */
  async settle(): Promise<void> {
    await this.talk.settle(
      DescribeTransactions,
      0,
      { transactionalIds: [this.id] },
      ({ transactionStates }: { transactionStates: { transactionState: string }[] }) =>
        /^(Complete|Empty)/.test(transactionStates[0]!.transactionState),
    )
  }

  addOffsets(label: string, change: Partial<Producer> = {}) {
    return this.talk.ask(`txn: offsets of ${label}`, AddOffsetsToTxn, '0-4', (_, side) => ({
      transactionalId: this.id,
      ...this.of(side, change),
      groupId: 'g-txn',
    }))
  }

  commit(label: string, range: string, change: Partial<Producer> = {}, more = {}) {
    return this.talk.ask(`txn: commit ${label}`, TxnOffsetCommit, range, (_, side) => ({
      transactionalId: this.id,
      groupId: 'g-txn',
      ...this.of(side, change),
      topics: [
        {
          name: this.log,
          partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: 'm' }],
        },
        {
          name: 'nowhere',
          partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: null }],
        },
      ],
      ...more,
    }))
  }

  /** As the questions above, wrong by what each side's own producer makes of it. */
  addBy(
    label: string,
    range: string,
    wrong: (side: Side) => Partial<Producer>,
    partitions: number[],
  ) {
    return this.talk.ask(`${label}: add`, AddPartitionsToTxn, range, (_, side) => {
      const { producerId, producerEpoch } = this.of(side, wrong(side))
      return {
        v3AndBelowTransactionalId: this.id,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: this.log, partitions }],
      }
    })
  }

  async produceBy(label: string, range: string, wrong: (side: Side) => Partial<Producer>) {
    const sent = new Map<Side, number>()
    const answers = await this.talk.ask(`${label}: produce`, Produce, range, (_, side) => {
      const baseSequence = this.sequences.get(side) ?? 0
      sent.set(side, baseSequence)
      const who = this.of(side, wrong(side))
      const records = batch({ values: ['s'], isTransactional: true, ...who, baseSequence })
      return {
        transactionalId: this.id,
        acks: -1,
        timeoutMs: 5000,
        topicData: [{ name: this.log, partitionData: [{ index: 0, records }] }],
      }
    })
    for (const [side, outcome] of [
      [this.talk.kafka, answers.kafka],
      [this.talk.ottla, answers.ottla],
    ] as const) {
      if (outcome.end !== 'answered' || Object.keys(wrong(side)).length > 0) continue
      const { responses } = outcome.value as {
        responses: { partitionResponses: Failed[] }[]
      }
      const isWritten = responses[0]!.partitionResponses[0]!.errorCode === 0
      if (isWritten) this.sequences.set(side, sent.get(side)! + 1)
    }
  }

  commitBy(label: string, range: string, wrong: (side: Side) => Partial<Producer>) {
    return this.talk.ask(`${label}: commit offsets`, TxnOffsetCommit, range, (_, side) => ({
      transactionalId: this.id,
      groupId: 'g-txn',
      ...this.of(side, wrong(side)),
      topics: [
        {
          name: this.log,
          partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: 'm' }],
        },
      ],
    }))
  }

  endBy(
    label: string,
    range: string,
    committed: boolean,
    wrong: (side: Side) => Partial<Producer>,
  ) {
    return this.talk.ask(`${label}: end ${committed}`, EndTxn, range, (_, side) => ({
      transactionalId: this.id,
      ...this.of(side, wrong(side)),
      committed,
    }))
  }

  /** Waits until nothing is being ended, on both sides. */
  async settleIfEnding(): Promise<void> {
    await this.talk.settle(
      DescribeTransactions,
      0,
      { transactionalIds: [this.id] },
      ({ transactionStates }: { transactionStates: { transactionState: string }[] }) =>
        !transactionStates[0]!.transactionState.startsWith('Prepare'),
    )
  }

  describe(label: string) {
    return this.talk.ask(`txn: describe ${label}`, DescribeTransactions, '0', {
      transactionalIds: [this.id],
    })
  }
}

interface Failed {
  errorCode: number
}

export async function transactions(talk: Talk): Promise<void> {
  await talk.haveTopics([{ name: LOG, numPartitions: 2 }])
  const isFound = ({ coordinators }: { coordinators: Failed[] }) => coordinators[0]!.errorCode === 0
  for (const [keyType, key] of [
    [1, 'tx'],
    [0, 'g-txn'],
  ] as const) {
    await talk.settle(FindCoordinator, 4, { keyType, coordinatorKeys: [key] }, isFound)
  }
  await talk.ask('txn: coordinator', FindCoordinator, '1-3', { keyType: 1, key: 'tx' })
  await ids(talk)
  await states(talk)
  await offsets(talk)
  await seen(talk)
  await markers(talk)
  await takenOver(talk)
}

async function ids(talk: Talk): Promise<void> {
  const tx = new Transactional(talk, 'tx-ids')
  await tx.init()
  const init = (label: string, range: string, more: (side: Side) => object) =>
    talk.ask(`txn: init ${label}`, InitProducerId, range, (_, side) => ({
      transactionalId: 'tx-ids',
      transactionTimeoutMs: 60_000,
      ...more(side),
    }))
  for (const transactionTimeoutMs of [0, -1, 900_001]) {
    await init(`timeout ${transactionTimeoutMs}`, '0-5', () => ({ transactionTimeoutMs }))
  }
  await init('old epoch', '3-5', (side) => tx.of(side, { producerEpoch: -1 }))
  await init('as it is', '4', (side) => tx.of(side))
  await init('as it was', '4', (side) => tx.of(side))
  await init('future epoch', '3-5', (side) => tx.of(side, { producerEpoch: 77 }))
  await init('another id', '3-5', (side) => tx.of(side, { producerId: 77_777 }))
  await tx.describe('after init')
}

async function states(talk: Talk): Promise<void> {
  const tx = new Transactional(talk, 'tx-states')
  const stranger = new Transactional(talk, 'tx-nobody')
  await stranger.add('unknown id', '0-5')
  await stranger.verify('unknown id')
  await stranger.end('unknown id', '0-5', true)
  await stranger.describe('unknown id')
  await tx.init()
  const wrongs: [string, Partial<Producer>][] = [
    ['another producer', { producerId: 77_777 }],
    ['old epoch', { producerEpoch: -1 }],
    ['future epoch', { producerEpoch: 9 }],
  ]
  for (const [label, change] of wrongs) {
    await tx.add(label, '0-5', change)
    await tx.verify(label, change)
    await tx.produce(label, '11-13', change)
    await tx.end(label, '0-5', true, change)
  }
  await tx.end('commit of nothing', '0-5', true)
  await tx.end('abort of nothing', '0-4', false)
  await tx.add('unknown partition', '0-5', {}, [0, 9])
  await tx.add('unknown topic', '0-5', {}, [0], 'nowhere')
  await tx.produce('not added', '3-11')
  await tx.describe('empty')
  await tx.add('good', '0-5')
  await tx.verify('good')
  await tx.verify('another partition', {}, [0, 1])
  await tx.produce('good', '3-13', {}, true)
  await tx.describe('ongoing')
  for (const [label, change] of wrongs) await tx.end(`${label}, open`, '0-5', false, change)
  await tx.end('commit', '4', true)
  await tx.settle()
  await tx.end('commit again', '0-4', true)
  await tx.end('abort after commit', '0-4', false)
  await tx.produce('after the end', '3-11')
  await tx.describe('committed')
  await tx.add('after commit', '3')
  await tx.end('abort', '3', false)
  await tx.settle()
  await tx.end('abort again', '0-4', false)
  await tx.end('commit after abort', '0-4', true)
  await tx.describe('aborted')
}

async function offsets(talk: Talk): Promise<void> {
  const tx = new Transactional(talk, 'tx-offsets')
  await tx.init()
  await tx.commit('not added', '0-4')
  const wrongs: [string, Partial<Producer>][] = [
    ['another producer', { producerId: 77_777 }],
    ['old epoch', { producerEpoch: -1 }],
  ]
  for (const [label, change] of wrongs) {
    await tx.addOffsets(label, change)
    await tx.commit(label, '0-5', change)
  }
  await tx.addOffsets('good')
  await tx.commit('good', '0-5')
  await tx.commit('of a generation', '3-5', {}, { generationId: 5, memberId: 'm' })
  await tx.commit('for nobody', '0-5', {}, { groupId: '' })
  const fetch = (label: string) =>
    talk.ask(`txn: fetch ${label}`, OffsetFetch, '8', {
      requireStable: label.includes('stable'),
      groups: [{ groupId: 'g-txn', topics: [{ name: LOG, partitionIndexes: [0, 1] }] }],
    })
  await fetch('pending')
  await fetch('pending, stable')
  await tx.end('offsets', '4', true)
  await tx.settle()
  await fetch('done, stable')
}

async function seen(talk: Talk): Promise<void> {
  const read = (label: string, isolationLevel: number, fetchOffset: number) =>
    talk.ask(`txn: read ${label}`, Fetch, '4-12', {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 100_000,
      isolationLevel,
      sessionEpoch: -1,
      topics: [
        { topic: LOG, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000 }] },
      ],
    })
  const list = (label: string, timestamp: bigint) =>
    talk.ask(`txn: list ${label}`, ListOffsets, '2-7', {
      replicaId: -1,
      isolationLevel: 1,
      topics: [{ name: LOG, partitions: [{ partitionIndex: 0, timestamp }] }],
    })
  await read('committed', 1, 0)
  const tx = new Transactional(talk, 'tx-seen')
  await tx.init()
  await tx.add('to be aborted', '3')
  await tx.produce('to be aborted', '9', {}, true)
  for (const isolationLevel of [0, 1]) await read(`open ${isolationLevel}`, isolationLevel, 12)
  await list('latest, open', -1n)
  await list('earliest, open', -2n)
  await tx.end('seen', '3', false)
  await tx.settle()
  for (const offset of [0, 12, 13]) await read(`aborted from ${offset}`, 1, offset)
  await list('latest', -1n)
}

async function markers(talk: Talk): Promise<void> {
  const tx = new Transactional(talk, 'tx-markers')
  for (let epoch = 0; epoch <= 1; epoch++) await tx.init()
  await tx.add('hanging', '3')
  await tx.produce('hanging', '9', {}, true)
  const list = (label: string, range: string, filter: object) =>
    talk.ask(`txn: list ${label}`, ListTransactions, range, filter)
  await list('ongoing', '0-2', { stateFilters: ['Ongoing'] })
  await list('unknown states', '0-2', { stateFilters: ['Odd', 'Ongoing', 'Even'] })
  await list('only unknown states', '0-2', { stateFilters: ['Odd'] })
  await list('long', '1-2', { durationFilter: 3_600_000n })
  await list('pattern', '2', { transactionalIdPattern: 'tx-m.*' })
  await list('part of a name', '2', { transactionalIdPattern: 'tx-m' })
  await list('spoilt pattern', '2', { transactionalIdPattern: '(' })
  await talk.ask('txn: producers', DescribeProducers, '0', {
    topics: [{ name: LOG, partitionIndexes: [1, 9] }],
  })
  const write = (label: string, change: Partial<Producer>, coordinatorEpoch: number) =>
    talk.ask(`txn: marker ${label}`, WriteTxnMarkers, '1', (_, side) => ({
      markers: [
        {
          ...tx.of(side, change),
          transactionResult: false,
          coordinatorEpoch,
          topics: [
            { name: LOG, partitionIndexes: [0, 9] },
            { name: 'nowhere', partitionIndexes: [0] },
          ],
        },
      ],
    }))
  await write('of an old epoch', { producerEpoch: 0 }, 0)
  await write('good', {}, 5)
  await write('of an old coordinator', {}, 4)
  await tx.describe('hanging')
}

/** Another producer takes the id while something is open: that is aborted, and the first is told until it is fenced. */
async function takenOver(talk: Talk): Promise<void> {
  const tx = new Transactional(talk, 'tx-taken')
  await tx.init()
  await tx.add('by the first', '3')
  const init = (label: string, of: (side: Side) => Partial<Producer>) =>
    talk.ask(`txn: take over ${label}`, InitProducerId, '4', (_, side) => ({
      transactionalId: 'tx-taken',
      transactionTimeoutMs: 60_000,
      ...of(side),
    }))
  await init('an open one', () => ({}))
  await tx.settle()
  await tx.describe('aborted for another')
  await tx.add('by the first, again', '0-5')
  await tx.end('commit of what was aborted', '0-5', true)
  await tx.end('abort of what was aborted', '0-5', false)
  await init('it back', (side) => tx.of(side))
  await init('what is aborted', () => ({}))
  await init('what is lost', (side) => tx.of(side))
  await tx.end('abort of what is lost', '0-5', false)
}
