// Judged by java.util.Properties itself: java_properties.json holds texts and what Java 17 loaded
// from them (null where it refused). Written once by a small Java program; no Java is needed here.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseProperties } from '../../../../src/config/text/properties.ts'

const cases = JSON.parse(
  readFileSync(new URL('./java_properties.json', import.meta.url), 'utf8'),
) as { text: string; loaded: Record<string, string> | null }[]

describe('config: properties', () => {
  test.each(cases)('config: properties: reads as Java does: $text', ({ text, loaded }) => {
    const { entries, problems } = parseProperties(text)
    if (loaded === null) {
      expect(problems).toHaveLength(1)
      return
    }
    expect(problems).toEqual([])
    expect(Object.fromEntries(entries.map(({ key, value }) => [key, value]))).toEqual(loaded)
  })

  test('config: properties: an entry knows the line it began on', () => {
    const { entries } = parseProperties('# top\na=1,\\\n  2\n\nb=3\n')
    expect(entries).toEqual([
      { key: 'a', value: '1,2', line: 2 },
      { key: 'b', value: '3', line: 5 },
    ])
  })

  test('config: properties: a bad unicode escape names its line', () => {
    expect(parseProperties('a=1\nb=\\u12\n').problems).toMatchObject([{ line: 2 }])
  })
})
