// DescribeQuorum, and raft's own conversations with everything that can be wrong in them. Nothing here may unseat the
// leader: what would comes last.

import { ZERO_UUID } from '../../../../src/lib/uuid.ts'
import { Fetch } from '../../../../src/protocol/messages/produce_fetch.ts'
import {
  BeginQuorumEpoch,
  DescribeQuorum,
  EndQuorumEpoch,
  FetchSnapshot,
  Vote,
} from '../../../../src/protocol/messages/quorum.ts'
import type { Talk } from '../talk.ts'

const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg'
const LOG = '__cluster_metadata'
const LOG_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const STRANGER = 'c3RyYW5nZXItMDAwMDAwMQ'
const CLUSTERS: Record<string, string | null> = { this: CLUSTER_ID, another: 'another', no: null }

export async function quorum(talk: Talk): Promise<void> {
  await describe(talk)
  await votes(talk)
  await begins(talk)
  await ends(talk)
  await fetches(talk)
  await snapshots(talk)
}

async function describe(talk: Talk): Promise<void> {
  for (const listener of ['broker', 'controller'] as const) {
    const ask = (label: string, topics: [topicName: string, ...indexes: number[]][]) =>
      talk.ask(
        `quorum: ${label}`,
        DescribeQuorum,
        '0-2',
        {
          topics: topics.map(([topicName, ...indexes]) => ({
            topicName,
            partitions: indexes.map((partitionIndex) => ({ partitionIndex })),
          })),
        },
        listener,
      )
    await ask('good', [[LOG, 0]])
    await ask('partition 1', [[LOG, 1]])
    await ask('two partitions', [[LOG, 0, 1]])
    await ask('a partition twice', [[LOG, 0, 0]])
    await ask('another topic', [['plain-7', 0]])
    await ask('two topics', [
      [LOG, 0],
      ['plain-7', 0],
    ])
    await ask('no partition', [[LOG]])
    await ask('nothing', [])
  }
}

async function votes(talk: Talk): Promise<void> {
  const ask = (label: string, partition: object, more: object = {}, range = '0-2') =>
    talk.ask(
      `vote: ${label}`,
      Vote,
      range,
      (v) => ({
        clusterId: CLUSTER_ID,
        ...(v >= 1 ? { voterId: 1 } : {}),
        topics: [
          {
            topicName: LOG,
            partitions: [
              {
                partitionIndex: 0,
                replicaEpoch: 1,
                replicaId: 7,
                ...(v >= 1 ? { replicaDirectoryId: STRANGER, voterDirectoryId: ZERO_UUID } : {}),
                lastOffsetEpoch: 0,
                lastOffset: 0,
                ...(v >= 2 ? { preVote: true } : {}),
                ...partition,
              },
            ],
          },
        ],
        ...more,
      }),
      'controller',
    )
  await ask('a stranger', {})
  await ask('a stranger that votes', { preVote: false }, {}, '2')
  await ask('epoch 0', { replicaEpoch: 0 })
  await ask('epoch -1', { replicaEpoch: -1 })
  await ask('itself', { replicaId: 1 })
  await ask('replica -1', { replicaId: -1 })
  await ask('later than its epoch', { lastOffsetEpoch: 2 })
  await ask('an offset below 0', { lastOffset: -1 })
  await ask('an epoch below 0', { lastOffsetEpoch: -1 })
  await ask('another directory', { voterDirectoryId: STRANGER }, {}, '1-2')
  await ask('another voter', {}, { voterId: 9 }, '1-2')
  await ask('no voter', {}, { voterId: -1 }, '1-2')
  await ask('partition 1', { partitionIndex: 1 })
  for (const [label, clusterId] of Object.entries(CLUSTERS)) {
    await ask(`${label} cluster`, {}, { clusterId })
  }
  await ask('nothing', {}, { topics: [] })
  await ask('no partition', {}, { topics: [{ topicName: LOG, partitions: [] }] })
  await ask('another topic', {}, { topics: [{ topicName: 'x', partitions: [] }] })
}

async function begins(talk: Talk): Promise<void> {
  const ask = (label: string, partition: object, more: object = {}, range = '0-1') =>
    talk.ask(
      `begin: ${label}`,
      BeginQuorumEpoch,
      range,
      (v) => ({
        clusterId: CLUSTER_ID,
        ...(v >= 1
          ? { voterId: 1, leaderEndpoints: [{ name: 'CONTROLLER', host: 'somewhere', port: 1 }] }
          : {}),
        topics: [
          {
            topicName: LOG,
            partitions: [
              {
                partitionIndex: 0,
                ...(v >= 1 ? { voterDirectoryId: ZERO_UUID } : {}),
                leaderId: 7,
                leaderEpoch: 0,
                ...partition,
              },
            ],
          },
        ],
        ...more,
      }),
      'controller',
    )
  await ask('an old epoch', {})
  await ask('epoch -1', { leaderEpoch: -1 })
  await ask('the epoch of the leader', { leaderId: 1, leaderEpoch: 1 })
  // A second leader of the epoch is not asked about: Kafka's controller ends itself over it.
  await ask('leader -1', { leaderId: -1 })
  await ask('another directory', { voterDirectoryId: STRANGER }, {}, '1')
  await ask('another voter', {}, { voterId: 9 }, '1')
  await ask('partition 1', { partitionIndex: 1 })
  for (const [label, clusterId] of Object.entries(CLUSTERS)) {
    await ask(`${label} cluster`, {}, { clusterId })
  }
  await ask('no endpoints', {}, { leaderEndpoints: [] }, '1')
  await ask('nothing', {}, { topics: [] })
}

