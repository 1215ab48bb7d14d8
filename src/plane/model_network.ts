// Connections of the model: frames out of bytes, requests in order, responses in order, the barrier that a
// frame for TypeScript is. The bytes come from whoever holds the other end: a test, or a simulated network.
// Invariants: a connection's requests start in order and its responses leave in order; after `disconnected`
// nothing more is said of it. Kafka: SocketServer, Selector; DESIGN §7 rule 10, docs/SEAM.md.

import type { Clock } from '../lib/clock.ts'
import { counterColumn, DisconnectReason } from './layout.ts'
import type { ModelFacts } from './model_facts.ts'
import { monotonicMs } from './model_requests.ts'
import type { ConnectionLimits, ConnId } from './plane.ts'

const LENGTH_BYTES = 4
/** Linux's errno of a dial that was hung up before it was answered. */
const ECANCELED = 125
/** Api key, version and correlation id: less is no request. */
const FRAME_BYTES_MIN = 8

/** The end a plane writes to; bytes may arrive in any pieces. */
export interface Stream {
  write(bytes: Uint8Array): void
  /** Orderly: after what was written. */
  close(): void
}

/** The end a plane listens on. Calls must not come from inside a call to its Stream. */
export interface StreamHandler {
  data(bytes: Uint8Array): void
  closed(): void
}

/** A network between planes. `dial` answers `opened` later, never before it returns. */
export interface ModelNetwork {
  /** Throws PlaneError('EADDRINUSE') when the port is taken; port 0 picks one. */
  bind(
    host: string,
    port: number,
    accept: (stream: Stream, peerHost: string, peerPort: number) => StreamHandler,
  ): number
  unbind(port: number): void
  dial(host: string, port: number, handler: StreamHandler & { opened(errno: number): void }): Stream
}

export interface NetworkOptions {
  readonly requestBytesMax: number
  readonly connectionsMax: number
  readonly connectionsPerIpMax: number
  readonly connectionsMaxIdleMs: number
}

/** A request's place in its connection's pipeline. */
export interface Turn {
  readonly conn: Connection
  isDone: boolean
  response: Uint8Array | null
  /** The connection ends in its place. */
  closeReason: number | null
}

export interface Connection {
  readonly id: ConnId
  readonly listener: number
  readonly peerHost: string
  /** Produce and Fetch are served here. */
  readonly isData: boolean
  readonly isDialled: boolean
  stream: Stream | null
  principal: number
  isOpen: boolean
  input: Uint8Array
  pipeline: Turn[]
  /** A request of it ends the connection in its turn: nothing behind it starts. */
  isEnding: boolean
  /** The `request` fact whose reply is owed; nothing starts behind it. */
  barrier: number | null
  mutedUntilMs: number
  lastActiveMs: number
  /** Dialled, not yet opened: frames wait here. */
  unsent: Uint8Array[] | null
}

/** What the network hands to the plane. */
export interface NetworkEvents {
  /** A whole frame without its length; returns after starting it. */
  frame(turn: Turn, frame: Uint8Array): void
  /** A connection ended: requests of it are dropped. */
  ended(conn: Connection): void
  count(column: number, by: number): void
}

/** The connections of one plane. */
export class ModelConnections {
  readonly #options: NetworkOptions
  readonly #clock: Clock
  readonly #facts: ModelFacts
  readonly #events: NetworkEvents
  readonly #conns = new Map<ConnId, Connection>()
  #limits: ConnectionLimits
  #nextConn = 1
  #nextRequest = 1

