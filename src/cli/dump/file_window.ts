// A file of any size through a window of bounded size: reads ahead when it is walked, and a read at a place costs one
// call. The length is that of the moment it was opened; a file that shrinks meanwhile reads as torn.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const WINDOW_BYTES = 1 << 20

/** An open file; close() gives it back. */
export class FileWindow implements Disposable {
  readonly path: string
  readonly length: number
  readonly #fd: number
  #bytes = new Uint8Array(WINDOW_BYTES)
  #start = 0
  #end = 0

  constructor(path: string) {
    this.path = path
    this.#fd = openSync(path, 'r')
    this.length = fstatSync(this.#fd).size
  }

  /** Bytes [position, position + count), fewer at the end of the file; valid until the next call. */
  view(position: number, count: number): Uint8Array {
    const end = Math.min(position + count, this.length)
    if (position < this.#start || end > this.#end) this.#fill(position, end - position)
    const at = position - this.#start
    return this.#bytes.subarray(at, Math.max(at, Math.min(end, this.#end) - this.#start))
  }

  /** The same bytes in pieces no larger than the window. */
  *pieces(position: number, count: number): Generator<Uint8Array> {
    for (let at = position; at < position + count; ) {
      const piece = this.view(at, Math.min(WINDOW_BYTES, position + count - at))
      if (piece.length === 0) return
      yield piece
      at += piece.length
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  #fill(position: number, count: number): void {
    if (count > this.#bytes.length) this.#bytes = new Uint8Array(count)
    else if (this.#bytes.length > WINDOW_BYTES) this.#bytes = new Uint8Array(WINDOW_BYTES)
    this.#start = position
    this.#end = position
    while (this.#end < position + Math.max(count, WINDOW_BYTES) && this.#end < this.length) {
      const room = this.#bytes.length - (this.#end - this.#start)
      if (room === 0) return
      const got = readSync(this.#fd, this.#bytes, this.#end - this.#start, room, this.#end)
      if (got === 0) return
      this.#end += got
    }
  }
}
