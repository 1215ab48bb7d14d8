// A scripted history of compacted topics: what is produced, deleted and ended, stage by stage, the same from a seed for
// every broker that it is told to. Keys come again and again, values are missing, batches have every codec, idempotent
// producers and transactions write, some of which end a stage later.

import { Random } from '../../../src/lib/random.ts'
import { compress } from '../../../src/plane/native_codecs.ts'
import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { DeleteRecords } from '../../../src/protocol/messages/offsets.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  AddPartitionsToTxn,
  DescribeTransactions,
  EndTxn,
  InitProducerId,
} from '../../../src/protocol/messages/transaction.ts'
import {
  type BatchInput,
  COMPRESSION,
  encodeBatch,
  type RecordInput,
} from '../../../src/protocol/record_batch.ts'
import { eventually } from '../support/eventually.ts'
import { produceBody } from '../support/harness.ts'
import type { RawClient } from '../support/raw_client.ts'

export const STAGES = 4
const TOPICS = 6
const RECORDS = 10_000
const HOUR = 3_600_000
const RETRIED = new Set<number>([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
])

/** One step of a topic's history. */
export type Step =
  | { readonly kind: 'batch'; readonly input: BatchInput; readonly isTransactional: boolean }
  | { readonly kind: 'begin' }
  | { readonly kind: 'end'; readonly committed: boolean }
  | { readonly kind: 'delete'; readonly share: number }

export interface TopicHistory {
  readonly name: string
  readonly configs: Readonly<Record<string, string>>
  readonly stages: readonly (readonly Step[])[]
}

/** The whole history of a seed; `now` is what its timestamps are before. */
export function historyOf(seed: number, now: number): TopicHistory[] {
  const random = new Random(seed)
  return Array.from({ length: TOPICS }, (_, at) => {
    const script = new Script(random, now)
    const records = Math.ceil(RECORDS / TOPICS / STAGES)
    const stages = Array.from({ length: STAGES }, (_unused, stage) =>
      script.stage(records, stage + 1 === STAGES),
    )
    return {
      name: `compacted-${at}`,
      configs: {
        'cleanup.policy': random.pick(['compact', 'compact', 'compact,delete']),
        'internal.segment.bytes': String(random.pick([2000, 5000, 20_000])),
        'delete.retention.ms': String(random.pick([0, 0, 24 * HOUR])),
        'min.compaction.lag.ms': String(random.pick([0, 0, 0, HOUR])),
        // Recompressed as well. Codecs' sizes are not the same everywhere, and segments would end elsewhere.
        'compression.type': random.pick(['producer', 'uncompressed']),
      },
      stages,
    }
  })
}

/** What is drawn for one topic. */
class Script {
  private readonly random: Random
  private readonly now: number
  private readonly keys: number
  private readonly sequences = new Map<number, number>()
  private isOpen = false

  constructor(random: Random, now: number) {
    this.random = random
    this.now = now
    this.keys = random.pick([5, 50, 400])
  }

  stage(records: number, isLast: boolean): Step[] {
    const { random } = this
    const steps: Step[] = []
    for (let left = records; left > 0; ) {
      const count = Math.min(left, random.nextInt(1, 25))
      left -= count
      if (random.ratio(1, 6)) steps.push(...this.turn())
      steps.push(this.batch(count))
    }
    if (random.ratio(1, 3)) steps.push({ kind: 'delete', share: random.nextFloat() / 2 })
    if (this.isOpen && (isLast || random.ratio(2, 3))) steps.push(...this.turn())
    return steps
  }

  /** Begins a transaction, or ends the one that is open. */
  private turn(): Step[] {
    this.isOpen = !this.isOpen
    if (this.isOpen) return [{ kind: 'begin' }]
    return [{ kind: 'end', committed: this.random.ratio(1, 2) }]
  }

  private batch(count: number): Step {
    const { random } = this
    const isTransactional = this.isOpen && random.ratio(1, 2)
    const records = Array.from({ length: count }, () => this.record())
    const input = { records, compression: random.pick(COMPRESSION), compress }
    if (isTransactional || random.ratio(1, 2)) return { kind: 'batch', input, isTransactional }
    const producerId = 100_000 + random.nextInt(3)
    const baseSequence = this.sequences.get(producerId) ?? 0
    this.sequences.set(producerId, baseSequence + count)
    const idempotent = { ...input, producerId, producerEpoch: 0, baseSequence }
    return { kind: 'batch', input: idempotent, isTransactional }
  }

