// What the contract suite needs of a plane, whichever it is: a way in, a way to wait, a way to restart.
// One harness file per plane; the suite never asks which one it runs on, only what it can do.

import type { AdmissionNeeded, DataPlane, FactSink, PlaneOptions } from '../../src/plane/plane.ts'

/** A client's end of a connection. */
export interface TestConnection {
  send(bytes: Uint8Array): void
  /** Whole frames since the last call, without their lengths. */
  receive(): Uint8Array[]
  close(): void
  /** True once the plane has ended it. */
  readonly isClosed: boolean
}

/** A plane that is running, and the world around it. */
export interface PlaneUnderTest {
  readonly plane: DataPlane
  readonly facts: Facts
  /** Where partitions go. */
  readonly directory: string
  nowMs(): number
  connect(port: number): Promise<TestConnection>
  /** Until it holds, by what is under way; time that nobody waits for does not pass in between. */
  until(condition: () => boolean, what: string): Promise<void>
  /** Until it holds; deadlines come true. */
  later(condition: () => boolean, what: string): Promise<void>
  /** Everything under way is done: what has not happened by now does not happen by itself. */
  quiet(): Promise<void>
  /** Lets time pass; only where `hasVirtualTime`. */
  advance(ms: number): Promise<void>
  /** Another plane on the same directories; the old one is closed, or killed when not clean. */
  restart(options?: { isClean?: boolean }): Promise<PlaneUnderTest>
  close(): Promise<void>
}

/** Makes planes of one kind. */
export interface PlaneHarness {
  readonly name: string
  readonly hasVirtualTime: boolean
  open(options?: Partial<PlaneOptions>): Promise<PlaneUnderTest>
}

export interface Fact {
  readonly kind: string
  readonly [field: string]: unknown
}

/** Records facts; byte views are copied, because they die with the call. */
export class Facts implements FactSink {
  readonly all: Fact[] = []

  of(kind: string): Fact[] {
    return this.all.filter((fact) => fact.kind === kind)
  }

  last(kind: string): Fact | undefined {
    return this.all.findLast((fact) => fact.kind === kind)
  }

  /** The answer to a ticket. */
  answer(ticket: number): Fact | undefined {
    return this.all.find((fact) => fact['ticket'] === ticket)
  }

  connected(conn: number, listener: number, peerHost: string, peerPort: number): void {
    this.all.push({ kind: 'connected', conn, listener, peerHost, peerPort })
  }
  disconnected(conn: number, reason: number): void {
    this.all.push({ kind: 'disconnected', conn, reason })
  }
  request(conn: number, requestId: number, listener: number, frame: Uint8Array): void {
    this.all.push({ kind: 'request', conn, requestId, listener, frame: frame.slice() })
  }
  response(conn: number, frame: Uint8Array): void {
    this.all.push({ kind: 'response', conn, frame: frame.slice() })
  }
  dialled(conn: number, errno: number): void {
    this.all.push({ kind: 'dialled', conn, errno })
  }
  done(ticket: number, errorCode: number, a: number, b: number, c: number): void {
    this.all.push({ kind: 'done', ticket, errorCode, a, b, c })
  }
  data(ticket: number, errorCode: number, bytes: Uint8Array, a: number, b: number): void {
    this.all.push({ kind: 'data', ticket, errorCode, bytes: bytes.slice(), a, b })
  }
  highWatermark(slot: number, leaderEpoch: number, highWatermark: number): void {
    this.all.push({ kind: 'highWatermark', slot, leaderEpoch, highWatermark })
  }
  caughtUp(slot: number, leaderEpoch: number, replicaId: number): void {
    this.all.push({ kind: 'caughtUp', slot, leaderEpoch, replicaId })
  }
  fenced(slot: number, leaderEpoch: number): void {
    this.all.push({ kind: 'fenced', slot, leaderEpoch })
  }
  verdictNeeded(principal: number, topicHandle: number, operation: number): void {
    this.all.push({ kind: 'verdictNeeded', principal, topicHandle, operation })
  }
  admissionNeeded(slot: number, leaderEpoch: number, admission: AdmissionNeeded): void {
    this.all.push({ kind: 'admissionNeeded', slot, leaderEpoch, ...admission })
  }
  directoryFailed(directory: string, errno: number): void {
    this.all.push({ kind: 'directoryFailed', directory, errno })
  }
  stalled(reactor: number, microseconds: number): void {
    this.all.push({ kind: 'stalled', reactor, microseconds })
  }
  overflow(reactor: number, count: number): void {
    this.all.push({ kind: 'overflow', reactor, count })
  }
}
