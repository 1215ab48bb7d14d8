// FactRing: TypeScript's side of one reactor's ring (native/reactor/facts.h is the other), and the addon's types.
// Draining allocates nothing but the views of bodies. Layout: layout.ts.

import { FactFlag, FactKind, factBytes, factOffset, ringHeaderBytes, ringOffset } from './layout.ts'
import type { BrokerEndpoint, CreatePartition, FactSink, PartitionConfig } from './plane.ts'

/** A ring as the addon hands it over. */
export interface RingMemory {
  readonly buffer: ArrayBuffer
  readonly facts: number
  readonly slabBytes: number
}

const HEAD = ringOffset.head / 4
const TAIL = ringOffset.tail / 4
const IDLE = ringOffset.idle / 4
const SLAB_TAIL = ringOffset.slabTail / 4
const EMPTY = new Uint8Array(0)
const decoder = new TextDecoder()

/** Reads facts in order; see the invariant in native.ts. */
export class FactRing {
  readonly #cursors: Int32Array
  readonly #words: Int32Array
  readonly #doubles: Float64Array
  readonly #bytes: Uint8Array
  readonly #factMask: number
  readonly #slabMask: number
  readonly #slabBegin: number

  constructor({ buffer, facts, slabBytes }: RingMemory) {
    this.#cursors = new Int32Array(buffer, 0, ringHeaderBytes / 4)
    this.#words = new Int32Array(buffer, ringHeaderBytes, (facts * factBytes) / 4)
    this.#doubles = new Float64Array(buffer, ringHeaderBytes, (facts * factBytes) / 8)
    this.#bytes = new Uint8Array(buffer)
    this.#factMask = facts - 1
    this.#slabMask = slabBytes - 1
    this.#slabBegin = ringHeaderBytes + facts * factBytes
  }