  constructor(options: NetworkOptions, clock: Clock, facts: ModelFacts, events: NetworkEvents) {
    this.#options = options
    this.#limits = {
      total: options.connectionsMax,
      perAddress: options.connectionsPerIpMax,
      byAddress: new Map(),
    }
    this.#clock = clock
    this.#facts = facts
    this.#events = events
  }

  get size(): number {
    return this.#conns.size
  }

  get(id: ConnId): Connection | undefined {
    return this.#conns.get(id)
  }

  limit({ byAddress, ...rest }: ConnectionLimits): void {
    this.#limits = { ...rest, byAddress: new Map(byAddress) }
  }

  /** A peer connected; null: refused, and its stream closed. */
  accept(
    listener: { listener: number; data: boolean },
    peer: { host: string; port: number; stream: Stream },
  ): Connection | null {
    const { total, perAddress, byAddress } = this.#limits
    const accepted = [...this.#conns.values()].filter((conn) => !conn.isDialled)
    const sameHost = accepted.filter((conn) => conn.peerHost === peer.host)
    const most = byAddress.get(peer.host) ?? perAddress
    if (accepted.length >= total || sameHost.length >= most) {
      this.#events.count(counterColumn.connectionsRefused, 1)
      peer.stream.close()
      return null
    }
    const conn = this.#add(listener.listener, listener.data, peer.host, false)
    conn.stream = peer.stream
    this.#events.count(counterColumn.connectionsAccepted, 1)
    this.#facts.push((sink) => sink.connected(conn.id, conn.listener, peer.host, peer.port))
    return conn
  }

  /** Room for a connection of our own making; `opened` completes it. */
  dial(host: string): Connection {
    const conn = this.#add(-1, false, host, true)
    conn.unsent = []
    return conn
  }

  #add(listener: number, isData: boolean, peerHost: string, isDialled: boolean): Connection {
    const conn: Connection = {
      id: this.#nextConn++,
      listener,
      peerHost,
      isData,
      isDialled,
      stream: null,
      principal: 0,
      isOpen: true,
      input: new Uint8Array(0),
      pipeline: [],
      isEnding: false,
      barrier: null,
      mutedUntilMs: 0,
      lastActiveMs: monotonicMs(this.#clock),
      unsent: null,
    }
    this.#conns.set(conn.id, conn)
    this.#events.count(counterColumn.connectionsOpen, 1)
    return conn
  }

  /** A dialled connection stands (0) or could not be made. */
  opened(conn: Connection, errno: number): void {
    if (!conn.isOpen) return
    this.#facts.push((sink) => sink.dialled(conn.id, errno))
    if (errno !== 0) {
      this.#forget(conn)
      return
    }
    for (const bytes of conn.unsent ?? []) this.#write(conn, bytes)
    conn.unsent = null
  }

  /** Bytes arrived. */
  received(conn: Connection, bytes: Uint8Array): void {
    if (!conn.isOpen) return
    this.#events.count(counterColumn.bytesReceived, bytes.length)
    conn.lastActiveMs = monotonicMs(this.#clock)
    const joined = new Uint8Array(conn.input.length + bytes.length)
    joined.set(conn.input)
    joined.set(bytes, conn.input.length)
    conn.input = joined
    this.advance(conn)
  }

  /** Starts what may start. */
  advance(conn: Connection): void {
    while (conn.isOpen && !conn.isEnding && conn.barrier === null && !this.#isMuted(conn)) {
      if (conn.input.length < LENGTH_BYTES) return
      const view = new DataView(conn.input.buffer, conn.input.byteOffset, conn.input.length)
      const length = view.getInt32(0)
      if (length > this.#options.requestBytesMax) {
        this.close(conn, DisconnectReason.tooLarge)
        return
      }
      if (length < (conn.isDialled ? LENGTH_BYTES : FRAME_BYTES_MIN)) {
        this.malformed(conn)
        return
      }
      if (conn.input.length < LENGTH_BYTES + length) return
      const frame = conn.input.slice(LENGTH_BYTES, LENGTH_BYTES + length)
      conn.input = conn.input.slice(LENGTH_BYTES + length)
      if (conn.isDialled) {
        this.#facts.push((sink) => sink.response(conn.id, frame))
        continue
      }
      const turn: Turn = { conn, isDone: false, response: null, closeReason: null }
      conn.pipeline.push(turn)
      this.#events.frame(turn, frame)
    }
  }

  #isMuted(conn: Connection): boolean {
    return conn.mutedUntilMs > monotonicMs(this.#clock)
  }

  /** A frame that TypeScript owns: nothing behind it starts until its reply. */
  forward(turn: Turn, frame: Uint8Array): void {
    const { conn } = turn
    const requestId = this.#nextRequest++
    conn.barrier = requestId
    this.#events.count(counterColumn.requestsForwarded, 1)
    this.#facts.push((sink) => sink.request(conn.id, requestId, conn.listener, frame))
  }

  reply(id: ConnId, requestId: number, frame: Uint8Array | null): void {
    const conn = this.#conns.get(id)
    if (conn === undefined || conn.barrier !== requestId) return
    conn.barrier = null
    this.complete(conn.pipeline.at(-1)!, frame === null ? null : withLength(frame))
    this.advance(conn)
  }

  /** The request of this turn is over; null: nothing is owed. Leaves when those before it have left. */
  complete(turn: Turn, response: Uint8Array | null): void {
    turn.isDone = true
    turn.response = response
    const { conn } = turn
    while (conn.isOpen && conn.pipeline[0]?.isDone) {
      const first = conn.pipeline.shift()!
      if (first.closeReason !== null) this.close(conn, first.closeReason)
      else if (first.response !== null) this.#write(conn, first.response)
    }
  }

  /** The connection ends when the responses before this turn have left. */
  end(turn: Turn, reason: number): void {
    if (reason === DisconnectReason.malformed) {
      this.#events.count(counterColumn.framesMalformed, 1)
    }
    turn.conn.isEnding = true
    turn.closeReason = reason
    this.complete(turn, null)
  }

  send(id: ConnId, frame: Uint8Array): void {
    const conn = this.#conns.get(id)
    if (conn === undefined || !conn.isDialled) return
    const bytes = withLength(frame)
    if (conn.unsent !== null) conn.unsent.push(bytes)
    else this.#write(conn, bytes)
  }

  #write(conn: Connection, bytes: Uint8Array): void {
    this.#events.count(counterColumn.bytesSent, bytes.length)
    conn.lastActiveMs = monotonicMs(this.#clock)
    conn.stream?.write(bytes)
  }

  mute(id: ConnId, ms: number): void {
    const conn = this.#conns.get(id)
    if (conn === undefined) return
    conn.mutedUntilMs = Math.max(conn.mutedUntilMs, monotonicMs(this.#clock) + ms)
  }

  hangup(id: ConnId): void {
    const conn = this.#conns.get(id)
    if (conn !== undefined) this.close(conn, DisconnectReason.asked)
  }

  malformed(conn: Connection): void {
    this.#events.count(counterColumn.framesMalformed, 1)
    this.close(conn, DisconnectReason.malformed)
  }

  /** Ends a connection from our side, or because the peer did. */
  close(conn: Connection, reason: number): void {
    if (!conn.isOpen) return
    this.#forget(conn)
    conn.stream?.close()
    const isDialling = conn.unsent !== null
    this.#facts.push((sink) =>
      isDialling ? sink.dialled(conn.id, ECANCELED) : sink.disconnected(conn.id, reason),
    )
    this.#events.ended(conn)
  }

  #forget(conn: Connection): void {
    conn.isOpen = false
    this.#conns.delete(conn.id)
    this.#events.count(counterColumn.connectionsOpen, -1)
  }

  closeAll(): void {
    for (const conn of [...this.#conns.values()]) this.close(conn, DisconnectReason.shutdown)
  }

  /** Ends idle connections, starts what was muted. */
  tick(): void {
    const nowMs = monotonicMs(this.#clock)
    for (const conn of [...this.#conns.values()]) {
      const isIdle = conn.pipeline.length === 0 && !conn.isDialled
      if (isIdle && nowMs - conn.lastActiveMs >= this.#options.connectionsMaxIdleMs) {
        this.#events.count(counterColumn.connectionsIdleClosed, 1)
        this.close(conn, DisconnectReason.idle)
      } else {
        this.advance(conn)
      }
    }
  }

  nextDeadlineMs(): number {
    const nowMs = monotonicMs(this.#clock)
    let next = Number.POSITIVE_INFINITY
    for (const conn of this.#conns.values()) {
      if (conn.mutedUntilMs > nowMs) next = Math.min(next, conn.mutedUntilMs)
      if (conn.isDialled || conn.pipeline.length > 0) continue
      next = Math.min(next, conn.lastActiveMs + this.#options.connectionsMaxIdleMs)
    }
    return next
  }
}

function withLength(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + frame.length)
  new DataView(bytes.buffer).setInt32(0, frame.length)
  bytes.set(frame, LENGTH_BYTES)
  return bytes
}
