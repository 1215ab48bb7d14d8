// Fetch: places, limits, epochs, isolation, sessions.

import { ZERO_UUID } from '../../../../src/lib/uuid.ts'
import { Fetch, Produce } from '../../../../src/protocol/messages/produce_fetch.ts'
import type { Side } from '../sides.ts'
import type { Talk } from '../talk.ts'
import { batch, body } from './produce.ts'

const READ = 'read'
const OTHER = 'other'

interface Asked {
  topic?: string
  partition?: number
  fetchOffset?: number
  partitionMaxBytes?: number
  currentLeaderEpoch?: number
  lastFetchedEpoch?: number
  logStartOffset?: number
}

function partitionsOf(version: number, asked: readonly Asked[]) {
  return asked.map(({ topic: _, partition = 0, fetchOffset = 0, ...rest }) => ({
    partition,
    fetchOffset,
    partitionMaxBytes: rest.partitionMaxBytes ?? 1 << 20,
    ...(version >= 9 ? { currentLeaderEpoch: rest.currentLeaderEpoch ?? -1 } : {}),
    ...(version >= 12 ? { lastFetchedEpoch: rest.lastFetchedEpoch ?? -1 } : {}),
    ...(version >= 5 ? { logStartOffset: rest.logStartOffset ?? -1 } : {}),
  }))
}

function request(version: number, side: Side, asked: readonly Asked[], rest: object = {}) {
  const topics = [...new Set(asked.map(({ topic = READ }) => topic))]
  return {
    maxWaitMs: 20,
    minBytes: 1,
    maxBytes: 1 << 20,
    ...rest,
    topics: topics.map((topic) => ({
      ...(version >= 13 ? { topicId: side.idOf(topic) } : { topic }),
      partitions: partitionsOf(
        version,
        asked.filter((row) => (row.topic ?? READ) === topic),
      ),
    })),
  }
}

export async function fetch(talk: Talk): Promise<void> {
  await talk.haveTopics([
    { name: READ, numPartitions: 2 },
    { name: OTHER, numPartitions: 3 },
  ])
  for (let i = 0; i < 5; i++) {
    const values = [`${i}`.repeat(400), `${i}`]
    const write = (topic: string, partition: number) =>
      talk.ask('the records', Produce, '9', (v, side) =>
        body(v, side, batch({ values }), { topic, partition }),
      )
    await write(READ, 0)
    await write(OTHER, 0)
    await write(OTHER, 1)
  }
  await talk.ask('a codec', Produce, '9', (v, side) =>
    body(v, side, batch({ compression: 'zstd' }), { topic: OTHER, partition: 2 }),
  )
  await places(talk)
  await limits(talk)
  await followers(talk)
  await sessions(talk)
}

function ask(
  talk: Talk,
  label: string,
  asked: readonly Asked[],
  rest: object = {},
  range = '4-18',
) {
  return talk.ask(`fetch: ${label}`, Fetch, range, (v, side) => request(v, side, asked, rest))
}

async function places(talk: Talk): Promise<void> {
  for (const fetchOffset of [0, 1, 2, 9, 10, 11, 1000, -1, -2]) {
    await ask(talk, `offset ${fetchOffset}`, [{ fetchOffset }])
  }
  await ask(talk, 'an empty partition', [{ partition: 1 }])
  await ask(talk, 'partition 2 of 2', [{ partition: 2 }])
  await ask(talk, 'partition -1', [{ partition: -1 }])
  await ask(talk, 'unknown topic', [{ topic: 'nowhere' }])
  await ask(talk, 'a bad topic', [{ topic: 'not good' }], {}, '4-12')
  await ask(talk, 'an empty topic', [{ topic: '' }], {}, '4-12')
  await ask(talk, 'good and unknown', [
    {},
    { partition: 5 },
    { topic: 'nowhere' },
    { topic: OTHER },
  ])
  await ask(talk, 'a partition twice', [{}, { fetchOffset: 4 }])
  await ask(talk, 'nothing', [])
  await talk.ask('fetch: a zero id', Fetch, '13-18', (v) => ({
    maxWaitMs: 20,
    minBytes: 1,
    topics: [{ topicId: ZERO_UUID, partitions: partitionsOf(v, [{}]) }],
  }))
  await ask(talk, 'zstd for the old', [{ topic: OTHER, partition: 2 }], {}, '4-18')
  for (const currentLeaderEpoch of [0, 1, 100, -2]) {
    await ask(talk, `leader epoch ${currentLeaderEpoch}`, [{ currentLeaderEpoch }], {}, '9-18')
  }
  for (const lastFetchedEpoch of [0, 1, 100, -2]) {
    await ask(
      talk,
      `fetched epoch ${lastFetchedEpoch}`,
      [{ fetchOffset: 4, lastFetchedEpoch }],
      {},
      '12-18',
    )
    await ask(
      talk,
      `fetched epoch ${lastFetchedEpoch} beyond`,
      [{ fetchOffset: 400, lastFetchedEpoch }],
      {},
      '12-18',
    )
  }
  await ask(talk, 'a log start', [{ fetchOffset: 2, logStartOffset: 1 }], {}, '5-18')
  for (const isolationLevel of [1, 2, -1]) {
    await ask(talk, `isolation ${isolationLevel}`, [{}, { topic: OTHER }], { isolationLevel })
  }
  await ask(talk, 'a rack', [{}], { rackId: 'r' }, '11-18')
  await ask(talk, 'another cluster', [{}], { clusterId: 'another' }, '12-18')
  await ask(talk, 'this cluster', [{}], { clusterId: 'MkU3OEVBNTcwNTJENDM2Qg' }, '12-18')
}

