// @platformatic/kafka: producer, admin, and a consumer that may fetch one partition without a group.

import { Admin, Consumer, Producer } from '@platformatic/kafka'
import type { Compression } from '../../../src/protocol/record_batch.ts'
import type { ClientRecord, Reader, SeenRecord, Writer } from './matrix.ts'

const options = (address: string) => ({
  clientId: 'platformatic',
  bootstrapBrokers: [address],
  retries: 60,
  retryDelay: 50,
})

export function platformaticAdmin(address: string): Admin {
  return new Admin(options(address))
}

export function platformaticProducer(address: string, idempotent = false): Producer {
  return new Producer({ ...options(address), idempotent, acks: -1 })
}

export const platformaticWriter: Writer = {
  name: 'platformatic',
  codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
  express: (record) => record,
  write: async ({ address, topic, partition }, records, codec) => {
    const producer = platformaticProducer(address)
    for (const run of inRuns(records)) {
      await producer.send({
        compression: codec as Exclude<Compression, 'none'>,
        messages: run.map(({ key, value, headers, timestamp }) => ({
          topic,
          partition,
          key: bytes(key),
          value: bytes(value),
          headers: new Map(headers.map(([name, text]) => [Buffer.from(name), bytes(text)!])),
          timestamp: BigInt(timestamp),
        })),
      })
    }
    await producer.close()
  },
}

function* inRuns(records: readonly ClientRecord[]): Generator<ClientRecord[]> {
  let run: ClientRecord[] = []
  for (const record of records) {
    const isLarge = (record.value?.length ?? 0) > 500_000
    if (isLarge && run.length > 0) {
      yield run
      run = []
    }
    run.push(record)
    if (!isLarge) continue
    yield run
    run = []
  }
  if (run.length > 0) yield run
}

function bytes(text: string | null): Buffer | undefined {
  // Null is what the client takes for "none", though its types say undefined.
  return text === null ? (null as unknown as undefined) : Buffer.from(text)
}

export const platformaticReader: Reader = {
  name: 'platformatic',
  // Java writes snappy in xerial's blocks; this client knows bare snappy only.
  cannotRead: ['java snappy'],
  read: async ({ address, topic, partition }, count) => {
    const consumer = new Consumer({ ...options(address), groupId: 'none' })
    const metadata = await consumer.metadata({ topics: [topic] })
    const { id, partitions } = metadata.topics.get(topic)!
    const seen: SeenRecord[] = []
    while (seen.length < count) {
      const { responses } = await consumer.fetch({
        node: partitions[partition]!.leader,
        maxWaitTime: 500,
        minBytes: 1,
        maxBytes: 16 << 20,
        topics: [
          {
            topicId: id,
            partitions: [
              {
                partition,
                currentLeaderEpoch: -1,
                lastFetchedEpoch: -1,
                fetchOffset: BigInt(seen.length === 0 ? 0 : seen.at(-1)!.offset + 1),
                partitionMaxBytes: 4 << 20,
              },
            ],
          },
        ],
      })
      for (const batch of responses[0]?.partitions[0]?.records ?? []) {
        for (const record of batch.records) {
          seen.push({
            offset: Number(batch.firstOffset) + record.offsetDelta,
            timestamp: Number(batch.firstTimestamp + record.timestampDelta),
            key: text(record.key),
            value: text(record.value),
            headers: record.headers.map(([name, value]) => [text(name)!, text(value)] as const),
          })
        }
      }
    }
    await consumer.close()
    return seen
  },
}

function text(value: Buffer | null | undefined): string | null {
  return value === null || value === undefined ? null : value.toString()
}
