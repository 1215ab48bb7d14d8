// The raw client: Produce and Fetch as bytes, with every CRC checked on the way in. It sees what the log holds.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decompress } from '../../../src/plane/model_codecs.ts'
import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { Fetch } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  type BatchHeader,
  batchesOf,
  isBatchIntact,
  type LogRecord,
  recordsOf,
} from '../../../src/protocol/record_batch.ts'
import { RawClient } from '../support/raw_client.ts'
import type { Place, Reader, SeenRecord } from './matrix.ts'

export interface SeenBatch {
  header: BatchHeader
  records: LogRecord[]
}

/** Every batch that a consumer is given, from an offset to the high watermark. Throws at one whose CRC is wrong. */
export async function fetchBatches(
  client: RawClient,
  { topic, partition }: Omit<Place, 'address'>,
  from = 0,
): Promise<SeenBatch[]> {
  const batches: SeenBatch[] = []
  let offset = from
  let end = -1 // the high watermark at the first answer: a partition may grow faster than it is read
  for (;;) {
    const { responses, errorCode } = await client.ask(Fetch, 11, {
      replicaId: -1,
      maxWaitMs: 100,
      minBytes: 0,
      maxBytes: 64 << 20,
      topics: [
        { topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 16 << 20 }] },
      ],
    })
    const answer = responses[0]?.partitions[0]
    if (answer === undefined || answer.errorCode !== ErrorCode.NONE) {
      const name = errorName(answer?.errorCode ?? errorCode)
      throw new Error(`Fetch of ${topic}-${partition} at ${offset}: ${name}`)
    }
    const bytes = answer.records ?? new Uint8Array(0)
    const before = offset
    for (const header of batchesOf(bytes, true)) {
      if (!isBatchIntact(bytes, header)) {
        throw new Error(`${topic}-${partition}: the batch at offset ${header.baseOffset} is torn`)
      }
      const records = [...recordsOf(bytes, header, decompress)]
      batches.push({ header, records: records.filter((record) => record.offset >= from) })
      offset = header.lastOffset + 1
    }
    if (end < 0) end = answer.highWatermark
    if (offset >= end) return batches
    if (offset === before) throw new Error(`Fetch of ${topic}-${partition} does not move`)
  }
}

/** The headers of all batches in a partition's directory at rest: also of those that no consumer is given. */
export const headersOnDisk = (directory: string): BatchHeader[] =>
  readdirSync(directory)
    .filter((name) => /\.log(\.swap)?$/.test(name))
    .sort()
    .flatMap((name) => [...batchesOf(readFileSync(join(directory, name)), true)])

/** Every record of a partition from an offset to the high watermark. */
export async function fetchAll(
  client: RawClient,
  place: Omit<Place, 'address'>,
  from = 0,
): Promise<SeenRecord[]> {
  const batches = await fetchBatches(client, place, from)
  return batches
    .filter(({ header }) => !header.isControl)
    .flatMap(({ records }) => records.map(seen))
}

function seen(record: LogRecord): SeenRecord {
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())
  return {
    offset: record.offset,
    timestamp: Number(record.timestamp),
    key: text(record.key),
    value: text(record.value),
    headers: record.headers.map(({ key, value }) => [key, text(value)] as const),
  }
}

export const rawReader: Reader = {
  name: 'raw Fetch',
  read: async (place) => {
    const client = await RawClient.open(place.address)
    const records = await fetchAll(client, place)
    client.close()
    return records
  },
}