  private record(): RecordInput {
    const { random } = this
    const value = 'v'.repeat(random.nextInt(80)) + random.nextUint32()
    return {
      key: Buffer.from(`key ${random.nextInt(this.keys)}`),
      value: random.ratio(1, 5) ? null : Buffer.from(value),
      // Far from an hour, so that a lag of one says the same to whoever asks.
      timestamp: this.now - random.pick([0, 3 * HOUR, 4 * HOUR]) - random.nextInt(600_000),
      headers: Array.from({ length: random.nextInt(3) }, (_, at) => ({
        key: `h${at}`,
        value: random.ratio(1, 4) ? null : Buffer.from(String(random.nextUint32())),
      })),
    }
  }
}

interface State {
  producerId: number
  producerEpoch: number
  sequence: number
  isOpen: boolean
  end: number
}

/** Who plays histories into one directory, whatever broker runs it. */
export class Player {
  client!: RawClient
  private readonly topics = new Map<string, State>()

  /** Plays one stage of a topic. */
  async play({ name, stages }: TopicHistory, stage: number): Promise<void> {
    for (const step of stages[stage]!) {
      if (step.kind === 'begin') await this.begin(name)
      else if (step.kind === 'end') await this.finish(name, step.committed)
      else if (step.kind === 'delete') await this.remove(name, step.share)
      else await this.put(name, step.input, step.isTransactional)
    }
  }

  /** Whether a transaction of the topic goes on. */
  isOpen(name: string): boolean {
    return this.of(name).isOpen
  }

  private of(name: string): State {
    let state = this.topics.get(name)
    if (state === undefined) {
      state = { producerId: -1, producerEpoch: -1, sequence: 0, isOpen: false, end: 0 }
      this.topics.set(name, state)
    }
    return state
  }

  private async begin(name: string): Promise<void> {
    const state = this.of(name)
    const transactionalId = idOf(name)
    const { producerId, producerEpoch } = await settled(() =>
      this.client.ask(InitProducerId, 4, { transactionalId, transactionTimeoutMs: 900_000 }),
    )
    Object.assign(state, { producerId, producerEpoch, sequence: 0, isOpen: true })
    await settled(async () => {
      const { resultsByTopicV3AndBelow } = await this.client.ask(AddPartitionsToTxn, 3, {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name, partitions: [0] }],
      })
      const { partitionErrorCode } = resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!
      return { errorCode: partitionErrorCode }
    })
  }

  /** Ends it, and waits for the marker, so that what comes next lies behind it. */
  private async finish(name: string, committed: boolean): Promise<void> {
    const state = this.of(name)
    const { producerId, producerEpoch } = state
    const transactionalId = idOf(name)
    await settled(() =>
      this.client.ask(EndTxn, 3, { transactionalId, producerId, producerEpoch, committed }),
    )
    await eventually(async () => {
      const { transactionStates } = await this.client.ask(DescribeTransactions, 0, {
        transactionalIds: [transactionalId],
      })
      return /^Complete/.test(transactionStates[0]!.transactionState) || undefined
    })
    state.isOpen = false
    state.end += 1
  }

  private async remove(name: string, share: number): Promise<void> {
    const offset = BigInt(Math.trunc(this.of(name).end * share))
    const { topics } = await this.client.ask(DeleteRecords, 2, {
      topics: [{ name, partitions: [{ partitionIndex: 0, offset }] }],
      timeoutMs: 30_000,
    })
    // Where nothing but compaction deletes, nobody may.
    const { errorCode } = topics[0]!.partitions[0]!
    if (errorCode !== ErrorCode.POLICY_VIOLATION) expectNone(errorCode)
  }

  private async put(name: string, input: BatchInput, isTransactional: boolean): Promise<void> {
    const state = this.of(name)
    const { producerId, producerEpoch, sequence: baseSequence } = state
    const own = isTransactional ? { isTransactional, producerId, producerEpoch, baseSequence } : {}
    const { responses } = await this.client.ask(Produce, 9, {
      ...produceBody(name, 0, encodeBatch({ ...input, ...own })),
      transactionalId: isTransactional ? idOf(name) : null,
    })
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
    expectNone(errorCode)
    if (Number(baseOffset) !== state.end)
      throw new Error(`${name}: ${baseOffset}, not ${state.end}`)
    if (isTransactional) state.sequence += input.records.length
    state.end += input.records.length
  }
}

const idOf = (topic: string): string => `writer of ${topic}`

function expectNone(errorCode: number): void {
  if (errorCode !== ErrorCode.NONE) throw new Error(errorName(errorCode))
}

/** Asks until the coordinator is ready for it. */
async function settled<T extends { readonly errorCode: number }>(
  ask: () => Promise<T>,
): Promise<T> {
  return await eventually(async () => {
    const answer = await ask()
    if (RETRIED.has(answer.errorCode)) return undefined
    expectNone(answer.errorCode)
    return answer
  }, 60_000)
}
