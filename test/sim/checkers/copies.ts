// Exactly once: what a read_committed consumer makes of the output, read here from the disk itself, is each number of each copier
// once, up to the offset that was committed with them: a whole number of transactions, whatever was killed in between.
//
// At any time nothing is there twice, and what was answered is there. Lost power may take the ends of logs, one more than
// the other (Kafka's bargain): after that nothing is asked any more.

import { batchesOf, recordsOf } from '../../../src/protocol/record_batch.ts'
import { readMarker } from '../../../src/protocol/transaction_marker.ts'
import type { SimDisk } from '../disk.ts'
import { Violation } from '../trace.ts'

interface Copy {
  /** Committed, and the copier was told. */
  told: number
  /** Asked for, perhaps committed. */
  asked: number
}

/** The copies of one output. */
export class CopyChecker {
  commits = 0
  private readonly copies = new Map<string, Copy>()
  private readonly disk: SimDisk
  private readonly topic: string
  private hasPowerGone = false

  constructor(disk: SimDisk, topic: string) {
    this.disk = disk
    this.topic = topic
  }

  private of(name: string): Copy {
    const known = this.copies.get(name)
    if (known !== undefined) return known
    const copy = { told: 0, asked: 0 }
    this.copies.set(name, copy)
    return copy
  }

  powerLost(): void {
    this.hasPowerGone = true
  }

  /** A copier asks for the end of a transaction that goes up to here. */
  ending(name: string, upTo: number): void {
    this.of(name).asked = upTo
  }

  ended(name: string, upTo: number): void {
    this.commits++
    this.of(name).told = upTo
  }

  /** Nothing of it is open any more, and this is what is committed. */
  resumed(name: string, committed: number): void {
    if (this.hasPowerGone) return
    const copy = this.of(name)
    if (committed !== copy.told && committed !== copy.asked) {
      const known = `${copy.told} is, and ${copy.asked} was asked for`
      throw new Violation(`${name} was told that ${committed} is committed: ${known}`)
    }
    copy.told = committed
    copy.asked = committed
    this.compare(name, committed)
  }

  finished(name: string, committed: number): void {
    if (!this.hasPowerGone) this.compare(name, committed)
  }

  /** At any time: nothing twice, nothing out of order, nothing that was not asked to be committed. */
  check(): void {
    if (this.hasPowerGone) return
    const seen = this.committed()
    for (const [name, numbers] of seen) {
      const most = Math.max(this.of(name).told, this.of(name).asked)
      if (new Set(numbers).size !== numbers.length)
        throw new Violation(`${name} is there twice: ${numbers}`)
      const last = Math.max(-1, ...numbers)
      if (last >= most) throw new Violation(`${name} is there up to ${last}, of ${most}`)
    }
  }

  /** Everything up to here and nothing else. */
  private compare(name: string, committed: number): void {
    const numbers = (this.committed().get(name) ?? []).sort((x, y) => x - y)
    const isWhole = numbers.length === committed && numbers.every((number, at) => number === at)
    if (isWhole) return
    throw new Violation(`${name} has committed ${committed}, and the output has ${numbers.join()}`)
  }

  /** Numbers by copier, as a read_committed consumer sees them. */
  private committed(): Map<string, number[]> {
    const seen = new Map<string, number[]>()
    for (const { topic, segments } of this.disk.logs.logs()) {
      if (topic !== this.topic) continue
      const open = new Map<number, string[]>()
      for (const { bytes } of segments.flatMap(({ batches }) => batches))
        readInto(seen, open, bytes)
    }
    return seen
  }
}

const decoder = new TextDecoder()

function readInto(
  seen: Map<string, number[]>,
  open: Map<number, string[]>,
  bytes: Uint8Array,
): void {
  for (const batch of batchesOf(bytes)) {
    const { producerId } = batch
    const records = [...recordsOf(bytes, batch)]
    if (!batch.isControl) {
      const values = records.map(({ value }) => decoder.decode(value!))
      open.set(producerId, [...(open.get(producerId) ?? []), ...values])
      continue
    }
    const isCommit = readMarker(records[0]!)?.isCommit === true
    for (const value of isCommit ? (open.get(producerId) ?? []) : []) {
      const [name, number] = value.split(':') as [string, string]
      seen.set(name, [...(seen.get(name) ?? []), Number(number)])
    }
    open.delete(producerId)
  }
}