  /** Delivers what is there now; returns how many. A fact whose sink threw counts as delivered. */
  drain(sink: FactSink, takeBody: (id: number) => Uint8Array): number {
    const head = Atomics.load(this.#cursors, HEAD)
    let tail = Atomics.load(this.#cursors, TAIL)
    let count = 0
    while (tail !== head) {
      const slot = tail & this.#factMask
      tail = (tail + 1) | 0
      count++
      try {
        this.#deliver(slot, sink, takeBody)
      } finally {
        this.#release(slot)
        Atomics.store(this.#cursors, TAIL, tail)
      }
    }
    return count
  }

  /** Nobody drains from now on. True: something came meanwhile, and nobody else will ring for it. */
  rest(): boolean {
    Atomics.store(this.#cursors, IDLE, 1)
    if (Atomics.load(this.#cursors, HEAD) === Atomics.load(this.#cursors, TAIL)) return false
    return Atomics.exchange(this.#cursors, IDLE, 0) === 1
  }

  #isLarge(slot: number): boolean {
    const flags = this.#words[(slot * factBytes) / 4]! >>> 16
    return (flags & FactFlag.largeBody) !== 0
  }

  #release(slot: number): void {
    if (this.#isLarge(slot)) return
    const word = (slot * factBytes) / 4
    const position = this.#words[word + factOffset.bodyOffset / 4]!
    const bytes = this.#words[word + factOffset.bodyBytes / 4]!
    Atomics.store(this.#cursors, SLAB_TAIL, (position + ((bytes + 7) & ~7)) | 0)
  }

  #body(slot: number, takeBody: (id: number) => Uint8Array): Uint8Array {
    const word = (slot * factBytes) / 4
    const position = this.#words[word + factOffset.bodyOffset / 4]!
    if (this.#isLarge(slot)) return takeBody(position >>> 0)
    const bytes = this.#words[word + factOffset.bodyBytes / 4]!
    if (bytes === 0) return EMPTY
    const begin = this.#slabBegin + (position & this.#slabMask)
    return this.#bytes.subarray(begin, begin + bytes)
  }

  #deliver(slot: number, sink: FactSink, takeBody: (id: number) => Uint8Array): void {
    const word = (slot * factBytes) / 4
    const double = (slot * factBytes) / 8
    const status = this.#words[word + factOffset.status / 4]!
    const partition = this.#words[word + factOffset.slot / 4]!
    const epoch = this.#words[word + factOffset.epoch / 4]!
    const ticket = this.#doubles[double + factOffset.ticket / 8]!
    const a = this.#doubles[double + factOffset.a / 8]!
    const b = this.#doubles[double + factOffset.b / 8]!
    const c = this.#doubles[double + factOffset.c / 8]!
    switch (this.#words[word]! & 0xffff) {
      case FactKind.request:
        return sink.request(a, ticket, b, this.#body(slot, takeBody))
      case FactKind.done:
        return sink.done(ticket, status, a, b, c)
      case FactKind.data:
        return sink.data(ticket, status, this.#body(slot, takeBody), a, b)
      case FactKind.highWatermark:
        return sink.highWatermark(partition, epoch, a)
      case FactKind.connected:
        return sink.connected(a, b, decoder.decode(this.#body(slot, takeBody)), c)
      case FactKind.disconnected:
        return sink.disconnected(a, status)
      case FactKind.response:
        return sink.response(a, this.#body(slot, takeBody))
      case FactKind.dialled:
        return sink.dialled(a, status)
      case FactKind.caughtUp:
        return sink.caughtUp(partition, epoch, a)
      case FactKind.fenced:
        return sink.fenced(partition, epoch)
      case FactKind.verdictNeeded:
        return sink.verdictNeeded(a, b, c)
      case FactKind.admissionNeeded:
        return sink.admissionNeeded(partition, epoch, {
          ask: ticket,
          producerId: a,
          producerEpoch: b,
          apiVersion: c,
          transactionalId: decoder.decode(this.#body(slot, takeBody)),
        })
      case FactKind.directoryFailed:
        return sink.directoryFailed(decoder.decode(this.#body(slot, takeBody)), status)
      case FactKind.stalled:
        return sink.stalled(a, b)
      case FactKind.overflow:
        return sink.overflow(a, b)
    }
  }
}

/** native/addon.cc, as it is: planes are small integers, failures negative errno numbers. */
export interface Addon {
  open(options: object, doorbell: () => void): number
  rings(plane: number): RingMemory[]
  takeBody(plane: number, reactor: number, id: number): Uint8Array
  close(plane: number, graceMs: number, isClean: boolean): void
  isClosed(plane: number): boolean
  join(plane: number): void
  lockDirectory(path: string): number
  unlockDirectory(descriptor: number): void
  compress(codec: number, bytes: Uint8Array): Uint8Array | number
  decompress(codec: number, bytes: Uint8Array, outBytesMax: number): Uint8Array | number
  isAbandoned(descriptor: number): boolean
  listen(plane: number, listener: number, host: string, port: number, data: boolean): number
  unlisten(plane: number, listener: number): void
  dial(plane: number, host: string, port: number): number
  send(plane: number, conn: number, frame: Uint8Array): void
  reply(plane: number, conn: number, requestId: number, frame: Uint8Array | null): void
  hangup(plane: number, conn: number): void
  mute(plane: number, conn: number, ms: number): void
  identify(plane: number, conn: number, principal: number): void
  create(plane: number, options: CreatePartition, ticket: number): string
  lead(
    plane: number,
    slot: number,
    leaderEpoch: number,
    partitionEpoch: number,
    replicas: Int32Array,
    isr: Int32Array,
  ): void
  follow(plane: number, slot: number, leaderEpoch: number, leaderId: number): void
  isr(
    plane: number,
    slot: number,
    leaderEpoch: number,
    partitionEpoch: number,
    isr: Int32Array,
  ): void
  configure(plane: number, slot: number, config: PartitionConfig): void
  trim(plane: number, slot: number, logStartOffset: number, ticket: number): void
  cleanable(plane: number, slot: number, dirty: number, lag: number, ticket: number): void
  clean(plane: number, slot: number, ...rest: number[]): void
  copy(plane: number, slot: number, source: number, bytesMax: number, ticket: number): void
  retain(plane: number, slot: number, ms: number, bytes: number, ticket: number): void
  truncate(plane: number, slot: number, leaderEpoch: number, offset: number, ticket: number): void
  retire(plane: number, slot: number, mode: number, ticket: number): void
  failDirectory(plane: number, directory: string): void
  limitDirectory(plane: number, directory: string, clientBytes: number, isShort: boolean): void
  append(
    plane: number,
    slot: number,
    leaderEpoch: number,
    batches: Uint8Array,
    ticket: number,
  ): void
  mark(
    plane: number,
    slot: number,
    leaderEpoch: number,
    batch: Uint8Array,
    transactionVersion: number,
    ticket: number,
  ): void
  admit(plane: number, slot: number, ask: number, errorCode: number): void
  flush(plane: number, slot: number, ticket: number): void
  setHighWatermark(plane: number, slot: number, leaderEpoch: number, highWatermark: number): void
  read(plane: number, slot: number, offset: number, bytesMax: number, ticket: number): void
  lookup(plane: number, slot: number, kind: number, argument: number, ticket: number): void
  producers(plane: number, slot: number, ticket: number): void
  route(
    plane: number,
    handle: number,
    name: string,
    topicId: string,
    partitions: Int32Array,
    isInternal: boolean,
  ): void
  limit(
    plane: number,
    total: number,
    perAddress: number,
    addresses: string[],
    counts: number[],
  ): void
  forget(plane: number, topicHandle: number): void
  brokers(plane: number, listener: number, endpoints: readonly BrokerEndpoint[]): void
  verdict(
    plane: number,
    principal: number,
    topicHandle: number,
    operation: number,
    isAllowed: boolean,
  ): void
  partitionRows(plane: number, chunk: number): ArrayBuffer | undefined
  counters(plane: number): ArrayBuffer
  simStep(plane: number, microseconds: number): void
  simNow(plane: number): number
  simWall(plane: number): number
  simConnect(plane: number, port: number): number
  simConnected(plane: number, client: number): boolean
  simSend(plane: number, client: number, bytes: Uint8Array): number
  simReceive(plane: number, client: number, bytesMax: number): Uint8Array | null
  simClose(plane: number, client: number, how: number): void
  simCrash(plane: number, isPowerLost: boolean): void
  simRestart(plane: number): void
  simRule(plane: number, rule: object | null): void
  simTrace(plane: number): string
}
