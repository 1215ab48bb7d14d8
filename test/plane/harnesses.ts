// The planes the suite runs on.

import type { PlaneHarness } from './harness.ts'
import { modelHarness } from './harness_model.ts'

/** Every plane that can run here. */
export async function harnesses(): Promise<PlaneHarness[]> {
  return [modelHarness]
}
