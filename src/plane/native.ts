// NativePlane: the data plane in C++ (native/addon.cc) behind the DataPlane contract. Loads the addon, drains its
// rings, reads its tables. Every verb is one call; no object crosses but options.
//
// Invariant (docs/SEAM.md): a ring's `tail` and `slabTail` move only after the sink has seen the fact, and `idle`
// is set before `head` is looked at for the last time, so neither a body nor a wake-up is ever lost.
// The doorbell does not keep the process alive; a plane that is closing does.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getSystemErrorName } from 'node:util'
import { encodeMarker } from '../protocol/transaction_marker.ts'
import { counterColumns, partitionColumns, partitionRowsPerChunk } from './layout.ts'
import { type Addon, FactRing } from './native_ring.ts'
import { readStill } from './native_rows.ts'
import {
  type BrokerEndpoint,
  type CleanOptions,
  type ConnectionLimits,
  type ConnId,
  type CreatePartition,
  type DataPlane,
  type DirectoryLimits,
  type FactSink,
  type LeadPartition,
  type ListenOptions,
  type PartitionConfig,
  type PartitionRow,
  PlaneError,
  type PlaneOptions,
  type Retention,
  type Slot,
  type Ticket,
  type TopicRoute,
  type TransactionMarker,
  UNUSED_ROW,
} from './plane.ts'

const ADDON = join('build', 'Release', 'ottla.node')
const LEVELS_UP_MAX = 5

/** Options of a NativePlane; with `simulation` it runs in a seeded world and in virtual time. */
export interface NativeOptions extends PlaneOptions {
  readonly simulation?: { readonly seed: number }
}

let loaded: Addon | undefined

/** The addon, from the package's root, whether this file runs from src/ or from dist/. */
export function loadAddon(): Addon {
  if (loaded) return loaded
  let directory = dirname(fileURLToPath(import.meta.url))
  for (let level = 0; level < LEVELS_UP_MAX; level++) {
    const path = join(directory, ADDON)
    if (existsSync(path)) {
      loaded = createRequire(import.meta.url)(path) as Addon
      return loaded
    }
    directory = dirname(directory)
  }
  throw new PlaneError(
    'ADDON_MISSING',
    'the native addon is not built; type: node native/build.mjs',
  )
}

/** What `node.ts` and `startBroker` are given to make planes with. */
export function createNativePlane(options: NativeOptions): NativePlane {
  return new NativePlane(options)
}

/** Locks `<directory>/.lock` as Apache Kafka does; null when anybody, this process included, has it. */
export function lockDirectory(directory: string): { release(): void } | null {
  const addon = loadAddon()
  const descriptor = addon.lockDirectory(directory)
  if (descriptor >= 0) return { release: () => addon.unlockDirectory(descriptor) }
  const code = getSystemErrorName(descriptor)
  if (code === 'EAGAIN') return null
  throw new PlaneError(code, `cannot lock ${directory}: ${code}`)
}

/** Whether nobody reads a pipe any more (`| head` has ended), which Node tells only to those who write. */
export function isAbandoned(descriptor: number): boolean {
  return loadAddon().isAbandoned(descriptor)
}

/** The data plane in C++. */
export class NativePlane implements DataPlane {
  onDoorbell: () => void = () => {}

  readonly #addon: Addon
  readonly #plane: number
  readonly #isSimulated: boolean
  #rings: FactRing[] = []
  #counters = new Float64Array(0)
  readonly #chunks: (Float64Array | undefined)[] = []
  #isOpen = true
  #closing: Promise<void> | undefined
  #closed: () => void = () => {}

  constructor(options: NativeOptions) {
    this.#addon = loadAddon()
    const plane = this.#addon.open(options, () => this.#ring())
    if (plane < 0 && options.ioBackend === 'io_uring') throw withoutUring(plane)
    if (plane < 0) throw failed(plane, 'the data plane does not start')
    this.#plane = plane
    this.#isSimulated = options.simulation !== undefined
    this.#attach()
  }

