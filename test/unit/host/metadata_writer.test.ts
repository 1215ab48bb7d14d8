// The metadata log on a disk that is full now and then: what was refused is sent again in order, a sync counts only for
// what is in the log, and anything else that fails is told.

import { expect, test } from 'vitest'
import { MetadataWriter } from '../../../src/host/metadata_writer.ts'
import { Tickets } from '../../../src/host/tickets.ts'
import type { World } from '../../../src/host/world.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { type DataPlane, UNUSED_ROW } from '../../../src/plane/plane.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'

const { NONE, KAFKA_STORAGE_ERROR, OFFSET_OUT_OF_RANGE } = ErrorCode

/** A log of numbers: one that does not follow the last one is refused, as is any while the disk is full. */
class Disk {
  readonly log: number[] = []
  isFull = false
  isOffline = false
  readonly flushed: number[] = []
  readonly failed: string[] = []
  private readonly due: (() => void)[] = []
  private readonly timers: (() => void)[] = []
  private readonly tickets: Tickets
  readonly writer: MetadataWriter

  constructor() {
    const plane = {
      partition: () => ({ ...UNUSED_ROW, isOffline: this.isOffline }),
      append: (_slot: number, _epoch: number, [number]: Uint8Array, ticket: number) =>
        this.due.push(() => this.answer(ticket, this.append(number!))),
      flush: (_slot: number, ticket: number) => this.due.push(() => this.answer(ticket, NONE)),
    } as unknown as DataPlane
    const world = {
      log: silentLog,
      schedule: (_ms: number, run: () => void) => {
        this.timers.push(run)
        return () => {}
      },
    } as unknown as World
    this.tickets = new Tickets(plane)
    this.writer = new MetadataWriter({
      world,
      plane,
      tickets: this.tickets,
      slot: 0,
      onFlushed: (end) => this.flushed.push(end),
      onFailed: (what) => this.failed.push(what),
    })
  }

  /** Appends these, and asks for a sync behind each. */
  write(...numbers: number[]): void {
    for (const number of numbers) {
      this.writer.append(1, Uint8Array.of(number))
      this.writer.flush(number + 1)
    }
  }

  private append(number: number): number {
    if (this.isOffline) return KAFKA_STORAGE_ERROR
    if (number !== this.log.length) return OFFSET_OUT_OF_RANGE
    if (this.isFull) return KAFKA_STORAGE_ERROR
    this.log.push(number)
    return NONE
  }

  private answer(ticket: number, errorCode: number): void {
    this.tickets.done(ticket, errorCode, -1, -1, -1)
  }

  /** The plane does so much of what it was asked; all of it. */
  turn(count = this.due.length): void {
    for (const one of this.due.splice(0, count)) one()
  }

  later(): void {
    for (const run of this.timers.splice(0)) run()
  }
}

test('metadata writer: appends and syncs go through in order', () => {
  const disk = new Disk()
  disk.write(0, 1)
  disk.turn()
  expect(disk.log).toEqual([0, 1])
  expect(disk.flushed).toEqual([1, 2])
})

test('metadata writer: what a full disk refused is sent again, and no sync before it counts', () => {
  const disk = new Disk()
  disk.write(0)
  disk.turn()
  disk.isFull = true
  disk.write(1, 2)
  disk.turn(1)
  // There is room again when the next one comes: it must not take the place of the first.
  disk.isFull = false
  disk.turn()
  expect(disk.log).toEqual([0])
  expect(disk.flushed).toEqual([1])
  disk.write(3)
  disk.later()
  disk.turn()
  expect(disk.log).toEqual([0, 1, 2, 3])
  expect(disk.flushed).toEqual([1, 4])
  expect(disk.failed).toEqual([])
})

test('metadata writer: it goes on asking while the disk stays full', () => {
  const disk = new Disk()
  disk.isFull = true
  disk.write(0, 1)
  for (let i = 0; i < 3; i++) {
    disk.turn()
    disk.later()
  }
  expect([disk.log, disk.flushed, disk.failed]).toEqual([[], [], []])
  disk.isFull = false
  disk.turn()
  disk.write(2)
  disk.turn()
  expect(disk.log).toEqual([0, 1, 2])
  expect(disk.flushed.at(-1)).toBe(3)
})

test('metadata writer: a directory that fails is told, also while it was full', () => {
  const disk = new Disk()
  disk.isFull = true
  disk.write(0)
  disk.turn()
  disk.isOffline = true
  disk.later()
  disk.turn()
  expect(disk.failed[0]).toMatch(/append/)
  expect(disk.flushed).toEqual([])
})

test('metadata writer: nothing is sent again once it is stopped', () => {
  const disk = new Disk()
  disk.isFull = true
  disk.write(0)
  disk.turn()
  disk.writer.stop()
  disk.isFull = false
  disk.later()
  disk.turn()
  expect(disk.log).toEqual([])
})
