// ModelPlane: the data plane in memory, for simulation and as the reference the native one is compared with.
// Deterministic and single-threaded: its inputs are verbs, bytes on connections and `tick`; what they cause
// is done before they return, and facts wait for `drain`. No clock, entropy, file or socket of its own.
//
// Non-obvious: `settle` looks at everything that waits after every input, so a wake-up cannot be forgotten;
// the price is time per input, which simulation can afford. Two planes on one ModelDisk are one machine
// restarted; `crash` abandons the first.

import { MalformedFrame, Reader } from '../lib/bytes.ts'
import type { Clock } from '../lib/clock.ts'
import type { Random } from '../lib/random.ts'
import { decodeRequest, hasVersion } from '../protocol/codec.ts'
import { decodeRequestHeader } from '../protocol/headers.ts'
import { Fetch, Produce } from '../protocol/messages/produce_fetch.ts'
import { counterColumn, counterColumns, DisconnectReason, TopicOperation } from './layout.ts'
import { ModelConnection } from './model_connection.ts'
import { ModelDisk } from './model_disk.ts'
import { ModelFacts } from './model_facts.ts'
import { ModelFetches } from './model_fetch.ts'
import {
  ModelConnections,
  type ModelNetwork,
  type Stream,
  type StreamHandler,
  type Turn,
} from './model_network.ts'
import { ModelPartitions } from './model_partitions.ts'
import { ModelProduces } from './model_produce.ts'
import { monotonicMs, type RequestContext, type RequestOrigin } from './model_requests.ts'
import { ModelRoutes } from './model_routes.ts'
import { ModelSessions } from './model_sessions.ts'
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

const ECONNREFUSED = 111
const FIRST_PORT = 40_000
const PRODUCER_CHECK_MS = 60_000
/** The client id of Kafka's own admin client, which may produce to internal topics. */
const ADMIN_CLIENT = '__admin_client'
/** What a ModelPlane is given besides a plane's own options. */
export interface ModelOptions extends PlaneOptions {
  readonly clock: Clock
  readonly random: Random
  /** Runs the task later, never before it returns: the doorbell goes through it. */
  readonly schedule: (task: () => void) => void
  /** The machine's disk; a new one when left out. */
  readonly disk?: ModelDisk
  /** Connections between planes; without it `dial` is refused and only `connect` gets in. */
  readonly network?: ModelNetwork
}

interface Listener {
  readonly options: ListenOptions
  readonly port: number
  isOpen: boolean
}

/** The contract of plane.ts, in memory. */
export class ModelPlane implements DataPlane {
  onDoorbell: () => void = () => {}
  readonly disk: ModelDisk
  readonly #options: ModelOptions
  readonly #clock: Clock
  readonly #facts: ModelFacts
  readonly #connections: ModelConnections
  readonly #routes: ModelRoutes
  readonly #sessions: ModelSessions
  readonly #produces: ModelProduces
  readonly #fetches: ModelFetches
  readonly #partitions: ModelPartitions
  readonly #listeners = new Map<number, Listener>()
  readonly #counters = new Float64Array(counterColumns)
  readonly #asked = new Set<string>()
  #nextProducerCheckMs: number
  #hasChanged = false
  #isSettling = false
  #isClosed = false

