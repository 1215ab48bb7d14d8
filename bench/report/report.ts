// The page for a sceptic: what was measured where, every figure with its interval, the noise of the same arm against
// itself, the slices that are void and why, and plots. No script runs in it; the numbers are in the JSON beside it.

import type { Slice } from '../harness/slice.ts'
import type { Facts } from '../harness/store.ts'
import { type Judged, toldLimit } from '../targets/verdicts.ts'
import type { Bars, Chart } from './charts.ts'
import { AGAIN, type Comparison, compare, FIGURES, told, toldEstimate } from './compare.ts'
import { PUBLISHED } from './published.ts'

export interface Run {
  readonly facts: Facts
  readonly settings: Readonly<Record<string, string | number>>
  readonly arms: readonly string[]
  readonly slices: readonly Slice[]
  /** Of `targets`. */
  readonly targets?: readonly Judged[]
}

/** What is kept of a run in bench/history/, by commit. */
export interface Summary {
  readonly at: string
  readonly facts: Facts
  readonly settings: Run['settings']
  readonly compared: readonly Comparison[]
  readonly targets?: readonly Judged[]
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Median value of every point of the arms' latency curves, against nines. */
function percentileChart(slices: readonly Slice[], workload: string): Chart | undefined {
  const own = slices.filter((slice) => slice.workload === workload && slice.void.length === 0)
  const lines = [...new Set(own.map(({ arm }) => arm))].flatMap((arm) => {
    const last = own.findLast((slice) => slice.arm === arm)!
    const { count, curve } = last.result.endToEndUs
    const points = curve
      .filter(([share, us]) => us > 0 && (1 - share) * count >= 1)
      .map(([share, us]): [number, number] => [1 / (1 - share), us / 1000])
    return points.length === 0 ? [] : [{ name: arm, points }]
  })
  if (lines.length === 0) return undefined
  return {
    title: `${workload}: end to end, last slice of each arm`,
    x: { name: 'one of so many is slower (10: p90, 100: p99)', isLog: true },
    y: { name: 'ms', isLog: true },
    lines,
  }
}

/** Latency against load: the workloads `load N %`. */
function loadChart(comparisons: readonly Comparison[]): Chart | undefined {
  const points = new Map<string, [number, number][]>()
  for (const { workload, figure, arms } of comparisons) {
    const share = /^load (\d+) %$/.exec(workload)?.[1]
    if (share === undefined || figure !== 'endToEndP99') continue
    for (const { arm, estimate } of arms) {
      points.set(arm, [...(points.get(arm) ?? []), [Number(share), estimate.value / 1000]])
    }
  }
  if (points.size === 0) return undefined
  const lines = [...points].map(([name, all]) => ({ name, points: all.sort(([a], [b]) => a - b) }))
  const x = { name: '% of the knee' }
  return { title: 'End to end p99 against load', x, y: { name: 'ms', isLog: true }, lines }
}

function cpuBars(comparisons: readonly Comparison[], arms: readonly string[]): Bars {
  const rows = comparisons.filter(({ figure }) => figure === 'cpuSecondsPerGb')
  const bars = arms.map((name) => ({
    name,
    values: rows.map((row) => {
      const value = row.arms.find(({ arm }) => arm === name)?.estimate.value
      return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(3))
    }),
  }))
  return {
    title: 'Broker CPU per GB',
    y: 's/GB',
    groups: rows.map(({ workload }) => workload),
    bars,
  }
}

/** The first arm's CPU per GB over the commits that were kept. */
function historyChart(history: readonly Summary[]): Chart | undefined {
  const points = new Map<string, [number, number][]>()
  for (const [at, { compared }] of history.entries()) {
    for (const { workload, figure, arms } of compared) {
      const value = arms[0]?.estimate.value
      if (figure !== 'cpuSecondsPerGb' || value === undefined || !Number.isFinite(value)) continue
      points.set(workload, [...(points.get(workload) ?? []), [at + 1, value]])
    }
  }
  const lines = [...points].flatMap(([name, all]) =>
    all.length < 2 ? [] : [{ name, points: all }],
  )
  if (lines.length === 0) return undefined
  const x = {
    name: `kept runs: ${history.map(({ facts }) => facts.commit.slice(0, 7)).join(', ')}`,
  }
  return { title: 'Broker CPU per GB by commit', x, y: { name: 's/GB', isLog: true }, lines }
}

/** The charts of a run; `history` is what was kept of earlier ones, oldest first. */
export function chartsOf(run: Run, history: readonly Summary[] = []): (Chart | Bars)[] {
  const shown = run.slices.filter(({ arm }) => !arm.endsWith(AGAIN))
  const comparisons = compare(run.slices, run.arms)
  const workloads = [...new Set(shown.map(({ workload }) => workload))]
  const percentiles = workloads.map((workload) => percentileChart(shown, workload))
  const all = [cpuBars(comparisons, run.arms), loadChart(comparisons), historyChart(history)]
  return [...all, ...percentiles].filter((chart) => chart !== undefined)
}

