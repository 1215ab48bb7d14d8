// Our own cleaner at work on __consumer_offsets and __transaction_state: after a start at any moment, the groups, their members
// and offsets, and the transactions are those that were there before it.
//
// CLEANING_ROUNDS=50 looks longer, CLEANING_SEED repeats one.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import {
  DeleteGroups,
  DescribeGroups,
  FindCoordinator,
  ListGroups,
} from '../../../src/protocol/messages/classic_group.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
} from '../../../src/protocol/messages/consumer_group.ts'
import { OffsetCommit, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  DescribeTransactions,
  EndTxn,
  InitProducerId,
  ListTransactions,
  TxnOffsetCommit,
} from '../../../src/protocol/messages/transaction.ts'
import { eventually } from '../support/eventually.ts'
import { Bench } from '../support/harness.ts'

const ROUNDS = Number(process.env['CLEANING_ROUNDS'] ?? 3)
const SEED = Number(process.env['CLEANING_SEED'] ?? Date.now() % 1_000_000)
const STEPS = 60
const GROUPS = ['g0', 'g1', 'g2', 'g3']
const WRITERS = ['w0', 'w1', 'w2']
const CONFIG = {
  'offsets.topic.num.partitions': 2,
  'transaction.state.log.num.partitions': 2,
  'log.cleaner.backoff.ms': 100,
  'log.cleaner.min.cleanable.ratio': 0.001,
  'log.cleaner.delete.retention.ms': 10,
  'group.consumer.session.timeout.ms': 45_000,
}
const INTERNAL = ['__consumer_offsets', '__transaction_state']
const RETRIED = new Set<number>([
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.CONCURRENT_TRANSACTIONS,
])

/** Asks until the coordinator can answer. */
async function settled<T>(ask: () => Promise<T>, code: (answer: T) => number): Promise<T> {
  return await eventually(async () => {
    const answer = await ask()
    return RETRIED.has(code(answer)) ? undefined : answer
  })
}

/** A random life of groups and transactions. */
class Life {
  bench!: Bench
  private readonly random: Random
  private readonly writers = new Map<
    string,
    { producerId: number; producerEpoch: number; isOpen: boolean }
  >()
  private memberEpoch = 0
  private offset = 0

  constructor(random: Random) {
    this.random = random
  }

  async step(): Promise<void> {
    const { random } = this
    const what = random.nextInt(12)
    if (what < 5) await this.commit(random.pick(GROUPS))
    else if (what < 6) await this.client(DeleteGroups, 2, { groupsNames: [random.pick(GROUPS)] })
    else if (what < 7) await this.heartbeat()
    else await this.transact(random.pick(WRITERS))
  }

  private get client(): Bench['client']['ask'] {
    return this.bench.client.ask.bind(this.bench.client)
  }

