// Rows that are being written while they are read: whoever writes may lose the processor in the middle.

import { expect, test } from 'vitest'
import { partitionColumn, partitionColumns } from '../../src/plane/layout.ts'
import { readStill } from '../../src/plane/native_rows.ts'

test('plane: a row whose writer has lost its turn is read when it has gone on', () => {
  const rows = new Float64Array(partitionColumns)
  rows[0] = 7 // being written
  let rests = 0
  const row = readStill(rows, 0, () => {
    if (++rests < 20) return
    rows[partitionColumn.logEndOffset] = 42
    rows[0] = 8
  })
  expect(row?.logEndOffset).toBe(42)
  expect(rests).toBe(20)
})

test('plane: a row that is never finished is given up', () => {
  const rows = new Float64Array(partitionColumns)
  rows[0] = 7
  expect(readStill(rows, 0, () => {})).toBe(null)
})
