// Snapshot files: image → bytes → image, file names, and files that must be refused.
import { describe, expect, test } from 'vitest'
import { MalformedFrame } from '../../../src/lib/bytes.ts'
import { MetadataImage } from '../../../src/metadata/image.ts'
import { CorruptMetadata } from '../../../src/metadata/record.ts'
import {
  decodeSnapshot,
  encodeSnapshot,
  parseSnapshotFileName,
  type Snapshot,
  snapshotFileName,
} from '../../../src/metadata/snapshot.ts'
import { batchesOf } from '../../../src/protocol/record_batch.ts'
import { everyRecord, id, make } from './every_record.ts'

const voters = {
  version: 0,
  voters: [
    {
      voterId: 1,
      voterDirectoryId: id(1),
      endpoints: [{ name: 'CONTROLLER', host: 'localhost', port: 9093 }],
      kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
    },
  ],
}

function sample(): Snapshot {
  const image = new MetadataImage()
  everyRecord().forEach((record, offset) => {
    image.apply(record, offset, 3, 1234)
  })
  return {
    endOffset: image.provenance.offset + 1,
    epoch: 3,
    lastContainedLogTimestampMs: 1234,
    kraftVersion: 1,
    voters,
    records: image.toRecords(),
  }
}

describe('metadata: snapshot', () => {
  test('metadata: snapshot: an image survives its file', () => {
    const snapshot = sample()
    const bytes = encodeSnapshot(snapshot, 5000)
    expect(decodeSnapshot(bytes, snapshot)).toEqual(snapshot)
    const batches = [...batchesOf(bytes)]
    expect(batches.map((batch) => [batch.baseOffset, batch.count, batch.isControl])).toEqual([
      [0, 3, true],
      [3, snapshot.records.length, false],
      [3 + snapshot.records.length, 1, true],
    ])
    expect(new Set(batches.map((batch) => batch.partitionLeaderEpoch))).toEqual(new Set([3]))
  })

  test('metadata: snapshot: kraft.version 0 has neither version nor voters', () => {
    const snapshot = { ...sample(), kraftVersion: 0, voters: null }
    const bytes = encodeSnapshot(snapshot, 5000)
    expect([...batchesOf(bytes)][0]!.count).toBe(1)
    expect(decodeSnapshot(bytes, snapshot)).toEqual(snapshot)
    expect(() => encodeSnapshot({ ...snapshot, voters }, 5000)).toThrow()
  })

  test('metadata: snapshot: many records go into several batches', () => {
    const records = [make('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 30 })]
    for (let n = 0; n < 3000; n++) {
      records.push(make('TopicRecord', { name: `t${n}`, topicId: id(n) }))
    }
    const snapshot = { ...sample(), records }
    const bytes = encodeSnapshot(snapshot, 5000)
    expect([...batchesOf(bytes)].length).toBe(5)
    expect(decodeSnapshot(bytes, snapshot).records).toEqual(records)
  })

  test('metadata: snapshot: a file cut anywhere or with a flipped bit is refused', () => {
    const snapshot = sample()
    const bytes = encodeSnapshot(snapshot, 5000)
    for (let end = 0; end < bytes.length; end += 7) {
      const decode = () => decodeSnapshot(bytes.subarray(0, end), snapshot)
      expect(decode, `cut at ${end}`).toThrow()
    }
    for (let at = 0; at < bytes.length; at += 11) {
      const flipped = bytes.slice()
      flipped[at]! ^= 0x10
      let read: Snapshot | null = null
      try {
        read = decodeSnapshot(flipped, snapshot)
      } catch (error) {
        expect(error instanceof CorruptMetadata || error instanceof MalformedFrame).toBe(true)
      }
      // Base offset and leader epoch are outside of the checksum, and nothing is read from them.
      if (read !== null) expect(read).toEqual(snapshot)
    }
  })

  test('metadata: snapshot: the name says end offset and epoch', () => {
    expect(snapshotFileName(12, 3)).toBe('00000000000000000012-0000000003.checkpoint')
    expect(parseSnapshotFileName(snapshotFileName(12, 3))).toEqual({ endOffset: 12, epoch: 3 })
    for (const name of [
      'bootstrap.checkpoint',
      '00000000000000000012-0000000003.checkpoint.part',
    ]) {
      expect(parseSnapshotFileName(name)).toBe(undefined)
    }
  })
})