  #attach(): void {
    this.#rings = this.#addon.rings(this.#plane).map((memory) => new FactRing(memory))
    this.#counters = new Float64Array(this.#addon.counters(this.#plane))
    this.#chunks.length = 0
  }

  // --- process

  drain(sink: FactSink): number {
    if (!this.#isOpen) return 0
    let count = 0
    for (let reactor = 0; reactor < this.#rings.length; reactor++) {
      const takeBody = (id: number) => this.#addon.takeBody(this.#plane, reactor, id)
      count += this.#rings[reactor]!.drain(sink, takeBody)
    }
    let isMore = false
    for (const ring of this.#rings) isMore = ring.rest() || isMore
    if (isMore) setImmediate(() => this.#ring())
    return count
  }

  #ring(): void {
    if (!this.#isOpen) return
    const isClosed = this.#closing !== undefined && this.#addon.isClosed(this.#plane)
    this.onDoorbell()
    if (isClosed && this.#isOpen) this.#finish()
  }

  close({
    graceMs = 0,
    isClean = true,
  }: {
    graceMs?: number
    isClean?: boolean
  } = {}): Promise<void> {
    if (this.#closing) return this.#closing
    this.#closing = new Promise((resolve) => {
      this.#closed = resolve
    })
    this.#addon.close(this.#plane, graceMs, isClean)
    if (this.#isSimulated) {
      this.#addon.simStep(this.#plane, graceMs * 1000 + 1)
      this.#ring()
    }
    return this.#closing
  }

  #finish(): void {
    this.#isOpen = false
    this.#addon.join(this.#plane)
    this.#rings = []
    this.#chunks.length = 0
    this.#closed()
  }

  // --- network

  listen(options: ListenOptions): number {
    const { listener, host, port, data } = options
    const bound = this.#addon.listen(this.#plane, listener, host, port, data)
    if (bound < 0) throw failed(bound, `cannot listen on ${host || '*'}:${port}`)
    return bound
  }

  unlisten(listener: number): void {
    if (this.#isOpen) this.#addon.unlisten(this.#plane, listener)
  }

  dial(host: string, port: number): ConnId {
    return this.#addon.dial(this.#plane, host, port)
  }

  send(conn: ConnId, frame: Uint8Array): void {
    if (this.#isOpen) this.#addon.send(this.#plane, conn, frame)
  }

  reply(conn: ConnId, requestId: number, frame: Uint8Array | null): void {
    if (this.#isOpen) this.#addon.reply(this.#plane, conn, requestId, frame)
  }

  hangup(conn: ConnId): void {
    if (this.#isOpen) this.#addon.hangup(this.#plane, conn)
  }

  mute(conn: ConnId, ms: number): void {
    if (this.#isOpen) this.#addon.mute(this.#plane, conn, Math.ceil(ms))
  }

  identify(conn: ConnId, principal: number): void {
    if (this.#isOpen) this.#addon.identify(this.#plane, conn, principal)
  }

  limit({ total, perAddress, byAddress }: ConnectionLimits): void {
    if (!this.#isOpen) return
    const [addresses, counts] = [[...byAddress.keys()], [...byAddress.values()]]
    this.#addon.limit(this.#plane, total, perAddress, addresses, counts)
  }

  // --- partitions

  create(options: CreatePartition, ticket: Ticket): void {
    const code = this.#addon.create(this.#plane, options, ticket)
    if (code !== '') throw new PlaneError(code, `cannot create at slot ${options.slot}: ${code}`)
  }

  lead({ slot, leaderEpoch, partitionEpoch, replicas, isr }: LeadPartition): void {
    if (!this.#isOpen) return
    const all = Int32Array.from(replicas)
    this.#addon.lead(this.#plane, slot, leaderEpoch, partitionEpoch, all, Int32Array.from(isr))
  }

  follow(slot: Slot, leaderEpoch: number, leaderId: number): void {
    if (this.#isOpen) this.#addon.follow(this.#plane, slot, leaderEpoch, leaderId)
  }

  isr(slot: Slot, leaderEpoch: number, partitionEpoch: number, isr: readonly number[]): void {
    if (!this.#isOpen) return
    this.#addon.isr(this.#plane, slot, leaderEpoch, partitionEpoch, Int32Array.from(isr))
  }

  configure(slot: Slot, config: PartitionConfig): void {
    if (this.#isOpen) this.#addon.configure(this.#plane, slot, config)
  }

  trim(slot: Slot, logStartOffset: number, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.trim(this.#plane, slot, logStartOffset, ticket)
  }

  cleanable(slot: Slot, firstDirtyOffset: number, minLagMs: number, ticket: Ticket): void {
    if (!this.#isOpen) return
    this.#addon.cleanable(this.#plane, slot, firstDirtyOffset, minLagMs, ticket)
  }

  clean(slot: Slot, options: CleanOptions, ticket: Ticket): void {
    if (!this.#isOpen) return
    const { firstDirtyOffset, minLagMs, deleteRetentionMs, ...how } = options
    const { mapBytes, mapLoad, bufferBytes, bytesPerSecond } = how
    // biome-ignore format: the order of the addon's arguments
    this.#addon.clean(this.#plane, slot, firstDirtyOffset, minLagMs, deleteRetentionMs,
      mapBytes, Math.round(Math.min(1, Math.max(0, mapLoad)) * 1e6), bufferBytes, bytesPerSecond, ticket)
  }

  retain(slot: Slot, { retentionMs, retentionBytes }: Retention, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.retain(this.#plane, slot, retentionMs, retentionBytes, ticket)
  }

  truncate(slot: Slot, leaderEpoch: number, offset: number, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.truncate(this.#plane, slot, leaderEpoch, offset, ticket)
  }

  copy(slot: Slot, source: Slot, bytesMax: number, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.copy(this.#plane, slot, source, bytesMax, ticket)
  }

  retire(slot: Slot, mode: number, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.retire(this.#plane, slot, mode, ticket)
  }

  failDirectory(directory: string): void {
    if (this.#isOpen) this.#addon.failDirectory(this.#plane, directory)
  }

  limitDirectory(directory: string, { clientBytes, isShort }: DirectoryLimits): void {
    if (this.#isOpen) this.#addon.limitDirectory(this.#plane, directory, clientBytes, isShort)
  }

  // --- log

  append(slot: Slot, leaderEpoch: number, batches: Uint8Array, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.append(this.#plane, slot, leaderEpoch, batches, ticket)
  }

  marker(slot: Slot, leaderEpoch: number, marker: TransactionMarker, ticket: Ticket): void {
    if (!this.#isOpen) return
    const batch = encodeMarker(marker)
    this.#addon.mark(this.#plane, slot, leaderEpoch, batch, marker.transactionVersion, ticket)
  }

  admit(slot: Slot, ask: number, errorCode: number): void {
    if (this.#isOpen) this.#addon.admit(this.#plane, slot, ask, errorCode)
  }

  flush(slot: Slot, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.flush(this.#plane, slot, ticket)
  }

  setHighWatermark(slot: Slot, leaderEpoch: number, highWatermark: number): void {
    if (this.#isOpen) this.#addon.setHighWatermark(this.#plane, slot, leaderEpoch, highWatermark)
  }

  read(slot: Slot, offset: number, bytesMax: number, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.read(this.#plane, slot, offset, bytesMax, ticket)
  }

  lookup(slot: Slot, kind: number, argument: number, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.lookup(this.#plane, slot, kind, argument, ticket)
  }

  producers(slot: Slot, ticket: Ticket): void {
    if (this.#isOpen) this.#addon.producers(this.#plane, slot, ticket)
  }

  // --- policy

  route({ handle, name, topicId, partitions, isInternal = false }: TopicRoute): void {
    if (!this.#isOpen) return
    const numbers = new Int32Array(partitions.length * 3)
    let at = 0
    for (const { slot, leaderId, leaderEpoch } of partitions) {
      numbers[at++] = slot
      numbers[at++] = leaderId
      numbers[at++] = leaderEpoch
    }
    this.#addon.route(this.#plane, handle, name, topicId, numbers, isInternal)
  }

  forget(topicHandle: number): void {
    if (this.#isOpen) this.#addon.forget(this.#plane, topicHandle)
  }

  brokers(listener: number, endpoints: readonly BrokerEndpoint[]): void {
    if (this.#isOpen) this.#addon.brokers(this.#plane, listener, endpoints)
  }

  verdict(principal: number, topicHandle: number, operation: number, isAllowed: boolean): void {
    if (!this.#isOpen) return
    this.#addon.verdict(this.#plane, principal, topicHandle, operation, isAllowed)
  }

  // --- tables

  partition(slot: Slot): PartitionRow {
    const rows = this.#rows(Math.floor(slot / partitionRowsPerChunk))
    if (!rows) return UNUSED_ROW
    const base = (slot % partitionRowsPerChunk) * partitionColumns
    const row = readStill(rows, base)
    if (row !== null) return row
    throw new PlaneError('ROW_BUSY', `the row of slot ${slot} never stands still`)
  }

  #rows(chunk: number): Float64Array | undefined {
    if (!this.#chunks[chunk] && this.#isOpen && chunk >= 0) {
      const buffer = this.#addon.partitionRows(this.#plane, chunk)
      if (buffer) this.#chunks[chunk] = new Float64Array(buffer)
    }
    return this.#chunks[chunk]
  }

  counter(column: number): number {
    let sum = 0
    for (let at = column; at < this.#counters.length; at += counterColumns)
      sum += this.#counters[at]!
    return sum
  }

  // --- simulation only

  /** The world outside a simulated plane: time, clients, faults, death. */
  get world(): NativeWorld {
    return new NativeWorld(this.#addon, this.#plane, () => this.#attach())
  }
}

/** Drives the world of a plane opened with `simulation`. */
export class NativeWorld {
  readonly #addon: Addon
  readonly #plane: number
  readonly #restarted: () => void

  constructor(addon: Addon, plane: number, restarted: () => void) {
    this.#addon = addon
    this.#plane = plane
    this.#restarted = restarted
  }

  /** Runs everything due within so many microseconds of virtual time. */
  step(microseconds: number): void {
    this.#addon.simStep(this.#plane, microseconds)
  }

  nowUs(): number {
    return this.#addon.simNow(this.#plane)
  }

  connect(port: number): number {
    return this.#addon.simConnect(this.#plane, port)
  }

  /** False when nobody listened there. */
  isConnected(client: number): boolean {
    return this.#addon.simConnected(this.#plane, client)
  }

  /** How many bytes were taken; -1 when the connection is gone. */
  send(client: number, bytes: Uint8Array): number {
    return this.#addon.simSend(this.#plane, client, bytes)
  }

  /** What has arrived, perhaps nothing; null when the connection is over. */
  receive(client: number, bytesMax = 65_536): Uint8Array | null {
    return this.#addon.simReceive(this.#plane, client, bytesMax)
  }

  closeClient(client: number, how: 'close' | 'end' | 'reset' = 'close'): void {
    this.#addon.simClose(this.#plane, client, { close: 0, end: 1, reset: 2 }[how])
  }

  /** The machine (power lost: unsynced bytes go) or the process dies. */
  crash(isPowerLost: boolean): void {
    this.#addon.simCrash(this.#plane, isPowerLost)
  }

  /** Milliseconds since 1970, as the world has it. */
  wallMs(): number {
    return this.#addon.simWall(this.#plane)
  }

  /** A new plane on what the old one left; one that has not died is closed cleanly first. */
  restart(): void {
    this.#addon.simRestart(this.#plane)
    this.#restarted()
  }

  /** One fault rule (native/io/sim.h, SimRule); null takes all back. */
  rule(rule: Readonly<Record<string, number | string>> | null): void {
    this.#addon.simRule(this.#plane, rule)
  }

  /** A digest of everything the world was asked: equal for equal runs. */
  trace(): string {
    return this.#addon.simTrace(this.#plane)
  }
}

/** Asked for by name, so not replaced in silence: what stands against it, and what to do. */
function withoutUring(negativeErrno: number): PlaneError {
  const code = getSystemErrorName(negativeErrno)
  const reasons: Readonly<Record<string, string>> = {
    ENOSYS: 'the kernel, or the seccomp profile of this container, does not have it',
    EPERM: 'kernel.io_uring_disabled or the seccomp profile of this container forbids it',
    EINVAL: 'the kernel is older than Linux 6.1',
    EOPNOTSUPP: 'the kernel is older than Linux 6.1',
    ENOMEM: 'the limit of locked memory is too low (ulimit -l)',
    EMFILE: 'no descriptor is left (ulimit -n)',
  }
  const why = reasons[code] ?? 'the system refuses it'
  return new PlaneError(
    code,
    `ottla.io.backend=io_uring: io_uring cannot be used here: ${code}, ${why}; allow io_uring_setup, ` +
      'io_uring_enter and io_uring_register, or set ottla.io.backend=epoll',
  )
}

function failed(negativeErrno: number, what: string): PlaneError {
  const code = getSystemErrorName(negativeErrno)
  return new PlaneError(code, `${what}: ${code}`)
}
