// kcat and time: -Q, -o s@ and e@, and timestamps. The messages are produced by a run each, so that the client's clock
// has moved on between them; their times are read back from the broker.

import assert from 'node:assert/strict'
import type { Check } from '../checks.ts'
import type { Target } from '../suite.ts'
import { consume, fresh, kcat, produce } from './kcat.ts'

/** A topic with three messages in partition 0; their timestamps, which differ. */
async function threeTimes(target: Target): Promise<{ topic: string; times: number[] }> {
  const topic = fresh('time')
  for (const line of ['a', 'b', 'c']) await produce(target, topic, [line], '-p', '0')
  const times = (await consume(target, topic, '-p', '0', '-f', '%T\\n')).map(Number)
  assert.equal(times.length, 3)
  assert.ok(times[0]! < times[1]! && times[1]! < times[2]!)
  return { topic, times }
}

async function query(target: Target, topic: string, time: number): Promise<string> {
  const { out } = await kcat(target, ['-Q', '-t', `${topic}:0:${time}`])
  return out.trim()
}

export const timeChecks: readonly Check[] = [
  {
    name: '-Q finds the first message of a time or after it',
    async run(target) {
      const { topic, times } = await threeTimes(target)
      const [first, second, third] = times as [number, number, number]
      const asked = [first - 1000, first, first + 1, second, third]
      const found = ['0', '0', '1', '1', '2']
      for (const [at, time] of asked.entries()) {
        assert.equal(await query(target, topic, time), `${topic} [0] offset ${found[at]}`)
      }
    },
  },
  {
    name: '-Q after the last message is the end',
    async run(target) {
      const { topic, times } = await threeTimes(target)
      assert.equal(await query(target, topic, times[2]! + 1), `${topic} [0] offset -1`)
    },
  },
  {
    name: '-Q -1 and -2 are the end and the beginning',
    async run(target) {
      const { topic } = await threeTimes(target)
      assert.equal(await query(target, topic, -1), `${topic} [0] offset 3`)
      assert.equal(await query(target, topic, -2), `${topic} [0] offset 0`)
    },
  },
  {
    name: '-Q asks many partitions at once',
    async run(target) {
      const topic = fresh('times')
      await produce(target, topic, ['a', 'b'], '-p', '1')
      const ends = [0, 1, 2].flatMap((partition) => ['-t', `${topic}:${partition}:-1`])
      const { out } = await kcat(target, ['-Q', ...ends])
      const lines = out.trim().split('\n').sort()
      assert.deepEqual(
        lines,
        [0, 2, 0].map((end, at) => `${topic} [${at}] offset ${end}`),
      )
    },
  },
  {
    name: '-o s@ starts at a time',
    async run(target) {
      const { topic, times } = await threeTimes(target)
      assert.deepEqual(await consume(target, topic, '-p', '0', '-o', `s@${times[1]}`), ['b', 'c'])
    },
  },
  {
    name: '-o s@ and e@ are a range of time',
    async run(target) {
      const { topic, times } = await threeTimes(target)
      const range = ['-o', `s@${times[0]}`, '-o', `e@${times[2]}`]
      assert.deepEqual(await consume(target, topic, '-p', '0', ...range), ['a', 'b'])
    },
  },
]
