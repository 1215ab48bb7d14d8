// A life: one process on a machine, from exec to its end, however it ends. Everything it asks of the world passes
// `proceed`, which counts; a life can be told to end just before its nth operation, wherever in the code that is.
//
// Non-obvious: code does not unwind when its process is killed. What is still on the stack, and every promise that may
// settle later, runs on in a world that obeys nothing any more: a dead life's operations have no effect.

import type { Trace } from './trace.ts'

/** One process. */
export class Life {
  readonly number: number
  operations = 0
  /** Ends before the operation of this number (from 0). */
  endBefore = Number.POSITIVE_INFINITY
  private readonly trace: Trace
  private readonly onEnd: () => void
  private over = false

  constructor(number: number, trace: Trace, onEnd: () => void) {
    this.number = number
    this.trace = trace
    this.onEnd = onEnd
  }

  get isOver(): boolean {
    return this.over
  }

  /** Whether an operation on the world takes place. */
  proceed(operation: string, subject = ''): boolean {
    if (this.over) return false
    if (this.operations === this.endBefore) {
      this.trace.add(`life ${this.number} ends before ${operation} ${subject}`)
      this.onEnd()
      return false
    }
    this.operations++
    this.trace.add(`${operation} ${subject}`)
    return true
  }

  end(): void {
    this.over = true
  }
}
