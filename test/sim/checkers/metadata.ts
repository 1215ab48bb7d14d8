// What the metadata log said is committed stays so: the same bytes at the same offsets for ever, one image.
//
// The checker keeps its own copy of every committed batch, as of the moment the node published its high watermark, and
// replays it into an image of its own. Rules: nothing committed ever changes or leaves a hole; an epoch is led by one
// life; whenever a node's image stands at an offset, it equals the checker's there, however it got there (log or
// snapshot), and so does the controller's.

import { decodeBatches, type MetadataBatch } from '../../../src/host/metadata_log.ts'
import { MetadataImage } from '../../../src/metadata/image.ts'
import type { SimDisk } from '../disk.ts'
import type { Life } from '../life.ts'
import type { NodeInside } from '../machine.ts'
import { Violation } from '../trace.ts'

const METADATA_SLOT = 0

/** Watches one node's metadata log over all its lives. */
export class MetadataChecker {
  /** What a correct node believes. */
  readonly image = new MetadataImage()
  private readonly committed = new Map<number, Uint8Array>()
  private readonly ledBy = new Map<number, number>()
  private endOffset = 0
  private epoch = -1
  private highWatermark = { life: 0, offset: 0 }
  private known = { offset: -1, records: '' }
  private readonly disk: SimDisk

  constructor(disk: SimDisk) {
    this.disk = disk
  }

  /** Everything below is committed, as far as the checker knows. */
  get committedEndOffset(): number {
    return this.endOffset
  }

  led(life: Life, slot: number, epoch: number): void {
    if (slot !== METADATA_SLOT) return
    const before = this.ledBy.get(epoch)
    if (before !== undefined && before !== life.number) {
      throw new Violation(`epoch ${epoch} is led by life ${before} and by life ${life.number}`)
    }
    if (epoch < this.epoch) throw new Violation(`epoch ${epoch} is led after epoch ${this.epoch}`)
    this.epoch = epoch
    this.ledBy.set(epoch, life.number)
  }

  /** The node is about to publish a high watermark: the log below it is on disk now, so it is read now. */
  advanced(life: number, offset: number): void {
    const isNewLife = this.highWatermark.life !== life
    if (!isNewLife && offset < this.highWatermark.offset) {
      throw new Violation(`the high watermark fell from ${this.highWatermark.offset} to ${offset}`)
    }
    this.highWatermark = { life, offset }
    // What a life has shown once need not be read again; a new life is read from its log's beginning.
    for (const { bytes } of this.logFrom(isNewLife ? 0 : this.endOffset)) {
      for (const batch of decodeBatches(bytes)) {
        if (batch.lastOffset < offset) this.commit(batch, bytes)
      }
    }
    if (this.endOffset < offset) {
      throw new Violation(`high watermark ${offset}, but the log ends at ${this.endOffset}`)
    }
  }

  private commit(batch: MetadataBatch, bytes: Uint8Array): void {
    const { baseOffset, lastOffset, epoch, timestampMs, records } = batch
    const known = this.committed.get(baseOffset)
    if (known !== undefined) {
      if (isEqual(known, bytes)) return
      throw new Violation(`the committed batch at ${baseOffset} has changed`)
    }
    if (baseOffset !== this.endOffset) {
      throw new Violation(`committed ${baseOffset} after ${this.endOffset}`)
    }
    this.committed.set(baseOffset, bytes)
    this.endOffset = lastOffset + 1
    for (const [index, record] of records.entries()) {
      this.image.apply(record, baseOffset + index, epoch, timestampMs)
    }
    if (records.length === 0) this.image.advance(lastOffset, epoch, timestampMs)
  }

  /** Between two events: every image that stands where the checker's stands equals it. */
  check({ raft, controller }: NodeInside): void {
    const { provenance } = this.image
    if (this.image.features.metadataVersion === undefined) return
    if (raft.image.provenance.offset === provenance.offset) {
      this.compare('broker', raft.image)
    }
    const { shard } = controller
    if (shard === null || shard.image.isInTransaction) return
    if (shard.image.provenance.offset === provenance.offset) {
      this.compare('controller', shard.image)
    }
  }

  /** A node that serves has everything that was committed before. */
  checkCaughtUp({ raft }: NodeInside): void {
    if (raft.image.provenance.offset < this.image.provenance.offset) {
      throw new Violation(
        `a node serves at offset ${raft.image.provenance.offset}, ` +
          `and ${this.image.provenance.offset} was committed`,
      )
    }
  }

  private compare(whose: string, image: MetadataImage): void {
    const expected = this.records()
    const found = textOf(image)
    if (found !== expected) {
      const at = this.image.provenance.offset
      throw new Violation(`the ${whose}'s image at ${at} differs: ${difference(expected, found)}`)
    }
  }

  private records(): string {
    const { offset } = this.image.provenance
    if (this.known.offset !== offset) this.known = { offset, records: textOf(this.image) }
    return this.known.records
  }

  /** Batches of the log on disk from an offset on. */
  private logFrom(offset: number) {
    const log = this.disk.logs.logs().find(({ topic }) => topic === '__cluster_metadata')
    const all = log?.segments.flatMap(({ batches }) => batches) ?? []
    return all.filter(({ lastOffset }) => lastOffset >= offset)
  }
}

/** An image as text; the order of records does not matter. */
function textOf(image: MetadataImage): string {
  return image
    .toRecords()
    .map((record) =>
      JSON.stringify(record, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    )
    .sort()
    .join('\n')
}

function difference(expected: string, found: string): string {
  const ours = new Set(found.split('\n'))
  const theirs = new Set(expected.split('\n'))
  const missing = [...theirs].filter((line) => !ours.has(line))
  const extra = [...ours].filter((line) => !theirs.has(line))
  return `missing ${missing.slice(0, 3).join(' ')}; unexpected ${extra.slice(0, 3).join(' ')}`
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at])
}
