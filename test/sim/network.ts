// The network between clients and nodes: streams of bytes that take their time, in order, until one end closes.
// Pieces may be cut anywhere; a node that dies takes its connections along.

import type { Random } from '../../src/lib/random.ts'
import type { ModelNetwork, Stream, StreamHandler } from '../../src/plane/model_network.ts'
import { PlaneError } from '../../src/plane/plane.ts'
import type { Timeline } from './timeline.ts'

const ECONNREFUSED = 111
const FIRST_PORT = 40_000

type Accept = (stream: Stream, peerHost: string, peerPort: number) => StreamHandler

export interface NetworkOptions {
  delayMsMax: number
  /** Bytes are delivered in pieces of random length, one of so many times. */
  splitOneIn: number
}

/** All listeners, and the streams to them. */
export class SimNetwork implements ModelNetwork {
  private readonly timeline: Timeline
  private readonly random: Random
  private readonly options: NetworkOptions
  private readonly listeners = new Map<number, Accept>()
  private nextPort = FIRST_PORT
  private nextPeerPort = 50_000

  constructor(timeline: Timeline, random: Random, options: NetworkOptions) {
    this.timeline = timeline
    this.random = random
    this.options = options
  }

  bind(_host: string, port: number, accept: Accept): number {
    const bound = port === 0 ? this.nextPort++ : port
    if (this.listeners.has(bound)) throw new PlaneError('EADDRINUSE', `port ${bound} is taken`)
    this.listeners.set(bound, accept)
    return bound
  }

  unbind(port: number): void {
    this.listeners.delete(port)
  }

  dial(
    _host: string,
    port: number,
    handler: StreamHandler & { opened(errno: number): void },
  ): Stream {
    const peerPort = this.nextPeerPort++
    const there = new Pipe(this)
    const here = new Pipe(this)
    here.to = handler
    this.later(() => {
      const accept = this.listeners.get(port)
      if (accept === undefined) return handler.opened(ECONNREFUSED)
      there.to = accept(here, '127.0.0.1', peerPort)
      handler.opened(0)
    })
    return there
  }

  later(run: () => void, notBeforeMs = 0): number {
    const { timeline, random, options } = this
    const atMs = Math.max(notBeforeMs, timeline.nowMs + random.nextFloat() * options.delayMsMax)
    timeline.after(atMs - timeline.nowMs, run)
    return atMs
  }

  /** The pieces in which bytes arrive. */
  pieces(bytes: Uint8Array): Uint8Array[] {
    const { random, options } = this
    if (bytes.length < 2 || !random.ratio(1, options.splitOneIn)) return [bytes.slice()]
    const at = random.nextInt(1, bytes.length)
    return [bytes.slice(0, at), bytes.slice(at)]
  }
}

/** One direction of a connection. */
class Pipe implements Stream {
  to: StreamHandler | null = null
  private readonly network: SimNetwork
  private lastMs = 0
  private isClosed = false

  constructor(network: SimNetwork) {
    this.network = network
  }

  write(bytes: Uint8Array): void {
    if (this.isClosed) return
    for (const piece of this.network.pieces(bytes)) {
      this.lastMs = this.network.later(() => this.to?.data(piece), this.lastMs)
    }
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.network.later(() => this.to?.closed(), this.lastMs)
  }
}
