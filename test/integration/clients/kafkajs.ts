// kafkajs 2.2.4: a producer and an admin client; its consumer works in groups only.

import { CompressionTypes, Kafka, logLevel, type Producer } from 'kafkajs'
import type { Compression } from '../../../src/protocol/record_batch.ts'
import type { ClientRecord, Writer } from './matrix.ts'

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'

/** A client that says nothing and gives up late. */
export function kafkajs(address: string): Kafka {
  return new Kafka({
    clientId: 'kafkajs',
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 60 },
  })
}

const TYPES: Partial<Record<Compression, CompressionTypes>> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
}

export const kafkajsWriter: Writer = {
  name: 'kafkajs',
  codecs: ['none', 'gzip'],
  // It cannot say a header without a value.
  express: (record) => ({
    ...record,
    headers: record.headers.filter(([, value]) => value !== null),
  }),
  write: async ({ address, topic, partition }, records, codec) => {
    const producer = kafkajs(address).producer()
    await producer.connect()
    await sendRuns(producer, { topic, partition }, records, codec)
    await producer.disconnect()
  },
}

// The mebibyte goes alone: kafkajs makes one batch of what it is given.
async function sendRuns(
  producer: Producer,
  { topic, partition }: { topic: string; partition: number },
  records: readonly ClientRecord[],
  codec: Compression,
): Promise<void> {
  const runs: ClientRecord[][] = [[]]
  for (const record of records) {
    const isLarge = (record.value?.length ?? 0) > 500_000
    if (isLarge) runs.push([record], [])
    else runs.at(-1)!.push(record)
  }
  for (const run of runs.filter(({ length }) => length > 0)) {
    await producer.send({
      topic,
      compression: TYPES[codec],
      messages: run.map(({ key, value, headers, timestamp }) => ({
        key,
        value,
        partition,
        headers: headersOf(headers),
        timestamp: String(timestamp),
      })),
    })
  }
}

function headersOf(headers: ClientRecord['headers']) {
  const object: Record<string, string | string[]> = {}
  for (const [name, value] of headers) {
    const known = object[name]
    if (known === undefined) object[name] = value!
    else object[name] = [known as string, value!]
  }
  return object
}