  private topics(offset: number) {
    const committedOffset = BigInt(offset)
    return [
      {
        name: 't',
        partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, committedOffset })),
      },
    ]
  }

  private async commit(groupId: string): Promise<void> {
    this.offset++
    await settled(
      () => this.client(OffsetCommit, 8, { groupId, topics: this.topics(this.offset) }),
      ({ topics }) => topics[0]!.partitions[0]!.errorCode,
    )
  }

  /** One member of a consumer group that comes and goes. */
  private async heartbeat(): Promise<void> {
    const leaves = this.memberEpoch > 0 && this.random.ratio(1, 2)
    const { errorCode, memberEpoch } = await settled(
      () =>
        this.client(ConsumerGroupHeartbeat, 1, {
          groupId: 'consumers',
          memberId: 'the-member-of-all-times',
          memberEpoch: leaves ? -1 : this.memberEpoch,
          rebalanceTimeoutMs: 60_000,
          subscribedTopicNames: ['t'],
          topicPartitions: [],
        }),
      (answer) => answer.errorCode,
    )
    expect(errorCode).toBe(ErrorCode.NONE)
    this.memberEpoch = Math.max(0, memberEpoch)
  }

  /** Begins a transaction, commits offsets in it, or ends it. */
  private async transact(transactionalId: string): Promise<void> {
    const { random } = this
    let writer = this.writers.get(transactionalId)
    if (writer === undefined || (!writer.isOpen && random.ratio(1, 5))) {
      const answer = await settled(
        () => this.client(InitProducerId, 4, { transactionalId, transactionTimeoutMs: 800_000 }),
        (one) => one.errorCode,
      )
      writer = { ...answer, isOpen: false }
      this.writers.set(transactionalId, writer)
    }
    const { producerId, producerEpoch } = writer
    if (writer.isOpen && random.ratio(1, 2)) {
      const end = { transactionalId, producerId, producerEpoch, committed: random.ratio(1, 2) }
      const { errorCode } = await settled(
        () => this.client(EndTxn, 3, end),
        (answer) => answer.errorCode,
      )
      expect(errorCode).toBe(ErrorCode.NONE)
      writer.isOpen = false
      return
    }
    writer.isOpen = true
    const groupId = `in-${transactionalId}`
    const added = await settled(
      () =>
        this.client(AddOffsetsToTxn, 3, { transactionalId, producerId, producerEpoch, groupId }),
      (answer) => answer.errorCode,
    )
    expect(added.errorCode).toBe(ErrorCode.NONE)
    await settled(
      () =>
        this.client(AddPartitionsToTxn, 3, {
          v3AndBelowTransactionalId: transactionalId,
          v3AndBelowProducerId: producerId,
          v3AndBelowProducerEpoch: producerEpoch,
          v3AndBelowTopics: [{ name: 't', partitions: [random.nextInt(2)] }],
        }),
      (answer) => answer.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode,
    )
    this.offset++
    await settled(
      () =>
        this.client(TxnOffsetCommit, 3, {
          transactionalId,
          groupId,
          producerId,
          producerEpoch,
          topics: this.topics(this.offset),
        }),
      ({ topics }) => topics[0]!.partitions[0]!.errorCode,
    )
  }

  /**
   * All that clients can learn of groups and transactions, once nothing is on its way. A group that only aborted
   * transactions wrote to is known until it expires, or until their records are compacted away: it is left out.
   */
  async known(): Promise<unknown> {
    const { groups, errorCode } = await this.client(ListGroups, 5, {})
    if (errorCode !== ErrorCode.NONE) return undefined
    const { groups: all } = await this.client(OffsetFetch, 8, {
      groups: groups.map(({ groupId }) => ({ groupId, topics: null })),
      requireStable: false,
    })
    const fetched = all
      .filter(({ groupId, topics }) => topics.length > 0 || !groupId.startsWith('in-'))
      .sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
    const ids = fetched.map(({ groupId }) => groupId)
    const { groups: classic } = await this.client(DescribeGroups, 5, { groups: ids })
    const { groups: consumers } = await this.client(ConsumerGroupDescribe, 1, { groupIds: ids })
    const { transactionStates: listed } = await this.client(ListTransactions, 1, {})
    const transactionalIds = listed.map((one) => one.transactionalId).sort()
    const { transactionStates } = await this.client(DescribeTransactions, 0, { transactionalIds })
    return {
      ids,
      classic,
      consumers,
      fetched,
      transactionStates,
    }
  }

  async settledState(): Promise<unknown> {
    return await eventually(async () => {
      const { transactionStates, errorCode } = await this.client(ListTransactions, 1, {})
      if (errorCode !== ErrorCode.NONE) return undefined
      const states = transactionStates.map(({ transactionState }) => transactionState)
      if (states.some((state) => state.startsWith('Prepare'))) return undefined
      return await this.known()
    })
  }
}

/** Where the compacted part ends, summed over the partitions of a topic. */
function compacted(directory: string, topic: string): number {
  const lines = readFileSync(join(directory, 'cleaner-offset-checkpoint'), 'utf8').split('\n')
  return lines
    .filter((line) => line.startsWith(`${topic} `))
    .reduce((sum, line) => sum + Number(line.split(' ')[2]), 0)
}

test('groups: cleaning: what is replayed after a start is what was there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-cleaning-'))
  const random = new Random(SEED)
  const life = new Life(random)
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await using bench = await Bench.start({ directory, config: CONFIG })
      life.bench = bench
      if (round === 0) {
        await bench.createTopic('t', 2)
        await found(bench)
        for (let at = 0; at < 20; at++) await life.step()
        await rollOften(bench)
      }
      const before = INTERNAL.map((topic) => (round === 0 ? 0 : compacted(directory, topic)))
      for (let at = random.nextInt(STEPS); at < STEPS; at++) await life.step()
      // Until something was compacted; the moment of the stop is still any.
      await eventually(async () => {
        await life.step()
        return INTERNAL.every((topic, at) => compacted(directory, topic) > before[at]!) || undefined
      })
      for (let at = random.nextInt(STEPS); at > 0; at--) await life.step()
      const expected = await life.settledState()
      await bench.broker.close()
      await using next = await Bench.start({ directory, config: CONFIG })
      life.bench = next
      expect(await life.settledState(), `seed ${SEED}, round ${round}`).toEqual(expected)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

/** Finding coordinators makes their topics. */
async function found(bench: Bench): Promise<void> {
  for (const keyType of [0, 1]) {
    await settled(
      () => bench.client.ask(FindCoordinator, 4, { keyType, coordinatorKeys: ['any'] }),
      ({ coordinators }) => coordinators[0]!.errorCode,
    )
  }
}

async function rollOften(bench: Bench): Promise<void> {
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: INTERNAL.map((resourceName) => ({
      resourceType: 2,
      resourceName,
      configs: [{ name: 'internal.segment.bytes', configOperation: 0, value: '700' }],
    })),
  })
  for (const { errorCode } of responses) expect(errorCode).toBe(ErrorCode.NONE)
}
