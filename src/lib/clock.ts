// What time is it? Nobody below the purity line may ask the machine, so whoever needs time holds a
// Clock (hosts) or receives `now` as an argument (machines).
//
// Two readings with two meanings: `nowMs` is wall time and may jump; `monotonicUs` only moves
// forward and measures durations. The real clock lives in host/system.ts; ManualClock is moved by
// tests and by the simulator.

/** A source of wall time (milliseconds since 1970) and of monotonic time (microseconds). */
export interface Clock {
  nowMs(): number
  monotonicUs(): number
}

/** A clock that stands still until told otherwise. */
export class ManualClock implements Clock {
  private wallMs: number
  private elapsedUs = 0

  constructor(startMs = 1_600_000_000_000) {
    this.wallMs = startMs
  }

  nowMs(): number {
    return this.wallMs
  }

  monotonicUs(): number {
    return this.elapsedUs
  }

  /** Both readings move forward by `ms`; going back is an error. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new Error(`a clock cannot advance by ${ms} ms`)
    this.wallMs += ms
    this.elapsedUs += ms * 1000
  }

  /** Only wall time jumps, as when an operator or NTP sets the clock. */
  jump(toMs: number): void {
    this.wallMs = toMs
  }
}