async function ends(talk: Talk): Promise<void> {
  const ask = (label: string, partition: object, more: object = {}, range = '0-1') =>
    talk.ask(
      `end: ${label}`,
      EndQuorumEpoch,
      range,
      () => ({
        clusterId: CLUSTER_ID,
        topics: [
          {
            topicName: LOG,
            partitions: [{ partitionIndex: 0, leaderId: 7, leaderEpoch: 0, ...partition }],
          },
        ],
        ...more,
      }),
      'controller',
    )
  await ask('an old epoch', {})
  await ask('epoch -1', { leaderEpoch: -1 })
  await ask('by the leader', { leaderId: 1, leaderEpoch: 1 })
  // Another leader of the epoch is not asked about here either.
  await ask('leader -1', { leaderId: -1 })
  await ask('partition 1', { partitionIndex: 1 })
  for (const [label, clusterId] of Object.entries(CLUSTERS)) {
    await ask(`${label} cluster`, {}, { clusterId })
  }
  await ask('nothing', {}, { topics: [] })
}

async function fetches(talk: Talk): Promise<void> {
  const ask = (label: string, partition: object, more: object = {}, range = '4-18') =>
    talk.ask(
      `raft fetch: ${label}`,
      Fetch,
      range,
      (v) => {
        const {
          topic = LOG,
          topicId = LOG_ID,
          replica = 7,
          ...rest
        } = more as Record<string, unknown>
        return {
          ...(v >= 15
            ? { replicaState: { replicaId: replica as number } }
            : { replicaId: replica as number }),
          maxWaitMs: 0,
          minBytes: 0,
          maxBytes: 1 << 20,
          ...rest,
          topics: [
            {
              ...(v >= 13 ? { topicId: topicId as string } : { topic: topic as string }),
              partitions: [
                {
                  partition: 0,
                  fetchOffset: 0,
                  partitionMaxBytes: 0,
                  ...(v >= 9 ? { currentLeaderEpoch: 1 } : {}),
                  ...(v >= 12 ? { lastFetchedEpoch: 0 } : {}),
                  ...partition,
                },
              ],
            },
          ],
        }
      },
      'controller',
    )
  await ask('old epoch', { currentLeaderEpoch: 0 }, {}, '9-18')
  await ask('new epoch', { currentLeaderEpoch: 99 }, {}, '9-18')
  await ask('epoch -1', { currentLeaderEpoch: -1 }, {}, '9-18')
  await ask('far beyond', { fetchOffset: 1_000_000, lastFetchedEpoch: 1 }, {}, '12-18')
  await ask('of a later epoch', { fetchOffset: 5, lastFetchedEpoch: 9 }, {}, '12-18')
  await ask('fetched epoch -1', { lastFetchedEpoch: -1 }, {}, '12-18')
  await ask('offset -1', { fetchOffset: -1 })
  await ask('partition 1', { partition: 1 })
  await ask('another topic', {}, { topic: 'x', topicId: STRANGER })
  await ask('a negative wait', {}, { maxWaitMs: -1 })
  for (const [label, clusterId] of Object.entries(CLUSTERS)) {
    await ask(`${label} cluster`, { currentLeaderEpoch: 0 }, { clusterId }, '12-18')
  }
  await ask('itself', {}, { replica: 1 })
  await talk.ask(
    'raft fetch: nothing',
    Fetch,
    '4-18',
    { maxWaitMs: 0, minBytes: 0, topics: [] },
    'controller',
  )
}

async function snapshots(talk: Talk): Promise<void> {
  const ask = (label: string, partition: object, more: object = {}, range = '0-1') =>
    talk.ask(
      `snapshot: ${label}`,
      FetchSnapshot,
      range,
      {
        clusterId: CLUSTER_ID,
        replicaId: 7,
        topics: [
          {
            name: LOG,
            partitions: [
              {
                partition: 0,
                currentLeaderEpoch: 1,
                snapshotId: { endOffset: 0, epoch: 0 },
                position: 0,
                ...partition,
              },
            ],
          },
        ],
        ...more,
      },
      'controller',
    )
  await ask('bootstrap', {})
  await ask('a part', { position: 10 }, { maxBytes: 50 })
  await ask('at the end', { position: 1_000_000 })
  await ask('before the start', { position: -1 })
  await ask('unknown', { snapshotId: { endOffset: 12_345, epoch: 1 } })
  await ask('old epoch', { currentLeaderEpoch: 0 })
  await ask('new epoch', { currentLeaderEpoch: 99 })
  await ask('partition 1', { partition: 1 })
  await ask(
    'another topic',
    {},
    {
      topics: [
        {
          name: 'x',
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: 1,
              snapshotId: { endOffset: 0, epoch: 0 },
              position: 0,
            },
          ],
        },
      ],
    },
  )
  for (const maxBytes of [0, -1]) await ask(`at most ${maxBytes}`, {}, { maxBytes })
  for (const [label, clusterId] of Object.entries(CLUSTERS)) {
    await ask(`${label} cluster`, {}, { clusterId })
  }
  // Nor a request without topics: that too ends Kafka's controller.
}
