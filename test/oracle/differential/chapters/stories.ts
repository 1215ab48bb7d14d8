// Random stories: two transactional ids and a consumer group, what they ask drawn from a seed, good and wrong, every answer compared.
// An end is waited for before the next question, since how long markers take is nobody's promise. DIFF_SEED repeats others,
// DIFF_STORIES tells more of them.

import { Random } from '../../../../src/lib/random.ts'
import { FindCoordinator } from '../../../../src/protocol/messages/classic_group.ts'
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
} from '../../../../src/protocol/messages/consumer_group.ts'
import {
  ListOffsets,
  OffsetCommit,
  OffsetFetch,
} from '../../../../src/protocol/messages/offsets.ts'
import { Fetch } from '../../../../src/protocol/messages/produce_fetch.ts'
import { InitProducerId, ListTransactions } from '../../../../src/protocol/messages/transaction.ts'
import type { Side } from '../sides.ts'
import type { Talk } from '../talk.ts'
import { type Producer, Transactional } from './transactions.ts'

const LOG = 'storied'
const SEED = Number(process.env['DIFF_SEED'] ?? 301)
const STORIES = Number(process.env['DIFF_STORIES'] ?? 20)
const STEPS = 60

export async function stories(talk: Talk): Promise<void> {
  await talk.haveTopics([{ name: LOG, numPartitions: 2 }])
  const isFound = ({ coordinators }: { coordinators: { errorCode: number }[] }) =>
    coordinators[0]!.errorCode === 0
  for (const [keyType, key] of [
    [1, 'story'],
    [0, 'g-txn'],
  ] as const) {
    await talk.settle(FindCoordinator, 4, { keyType, coordinatorKeys: [key] }, isFound)
  }
  await isLoaded(talk, 'g-txn')
  for (let seed = SEED; seed < SEED + STORIES; seed++) {
    await transactional(talk, seed)
    await grouped(talk, seed)
  }
}

/** The coordinator of the group serves, on both sides. */
async function isLoaded(talk: Talk, groupId: string): Promise<void> {
  await talk.settle(
    OffsetFetch,
    8,
    { groups: [{ groupId, topics: [{ name: LOG, partitionIndexes: [0] }] }] },
    ({ groups }: { groups: { errorCode: number }[] }) => groups[0]!.errorCode === 0,
  )
}

const WAYS = 8
const WRONG = [', old epoch', ', future epoch', ', another producer']

/** Wrong in one way, mostly not at all. */
function change(way: number, { producerEpoch }: Producer): Partial<Producer> {
  switch (way) {
    case 0:
      return { producerEpoch: producerEpoch - 1 }
    case 1:
      return { producerEpoch: producerEpoch + 1 }
    case 2:
      return { producerId: 77_777 }
    default:
      return {}
  }
}

async function transactional(talk: Talk, seed: number): Promise<void> {
  const random = new Random(seed)
  const ids = ['a', 'b'].map((name) => new Transactional(talk, `story-${seed}-${name}`, LOG))
  for (const tx of ids) await tx.init()
  for (let step = 0; step < STEPS; step++) {
    const tx = random.pick(ids)
    const label = `story ${seed}, step ${step}`
    // The same for both sides: wrong by as much from what each of them has said.
    const way = random.nextInt(WAYS)
    await act(talk, tx, random, `${label}${WRONG[way] ?? ''}`, (side) => change(way, tx.of(side)))
    await tx.settleIfEnding()
  }
  for (const tx of ids) {
    await tx.end(`story ${seed}, end`, '4', false)
    await tx.settleIfEnding()
    await tx.describe(`story ${seed}, end`)
  }
}

