// The native plane under test: real sockets, real files, real time. Conditions are waited for on facts and bytes;
// nothing sleeps but between looks.

import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NativePlane } from '../../src/plane/native.ts'
import { PlaneError, type PlaneOptions } from '../../src/plane/plane.ts'
import { Facts, type PlaneHarness, type PlaneUnderTest, type TestConnection } from './harness.ts'

const UNTIL_MS = 10_000
const LATER_MS = 60_000
const UNUSED_SLOT = 1_000_000

/** NativePlane with so many reactors behind the suite's interface. */
export function nativeHarness(reactors: number, more: Partial<PlaneOptions> = {}): PlaneHarness {
  const kind = [more.transport, more.ioBackend].filter((given) => given !== undefined)
  return {
    name: [`native, ${reactors} reactor${reactors > 1 ? 's' : ''}`, ...kind].join(', '),
    hasVirtualTime: false,
    open: (options = {}) => {
      const directory = mkdtempSync(join(tmpdir(), 'ottla-plane-'))
      return Promise.resolve(new NativeUnderTest(directory, { reactors, ...more, ...options }))
    },
  }
}

/** Whether sockets can be served by io_uring here; containers often forbid it. */
export function isUringAllowed(): boolean {
  try {
    void new NativePlane({ nodeId: 1, ioBackend: 'io_uring' }).close({ isClean: false })
    return true
  } catch (problem) {
    if (!(problem instanceof PlaneError)) throw problem
    return false
  }
}

class NativeUnderTest implements PlaneUnderTest {
  readonly plane: NativePlane
  readonly facts = new Facts()
  readonly directory: string
  readonly #options: Partial<PlaneOptions>
  readonly #connections: SocketConnection[] = []
  #nextTicket = -1

  constructor(directory: string, options: Partial<PlaneOptions>) {
    this.directory = directory
    this.#options = options
    this.plane = new NativePlane({ nodeId: 1, ...options })
    this.plane.onDoorbell = () => this.plane.drain(this.facts)
  }

  nowMs(): number {
    return Date.now()
  }

  connect(port: number): Promise<TestConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const connection = new SocketConnection(socket)
      this.#connections.push(connection)
      socket.once('connect', () => resolve(connection))
      socket.once('error', reject)
    })
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return this.#wait(condition, what, UNTIL_MS)
  }

  later(condition: () => boolean, what: string): Promise<void> {
    return this.#wait(condition, what, LATER_MS)
  }

  async #wait(condition: () => boolean, what: string, ms: number): Promise<void> {
    const deadline = Date.now() + ms
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`did not happen in ${ms} ms: ${what}`)
      await new Promise((resolve) => setImmediate(resolve))
      this.plane.drain(this.facts)
    }
  }

  /** Twice around every reactor: bytes that were sent before have been received and acted on. */
  async quiet(): Promise<void> {
    const reactors = this.#options.reactors ?? 1
    for (let round = 0; round < 3; round++) {
      for (let reactor = 0; reactor < reactors; reactor++) {
        const ticket = this.#nextTicket--
        this.plane.flush(UNUSED_SLOT - (UNUSED_SLOT % reactors) + reactor, ticket)
        await this.until(() => this.facts.answer(ticket) !== undefined, 'a turn of a reactor')
      }
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  advance(): Promise<void> {
    throw new Error('real time cannot be moved')
  }

  async restart({ isClean = true } = {}): Promise<PlaneUnderTest> {
    await this.plane.close({ isClean })
    return new NativeUnderTest(this.directory, this.#options)
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy()
    await this.plane.close({ isClean: false })
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A stream cut into frames. */
export class Frames {
  #received = Buffer.alloc(0)

  push(bytes: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, bytes])
  }

  take(): Uint8Array[] {
    const frames: Uint8Array[] = []
    let at = 0
    while (this.#received.length - at >= 4) {
      const bytes = this.#received.readInt32BE(at)
      if (this.#received.length - at - 4 < bytes) break
      frames.push(new Uint8Array(this.#received.subarray(at + 4, at + 4 + bytes)))
      at += 4 + bytes
    }
    this.#received = this.#received.subarray(at)
    return frames
  }
}

class SocketConnection implements TestConnection {
  isClosed = false
  readonly #socket: Socket
  readonly #frames = new Frames()

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes) => this.#frames.push(bytes))
    socket.on('close', () => {
      this.isClosed = true
    })
    socket.on('error', () => {})
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes.slice())
  }

  receive(): Uint8Array[] {
    return this.#frames.take()
  }

  close(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
