// ListOffsets and OffsetForLeaderEpoch on the topics of the fetch and produce chapters.

import { ListOffsets, OffsetForLeaderEpoch } from '../../../../src/protocol/messages/offsets.ts'
import { Produce } from '../../../../src/protocol/messages/produce_fetch.ts'
import type { Talk } from '../talk.ts'
import { batch, body } from './produce.ts'

const TIMES = 'times'
const T = 1_700_000_000_000

export async function offsets(talk: Talk): Promise<void> {
  await talk.haveTopics([{ name: TIMES, numPartitions: 3, configs: { 'retention.ms': '-1' } }])
  const write = (partition: number, timestamps: number[], compression: 'none' | 'lz4' = 'none') =>
    talk.ask('the records', Produce, '9', (v, side) =>
      body(
        v,
        side,
        batch({ values: timestamps.map((timestamp) => ({ timestamp })), compression }),
        {
          topic: TIMES,
          partition,
        },
      ),
    )
  await write(0, [T, T + 10])
  await write(0, [T + 40, T + 30, T + 40])
  await write(0, [T + 20, T + 25], 'lz4')
  await write(0, [T + 35])
  await write(2, [-1, -1])
  await list(talk)
  await epochs(talk)
}

async function list(talk: Talk): Promise<void> {
  const ask = (
    label: string,
    timestamp: bigint,
    more: {
      partition?: number
      topic?: string
      epoch?: number
      rest?: object
      range?: string
    } = {},
  ) =>
    talk.ask(`offsets: ${label}`, ListOffsets, more.range ?? '1-11', (v) => ({
      replicaId: -1,
      topics: [
        {
          name: more.topic ?? TIMES,
          partitions: [
            {
              partitionIndex: more.partition ?? 0,
              timestamp,
              ...(v >= 4 ? { currentLeaderEpoch: more.epoch ?? -1 } : {}),
            },
          ],
        },
      ],
      ...(v >= 10 ? { timeoutMs: 1000 } : {}),
      ...more.rest,
    }))
  for (let special = -1n; special >= -8n; special--) {
    for (const partition of [0, 1, 2])
      await ask(`special ${special} of ${partition}`, special, { partition })
  }
  const times = [0, 5, 10, 11, 20, 25, 26, 30, 35, 36, 40, 41].map((more) => BigInt(T + more))
  for (const time of [0n, 1n, ...times, 9_223_372_036_854_775_807n]) {
    await ask(`time ${time - BigInt(T) < 0n ? time : `T + ${time - BigInt(T)}`}`, time)
  }
  await ask('time 0 where no time is', 0n, { partition: 2 })
  await ask('time 0 of an empty one', 0n, { partition: 1 })
  await ask('the least time', -9_223_372_036_854_775_808n)
  for (const epoch of [0, 1, 5, -2]) {
    await ask(`epoch ${epoch}`, -1n, { epoch, range: '4-11' })
    await ask(`epoch ${epoch} of a time`, BigInt(T), { epoch, range: '4-11' })
  }
  await ask('partition 9', -1n, { partition: 9 })
  await ask('partition -1', -1n, { partition: -1 })
  await ask('unknown topic', -1n, { topic: 'nowhere' })
  await ask('unknown topic, bad special', -9n, { topic: 'nowhere' })
  await ask('a bad topic', -1n, { topic: 'not good' })
  await ask('an empty topic', -1n, { topic: '' })
  for (const isolationLevel of [1, 2, -1]) {
    await ask(`isolation ${isolationLevel}`, -1n, { rest: { isolationLevel }, range: '2-11' })
    await ask(`isolation ${isolationLevel} of a time`, BigInt(T), {
      rest: { isolationLevel },
      range: '2-11',
    })
  }
  for (const replicaId of [1, 7, -2]) {
    await ask(`replica ${replicaId}`, -1n, { rest: { replicaId } })
    await ask(`replica ${replicaId}, earliest`, -2n, { rest: { replicaId } })
    await ask(`replica ${replicaId}, a time`, BigInt(T), { rest: { replicaId } })
  }
  const of = (partitionIndex: number, timestamp = -1n) => ({ partitionIndex, timestamp })
  await talk.ask('offsets: twice', ListOffsets, '1-11', {
    replicaId: -1,
    topics: [{ name: TIMES, partitions: [of(0), of(0, -2n), of(1)] }],
  })
  await talk.ask('offsets: twice in two topics', ListOffsets, '1-11', {
    replicaId: -1,
    topics: [
      { name: TIMES, partitions: [of(0), of(1)] },
      { name: TIMES, partitions: [of(0)] },
    ],
  })
  await talk.ask('offsets: twice unknown', ListOffsets, '1-11', {
    replicaId: -1,
    topics: [{ name: 'nowhere', partitions: [of(0), of(0)] }],
  })
  await talk.ask('offsets: none', ListOffsets, '1-11', { replicaId: -1, topics: [] })
  await talk.ask('offsets: no partition', ListOffsets, '1-11', {
    replicaId: -1,
    topics: [{ name: TIMES, partitions: [] }],
  })
  for (const topic of ['written', 'stamped', 'compacted', 'producers', 'read']) {
    await ask(`latest of ${topic}`, -1n, { topic })
    await ask(`earliest of ${topic}`, -2n, { topic })
  }
}

async function epochs(talk: Talk): Promise<void> {
  const ask = (
    label: string,
    leaderEpoch: number,
    more: {
      topic?: string
      partition?: number
      currentLeaderEpoch?: number
      replicaId?: number
    } = {},
  ) =>
    talk.ask(`epoch: ${label}`, OffsetForLeaderEpoch, '2-4', (v) => ({
      ...(v >= 3 ? { replicaId: more.replicaId ?? -1 } : {}),
      topics: [
        {
          topic: more.topic ?? TIMES,
          partitions: [
            {
              partition: more.partition ?? 0,
              currentLeaderEpoch: more.currentLeaderEpoch ?? -1,
              leaderEpoch,
            },
          ],
        },
      ],
    }))
  for (const epoch of [0, 1, 7, -1, -2, 2_147_483_647]) {
    for (const partition of [0, 1]) await ask(`${epoch} of ${partition}`, epoch, { partition })
  }
  for (const currentLeaderEpoch of [0, 1, -2]) {
    await ask(`current ${currentLeaderEpoch}`, 0, { currentLeaderEpoch })
  }
  await ask('partition 9', 0, { partition: 9 })
  await ask('partition -1', 0, { partition: -1 })
  await ask('unknown topic', 0, { topic: 'nowhere' })
  await ask('a bad topic', 0, { topic: 'not good' })
  for (const replicaId of [1, 7, -2]) await ask(`replica ${replicaId}`, 0, { replicaId })
  const of = (partition: number) => ({ partition, leaderEpoch: 0 })
  await talk.ask('epoch: twice', OffsetForLeaderEpoch, '2-4', {
    topics: [{ topic: TIMES, partitions: [of(0), of(0), of(1)] }],
  })
  await talk.ask('epoch: a topic twice', OffsetForLeaderEpoch, '2-4', {
    topics: [
      { topic: TIMES, partitions: [of(0)] },
      { topic: TIMES, partitions: [of(1)] },
    ],
  })
  await talk.ask('epoch: none', OffsetForLeaderEpoch, '2-4', { topics: [] })
}