async function act(
  talk: Talk,
  tx: Transactional,
  random: Random,
  label: string,
  wrong: (side: Side) => Partial<Producer>,
): Promise<void> {
  const version = random.pick(['4', '5'])
  switch (random.nextInt(10)) {
    case 0:
      return tx.take(
        await talk.ask(`${label}: init`, InitProducerId, '4', (_, side) => ({
          transactionalId: tx.id,
          transactionTimeoutMs: 60_000,
          ...tx.of(side),
          ...wrong(side),
        })),
      )
    case 1:
      return tx.take(
        await talk.ask(`${label}: take over`, InitProducerId, '4', {
          transactionalId: tx.id,
          transactionTimeoutMs: 60_000,
        }),
      )
    case 2:
    case 3:
      await tx.addBy(label, '3', wrong, [random.nextInt(2)])
      return
    case 4:
    case 5:
      await tx.produceBy(label, random.pick(['11', '12']), wrong)
      return
    case 6:
      await tx.commitBy(label, random.pick(['3', '5']), wrong)
      return
    case 7:
    case 8:
      return tx.take(await tx.endBy(label, version, random.ratio(1, 2), wrong))
    default:
      return look(talk, tx, label)
  }
}

/** What others see of it. */
async function look(talk: Talk, tx: Transactional, label: string): Promise<void> {
  await tx.describe(label)
  // One id: several of one partition come in the order of a hash in Kafka.
  await talk.ask(`${label}: list`, ListTransactions, '2', { transactionalIdPattern: tx.id })
  await talk.ask(`${label}: latest`, ListOffsets, '7', {
    replicaId: -1,
    isolationLevel: 1,
    topics: [{ name: LOG, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  })
  await talk.ask(`${label}: stable`, OffsetFetch, '8', {
    requireStable: true,
    groups: [{ groupId: 'g-txn', topics: [{ name: LOG, partitionIndexes: [0] }] }],
  })
  await talk.ask(`${label}: read`, Fetch, '12', {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1_000_000,
    isolationLevel: 1,
    sessionEpoch: -1,
    topics: [
      { topic: LOG, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] },
    ],
  })
}

/** One member at a time, so that nothing depends on when a target is computed. */
async function grouped(talk: Talk, seed: number): Promise<void> {
  const random = new Random(seed + 1000)
  for (let at = 0; at < 6; at++) {
    const group = `story-${seed}-${at}`
    await isLoaded(talk, group)
    const epoch = new Map<Side, number>()
    const beat = async (label: string, more: (side: Side) => object) => {
      const answers = await talk.ask(
        `${group}: ${label}`,
        ConsumerGroupHeartbeat,
        '1',
        (_, side) => ({
          groupId: group,
          memberId: 'member',
          memberEpoch: epoch.get(side) ?? 0,
          rebalanceTimeoutMs: -1,
          subscribedTopicNames: null,
          topicPartitions: null,
          ...more(side),
        }),
      )
      for (const side of [talk.kafka, talk.ottla]) {
        const outcome = side === talk.kafka ? answers.kafka : answers.ottla
        const answer = outcome.end === 'answered' ? outcome.value : null
        const { errorCode, memberEpoch } = answer as { errorCode: number; memberEpoch: number }
        if (errorCode === 0) epoch.set(side, memberEpoch)
      }
    }
    await beat('join', () => ({
      memberEpoch: 0,
      rebalanceTimeoutMs: 30_000,
      subscribedTopicNames: [LOG],
      topicPartitions: [],
    }))
    for (let step = 0; step < 8; step++) {
      const shift = random.pick([0, 0, 0, -1, 1, 50])
      const by = (side: Side) => (epoch.get(side) ?? 0) + shift
      const label = `step ${step} by ${shift}`
      if (random.ratio(1, 2)) await beat(label, (side) => ({ memberEpoch: by(side) }))
      else {
        await talk.ask(`${group}: commit ${label}`, OffsetCommit, '9', (_, side) => ({
          groupId: group,
          generationIdOrMemberEpoch: by(side),
          memberId: 'member',
          topics: [
            {
              name: LOG,
              partitions: [{ partitionIndex: 0, committedOffset: 5n, committedMetadata: '' }],
            },
          ],
        }))
      }
    }
    await talk.ask(`${group}: describe`, ConsumerGroupDescribe, '1', { groupIds: [group] })
    await beat('leave', () => ({ memberEpoch: -1 }))
    await beat('after it left', () => ({ memberEpoch: 3 }))
  }
}
