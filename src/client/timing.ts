// Time and chance for the client: the one file of this folder that asks the machine for either. Timers that only bound
// a wait do not keep a process alive; the sockets they guard do.

import { setMaxListeners } from 'node:events'

/** Wall clock, in milliseconds since 1970. */
export const nowMs = (): number => Date.now()

/** A clock that never goes back, in milliseconds. */
export const monotonicMs = (): number => performance.now()

/** A whole number in [0, limit). */
export const chance = (limit: number): number => Math.floor(Math.random() * limit)

/** Runs something later; the answer cancels it. */
export function later(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, Math.min(ms, 0x7fffffff))
  return () => clearTimeout(timer)
}

/** Waits, or until the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = later(ms, done)
    signal?.addEventListener('abort', done)
  })
}

/** How long to wait before attempt 1, 2, …: doubles from 50 ms to a second, with a fifth of chance. */
export function backoffMs(attempt: number): number {
  const base = Math.min(1000, 50 * 2 ** Math.min(attempt - 1, 10))
  return base * (0.8 + chance(400) / 1000)
}

/** Runs something in another turn of the loop, after what is being done now. */
export const soon = (run: () => void): void => void setImmediate(run)

/** An AbortController on whose signal any number may wait: Node takes more than ten for a leak. */
export function abortController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
