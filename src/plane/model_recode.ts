// A client's batch in the codec of its topic: opened, every record written anew, compressed again.
// Invariant: records keep key, value, headers and time; what is sealed says of itself what Kafka's builder would.
// Kafka: LogValidator.buildRecordsAndAssignOffsets, MemoryRecordsBuilder.

import { COMPRESSION, encodeBatch, readBatchHeader, recordsOf } from '../protocol/record_batch.ts'
import { compress, decompress } from './model_codecs.ts'
import type { PartitionConfig } from './plane.ts'

/** The codec that `config` wants and the batch has not; null where it stays as it is. */
export function codecWanted(batch: Uint8Array, config: PartitionConfig): number | null {
  const { recompressTo } = config
  if (recompressTo === undefined || batch.length < 61) return null
  const codec = batch[22]! & 7
  return codec < COMPRESSION.length && codec !== recompressTo ? recompressTo : null
}

/** The batch in that codec, at offset 0. It has been validated, records and all. */
export function recodeBatch(batch: Uint8Array, codec: number, level?: number): Uint8Array {
  const header = readBatchHeader(batch)
  const records = [...recordsOf(batch, header, decompress)]
  return encodeBatch({
    records: records.map(({ timestamp, key, value, headers }) => ({
      timestamp,
      key,
      value,
      headers,
    })),
    isTransactional: header.isTransactional,
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    baseSequence: header.baseSequence,
    compression: COMPRESSION[codec]!,
    compress: (compression, bytes) => compress(compression, bytes, level),
  })
}