  constructor(options: ModelOptions) {
    this.#options = options
    this.#clock = options.clock
    this.disk = options.disk ?? new ModelDisk()
    this.#facts = new ModelFacts(() => options.schedule(() => this.#isClosed || this.onDoorbell()))
    this.#routes = new ModelRoutes(options.verdicts ?? 'allow')
    this.#sessions = new ModelSessions(options.fetchSessionsMax ?? 1000, options.random)
    this.#partitions = new ModelPartitions({
      nodeId: options.nodeId,
      isFullValidation: options.produceValidation === 'full',
      clock: options.clock,
      random: options.random,
      disk: this.disk,
      facts: this.#facts,
      count: (column, by) => this.#count(column, by),
      changed: () => {
        this.#hasChanged = true
      },
      marked: (...marker) => this.#produces.marked(...marker),
      settle: () => this.#settle(),
    })
    const context: RequestContext = {
      clock: options.clock,
      routes: this.#routes,
      partition: (slot) => this.#partitions.get(slot),
      count: (column, by) => this.#count(column, by),
      verdictNeeded: (principal, handle, operation) => this.#ask(principal, handle, operation),
      admissionNeeded: ({ slot, leaderEpoch }, { ask, producerId, producerEpoch }, of) =>
        this.#facts.push((sink) =>
          sink.admissionNeeded(slot, leaderEpoch, { ask, producerId, producerEpoch, ...of }),
        ),
    }
    this.#produces = new ModelProduces(context)
    this.#fetches = new ModelFetches(context, this.#sessions, options.fetchBytesMax ?? 55 << 20)
    this.#connections = new ModelConnections(
      {
        requestBytesMax: options.requestBytesMax ?? 100 << 20,
        connectionsMax: options.connectionsMax ?? 0x7fffffff,
        connectionsPerIpMax: options.connectionsPerIpMax ?? 0x7fffffff,
        connectionsMaxIdleMs: options.connectionsMaxIdleMs ?? 600_000,
      },
      options.clock,
      this.#facts,
      {
        frame: (turn, frame) => this.#frame(turn, frame),
        ended: () => {
          this.#hasChanged = true
        },
        count: (column, by) => this.#count(column, by),
      },
    )
    const checkMs = options.producerIdExpirationCheckMs ?? PRODUCER_CHECK_MS
    this.#nextProducerCheckMs = monotonicMs(options.clock) + checkMs
  }

  // --- process

  drain(sink: FactSink): number {
    const count = this.#facts.drain(sink)
    this.#settle()
    return count
  }

  close(options: { graceMs?: number; isClean?: boolean } = {}): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#end()
    this.#partitions.close(options.isClean !== false)
    return Promise.resolve()
  }

  /** The process dies where it stands: connections drop, nothing is flushed, no fact is told. */
  crash(): void {
    this.#end()
  }

  #end(): void {
    this.#isClosed = true
    for (const { port } of this.#listeners.values()) this.#options.network?.unbind(port)
    this.#listeners.clear()
    this.#connections.closeAll()
    this.#facts.clear()
  }

  /** Time has passed: deadlines, mutes, idle connections, flush.ms, expired producers. */
  tick(): void {
    if (this.#isClosed) return
    const nowMs = monotonicMs(this.#clock)
    this.#connections.tick()
    if (nowMs >= this.#nextProducerCheckMs) {
      const checkMs = this.#options.producerIdExpirationCheckMs ?? PRODUCER_CHECK_MS
      this.#nextProducerCheckMs = nowMs + checkMs
      this.#partitions.expireProducers(this.#options.producerIdExpirationMs ?? 86_400_000)
    }
    this.#partitions.flushWhenDue()
    this.#settle()
  }

  /** When `tick` next has something to do, in monotonic milliseconds; Infinity: never. */
  nextDeadlineMs(): number {
    return Math.min(
      this.#connections.nextDeadlineMs(),
      this.#produces.nextDeadlineMs(),
      this.#fetches.nextDeadlineMs(),
    )
  }

  // --- network

  listen(options: ListenOptions): number {
    if (this.#listeners.has(options.listener)) {
      throw new PlaneError('LISTENER_IN_USE', `listener ${options.listener} listens already`)
    }
    const port = this.#bind(options)
    this.#listeners.set(options.listener, { options, port, isOpen: true })
    return port
  }

  #bind(options: ListenOptions): number {
    const { network } = this.#options
    if (network !== undefined) {
      return network.bind(options.host, options.port, (stream, host, port) =>
        this.#accept(options.listener, stream, host, port),
      )
    }
    const taken = new Set([...this.#listeners.values()].map((listener) => listener.port))
    let port = options.port === 0 ? FIRST_PORT : options.port
    while (options.port === 0 && taken.has(port)) port++
    if (taken.has(port)) throw new PlaneError('EADDRINUSE', `port ${port} is taken`)
    return port
  }

  unlisten(listener: number): void {
    const found = this.#listeners.get(listener)
    if (found === undefined) return
    this.#options.network?.unbind(found.port)
    this.#listeners.delete(listener)
  }

  /** A client of a listener's port, for tests. Throws ECONNREFUSED when nobody listens there. */
  connect(port: number, peer: { host: string; port: number } = LOCAL_PEER): ModelConnection {
    const found = [...this.#listeners.values()].find((listener) => listener.port === port)
    if (found === undefined) throw new PlaneError('ECONNREFUSED', `nobody listens on ${port}`)
    return new ModelConnection((stream) =>
      this.#accept(found.options.listener, stream, peer.host, peer.port),
    )
  }

  #accept(number: number, stream: Stream, host: string, port: number): StreamHandler {
    const listener = this.#listeners.get(number)
    const conn =
      listener === undefined || this.#isClosed
        ? null
        : this.#connections.accept(listener.options, { host, port, stream })
    if (conn === null) {
      if (listener === undefined) stream.close()
      return { data: () => {}, closed: () => {} }
    }
    return this.#handlerOf(conn)
  }

  #handlerOf(conn: Parameters<ModelConnections['received']>[0]): StreamHandler {
    return {
      data: (bytes) => {
        this.#connections.received(conn, bytes)
        this.#settle()
      },
      closed: () => {
        if (this.#isClosed) return
        this.#connections.close(conn, DisconnectReason.peer)
        this.#settle()
      },
    }
  }

  dial(host: string, port: number): ConnId {
    const conn = this.#connections.dial(host)
    const opened = (errno: number): void => {
      if (this.#isClosed) return
      this.#connections.opened(conn, errno)
      this.#settle()
    }
    const { network, schedule } = this.#options
    if (network === undefined) schedule(() => opened(ECONNREFUSED))
    else conn.stream = network.dial(host, port, { ...this.#handlerOf(conn), opened })
    return conn.id
  }

  send(conn: ConnId, frame: Uint8Array): void {
    this.#connections.send(conn, frame)
  }

  reply(conn: ConnId, requestId: number, frame: Uint8Array | null): void {
    this.#connections.reply(conn, requestId, frame)
    this.#settle()
  }

  hangup(conn: ConnId): void {
    this.#connections.hangup(conn)
    this.#settle()
  }

  mute(conn: ConnId, ms: number): void {
    this.#connections.mute(conn, ms)
  }

  identify(conn: ConnId, principal: number): void {
    const found = this.#connections.get(conn)
    if (found !== undefined) found.principal = principal
  }

  limit(limits: ConnectionLimits): void {
    this.#connections.limit(limits)
  }

  #frame(turn: Turn, frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
    const [key, version] = [view.getInt16(0), view.getInt16(2)]
    const isOurs = turn.conn.isData && (key === Produce.key || key === Fetch.key)
    const api = key === Produce.key ? Produce : Fetch
    if (!isOurs) this.#connections.forward(turn, frame)
    else if (hasVersion(api, version)) this.#start(turn, api, version, new Reader(frame))
    else this.#connections.close(turn.conn, DisconnectReason.unsupported)
  }

  #start(turn: Turn, api: typeof Produce | typeof Fetch, version: number, reader: Reader): void {
    let isHeaderRead = false
    try {
      const { correlationId, clientId } = decodeRequestHeader(api, version, reader)
      isHeaderRead = true
      const origin = this.#originOf(turn, version, correlationId, clientId)
      if (api === Produce) {
        this.#count(counterColumn.requestsProduce, 1)
        this.#produces.start(origin, decodeRequest(Produce, version, reader))
      } else {
        this.#count(counterColumn.requestsFetch, 1)
        this.#fetches.start(origin, decodeRequest(Fetch, version, reader))
      }
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error
      if (isHeaderRead) this.#connections.end(turn, DisconnectReason.malformed)
      else this.#connections.malformed(turn.conn)
    }
  }

  #originOf(
    turn: Turn,
    apiVersion: number,
    correlationId: number,
    clientId: string | null,
  ): RequestOrigin {
    const { conn } = turn
    return {
      apiVersion,
      correlationId,
      listener: conn.listener,
      principal: conn.principal,
      isAdminClient: clientId === ADMIN_CLIENT,
      respond: (frame) => this.#connections.complete(turn, frame),
      finish: () => this.#connections.complete(turn, null),
      fail: () => this.#connections.end(turn, DisconnectReason.produceFailed),
      isGone: () => !conn.isOpen,
    }
  }

  /** Until nothing that waits can go on. */
  #settle(): void {
    if (this.#isSettling || this.#isClosed) return
    this.#isSettling = true
    const nowMs = monotonicMs(this.#clock)
    do {
      this.#hasChanged = false
      this.#produces.settle()
      this.#partitions.settleMarkers()
      this.#fetches.settle()
      this.#produces.expire(nowMs)
      this.#fetches.expire(nowMs)
    } while (this.#hasChanged)
    this.#isSettling = false
  }

  #ask(principal: number, handle: number, operation: number): void {
    const question = questionOf(principal, handle, operation)
    if (this.#asked.has(question)) return
    this.#asked.add(question)
    this.#facts.push((sink) => sink.verdictNeeded(principal, handle, operation))
  }

  #count(column: number, by: number): void {
    this.#counters[column]! += by
  }

  // --- partitions and their logs

  create(options: CreatePartition, ticket: Ticket): void {
    this.#partitions.create(options, ticket)
    this.#settle()
  }

  lead(options: LeadPartition): void {
    this.#partitions.command(options.slot, (partition) => partition.lead(options))
    this.#settle()
  }

  follow(slot: Slot, leaderEpoch: number, leaderId: number): void {
    this.#partitions.command(slot, (partition) => partition.follow(leaderEpoch, leaderId))
    this.#settle()
  }

  isr(slot: Slot, leaderEpoch: number, partitionEpoch: number, isr: readonly number[]): void {
    this.#partitions.command(slot, (it) => it.isr(leaderEpoch, partitionEpoch, isr))
    this.#settle()
  }

  configure(slot: Slot, config: PartitionConfig): void {
    this.#partitions.configure(slot, config)
    this.#settle()
  }

  setHighWatermark(slot: Slot, leaderEpoch: number, highWatermark: number): void {
    this.#partitions.setHighWatermark(slot, leaderEpoch, highWatermark)
    this.#settle()
  }

  trim(slot: Slot, logStartOffset: number, ticket: Ticket): void {
    this.#partitions.trim(slot, logStartOffset, ticket)
    this.#settle()
  }

  cleanable(slot: Slot, firstDirtyOffset: number, minLagMs: number, ticket: Ticket): void {
    this.#partitions.cleanable(slot, firstDirtyOffset, minLagMs, ticket)
  }

  clean(slot: Slot, options: CleanOptions, ticket: Ticket): void {
    this.#partitions.clean(slot, options, ticket)
    this.#settle()
  }

  retain(slot: Slot, retention: Retention, ticket: Ticket): void {
    this.#partitions.retain(slot, retention, ticket)
    this.#settle()
  }

  truncate(slot: Slot, leaderEpoch: number, offset: number, ticket: Ticket): void {
    this.#partitions.truncate(slot, leaderEpoch, offset, ticket)
    this.#settle()
  }

  copy(slot: Slot, source: Slot, bytesMax: number, ticket: Ticket): void {
    this.#partitions.copy(slot, source, bytesMax, ticket)
    this.#settle()
  }

  retire(slot: Slot, mode: number, ticket: Ticket): void {
    this.#partitions.retire(slot, mode, ticket)
    this.#settle()
  }

  failDirectory(directory: string): void {
    this.#partitions.failDirectory(directory)
    this.#settle()
  }

  limitDirectory(directory: string, limits: DirectoryLimits): void {
    this.#partitions.limitDirectory(directory, limits)
  }

  append(slot: Slot, leaderEpoch: number, batches: Uint8Array, ticket: Ticket): void {
    this.#partitions.append(slot, leaderEpoch, batches, ticket)
    this.#settle()
  }

  marker(slot: Slot, leaderEpoch: number, marker: TransactionMarker, ticket: Ticket): void {
    this.#partitions.marker(slot, leaderEpoch, marker, ticket)
    this.#settle()
  }

  admit(slot: Slot, ask: number, errorCode: number): void {
    this.#partitions.admit(slot, (it) => this.#produces.admitted(it, ask, errorCode))
    this.#settle()
  }

  flush(slot: Slot, ticket: Ticket): void {
    this.#partitions.flush(slot, ticket)
  }

  read(slot: Slot, offset: number, bytesMax: number, ticket: Ticket): void {
    this.#partitions.read(slot, offset, bytesMax, ticket)
  }

  lookup(slot: Slot, kind: number, argument: number, ticket: Ticket): void {
    this.#partitions.lookup(slot, kind, argument, ticket)
  }

  producers(slot: Slot, ticket: Ticket): void {
    this.#partitions.producers(slot, ticket)
  }

  // --- policy

  route(topic: TopicRoute): void {
    this.#routes.route(topic)
    this.#hasChanged = true
    this.#settle()
  }

  forget(topicHandle: number): void {
    this.#routes.forget(topicHandle)
    this.#hasChanged = true
    this.#settle()
  }

  brokers(listener: number, endpoints: readonly BrokerEndpoint[]): void {
    this.#routes.brokers(listener, endpoints)
  }

  verdict(principal: number, topicHandle: number, operation: number, isAllowed: boolean): void {
    this.#routes.setVerdict(principal, topicHandle, operation, isAllowed)
    this.#asked.delete(questionOf(principal, topicHandle, operation))
    if (operation === TopicOperation.write) this.#produces.released(principal, topicHandle)
    else this.#fetches.released()
    this.#settle()
  }

  // --- tables

  partition(slot: Slot): PartitionRow {
    return this.#partitions.get(slot)?.row() ?? UNUSED_ROW
  }

  counter(column: number): number {
    switch (column) {
      case counterColumn.fetchWaiting:
        return this.#fetches.waiting
      case counterColumn.produceWaiting:
        return this.#produces.waiting
      case counterColumn.fetchSessions:
        return this.#sessions.size
      case counterColumn.fetchSessionEvictions:
        return this.#sessions.evictions
      default:
        return this.#counters[column] ?? 0
    }
  }
}

const LOCAL_PEER = { host: '127.0.0.1', port: 50_000 }

const questionOf = (principal: number, handle: number, operation: number): string =>
  `${principal}/${handle}/${operation}`