function table(comparisons: readonly Comparison[], arms: readonly string[]): string {
  const [first, ...others] = arms.map(escaped)
  const head = others.map((arm) => `<th>${arm}</th><th>${arm} ÷ ${first}</th>`).join('')
  const rows = comparisons.map(({ workload, figure, noise, arms: all }) => {
    const title = FIGURES.find(({ key }) => key === figure)!.title
    const cells = arms.slice(1).map((name) => {
      const one = all.find(({ arm }) => arm === name)
      if (one?.toFirst === undefined) return '<td>–</td><td>–</td>'
      const isClear = one.isBeyondNoise === true ? ' class="clear"' : ''
      return `<td>${toldEstimate(one.estimate)}</td><td${isClear}>${toldEstimate(one.toFirst)}</td>`
    })
    const own = toldEstimate(all[0]!.estimate)
    return `<tr><th>${escaped(workload)}</th><td>${title}</td><td>${own}</td><td>${toldEstimate(noise)}</td>${cells.join('')}</tr>`
  })
  return `<table><tr><th>workload</th><th>figure</th><th>${first}</th><th>${first} ÷ itself</th>${head}</tr>\n${rows.join('\n')}</table>`
}

function targetTable(judged: readonly Judged[]): string {
  const rows = judged.map(({ name, limit, estimate, verdict, noise, isShownOnly }) => {
    const said = isShownOnly ? 'shown only' : verdict
    const cells = [toldEstimate(estimate), toldLimit(limit), estimate.count, said]
    const own = noise === undefined ? '–' : toldEstimate(noise)
    const tds = [...cells, own].map((cell) => `<td>${escaped(String(cell))}</td>`)
    return `<tr><th>${escaped(name)}</th>${tds.join('')}</tr>`
  })
  const head = ['target', 'measured', 'asked', 'pairs', 'verdict', 'noise']
  return `<h2>Targets</h2><p>Met only where the whole interval lies within, missed where it lies beyond, else undecided.</p>
<table><tr>${head.map((name) => `<th>${name}</th>`).join('')}</tr>${rows.join('')}</table>`
}

function voids(slices: readonly Slice[]): string {
  const all = slices.filter((slice) => slice.void.length > 0)
  const rows = all.map(
    ({ arm, workload, round, void: why }) =>
      `<tr><td>${escaped(workload)}</td><td>${escaped(arm)}</td><td>${round}</td><td>${escaped(why.join('; '))}</td></tr>`,
  )
  const said = `<p>${all.length} of ${slices.length} slices are void and count nowhere.</p>`
  return `${said}<table><tr><th>workload</th><th>arm</th><th>round</th><th>gates that do not hold</th></tr>${rows.join('')}</table>`
}

function definitions(values: object): string {
  const rows = Object.entries(values).map(
    ([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(String(value))}</td></tr>`,
  )
  return `<table>${rows.join('')}</table>`
}

function generatorTable(slices: readonly Slice[]): string {
  const rows = slices.map(({ arm, workload, round, result: { generator, sendLagUs } }) => {
    const numbers = [generator.busyShare * 100, sendLagUs.p999 / 1000, generator.stealShare * 100]
    return `<tr><td>${escaped(workload)}</td><td>${escaped(arm)}</td><td>${round}</td>${numbers.map((value) => `<td>${told(value)}</td>`).join('')}</tr>`
  })
  return `<table><tr><th>workload</th><th>arm</th><th>round</th><th>busy %</th><th>send lag p99.9 ms</th><th>stolen %</th></tr>${rows.join('')}</table>`
}

function publishedTable(): string {
  const rows = PUBLISHED.map(({ about, claim, conditions, by, source }) => {
    const cells = [claim, conditions, by].map((cell) => `<td>${escaped(cell)}</td>`).join('')
    return `<tr><th>${escaped(about)}</th>${cells}<td><a href="${escaped(source)}">source</a></td></tr>`
  })
  return `<p>Not measured here, and not to be compared with what was: other machines, clients, replication and flushing.</p>
<table class="told"><tr><th>about</th><th>claim</th><th>conditions</th><th>by</th><th></th></tr>${rows.join('')}</table>`
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0;font-size:13px}td,th{border:1px solid #bbb;padding:2px 8px;text-align:right}
th:first-child,.told td{text-align:left}.clear{font-weight:bold}`

/** The page; `svgs` are its charts, drawn. */
export function page(run: Run, svgs: readonly string[]): string {
  const comparisons = compare(run.slices, run.arms)
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Ottla: measured</title><style>${STYLE}</style>
<h1>Measured</h1>
<p>Medians with 95 % intervals (bootstrap over rounds). Ratios are taken round by round. The column “÷ itself” is the same
arm measured twice: no difference within it means anything. A ratio in bold lies beyond it. Latencies count from intended
send times. No broker flushes to disk before it acknowledges.</p>
${definitions(run.facts)}${definitions(run.settings)}
${run.targets === undefined ? '' : targetTable(run.targets)}
<h2>Figures</h2>${table(comparisons, run.arms)}
<h2>Plots</h2>${svgs.join('\n')}
<h2>Void slices</h2>${voids(run.slices)}
<h2>The generator itself</h2>${generatorTable(run.slices)}
<h2>Published by others</h2>${publishedTable()}
</html>\n`
}
