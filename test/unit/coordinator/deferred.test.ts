// Replies leave in order, and not before the high watermark covers what they rest on.

import { describe, expect, it } from 'vitest'
import { DeferredReplies } from '../../../src/coordinator/deferred.ts'

describe('coordinator: deferred', () => {
  it('coordinator: deferred: replies leave in order, when their offset is covered', () => {
    const deferred = new DeferredReplies<string>()
    deferred.defer(0, [[1, 'rests on nothing']])
    deferred.defer(31, [
      [2, 'a'],
      [7, 'b'],
    ])
    deferred.defer(31, [[3, 'c']])
    deferred.defer(40, [[4, 'd']])
    expect(deferred.advance(0)).toEqual([[1, 'rests on nothing']])
    expect(deferred.advance(30)).toEqual([])
    expect(deferred.advance(31)).toEqual([
      [2, 'a'],
      [7, 'b'],
      [3, 'c'],
    ])
    expect(deferred.size).toBe(1)
    expect(deferred.advance(100)).toEqual([[4, 'd']])
    expect(deferred.size).toBe(0)
  })

  it('coordinator: deferred: a reply that rests on what is committed waits for one more look', () => {
    const deferred = new DeferredReplies<string>()
    expect(deferred.advance(50)).toEqual([])
    deferred.defer(50, [[1, 'read']])
    expect(deferred.advance(50)).toEqual([[1, 'read']])
  })

  it('coordinator: deferred: a long queue is released piece by piece', () => {
    const deferred = new DeferredReplies<number>()
    for (let i = 1; i <= 5000; i++) deferred.defer(i, [[i, i]])
    const seen: number[] = []
    for (let mark = 0; mark <= 5000; mark += 7) seen.push(...deferred.advance(mark).map(([t]) => t))
    seen.push(...deferred.advance(5000).map(([ticket]) => ticket))
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1))
  })

  it('coordinator: deferred: offsets that shrink are a bug', () => {
    const deferred = new DeferredReplies<string>()
    deferred.defer(5, [[1, 'a']])
    expect(() => deferred.defer(4, [[2, 'b']])).toThrow(/offsets grow/)
  })
})
