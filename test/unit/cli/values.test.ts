// Values that people type on the command line, and what is said when they are wrong.

import { describe, expect, it } from 'vitest'
import { parseMoves } from '../../../src/cli/admin/group_write.ts'
import { selectNames } from '../../../src/cli/admin/select.ts'
import {
  formatPartitions,
  matcherOf,
  parseDuration,
  parseOffsetAt,
  parsePairs,
  parsePartitions,
  parseTime,
  parseTopicSelection,
} from '../../../src/cli/admin/values.ts'

describe('cli: values', () => {
  it('durations are read with units, as ISO 8601, or as milliseconds', () => {
    const given = ['250', '500ms', '10s', '1.5h', '1h30m', '7d', '2w', 'PT1H30M', 'P1DT0.5S']
    expect(given.map(parseDuration)).toEqual([
      250, 500, 10_000, 5_400_000, 5_400_000, 604_800_000, 1_209_600_000, 5_400_000, 86_400_500,
    ])
    for (const wrong of ['', 'soon', '10 s', '-5s', 'P', 'PT', '1y', 's']) {
      expect(parseDuration(wrong), wrong).toBeNull()
    }
  })

  it('times are UTC unless they name a zone', () => {
    const noon = Date.UTC(2026, 0, 31, 12)
    const given = [
      '2026-01-31T12:00:00Z',
      '2026-01-31 12:00',
      '2026-01-31T12:00:00.000',
      '2026-01-31T14:00+02:00',
      '2026-01-31T10:00:00-0200',
      '2026-01-31T13:00:00+01',
      String(noon),
    ]
    for (const text of given) expect(parseTime(text), text).toBe(noon)
    expect(parseTime('2026-01-31')).toBe(Date.UTC(2026, 0, 31))
    for (const wrong of ['yesterday', '2026', '2026-13-01', '12:00', '']) {
      if (wrong === '2026') expect(parseTime(wrong)).toBe(2026)
      else expect(parseTime(wrong), wrong).toBeNull()
    }
  })

  it('offsets are named, dated, so long ago, or numbered as Kafka does', () => {
    const now = Date.UTC(2026, 0, 31, 12)
    expect(parseOffsetAt('earliest', now)).toBe('earliest')
    expect(['-1', '-2', '-3'].map((text) => parseOffsetAt(text, now))).toEqual([
      'latest',
      'earliest',
      'max-timestamp',
    ])
    expect(parseOffsetAt('1h', now)).toBe(now - 3_600_000)
    expect(parseOffsetAt('2026-01-31', now)).toBe(Date.UTC(2026, 0, 31))
    expect(parseOffsetAt('begin', now)).toBeNull()
  })

  it('partitions are lists and ranges, written as they are read', () => {
    expect(parsePartitions('7,0,2-4,3')).toEqual([0, 2, 3, 4, 7])
    expect(formatPartitions([7, 0, 2, 3, 4])).toBe('0,2-4,7')
    for (const wrong of ['', 'a', '1,', '4-2', '-1', '0-999999999']) {
      expect(parsePartitions(wrong), wrong).toBeNull()
    }
    expect(parseTopicSelection('words')).toEqual({ topic: 'words', partitions: null })
    expect(parseTopicSelection('words:0,2')).toEqual({ topic: 'words', partitions: [0, 2] })
    expect(() => parseTopicSelection('words:x')).toThrow('words:x is no topic')
  })

  it('names are matched whole, by glob or regular expression', () => {
    const all = ['a', 'ab', 'orders-1', 'orders-2', 'orders.x']
    expect(selectNames(['orders-*', 'a'], all, false)).toEqual(['a', 'orders-1', 'orders-2'])
    expect(selectNames(['orders.?'], all, false)).toEqual(['orders.x'])
    expect(selectNames(['orders-[!1]', '{a,ab}'], all, false)).toEqual(['a', 'ab', 'orders-2'])
    expect(selectNames(['orders.\\d'], all, true)).toEqual(['orders-1', 'orders-2'])
    expect(selectNames(['missing', 'no*'], all, false)).toEqual(['missing'])
    expect(() => matcherOf('(', true)).toThrow('( is no pattern')
  })

  it('settings keep what stands behind the first equals sign', () => {
    expect(parsePairs(['a=b=c', 'd='])).toEqual({ a: 'b=c', d: '' })
    expect(() => parsePairs(['novalue'])).toThrow('novalue is not key=value')
  })

  it('files of offsets are read with and without a group', () => {
    const text = '"words",0,5\nbilling,words,1,6\nother,words,2,7\n\n'
    expect(parseMoves(text, 'billing')).toEqual([
      { topic: 'words', partition: 0, to: 5 },
      { topic: 'words', partition: 1, to: 6 },
    ])
    expect(() => parseMoves('words,0,latest', 'billing')).toThrow('line 1 is not')
  })
})
