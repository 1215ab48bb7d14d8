// What `npm run gen` writes is committed as it is: a table changed without running it is caught here.

import { expect, test } from 'vitest'
import { outputs, staleOutputs } from '../../../src/cli/gen.ts'
import { emitMessagesHeader } from '../../../src/cli/gen_messages.ts'
import { errors } from '../../../src/protocol/errors.ts'

test('gen: the committed files are what the tables give', () => {
  expect(staleOutputs()).toEqual([])
})

test('gen: every output is deterministic and ends with a newline', () => {
  for (const { path, emit } of outputs) {
    expect(emit(), path).toBe(emit())
    expect(emit().endsWith('\n'), path).toBe(true)
  }
})

test('gen: the errors header names every error', () => {
  const header = outputs.find(({ path }) => path === 'native/gen/errors.h')!.emit()
  for (const { code } of errors) expect(header).toContain(` = ${code},`)
})

test('gen: the messages header knows versions of every api', () => {
  const header = emitMessagesHeader()
  expect(header).toContain('{3, 13, 9},  // Produce')
  expect(header).toContain('{4, 18, 12},  // Fetch')
  expect(header).toContain('{0, -1, kNeverFlexible},  // LeaderAndIsr')
})
