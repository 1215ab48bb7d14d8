// Tables, texts and shapes: what a terminal shows, and what scripts are promised.

import { describe, expect, it } from 'vitest'
import { formatTable } from '../../../src/cli/output/table.ts'
import {
  columnsOf,
  cut,
  formatBytes,
  formatTime,
  paintFor,
  printable,
} from '../../../src/cli/output/text.ts'
import { formatShape, misfits } from '../../../src/cli/tree/json_shapes.ts'

const plain = paintFor(false, {})

describe('cli: output', () => {
  it('a table is as wide as its cells, numbers to the right', () => {
    const columns = [{ title: 'TOPIC' }, { title: 'N', align: 'right' as const }, { title: 'X' }]
    const rows = [
      ['words', 12, null],
      ['a', 3, 'end'],
    ]
    expect(formatTable(columns, rows, { width: null, paint: plain })).toEqual([
      'TOPIC   N  X',
      'words  12  -',
      'a       3  end',
    ])
  })

  it('a narrow terminal cuts what may be cut, the widest first, and nothing else', () => {
    const columns = [
      { title: 'NAME', shrinkTo: 6 },
      { title: 'HOST', shrinkTo: 5 },
      { title: 'ID' },
    ]
    const rows = [['a-very-long-name', 'host-name', '123456']]
    const at = (width: number | null) => formatTable(columns, rows, { width, paint: plain })[1]
    expect(at(null)).toBe('a-very-long-name  host-name  123456')
    expect(at(30)).toBe('a-very-lon…  host-name  123456')
    expect(at(10)).toBe('a-ver…  host…  123456')
  })

  it('columns count what a terminal shows, not code units', () => {
    expect(['abc', 'é', 'e\u0301', '日本', '👍'].map(columnsOf)).toEqual([3, 1, 1, 4, 2])
    expect(cut('日本語', 5)).toBe('日本…')
    expect(cut('日本語', 4)).toBe('日…')
  })

  it('what comes from outside cannot steer the terminal', () => {
    expect(printable('a\x1b[31m\nb\u202e\x9b')).toBe('a\\x1b[31m\\nb\\u202e\\x9b')
    const [, row] = formatTable([{ title: 'T' }], [['\x1b]0;x\x07']], { width: null, paint: plain })
    expect(row).toBe('\\x1b]0;x\\x07')
  })

  it('colours are for terminals, and NO_COLOR forbids them', () => {
    expect(paintFor(true, {}).bad('x')).toBe('\x1b[31mx\x1b[39m')
    expect(paintFor(false, {}).bad('x')).toBe('x')
    expect(paintFor(true, { NO_COLOR: '1' }).bad('x')).toBe('x')
    expect(paintFor(true, { TERM: 'dumb' }).bad('x')).toBe('x')
    expect(paintFor(false, { FORCE_COLOR: '1' }).bad('x')).toBe('\x1b[31mx\x1b[39m')
  })

  it('sizes and times are read at a glance', () => {
    expect([0, 1023, 1536, 5 * 2 ** 30].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '5.0 GiB',
    ])
    expect(formatTime(0)).toBe('1970-01-01T00:00:00.000Z')
    expect(formatTime(-1n)).toBe('-')
    expect(formatTime(2n ** 62n)).toBe(String(2n ** 62n))
  })

  it('a shape finds what is missing, undocumented or of another type', () => {
    const shape = [{ name: 'string', 'size?': 'number | null', list: 'number[] | null' }] as const
    expect(misfits([{ name: 'a', list: null }], shape)).toEqual([])
    expect(misfits([{ name: 'a', list: [1], size: null }], shape)).toEqual([])
    expect(misfits([{ name: 1, list: ['x'], more: true }], shape)).toEqual([
      '$[0].name: string',
      '$[0].list: number[] | null',
      '$[0].more: not documented',
    ])
    expect(misfits([{ list: null }], shape)).toEqual(['$[0].name: missing'])
    expect(formatShape(shape)).toBe(
      '[{\n  name: string\n  size?: number | null\n  list: number[] | null\n}]',
    )
  })
})
