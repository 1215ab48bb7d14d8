// DeleteRecords: offsets inside and outside of the log, policies, topics of Kafka's own; and what Fetch and ListOffsets
// make of a log that starts late.

import { FindCoordinator } from '../../../../src/protocol/messages/classic_group.ts'
import { DeleteRecords, ListOffsets } from '../../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../../src/protocol/messages/produce_fetch.ts'
import type { Talk } from '../talk.ts'
import { batch, body } from './produce.ts'

const LOG = 'deleted'
const POLICIES = ['compact', 'delete', 'compact,delete', ''] as const
const key = new Uint8Array([1])
const INTERNAL = '__consumer_offsets'

export async function deletions(talk: Talk): Promise<void> {
  const policed = POLICIES.map((policy) => ({
    name: `policy-${policy.replace(',', '-') || 'none'}`,
    numPartitions: 1,
    configs: { 'cleanup.policy': policy },
  }))
  await talk.haveTopics([
    { name: LOG, numPartitions: 2, configs: { 'retention.ms': '-1' } },
    ...policed,
  ])
  const write = (topic: string, partition = 0) =>
    talk.ask('the records', Produce, '9', (v, side) =>
      body(v, side, batch({ values: [{ key }, { key }, { key }] }), {
        topic,
        partition,
      }),
    )
  for (let times = 0; times < 3; times++) await write(LOG)
  for (const { name } of policed) await write(name)
  const ask = (label: string, offset: bigint, topic = LOG, partitionIndex = 0, timeoutMs = 1000) =>
    talk.ask(`delete: ${label}`, DeleteRecords, '0-2', {
      topics: [{ name: topic, partitions: [{ partitionIndex, offset }] }],
      timeoutMs,
    })
  const see = async (label: string) => {
    for (const timestamp of [-1n, -2n, -4n]) {
      await talk.ask(`${label}: special ${timestamp}`, ListOffsets, '8', {
        replicaId: -1,
        topics: [{ name: LOG, partitions: [{ partitionIndex: 0, timestamp }] }],
      })
    }
    for (const fetchOffset of [0, 1, 2, 3, 4, 9]) {
      await talk.ask(`${label}: fetch at ${fetchOffset}`, Fetch, '4-12', {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1 << 20,
        topics: [
          { topic: LOG, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }] },
        ],
      })
    }
  }
  await ask('nothing', 0n)
  await ask('below -1', -2n)
  await ask('beyond the end', 10n)
  await ask('far beyond the end', 9_223_372_036_854_775_807n)
  await ask('inside a batch', 1n)
  await see('inside a batch')
  await ask('at a batch', 3n)
  await see('at a batch')
  await ask('behind the start', 2n)
  await ask('with no time', 4n, LOG, 0, 0)
  await ask('with negative time', 5n, LOG, 0, -1)
  await ask('all', -1n)
  await see('all')
  await ask('all again', -1n)
  await ask('of an empty one', -1n, LOG, 1)
  await ask('partition 9', 0n, LOG, 9)
  await ask('partition -1', 0n, LOG, -1)
  await ask('unknown topic', 0n, 'nowhere')
  await ask('a bad topic', 0n, 'not good')
  await ask('an empty topic', 0n, '')
  for (const { name } of policed) {
    await ask(`${name} beyond`, 99n, name)
    await ask(`${name} at 1`, 1n, name)
    await ask(`${name} all`, -1n, name)
  }
  await talk.settle(
    FindCoordinator,
    4,
    { keyType: 0, coordinatorKeys: ['someone'] },
    ({ coordinators }: { coordinators: { errorCode: number }[] }) =>
      coordinators.every(({ errorCode }) => errorCode === 0),
  )
  await ask('of a topic of groups', -1n, INTERNAL)
  await ask('of a topic of groups, partition 99', -1n, INTERNAL, 99)
  await several(talk)
  await internal(talk)
}

/** Nobody but the admin client produces to a topic of the broker's own. */
async function internal(talk: Talk): Promise<void> {
  const one = batch({ values: [{ key }] })
  for (const [label, more] of [
    ['', {}],
    [', acks 2', { acks: 2 }],
    [', partition 99', { partition: 99 }],
  ] as const) {
    await talk.ask(`produce: a topic of groups${label}`, Produce, '3-13', (v, side) =>
      body(v, side, one, { topic: INTERNAL, ...more }),
    )
  }
  await talk.send('produce: a topic of groups, acks 0', Produce, 9, (v, side) =>
    body(v, side, one, { topic: INTERNAL, acks: 0 }),
  )
}

async function several(talk: Talk): Promise<void> {
  const of = (partitionIndex: number, offset: bigint) => ({ partitionIndex, offset })
  const ask = (label: string, topics: { name: string; partitions: ReturnType<typeof of>[] }[]) =>
    talk.ask(`delete: ${label}`, DeleteRecords, '0-2', { topics, timeoutMs: 1000 })
  await ask('none', [])
  await ask('no partition', [{ name: LOG, partitions: [] }])
  await ask('several', [
    { name: LOG, partitions: [of(0, -1n), of(1, 5n), of(2, 0n)] },
    { name: 'nowhere', partitions: [of(0, 0n), of(1, 0n)] },
    { name: 'policy-compact', partitions: [of(0, 0n)] },
  ])
  await ask('twice', [{ name: LOG, partitions: [of(0, 99n), of(0, -1n)] }])
  await ask('twice, the other way', [{ name: LOG, partitions: [of(0, -1n), of(0, 99n)] }])
  await ask('a topic twice', [
    { name: LOG, partitions: [of(0, 99n)] },
    { name: LOG, partitions: [of(0, -1n), of(1, -1n)] },
  ])
}