async function limits(talk: Talk): Promise<void> {
  const all = [{}, { topic: OTHER }, { topic: OTHER, partition: 1 }]
  for (const maxBytes of [0, 1, 400, 500, 1000, 1500, 100_000, -1, 0x7fffffff]) {
    await ask(talk, `at most ${maxBytes}`, all, { maxBytes })
  }
  for (const partitionMaxBytes of [0, 1, 400, 500, 1000, 1500, -1, 0x7fffffff]) {
    await ask(
      talk,
      `at most ${partitionMaxBytes} of each`,
      all.map((row) => ({ ...row, partitionMaxBytes })),
    )
    await ask(talk, `at most ${partitionMaxBytes} of one`, [{ partitionMaxBytes }])
  }
  for (const minBytes of [0, -1, 1_000_000]) {
    await ask(talk, `at least ${minBytes}`, [{}], { minBytes })
    await ask(talk, `at least ${minBytes} of none`, [{ fetchOffset: 10 }], { minBytes })
  }
  for (const maxWaitMs of [0, -1]) {
    await ask(talk, `wait ${maxWaitMs}`, [{ fetchOffset: 10 }], { maxWaitMs })
  }
}

/** Who is no replica of the partition, and who claims to be. */
async function followers(talk: Talk): Promise<void> {
  for (const replicaId of [1, 7, -2, -3]) {
    await ask(talk, `replica ${replicaId}`, [{}], { replicaId }, '4-14')
    for (const replicaEpoch of [-1, 0, 100_000]) {
      await ask(
        talk,
        `replica ${replicaId} of epoch ${replicaEpoch}`,
        [{}],
        { replicaState: { replicaId, replicaEpoch } },
        '15-18',
      )
    }
  }
}

async function sessions(talk: Talk): Promise<void> {
  for (const version of [7, 11, 12, 13, 16, 18]) await session(talk, version)
}

async function session(talk: Talk, version: number): Promise<void> {
  const range = String(version)
  const go = async (
    label: string,
    asked: readonly Asked[],
    sessionEpoch: number,
    rest: { sessionId?: number; forgotten?: readonly Asked[] } = {},
  ) => {
    const answers = await talk.ask(`session: ${label}`, Fetch, range, (v, side) => ({
      ...request(v, side, asked),
      sessionId: rest.sessionId ?? side.kept.get('session') ?? 0,
      sessionEpoch,
      forgottenTopicsData: (rest.forgotten ?? []).map(({ topic = READ, partition = 0 }) => ({
        ...(v >= 13 ? { topicId: side.idOf(topic) } : { topic }),
        partitions: [partition],
      })),
    }))
    return answers
  }
  const keep = (answers: Awaited<ReturnType<typeof go>>) => {
    for (const side of [talk.kafka, talk.ottla]) {
      const outcome = answers[side.name]
      if (outcome.end !== 'answered') continue
      side.kept.set('session', (outcome.value as { sessionId: number }).sessionId)
    }
  }
  const all = [
    { fetchOffset: 8 },
    { topic: OTHER },
    { topic: OTHER, partition: 1, fetchOffset: 10 },
  ]
  await go('none', all, -1, { sessionId: 0 })
  keep(await go('a new one', all, 0, { sessionId: 0 }))
  await go('nothing new', [], 1)
  await go('the same epoch again', [], 1)
  await go('a gap in epochs', [], 5)
  await go('an old partition moved on', [{ topic: OTHER, fetchOffset: 10 }], 2)
  await talk.ask('a record more', Produce, '9', (v, side) =>
    body(v, side, batch(), { topic: READ }),
  )
  await go('one changed', [], 3)
  await go('one forgotten', [], 4, { forgotten: [{}] })
  await go('one added', [{ partition: 1 }], 5)
  await go('an unknown one added', [{ partition: 9 }, { topic: 'nowhere' }], 6)
  await go('an unknown one again', [], 7)
  await go('forgotten that was not there', [], 8, {
    forgotten: [{ partition: 7 }, { topic: 'nowhere' }],
  })
  await go('out of range', [{ fetchOffset: 5_000 }], 9)
  await go('out of range again', [], 10)
  await go('closed', [], -1)
  await go('after it closed', [], 11)
  await go('an unknown session', [], 1, { sessionId: 77_777 })
  await go('an unknown session, closed', [{}], -1, { sessionId: 77_777 })
  await go('an unknown session, anew', [{}], 0, { sessionId: 77_777 })
  await go('no session, epoch 1', [{}], 1, { sessionId: 0 })
  await go('epoch -2', [{}], -2, { sessionId: 0 })
  await go('an empty one', [], 0, { sessionId: 0 })
}
