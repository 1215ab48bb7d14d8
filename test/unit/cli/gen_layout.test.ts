// The committed layout header is what the tables say today.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { emitLayoutHeader, layoutHeaderPath } from '../../../src/cli/gen_layout.ts'

test('gen: layout: the committed header equals the tables', () => {
  const committed = readFileSync(new URL(`../../../${layoutHeaderPath}`, import.meta.url), 'utf8')
  expect(committed).toBe(emitLayoutHeader())
})

test('gen: layout: names and values reach C++', () => {
  const header = emitLayoutHeader()
  expect(header).toContain('constexpr uint16_t kHighWatermark = 8;')
  expect(header).toContain('enum class DisconnectReason : int32_t {\n  kPeer = 0,')
  expect(header).toContain('constexpr size_t kFactBytes = 64;')
})
