// The planes that can run here: the model always, the native ones where the addon has been built.

import { loadAddon } from '../../src/plane/native.ts'
import type { PlaneHarness } from './harness.ts'
import { modelHarness } from './harness_model.ts'
import { isUringAllowed, nativeHarness } from './harness_native.ts'
import { simHarness } from './harness_sim.ts'

/** By the name that the fuzzer's command line takes. */
export function harnesses(): ReadonlyMap<string, PlaneHarness> {
  const all = new Map([['model', modelHarness]])
  if (!isAddonBuilt()) return all
  // One reactor each: with more, connections have no order among each other to compare.
  all.set('sim', simHarness(1)).set('native', nativeHarness(1))
  return isUringAllowed() ? all.set('uring', nativeHarness(1, { ioBackend: 'io_uring' })) : all
}

function isAddonBuilt(): boolean {
  try {
    loadAddon()
    return true
  } catch {
    return false
  }
}
