// The model plane under test: virtual time, connections in memory, one disk per machine.

import { ManualClock } from '../../src/lib/clock.ts'
import { Random } from '../../src/lib/random.ts'
import { ModelPlane } from '../../src/plane/model.ts'
import { ModelDisk } from '../../src/plane/model_disk.ts'
import type { PlaneOptions } from '../../src/plane/plane.ts'
import { Facts, type PlaneHarness, type PlaneUnderTest, type TestConnection } from './harness.ts'

const STEPS_MAX = 1000
/** As in the native core's simulated world. */
const START_MS = 1_700_000_000_000

/** ModelPlane behind the suite's interface. */
export const modelHarness: PlaneHarness = {
  name: 'model',
  hasVirtualTime: true,
  open: (options = {}) =>
    Promise.resolve(new ModelUnderTest(new ManualClock(START_MS), new ModelDisk(), options)),
}

class ModelUnderTest implements PlaneUnderTest {
  readonly plane: ModelPlane
  readonly facts = new Facts()
  readonly directory = '/model'
  readonly #clock: ManualClock
  readonly #disk: ModelDisk
  readonly #options: Partial<PlaneOptions>
  #tasks: (() => void)[] = []

  constructor(clock: ManualClock, disk: ModelDisk, options: Partial<PlaneOptions>) {
    this.#clock = clock
    this.#disk = disk
    this.#options = options
    this.plane = new ModelPlane({
      nodeId: 1,
      ...options,
      clock,
      disk,
      random: new Random(7),
      schedule: (task) => this.#tasks.push(task),
    })
    this.plane.onDoorbell = () => this.plane.drain(this.facts)
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  async connect(port: number): Promise<TestConnection> {
    return this.plane.connect(port)
  }

  /** Runs what is due now. */
  #run(): void {
    while (this.#tasks.length > 0) this.#tasks.shift()!()
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    this.#run()
    await Promise.resolve()
    if (!condition()) throw new Error(`did not happen: ${what}`)
  }

  async later(condition: () => boolean, what: string): Promise<void> {
    for (let step = 0; step < STEPS_MAX; step++) {
      this.#run()
      if (condition()) return
      const nowMs = Math.floor(this.#clock.monotonicUs() / 1000)
      const next = this.plane.nextDeadlineMs()
      if (!Number.isFinite(next)) break
      await this.advance(Math.max(1, next - nowMs))
    }
    throw new Error(`did not happen, however long: ${what}`)
  }

  quiet(): Promise<void> {
    this.#run()
    return Promise.resolve()
  }

  advance(ms: number): Promise<void> {
    this.#clock.advance(ms)
    this.plane.tick()
    this.#run()
    return Promise.resolve()
  }

  async restart({ isClean = true } = {}): Promise<PlaneUnderTest> {
    if (isClean) await this.plane.close()
    else this.plane.crash()
    return new ModelUnderTest(this.#clock, this.#disk, this.#options)
  }

  close(): Promise<void> {
    return this.plane.close()
  }
}
