// Lines in, lines out: what `ottla produce` makes of a line, and `ottla consume` of a record.

import { describe, expect, test } from 'vitest'
import { unescaped } from '../../../src/cli/records/escapes.ts'
import { customFormat, jsonFormat, valueFormat } from '../../../src/cli/records/format.ts'
import { type LineOptions, recordOfLine } from '../../../src/cli/records/input.ts'
import { linesOf } from '../../../src/cli/records/lines.ts'
import { parseStart } from '../../../src/cli/records/start.ts'

const plain: LineOptions = {
  topic: 't',
  isJson: false,
  isBase64: false,
  isEmptyNull: false,
  keySeparator: null,
  headers: [],
  partition: undefined,
}
const record = {
  topic: 't',
  partition: 3,
  offset: 42,
  timestamp: 1_700_000_000_000,
  key: Buffer.from('k'),
  value: Buffer.from([0xff, 0x00]),
  headers: [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: null },
  ],
}

describe('cli: produce', () => {
  const linesFrom = async (...pieces: string[]) => {
    async function* stream() {
      for (const piece of pieces) yield Buffer.from(piece, 'latin1')
    }
    const lines: string[] = []
    for await (const some of linesOf(stream())) {
      lines.push(...some.map((line) => line.toString('latin1')))
    }
    return lines
  }

  test('lines are bytes, wherever the stream is cut', async () => {
    expect(await linesFrom('a\nb\r', '\n\n\xff', '\xfe\nlast')).toEqual([
      'a',
      'b',
      '',
      '\xff\xfe',
      'last',
    ])
    expect(await linesFrom('a\n')).toEqual(['a'])
    expect(await linesFrom()).toEqual([])
  })

  test('a key ends at the first separator; without one the line is no record', () => {
    const options = { ...plain, keySeparator: Buffer.from('=>'), isEmptyNull: true }
    expect(recordOfLine(Buffer.from('k=>v=>w'), options)).toMatchObject({
      key: Buffer.from('k'),
      value: Buffer.from('v=>w'),
    })
    expect(recordOfLine(Buffer.from('k=>'), options)).toMatchObject({ value: null })
    expect(() => recordOfLine(Buffer.from('kv'), options)).toThrow('no "=>"')
  })

  test('base64 is bytes; what is not base64 is refused', () => {
    const options = { ...plain, isBase64: true }
    expect(recordOfLine(Buffer.from('/wA='), options).value).toEqual(Buffer.from([0xff, 0]))
    for (const line of ['a', 'a*aa', 'YQ=a']) {
      expect(() => recordOfLine(Buffer.from(line), options), line).toThrow('not base64')
    }
  })

  test('JSON: text, bytes, null, and any other value as itself', () => {
    const options = { ...plain, isJson: true, headers: [{ key: 'h', value: 'x' }] }
    const of = (line: string) => recordOfLine(Buffer.from(line), options)
    expect(of('{"key":"ä","value":{"base64":"/wA="},"partition":2,"timestamp":7}')).toMatchObject({
      key: 'ä',
      value: Buffer.from([0xff, 0]),
      partition: 2,
      timestamp: 7,
    })
    expect(of('{"value":{"a":[1]}}').value).toBe('{"a":[1]}')
    expect(of('{"value":null}').value).toBeNull()
    expect(of('{"value":"","headers":{"a":"b"}}').headers).toEqual([
      { key: 'h', value: 'x' },
      { key: 'a', value: 'b' },
    ])
    expect(of('{"value":"","timestamp":"2026-01-01T00:00:00Z"}').timestamp).toBe(1767225600000)
    for (const line of ['{', '[]', '{}', '{"value":1,"partition":-1}', '{"value":1,"headers":3}']) {
      expect(() => of(line), line).toThrow()
    }
  })
})

describe('cli: consume', () => {
  const shown = (format: typeof valueFormat) => {
    const pieces: Uint8Array[] = []
    format(record, pieces)
    return Buffer.concat(pieces)
  }

  test('a value is written as it is, JSON says what it cannot', () => {
    expect(shown(valueFormat)).toEqual(Buffer.from([0xff, 0, 10]))
    expect(JSON.parse(shown(jsonFormat).toString())).toEqual({
      ...record,
      key: 'k',
      value: { base64: '/wA=' },
      headers: [
        { key: 'a', value: '1' },
        { key: 'b', value: null },
      ],
    })
  })

  test('JSON of consume is read by produce as the same record', () => {
    const back = recordOfLine(shown(jsonFormat).subarray(0, -1), { ...plain, isJson: true })
    expect(back).toEqual({
      topic: 't',
      partition: 3,
      timestamp: record.timestamp,
      key: 'k',
      value: record.value,
      headers: [
        { key: 'a', value: '1' },
        { key: 'b', value: null },
      ],
    })
  })

  test('formats name fields, sizes and bytes', () => {
    const text = shown(customFormat('%t/%p/%o %k %h %T %K %V 100%%\\t\\xff\\n'))
    expect(text.toString('latin1')).toBe('t/3/42 k a=1,b= 1700000000000 1 2 100%\t\xff\n')
    expect(shown(customFormat('%v'))).toEqual(record.value)
    expect(() => customFormat('%x')).toThrow('%x')
    expect(() => customFormat('\\q')).toThrow('\\q')
    expect(() => customFormat('50%')).toThrow('%')
  })

  test('escapes', () => {
    expect(unescaped('a\\t\\x41\\\\n')).toBe('a\tA\\n')
    expect(() => unescaped('\\')).toThrow()
  })

  test('where to begin', () => {
    const at = (text: string) => parseStart(text, 10_000_000)
    expect(at('earliest')).toBe('earliest')
    expect(at('end')).toBe('latest')
    expect(at('42')).toEqual({ offset: 42 })
    expect(at('-10')).toEqual({ last: 10 })
    expect(at('2026-01-01')).toEqual({ timestamp: 1767225600000 })
    expect(at('@1767225600000')).toEqual({ timestamp: 1767225600000 })
    expect(at('@-1h')).toEqual({ timestamp: 10_000_000 - 3_600_000 })
    for (const text of ['', 'x', '1.5', '--1', '@', '@-x']) expect(() => at(text), text).toThrow()
  })
})
