// Transactions under random schedules (world.ts), for each transaction.version: whatever dies between whatever steps, a
// read_committed consumer sees whole transactions that were committed, and nothing is left open. With a rule of the partitions
// switched off the same schedules find what it is for. A failure names its seed.

import { describe, expect, test } from 'vitest'
import { transactionOf } from '../../../src/transaction/records.ts'
import { canMove } from '../../../src/transaction/states.ts'
import { World, type WorldOptions } from './world.ts'

const SEEDS = 100
const STEPS = 1500

function findings(seed: number, options: WorldOptions): { world: World; found: string[] } {
  const world = new World(seed, options)
  world.run(STEPS)
  return { world, found: world.findings() }
}

describe('transaction: schedules', () => {
  test.each([0, 1, 2])(
    'transaction.version %d: whole transactions, each once, none left open',
    (serverVersion) => {
      let committed = 0
      let crashes = 0
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { world, found } = findings(seed, { serverVersion })
        expect(found, `seed ${seed}`).toEqual([])
        crashes += world.crashes
        for (const { outcome } of world.attempts.values()) if (outcome === 'commit') committed++
        // The log goes by the table of states, whatever died.
        const last = new Map<string, ReturnType<typeof transactionOf>>()
        for (const { key, value } of world.bench.log) {
          const { transactionalId } = key
          const before = last.get(transactionalId)
          if (value === null) {
            last.delete(transactionalId)
            continue
          }
          const after = transactionOf(value)
          const from = before?.state ?? 'Empty'
          expect(canMove(from, after.state), `seed ${seed}: ${from} to ${after.state}`).toBe(true)
          last.set(transactionalId, after)
        }
      }
      expect(committed).toBeGreaterThan(SEEDS)
      expect(crashes).toBeGreaterThan(SEEDS * 10)
    },
  )

  test('transaction.version 2: a client that nobody replaces is never fenced', () => {
    let committed = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { world, found } = findings(seed, { serverVersion: 2, isPeaceful: true })
      expect(found, `seed ${seed}`).toEqual([])
      expect(world.fenced, `seed ${seed}`).toBe(0)
      for (const { outcome } of world.attempts.values()) if (outcome === 'commit') committed++
    }
    expect(committed).toBeGreaterThan(SEEDS)
  })

  test.each([
    ['without verification a late batch hangs', { serverVersion: 1, verifies: false }, /hanging/],
    [
      'without epochs of markers a late one ends another transaction',
      { serverVersion: 2, judgesMarkers: false },
      /seen/,
    ],
  ] as const)('%s', (_, options, finding) => {
    for (let seed = 1; seed <= 200; seed++) {
      if (findings(seed, options).found.some((each) => finding.test(each))) return
    }
    expect.fail('nothing was found')
  })
})
