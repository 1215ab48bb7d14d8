// `npm run bench` as a whole, on slices too short to mean anything: it measures, goes on where it was, writes the page;
// a storm runs beside a load.

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Slice } from '../../../bench/harness/slice.ts'
import { ROOT, runCommand } from '../support/commands.ts'

const WORKLOADS = [
  'latency at 1000/s',
  'storm of topics',
  'storm of rebalances',
  'storm of commits',
]

async function bench(...more: string[]) {
  const short = ['--arms', 'ottla,pipe', '--rounds', '1', '--seconds', '0.5']
  const args = ['bench/main.ts', ...WORKLOADS, ...short, ...more]
  return await runCommand(process.execPath, args, { cwd: ROOT, timeoutMs: 280_000 })
}

it('measures, goes on where it was, and writes a page', async () => {
  const { stdout } = await bench('--fresh')
  const path = /the page: (\S+)/.exec(stdout.toString())![1]!
  const html = readFileSync(path, 'utf8')
  expect(html).toContain('bare pipe ÷ ottla')
  expect(html).toContain('<svg')
  const read = () => readFileSync(path.replace('html', 'json'), 'utf8')
  const before = read()
  const { slices: attempts } = JSON.parse(before) as { slices: Slice[] }
  // On a busy machine slices are void, and tried again.
  const name = ({ arm, workload, round }: Slice) => `${arm}: ${workload}, ${round}`
  const slices = [...new Map(attempts.map((slice) => [name(slice), slice])).values()]
  expect(slices.length).toBe(2 + 1 + 1 + 3 * (2 + 1))
  const storms = slices.flatMap(({ storm }) => (storm === undefined ? [] : [storm]))
  expect(storms.length).toBe(9)
  for (const { asked } of storms) expect(asked).toBeGreaterThan(0)
  await bench()
  expect(read()).toBe(before)
})

it('judges targets, and goes on where it was', async () => {
  const groups = 'unbatched 1 KiB,fan-out,starts'
  const args = ['bench/main.ts', 'targets', '--only', groups, '--rounds', '1', '--seconds', '0.3']
  const options = { cwd: ROOT, timeoutMs: 280_000, mayFail: true }
  const first = await runCommand(process.execPath, [...args, '--fresh'], options)
  const said = first.stdout.toString()
  expect(said).toMatch(/undecided throughput ÷ the pipe's, produce and fetch at 1 KiB unbatched/)
  expect(said).toMatch(/exec to the first acknowledged produce, ms: \d/)
  expect(said).toMatch(/0 met, 0 missed, 5 undecided/)
  expect(first.code).toBe(0)
  const again = await runCommand(process.execPath, args, options)
  expect(again.stdout.toString()).toBe(said)
})
