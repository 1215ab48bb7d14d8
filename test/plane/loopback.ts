// A network between the model planes of one process: no delay, no loss, order kept. Everything is delivered
// through the injected scheduler, never from inside a call, so planes cannot re-enter each other.
// The simulator has its own network with faults; this one is for tests and for a cluster in one process.

import type { ModelNetwork, Stream, StreamHandler } from '../../src/plane/model_network.ts'
import { PlaneError } from '../../src/plane/plane.ts'

const ECONNREFUSED = 111
const FIRST_PORT = 40_000
const HOST = '127.0.0.1'

type Accept = (stream: Stream, peerHost: string, peerPort: number) => StreamHandler

/** One end of a connection: bytes towards its handler. */
class End implements Stream {
  readonly #schedule: (task: () => void) => void
  /** Who hears what is written here; set when both ends stand. */
  peer: StreamHandler | null = null
  #isClosed = false

  constructor(schedule: (task: () => void) => void) {
    this.#schedule = schedule
  }

  write(bytes: Uint8Array): void {
    if (this.#isClosed) return
    const copy = bytes.slice()
    this.#schedule(() => this.peer?.data(copy))
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#schedule(() => this.peer?.closed())
  }
}

/** Ports of one machine; any host name leads to it. */
export class LoopbackNetwork implements ModelNetwork {
  readonly #schedule: (task: () => void) => void
  readonly #accepts = new Map<number, Accept>()
  #nextPort = FIRST_PORT
  #nextPeer = 50_000

  /** `schedule` runs a task later, in order. */
  constructor(schedule: (task: () => void) => void) {
    this.#schedule = schedule
  }

  bind(_host: string, port: number, accept: Accept): number {
    const bound = port === 0 ? this.#nextPort++ : port
    if (this.#accepts.has(bound)) throw new PlaneError('EADDRINUSE', `port ${bound} is taken`)
    this.#accepts.set(bound, accept)
    return bound
  }

  unbind(port: number): void {
    this.#accepts.delete(port)
  }

  dial(
    _host: string,
    port: number,
    handler: StreamHandler & { opened(errno: number): void },
  ): Stream {
    const near = new End(this.#schedule)
    this.#schedule(() => {
      const accept = this.#accepts.get(port)
      if (accept === undefined) {
        handler.opened(ECONNREFUSED)
        return
      }
      const far = new End(this.#schedule)
      far.peer = handler
      near.peer = accept(far, HOST, this.#nextPeer++)
      handler.opened(0)
    })
    return near
  }
}
