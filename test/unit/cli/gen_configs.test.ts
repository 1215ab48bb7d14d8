// The reference of configuration: generated, committed, and equal.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { emitConfigReference } from '../../../src/cli/gen_configs.ts'

test('gen: configs: the committed reference is what the tables say', () => {
  const committed = readFileSync(
    new URL('../../../docs/reference/configs.md', import.meta.url),
    'utf8',
  )
  expect(committed).toBe(emitConfigReference())
})

test('gen: configs: names every public key and hides internal ones', () => {
  const text = emitConfigReference()
  expect(text).toContain('| `num.partitions` | int | `1` | [1,...] | restart |')
  expect(text).toContain('`retention.ms` (`log.retention.ms`)')
  expect(text).not.toContain('`internal.segment.bytes`')
})
