// ModelConnection: a client's end of a connection to a ModelPlane, held by a test. Bytes go in as they are,
// in any pieces; what comes back is cut into frames.

import type { Stream, StreamHandler } from './model_network.ts'

/** Sends bytes and collects the frames that come back. */
export class ModelConnection {
  readonly #handler: StreamHandler
  #received = new Uint8Array(0)
  #isClosed = false

  constructor(open: (stream: Stream) => StreamHandler) {
    this.#handler = open({
      write: (bytes) => {
        const joined = new Uint8Array(this.#received.length + bytes.length)
        joined.set(this.#received)
        joined.set(bytes, this.#received.length)
        this.#received = joined
      },
      close: () => {
        this.#isClosed = true
      },
    })
  }

  /** The plane has closed it, or this end has. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Bytes towards the plane: a part of a frame, a frame, or many. */
  send(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#handler.data(bytes.slice())
  }

  /** Whole frames that have come since the last call, without their lengths. */
  receive(): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (;;) {
      const bytes = this.#received
      if (bytes.length < 4) return frames
      const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getInt32(0)
      if (bytes.length < 4 + length) return frames
      frames.push(bytes.slice(4, 4 + length))
      this.#received = bytes.slice(4 + length)
    }
  }

  /** This end goes away. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#handler.closed()
  }
}
