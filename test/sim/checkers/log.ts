// What producers were told is in a log is there: once, in order, at the offset they were told.
//
// A process that is killed loses nothing, because the page cache stays. A machine without power may lose the end of
// a log that nobody synced (Kafka's bargain, DESIGN decision 4); then what is left must still be a prefix, whole and
// unchanged. Rules: an acknowledged record is at its offset; nothing is there that nobody sent; one producer's records
// ascend without repetition; what a consumer saw stays.

import type { StoredLog } from '../../../src/plane/model_disk.ts'
import { batchesOf, isBatchIntact, recordsOf } from '../../../src/protocol/record_batch.ts'
import type { SimDisk } from '../disk.ts'
import { Violation } from '../trace.ts'

/** What is known of one partition. */
class KnownLog {
  /** Values by offset: acknowledged, or seen by a consumer. */
  readonly values = new Map<number, string>()
  readonly sent = new Set<string>()
  /** Where it started at the last look: never further back, whatever happens. */
  start = 0
}

/** Every partition that workloads write to. */
export class LogChecker {
  private readonly logs = new Map<string, KnownLog>()
  private readonly producerIds = new Set<number>()
  private readonly kept = new Map<string, number>()
  private hasPowerGone = false
  acknowledged = 0
  lost = 0
  private readonly disk: SimDisk

  constructor(disk: SimDisk) {
    this.disk = disk
  }

  sending(topic: string, partition: number, values: readonly string[]): void {
    for (const value of values) this.of(topic, partition).sent.add(value)
  }

  /** The broker answered that these records begin at this offset. */
  acked(topic: string, partition: number, baseOffset: number, values: readonly string[]): void {
    this.acknowledged += values.length
    for (const [at, value] of values.entries()) this.know(topic, partition, baseOffset + at, value)
  }

  /** A consumer read this. */
  seen(topic: string, partition: number, offset: number, value: string): void {
    if (!this.of(topic, partition).sent.has(value)) {
      throw new Violation(`${topic}-${partition}: nobody sent ${value}, at offset ${offset}`)
    }
    this.know(topic, partition, offset, value)
  }

  /** Retention may take the front of this topic's logs, as long as so many bytes stay. */
  shrinks(topic: string, keptBytes: number): void {
    this.kept.set(topic, keptBytes)
  }

  producerId(id: number): void {
    if (this.producerIds.has(id)) throw new Violation(`producer id ${id} was handed out twice`)
    this.producerIds.add(id)
  }

  private know(topic: string, partition: number, offset: number, value: string): void {
    const { values } = this.of(topic, partition)
    const known = values.get(offset)
    if (known !== undefined && known !== value) {
      throw new Violation(`${topic}-${partition}: offset ${offset} was ${known} and is ${value}`)
    }
    values.set(offset, value)
  }

  private of(topic: string, partition: number): KnownLog {
    const name = `${topic}-${partition}`
    let log = this.logs.get(name)
    if (log === undefined) this.logs.set(name, (log = new KnownLog()))
    return log
  }

  /** The power went: what is above the ends that are left is lost, and may be. */
  powerLost(): void {
    this.hasPowerGone = true
    const ends = new Map<string, number>()
    for (const log of this.disk.logs.logs()) {
      const last = log.segments.at(-1)!
      const end = (last.batches.at(-1)?.lastOffset ?? last.baseOffset - 1) + 1
      ends.set(nameOf(log), end)
    }
    for (const [name, { values }] of this.logs) {
      const end = ends.get(name) ?? 0
      for (const offset of [...values.keys()]) {
        if (offset < end) continue
        values.delete(offset)
        this.lost++
      }
    }
  }

  /** Offsets that lie below the starts of logs. */
  get deleted(): number {
    return [...this.logs.values()].reduce((sum, { start }) => sum + start, 0)
  }

  /** Reads the disk itself. */
  check(): void {
    const stored = new Map(
      this.disk.logs.logs().map((log): [string, StoredLog] => [nameOf(log), log]),
    )
    for (const [name, known] of this.logs) {
      const log = stored.get(name)
      if (log === undefined && known.values.size > 0) throw new Violation(`${name} is gone`)
      const values = new Map<number, string>()
      for (const { batches } of log?.segments ?? []) {
        for (const { bytes } of batches) readInto(values, name, bytes)
      }
      if (log !== undefined && this.kept.has(log.topic)) this.shrank(name, known, log)
      compare(name, known, values)
    }
  }

  /** Only the front may be gone, and no more of it than the limit asks for. */
  private shrank(name: string, known: KnownLog, { topic, segments }: StoredLog): void {
    const start = segments[0]!.baseOffset
    if (start < known.start) {
      throw new Violation(`${name}: it started at ${known.start}, and starts at ${start} again`)
    }
    known.start = start
    for (const offset of known.values.keys()) if (offset < start) known.values.delete(offset)
    let bytes = 0
    for (const { batches } of segments) for (const batch of batches) bytes += batch.bytes.length
    const isTooFew = start > 0 && bytes < this.kept.get(topic)!
    if (isTooFew && !this.hasPowerGone) throw new Violation(`${name}: only ${bytes} bytes are left`)
  }
}

const nameOf = ({ topic, partition }: StoredLog): string => `${topic}-${partition}`
const decoder = new TextDecoder()

function readInto(values: Map<number, string>, name: string, bytes: Uint8Array): void {
  for (const batch of batchesOf(bytes)) {
    if (!isBatchIntact(bytes, batch)) {
      throw new Violation(`${name}: the batch at ${batch.baseOffset} is torn`)
    }
    for (const { offset, value } of recordsOf(bytes, batch)) {
      values.set(offset, decoder.decode(value ?? new Uint8Array(0)))
    }
  }
}

function compare(name: string, known: KnownLog, values: ReadonlyMap<number, string>): void {
  for (const [offset, value] of known.values) {
    const found = values.get(offset)
    if (found === value) continue
    throw new Violation(`${name}: offset ${offset} should hold ${value}, and holds ${found}`)
  }
  const last = new Map<string, number>()
  for (const [offset, value] of values) {
    if (!known.sent.has(value)) throw new Violation(`${name}: nobody sent ${value}, at ${offset}`)
    const [producer, number] = value.split(':') as [string, string]
    const before = last.get(producer) ?? -1
    if (Number(number) <= before) {
      throw new Violation(`${name}: ${value} at ${offset} comes after ${producer}:${before}`)
    }
    last.set(producer, Number(number))
  }
}
