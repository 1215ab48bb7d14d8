// The checks of the suite kcat.

import assert from 'node:assert/strict'
import { runCommand } from '../../integration/support/commands.ts'
import type { Check } from '../checks.ts'

/** Every check. */
export const kcatChecks: readonly Check[] = [
  {
    name: 'metadata of an empty cluster',
    async run({ address }) {
      const { stdout } = await runCommand('kcat', ['-b', address, '-L'])
      assert.match(stdout.toString(), new RegExp(`broker \\d+ at ${address}`))
    },
  },
]
