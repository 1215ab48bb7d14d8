// Reads a segment of a metadata log into an image, as a host does at start.

import { MetadataImage } from '../../../src/metadata/image.ts'
import { decodeMetadataRecord } from '../../../src/metadata/record.ts'
import type { VotersValue } from '../../../src/metadata/snapshot.ts'
import { decodeControlRecord } from '../../../src/protocol/control_records.ts'
import { batchesOf, isBatchIntact, recordsOf } from '../../../src/protocol/record_batch.ts'

/** The image of a log, and what its control records say about the quorum. */
export function loadGoldenLog(log: Uint8Array): {
  image: MetadataImage
  quorum: { kraftVersion: number; voters: VotersValue | null }
} {
  const image = new MetadataImage()
  const quorum: { kraftVersion: number; voters: VotersValue | null } = {
    kraftVersion: 0,
    voters: null,
  }
  for (const batch of batchesOf(log)) {
    if (!isBatchIntact(log, batch)) throw new Error(`a bad checksum at byte ${batch.position}`)
    for (const record of recordsOf(log, batch)) {
      const at = [record.offset, batch.partitionLeaderEpoch, Number(record.timestamp)] as const
      if (!batch.isControl) {
        image.apply(decodeMetadataRecord(record.value!), ...at)
        continue
      }
      const control = decodeControlRecord(record)
      if (control.type === 'kraftVersion') quorum.kraftVersion = control.value.kRaftVersion
      if (control.type === 'voters') quorum.voters = control.value
      image.advance(...at)
    }
  }
  return { image, quorum }
}
