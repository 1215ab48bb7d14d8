// What stands against a valid value: that it has no effect here, and whether that must be refused.
//
// The one place where a row's state meets a value: start, alteration and the loading of a foreign
// log ask the same question. Setting a key to its default is always welcome.

import type { Row } from './rows.ts'
import { LISTENER_KEY } from './synonyms.ts'
import { readValue } from './text/values.ts'

/** Why a valid value has no effect, and whether it must be refused. */
export interface Objection {
  readonly refused: boolean
  readonly problem: string
}

/** Judges a valid value by the state of its row. */
export function objectionTo(key: string, row: Row, value: string): Objection | null {
  const { state } = row
  const reading = readValue(row, value)
  if (!reading.ok || isDefault(row, value)) return null
  if (state.kind === 'not_built') {
    const refused = state.concern !== null
    const tail = refused ? `, and ${state.concern} depends on it` : '; the setting has no effect'
    return { refused, problem: `${state.why}${tail}` }
  }
  if (LISTENER_KEY.test(key) && state.kind === 'effective') {
    return { refused: false, problem: 'settings of one listener are not built; it has no effect' }
  }
  if (state.kind === 'effective' && state.built?.includes(reading.text ?? '') === false) {
    const built = state.built.join(', ')
    return { refused: false, problem: `only ${built} is built; the setting has no effect` }
  }
  return null
}

function isDefault(row: Row, value: string): boolean {
  if (row.fallback === undefined) return false
  const reading = readValue(row, value)
  if (!reading.ok) return false
  if (row.fallback === null) return reading.text === ''
  const usual = readValue(row, row.fallback)
  return usual.ok && reading.text === usual.text
}
