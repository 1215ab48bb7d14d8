// Simulated time: events by (time, insertion), and between two of them every promise that can settle has settled.
// So `await` in the code under test is as deterministic as the events are. Nothing here reads a real clock.

import type { Clock } from '../../src/lib/clock.ts'
import { TimerQueue } from '../../src/lib/timers.ts'

/** The moment at which every run begins. */
const START_MS = 1_700_000_000_000

/** The event queue of one run; time moves only from event to event. */
export class Timeline {
  /** Since the run began. */
  nowMs = 0
  private readonly events = new TimerQueue<() => void>()

  /** Runs later, never before this returns. */
  after(delayMs: number, run: () => void): () => void {
    const event = () => run()
    this.events.arm(event, this.nowMs + Math.max(0, delayMs))
    return () => {
      this.events.cancel(event)
    }
  }

  /** Resolves when so much time has passed. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Runs the next event and what it settles; false when nothing will ever happen again. */
  async step(): Promise<boolean> {
    const atMs = this.events.nextDeadlineMs()
    if (atMs === undefined) return false
    this.nowMs = Math.max(this.nowMs, atMs)
    this.events.pop(this.nowMs)!()
    await settled()
    return true
  }
}

/** Microtasks run out before an immediate runs. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A machine's clock: its wall time may be wrong, the time that passes is the simulation's. */
export class SimClock implements Clock {
  private readonly timeline: Timeline
  private offsetMs = START_MS

  constructor(timeline: Timeline) {
    this.timeline = timeline
  }

  nowMs(): number {
    return this.offsetMs + Math.floor(this.timeline.nowMs)
  }

  monotonicUs(): number {
    return this.timeline.nowMs * 1000
  }

  /** Wall time jumps. */
  jump(ms: number): void {
    this.offsetMs += ms
  }
}
