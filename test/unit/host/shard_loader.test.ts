// The gate of loads: how many are read at once, and in which order.

import { describe, expect, it } from 'vitest'
import { Gate } from '../../../src/host/shard_loader.ts'

describe('shard loader: gate', () => {
  it('lets so many in at a time, in the order they came', async () => {
    const gate = new Gate(2)
    const started: number[] = []
    const ends: (() => void)[] = []
    const all = [0, 1, 2, 3].map((i) =>
      gate.pass(async () => {
        started.push(i)
        await new Promise<void>((resolve) => ends.push(resolve))
        return i
      }),
    )
    await Promise.resolve()
    expect(started).toEqual([0, 1])
    ends[1]!()
    await all[1]
    expect(started).toEqual([0, 1, 2])
    ends[0]!()
    await all[0]
    expect(started).toEqual([0, 1, 2, 3])
    for (const end of ends) end()
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3])
  })
})
