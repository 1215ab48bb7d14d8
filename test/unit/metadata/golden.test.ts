// Files that Apache Kafka 4.3.1 wrote (test/oracle/metadata): a log with a record of every type, its
// snapshot, a bootstrap checkpoint and quorum-state. Read, compared, and written again to the byte.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MetadataImage } from '../../../src/metadata/image.ts'
import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
} from '../../../src/metadata/record.ts'
import {
  decodeSnapshot,
  encodeSnapshot,
  parseSnapshotFileName,
} from '../../../src/metadata/snapshot.ts'
import { decodeControlRecord, encodeControlBatch } from '../../../src/protocol/control_records.ts'
import { batchesOf, encodeBatch, recordsOf } from '../../../src/protocol/record_batch.ts'
import * as tables from '../../../src/protocol/records/metadata.ts'
import { readBatches } from '../../../src/raft/batches.ts'
import { decodeQuorumState, encodeQuorumState } from '../../../src/raft/quorum_state.ts'
import { loadGoldenLog } from '../../oracle/metadata/golden.ts'

const folder = new URL('../../golden/metadata/', import.meta.url)
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)))
const log = read('00000000000000000000.log')
const snapshotName = readdirSync(folder).find((name) => parseSnapshotFileName(name))!
const snapshotId = parseSnapshotFileName(snapshotName)!

/** Records without the order that Kafka's hash maps give them. */
function sorted(records: readonly MetadataRecord[]): string[] {
  const plain = (_: string, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? [...value] : value
  return records.map((record) => JSON.stringify(canonical(record), plain)).sort()
}

/** A quota's entity is a set: Kafka may turn its parts around. */
function canonical(record: MetadataRecord): MetadataRecord {
  if (record.name !== 'ClientQuotaRecord') return record
  const entity = [...record.value.entity].sort((x, y) => (x.entityType < y.entityType ? -1 : 1))
  return { ...record, value: { ...record.value, entity } }
}

/** Decodes and encodes every batch of a file again. */
function rewritten(bytes: Uint8Array): Buffer {
  const parts = [...batchesOf(bytes)].map((batch) => {
    const records = [...recordsOf(bytes, batch)]
    const { baseOffset, partitionLeaderEpoch: epoch } = batch
    const timestampMs = Number(batch.baseTimestamp)
    if (batch.isControl) {
      const at = { baseOffset, epoch, timestampMs }
      return encodeControlBatch(records.map(decodeControlRecord), at)
    }
    return encodeBatch({
      records: records.map((record) => ({
        value: encodeMetadataRecord(decodeMetadataRecord(record.value!)),
      })),
      baseOffset,
      partitionLeaderEpoch: epoch,
      timestamp: timestampMs,
    })
  })
  return Buffer.concat(parts)
}

describe('metadata: golden', () => {
  test('metadata: golden: the log holds every record type, and each batch is written to the byte', () => {
    const seen = new Set<string>()
    for (const batch of batchesOf(log)) {
      if (batch.isControl) continue
      for (const record of recordsOf(log, batch)) seen.add(decodeMetadataRecord(record.value!).name)
    }
    expect(Object.keys(tables).filter((name) => !seen.has(name))).toEqual([])
    expect(rewritten(log).equals(log)).toBe(true)
  })

  test("metadata: golden: our image of the log is Kafka's snapshot of it", () => {
    const { image, quorum } = loadGoldenLog(log)
    const snapshot = decodeSnapshot(read(snapshotName), snapshotId)
    expect(sorted(image.toRecords())).toEqual(sorted(snapshot.records))
    expect(image.provenance).toEqual({
      offset: snapshot.endOffset - 1,
      epoch: snapshot.epoch,
      timestampMs: snapshot.lastContainedLogTimestampMs,
    })
    expect(quorum).toEqual({ kraftVersion: snapshot.kraftVersion, voters: snapshot.voters })
    expect(quorum.kraftVersion).toBe(1)
  })

  test("metadata: golden: Kafka's snapshot survives us, to the byte of each batch", () => {
    const bytes = read(snapshotName)
    expect(rewritten(bytes).equals(bytes)).toBe(true)
    const snapshot = decodeSnapshot(bytes, snapshotId)
    const image = new MetadataImage()
    const { endOffset, epoch, lastContainedLogTimestampMs: timestampMs } = snapshot
    image.load(snapshot.records, { offset: endOffset - 1, epoch, timestampMs })
    const again = decodeSnapshot(
      encodeSnapshot({ ...snapshot, records: image.toRecords() }, timestampMs),
      snapshotId,
    )
    expect(sorted(again.records)).toEqual(sorted(snapshot.records))
    expect({ ...again, records: [] }).toEqual({ ...snapshot, records: [] })
  })

  test('metadata: golden: the bootstrap checkpoint is a snapshot at offset and epoch 0', () => {
    const bytes = read('bootstrap.checkpoint')
    const snapshot = decodeSnapshot(bytes, { endOffset: 0, epoch: 0 })
    expect(snapshot).toMatchObject({ kraftVersion: 0, voters: null })
    expect(sorted(snapshot.records)).toEqual(
      sorted([
        {
          name: 'FeatureLevelRecord',
          version: 0,
          value: { name: 'metadata.version', featureLevel: 30 },
        },
        {
          name: 'FeatureLevelRecord',
          version: 0,
          value: { name: 'group.version', featureLevel: 1 },
        },
      ]),
    )
    expect(rewritten(bytes).equals(bytes)).toBe(true)
  })
})

describe('raft: golden', () => {
  test('raft: golden: quorum-state of both versions, to the byte', () => {
    const text = (name: string) => readFileSync(new URL(name, folder), 'utf8')
    const zero = decodeQuorumState(text('quorum-state-0'))
    expect(zero).toEqual({ epoch: 7, leaderId: 1, votedKey: null })
    expect(encodeQuorumState(zero, 0, [1])).toBe(text('quorum-state-0'))
    const one = decodeQuorumState(text('quorum-state-1'))
    expect(one).toMatchObject({ epoch: 7, leaderId: 1, votedKey: { id: 2 } })
    expect(encodeQuorumState(one, 1, [])).toBe(text('quorum-state-1'))
  })

  test('raft: golden: a fetched log is read batch by batch, control records included', () => {
    const { batches, bytes } = readBatches(log)
    expect(bytes).toBe(log.length)
    expect(batches[0]).toEqual({ baseOffset: 0, lastOffset: 0, epoch: 3, quorum: [] })
    const quorum = batches.flatMap((batch) => batch.quorum)
    expect(quorum.map(({ offset, record }) => [offset, record.type])).toEqual([
      [1, 'kraftVersion'],
      [2, 'voters'],
    ])
    expect(batches.at(-1)!.lastOffset).toBe(snapshotId.endOffset - 1)
    // Cut or damaged bytes end the list; nothing throws.
    for (let end = 0; end < log.length; end += 13) {
      const cut = readBatches(log.subarray(0, end))
      expect(cut.bytes).toBeLessThanOrEqual(end)
      const damaged = log.slice()
      damaged[end]! ^= 0x55
      expect(readBatches(damaged).bytes).toBeLessThanOrEqual(log.length)
    }
  })
})
