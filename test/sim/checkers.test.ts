// The checkers of groups by themselves: what they must let pass, and what not.

import { describe, expect, test } from 'vitest'
import { GroupChecker } from './checkers/groups.ts'
import { Register } from './checkers/register.ts'
import { SimDisk } from './disk.ts'

describe('sim: checkers: register', () => {
  test('the last acknowledged value, and nothing before it', () => {
    const register = new Register()
    expect(register.explains(null, register.asking())).toBe(true)
    for (const value of [1, 2]) register.written(register.writing(value))
    expect(register.explains(2, register.asking())).toBe(true)
    expect(register.explains(1, register.asking())).toBe(false)
    expect(register.explains(null, register.asking())).toBe(false)
  })

  test('what is under way may be there, or not yet', () => {
    const register = new Register()
    register.written(register.writing(1))
    register.writing(2)
    const askedAt = register.asking()
    expect(register.explains(1, askedAt)).toBe(true)
    expect(register.explains(2, askedAt)).toBe(true)
  })

  test('a question that began before a commit was over may be answered with either', () => {
    const register = new Register()
    register.written(register.writing(1))
    const askedAt = register.asking()
    register.written(register.writing(2))
    expect(register.explains(1, askedAt)).toBe(true)
    expect(register.explains(1, register.asking())).toBe(false)
  })

  test('what was under way when its process died cannot come after a later commit', () => {
    const register = new Register()
    register.writing(1)
    register.cut()
    expect(register.explains(1, register.asking())).toBe(true)
    register.written(register.writing(2))
    expect(register.explains(1, register.asking())).toBe(false)
  })
})

describe('sim: checkers: groups', () => {
  const given = (checker: GroupChecker, memberId: string, generation: number) =>
    checker.given({ group: 'g', generation, memberId }, [0], 0)

  test('a partition has one owner in a generation, and another in the next', () => {
    const checker = new GroupChecker(new SimDisk({}))
    given(checker, 'a', 1)
    given(checker, 'a', 1)
    given(checker, 'b', 2)
    expect(() => given(checker, 'a', 2)).toThrow(/both own partition 0 in generation 2/)
  })

  test('a partition stays with a member that is heard, whatever the epoch, until it is given up', () => {
    const checker = new GroupChecker(new SimDisk({}))
    const holds = (memberId: string, partitions: number[], nowMs: number) => {
      const alive = { nowMs, untilMs: nowMs + 100, powerLosses: 0 }
      checker.holds({ group: 'g', memberId }, partitions, alive)
    }
    holds('a', [0, 1], 0)
    expect(() => holds('b', [1], 99)).toThrow(/a has partition 1 of g, and b was given it/)
    holds('a', [0], 99)
    holds('b', [1], 99)
    checker.lets('g', 'b')
    holds('c', [1], 99)
    // It was silent for so long that it may be out.
    holds('d', [0], 200)
  })

  test('an acknowledged commit that no log has is missed', () => {
    const checker = new GroupChecker(new SimDisk({}))
    checker.committed('g', 0, checker.committing('g', 0, 7), 0)
    expect(() => checker.check()).toThrow(/no offset of g 0: 7 was acknowledged last/)
  })
})
