// Tickets: the plane's completions as promises. Numbers grow and are never reused; what is still open when the
// plane closes is answered KAFKA_STORAGE_ERROR, so nobody waits for ever.

import type { DataPlane, FactSink, Ticket } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'

export interface Done {
  errorCode: number
  a: number
  b: number
  c: number
}

export interface Data {
  errorCode: number
  bytes: Uint8Array
  a: number
  b: number
}

const NO_BYTES = new Uint8Array(0)

/** Open completions of one plane. */
export class Tickets implements Pick<FactSink, 'done' | 'data'> {
  private readonly waiting = new Map<Ticket, (answer: Done & { bytes: Uint8Array }) => void>()
  private readonly plane: DataPlane
  private next: Ticket = 1

  constructor(plane: DataPlane) {
    this.plane = plane
  }

  get open(): number {
    return this.waiting.size
  }

  /** Runs a verb that answers by `done`. */
  run(verb: (plane: DataPlane, ticket: Ticket) => void): Promise<Done> {
    return new Promise((resolve) => this.start(verb, resolve))
  }

  /** Runs a verb that answers by `data`; the bytes are the caller's. */
  read(verb: (plane: DataPlane, ticket: Ticket) => void): Promise<Data> {
    return new Promise((resolve) => this.start(verb, resolve))
  }

  /** As run, without a promise: for callers whose order within a drain matters. */
  call(verb: (plane: DataPlane, ticket: Ticket) => void, then: (done: Done) => void): void {
    this.start(verb, then)
  }

  done(ticket: Ticket, errorCode: number, a: number, b: number, c: number): void {
    this.finish(ticket, { errorCode, a, b, c, bytes: NO_BYTES })
  }

  data(ticket: Ticket, errorCode: number, bytes: Uint8Array, a: number, b: number): void {
    this.finish(ticket, { errorCode, a, b, c: 0, bytes: bytes.slice() })
  }

  /** Answers everything still open; the plane is gone. */
  abandon(): void {
    for (const ticket of [...this.waiting.keys()]) {
      this.done(ticket, ErrorCode.KAFKA_STORAGE_ERROR, -1, -1, -1)
    }
  }

  private start(
    verb: (plane: DataPlane, ticket: Ticket) => void,
    resolve: (answer: Done & { bytes: Uint8Array }) => void,
  ): void {
    const ticket = this.next++
    this.waiting.set(ticket, resolve)
    verb(this.plane, ticket)
  }

  private finish(ticket: Ticket, answer: Done & { bytes: Uint8Array }): void {
    const resolve = this.waiting.get(ticket)
    this.waiting.delete(ticket)
    resolve?.(answer)
  }
}
