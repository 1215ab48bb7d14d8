// The native plane under test in its simulated world: the code that ships, virtual time, one thread.

import { NativePlane, type NativeWorld } from '../../src/plane/native.ts'
import type { PlaneOptions } from '../../src/plane/plane.ts'
import { Facts, type PlaneHarness, type PlaneUnderTest, type TestConnection } from './harness.ts'
import { Frames } from './harness_native.ts'

const STEPS_MAX = 200
const STEP_US = 100
const LATER_STEP_US = 5_000
const LATER_STEPS_MAX = 200_000

/** NativePlane in io/sim behind the suite's interface. */
export function simHarness(reactors: number): PlaneHarness {
  return {
    name: `native in simulation, ${reactors} reactor${reactors > 1 ? 's' : ''}`,
    hasVirtualTime: true,
    open: (options = {}) => {
      const plane = new NativePlane({
        nodeId: 1,
        reactors,
        ...(options as Partial<PlaneOptions>),
        simulation: { seed: 7 },
      })
      return Promise.resolve(new SimUnderTest(plane))
    },
  }
}

class SimUnderTest implements PlaneUnderTest {
  readonly plane: NativePlane
  readonly facts = new Facts()
  readonly directory = '/data'
  readonly #world: NativeWorld

  constructor(plane: NativePlane) {
    this.plane = plane
    this.#world = plane.world
    this.plane.onDoorbell = () => this.plane.drain(this.facts)
  }

  nowMs(): number {
    return this.#world.wallMs()
  }

  connect(port: number): Promise<TestConnection> {
    const client = this.#world.connect(port)
    for (let step = 0; step < STEPS_MAX && !this.#world.isConnected(client); step++) this.#step(1)
    if (!this.#world.isConnected(client)) return Promise.reject(new Error('connection refused'))
    this.#step(STEP_US)
    return Promise.resolve(new SimConnection(this.#world, client))
  }

  #step(microseconds: number): void {
    this.#world.step(microseconds)
    while (this.plane.drain(this.facts) > 0) this.#world.step(0)
  }

  until(condition: () => boolean, what: string): Promise<void> {
    for (let step = 0; step < STEPS_MAX; step++) {
      this.#step(step === 0 ? 0 : STEP_US)
      if (condition()) return Promise.resolve()
    }
    return Promise.reject(new Error(`did not happen: ${what}`))
  }

  later(condition: () => boolean, what: string): Promise<void> {
    for (let step = 0; step < LATER_STEPS_MAX; step++) {
      if (condition()) return Promise.resolve()
      this.#step(LATER_STEP_US)
    }
    return Promise.reject(new Error(`did not happen, however long: ${what}`))
  }

  quiet(): Promise<void> {
    for (let step = 0; step < 10; step++) this.#step(STEP_US)
    return Promise.resolve()
  }

  advance(ms: number): Promise<void> {
    this.#step(ms * 1000)
    return Promise.resolve()
  }

  restart({ isClean = true } = {}): Promise<PlaneUnderTest> {
    if (!isClean) this.#world.crash(false)
    this.#world.restart()
    return Promise.resolve(new SimUnderTest(this.plane))
  }

  close(): Promise<void> {
    return this.plane.close({ isClean: false })
  }
}

class SimConnection implements TestConnection {
  readonly #world: NativeWorld
  readonly #client: number
  readonly #frames = new Frames()
  #unsent: Uint8Array[] = []
  #isOver = false

  constructor(world: NativeWorld, client: number) {
    this.#world = world
    this.#client = client
  }

  get isClosed(): boolean {
    this.#pull()
    return this.#isOver
  }

  send(bytes: Uint8Array): void {
    this.#unsent.push(bytes.slice())
    this.#pull()
  }

  receive(): Uint8Array[] {
    this.#pull()
    return this.#frames.take()
  }

  close(): void {
    this.#world.closeClient(this.#client)
  }

  /** Moves bytes both ways as far as they go. */
  #pull(): void {
    while (this.#unsent.length > 0) {
      const bytes = this.#unsent[0]!
      const sent = this.#world.send(this.#client, bytes)
      if (sent < bytes.length) {
        if (sent > 0) this.#unsent[0] = bytes.subarray(sent)
        break
      }
      this.#unsent.shift()
    }
    for (;;) {
      const bytes = this.#world.receive(this.#client)
      if (bytes === null) this.#isOver = true
      if (bytes === null || bytes.length === 0) return
      this.#frames.push(bytes)
    }
  }
}
