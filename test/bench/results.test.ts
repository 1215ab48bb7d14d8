// From slices to the page: void slices count nowhere, a run goes on where it was stopped, the page tells what is void.

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { LoadResult, Percentiles } from '../../bench/harness/load_result.ts'
import { coldRead, figuresOf, type Slice } from '../../bench/harness/slice.ts'
import { facts, Store } from '../../bench/harness/store.ts'
import { QUICK, WORKLOADS, workload } from '../../bench/harness/workloads.ts'
import { AGAIN, compare } from '../../bench/report/compare.ts'
import { chartsOf, page } from '../../bench/report/report.ts'

const directory = mkdtempSync(join(tmpdir(), 'ottla-results-'))
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const times: Percentiles = {
  count: 1000,
  min: 1,
  mean: 2,
  p50: 100,
  p90: 200,
  p99: 300,
  p999: 400,
  p9999: 400,
  max: 400,
  curve: [[0, 1], [0.9, 200], [0.99, 300], [0.999999, 400]], // biome-ignore format: a table
}

const result: LoadResult = {
  asked: {
    rate: 1000,
    messageBytes: 1000,
    batchRecords: 1,
    batchBytes: 1070,
    codec: 'none',
    partitions: 4,
    groups: 1,
    produceVersion: 13,
    fetchVersion: 18,
  },
  windowSeconds: 1,
  sent: 1_000_000,
  acked: 1_000_000,
  failed: 0,
  ackedPerSecond: 1000,
  consumedPerSecond: 900,
  backlogMax: 0,
  consumed: 500_000,
  errors: {},
  ackUs: times,
  endToEndUs: times,
  sendLagUs: times,
  timeline: [],
  generator: { busyShare: 0.5, cpuSeconds: 1, wallSeconds: 1, stealShare: 0, longestGapUs: 1 },
  valid: true,
  gates: {},
}

function slice(arm: string, round: number, cpuSecondsPerGb: number, why: string[] = []): Slice {
  const figures = { messagesPerSecond: 1000, cpuSecondsPerGb, endToEndP99: 300 }
  return { arm, workload: 'load 50 %', round, at: 'then', figures, void: why, result }
}

const slices = [
  slice('ottla', 3, 1),
  slice(`ottla${AGAIN}`, 3, 1.1),
  ...[0, 1, 2].flatMap((round) => [slice('ottla', round, 1), slice('kafka', round, 3)]),
  slice('ottla', 4, 1),
  slice('kafka', 4, 99, ['sendLag 7 <b>']),
]

describe('results', () => {
  it('what a slice cost is per message that was written, or read where nothing was', () => {
    const before = { cpuSeconds: 1, contextSwitches: 0, residentMib: 10 }
    const after = { cpuSeconds: 3, contextSwitches: 1000, residentMib: 12 }
    expect(figuresOf(result, false, before, after, 4_000_000)).toMatchObject({
      messagesPerSecond: 900,
      cpuSecondsPerGb: 2,
      cpuUsPerMessage: 2,
      residentMib: 12,
      switchesPerMessage: 0.001,
      callsPerMessage: 4,
      ackP99: 300,
      endToEndP999: 400,
    })
    expect(figuresOf(result, true, before, after)).toMatchObject({
      messagesPerSecond: 900,
      cpuSecondsPerGb: 4,
    })
    expect(figuresOf(result, true)).not.toHaveProperty('cpuSecondsPerGb')
  })

  it('what goes through is no more than every group reads meanwhile', () => {
    const read = (groups: number, consumedPerSecond: number) =>
      figuresOf({ ...result, consumedPerSecond, asked: { ...result.asked, groups } }, false)
    expect(read(0, 0).messagesPerSecond).toBe(1000)
    expect(read(2, 1800).messagesPerSecond).toBe(900)
    expect(read(2, 2100).messagesPerSecond).toBe(1000)
  })

  it('a cold read costs what it costs per byte of the messages that were written', () => {
    const sizes = ['100 B', '1 KiB', '10 KiB'].map((size) => {
      const { options } = workload(`consume ${size}`)
      return coldRead({ ...options, seconds: 4 }, 1000)['message-bytes']
    })
    expect(sizes).toEqual([100, 1024, 10_240])
  })

  it('arms are compared round by round, without what is void', () => {
    const cpu = compare(slices, ['ottla', 'kafka']).find(
      ({ figure }) => figure === 'cpuSecondsPerGb',
    )!
    expect(cpu.noise.value).toBeCloseTo(1.1)
    expect(cpu.arms[1]).toMatchObject({
      arm: 'kafka',
      estimate: { value: 3, count: 3 },
      toFirst: { value: 3, low: 3, high: 3, count: 3 },
      isBeyondNoise: true,
    })
  })

  it('the page shows every arm, the noise, and why a slice is void', () => {
    const run = {
      facts: facts(tmpdir()),
      settings: { rounds: 3 },
      arms: ['ottla', 'kafka'],
      slices,
    }
    const html = page(run, ['<svg/>'])
    expect(html).toContain('kafka ÷ ottla')
    expect(html).toContain('1 of 10 slices are void')
    expect(html).toContain('sendLag 7 &lt;b&gt;')
    expect(html).toContain('3.00 (3.00–3.00)')
    expect(html).toContain('https://redpanda.com/blog/redpanda-vs-kafka-performance-benchmark')
    expect(html).not.toContain('<script')
    const titles = chartsOf(run).map(({ title }) => title)
    expect(titles).toContain('End to end p99 against load')
    expect(titles).toContain('Broker CPU per GB')
  })

  it('a run goes on where it was stopped, in the middle of a line too', () => {
    const path = join(directory, 'run', 'slices.jsonl')
    Store.open(path, { facts: 1 }).add(slices[0]!)
    appendFileSync(path, '{"arm":"ottla","rou')
    const store = Store.open(path, { facts: 2 })
    expect(store.slices).toEqual([slices[0]])
    expect(store.has('ottla', 'load 50 %', 3)).toBe(true)
    expect(store.has('ottla', 'load 50 %', 4)).toBe(false)
    store.add(slices[1]!)
    expect(Store.open(path, {}).slices).toEqual(slices.slice(0, 2))
    expect(readFileSync(path, 'utf8')).toMatch(/^{"facts":1}\n/)
  })

  it('workloads have names of their own', () => {
    const names = WORKLOADS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const name of QUICK) expect(workload(name).name).toBe(name)
    expect(() => workload('none')).toThrow('no workload "none"')
  })
})
