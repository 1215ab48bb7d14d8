// Lookups by time: random logs of small segments, batches of every codec, times up and down, the topic's codec changed
// on the way; then every time that was written, and those beside it, is asked for, and the largest.

import { Random } from '../../../../src/lib/random.ts'
import { IncrementalAlterConfigs } from '../../../../src/protocol/messages/configs.ts'
import { ListOffsets } from '../../../../src/protocol/messages/offsets.ts'
import { Produce } from '../../../../src/protocol/messages/produce_fetch.ts'
import { COMPRESSION } from '../../../../src/protocol/record_batch.ts'
import type { Talk } from '../talk.ts'
import { batch, body } from './produce.ts'

const SEEDS = [1, 2, 3]
const BATCHES = 60
const BEGIN = 1_600_000_000_000
const TOPIC_RESOURCE = 2

export async function times(talk: Talk): Promise<void> {
  await talk.haveTopics(
    SEEDS.map((seed) => ({
      name: `times-${seed}`,
      numPartitions: 1,
      configs: {
        'internal.segment.bytes': '600',
        'index.interval.bytes': '100',
        'retention.ms': '-1',
      },
    })),
  )
  for (const seed of SEEDS) await story(talk, `times-${seed}`, new Random(seed))
}

async function story(talk: Talk, topic: string, random: Random): Promise<void> {
  const asked = new Set<number>([0, BEGIN - 1, BEGIN + 1_000_000])
  for (let i = 0; i < BATCHES; i++) {
    if (random.ratio(1, 8)) await codec(talk, topic, random)
    const values = [...Array(random.pick([1, 2, 5]))].map(() => {
      const timestamp = random.ratio(1, 12) ? -1 : BEGIN + i * 100 + random.nextInt(-500, 500)
      if (timestamp >= 0) for (const near of [-1, 0, 1]) asked.add(timestamp + near)
      return { timestamp, value: new Uint8Array(random.nextInt(60)) }
    })
    const records = batch({ values, compression: COMPRESSION[random.nextInt(5)]! })
    await talk.ask('times: the records', Produce, '9', (v, side) =>
      body(v, side, records, { topic }),
    )
  }
  for (const timestamp of [-1, -2, -3, ...asked]) {
    await talk.ask(`times: ${topic} at ${timestamp}`, ListOffsets, '8', {
      replicaId: -1,
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: BigInt(timestamp) }] }],
    })
  }
}

/** The topic's codec from the next batch on; every answer comes after the change is in force. */
async function codec(talk: Talk, topic: string, random: Random): Promise<void> {
  const value = random.pick(['producer', 'uncompressed', 'zstd', 'lz4'])
  await talk.ask(`times: codec ${value}`, IncrementalAlterConfigs, '1', {
    resources: [
      {
        resourceType: TOPIC_RESOURCE,
        resourceName: topic,
        configs: [{ name: 'compression.type', configOperation: 0, value }],
      },
    ],
  })
}
