// What starting a broker leaves in V8's heap, and when it is collected: once, when the start is over, and not again and again
// while nothing happens.
//
// V8's memory reducer collects twice, with all its threads, eight seconds after anything was collected: two hundred
// wake-ups of a broker that nobody asks anything, and nothing found that ours has left. It is told to be content with
// that, and is there again for what load leaves.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** By then the first clients of a start have what they asked for. */
const START_SETTLES_MS = 1000
/** By then the reducer has looked at what happened until we collected. */
const REDUCER_LOOKS_MS = 20_000
/** V8 names unknown flags on stderr; Node 24 has this one, and others keep their reducer. */
const hasReducerCount = process.versions.v8.startsWith('13.')

/** The broker serves: what its start left is collected a little later. */
export function startIsOver(): void {
  if (hasReducerCount) {
    setFlagsFromString('--memory-reducer-gc-count=0')
    const restore = () => setFlagsFromString('--memory-reducer-gc-count=2')
    setTimeout(restore, REDUCER_LOOKS_MS).unref()
  }
  setTimeout(dropStartGarbage, START_SETTLES_MS).unref()
}

/**
 * Loading the sources leaves some 12 MB that V8 would keep for as long as little happens. One collection, some 20 ms of this
 * thread; reactors do not notice.
 */
function dropStartGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  // Anything less leaves the young generation as large as the start made it.
  if (typeof collect === 'function')
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
