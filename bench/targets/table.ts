// What was promised of speed, as a table: every figure with what it is held against, and how far it may be from it. Ratios
// of two sides of one round, or a figure by itself.
//
// Sides of a group are measured next to each other, round by round. `again` is the same side measured twice: it says what
// the noise is, and nothing smaller may be claimed.

import { BARE_PIPE } from '../arms/brokers.ts'
import type { Storm } from '../harness/workloads.ts'
import { AGAIN, type Figure } from '../report/compare.ts'
import type { Target as Limit } from '../report/stats.ts'
import type { StartFigure } from './starts.ts'

/** A workload on an arm. */
export interface Side {
  readonly arm: string
  readonly workload: string
}

/** `figure` of a side, divided by another side's of the same round. */
interface Ratio {
  readonly kind: 'ratio'
  readonly figure: Figure
  readonly of: Side
  readonly to: Side
  /** Where `to` against itself has a higher upper bound than the limit, that is the limit. */
  readonly isLooseAsNoise?: boolean
}

/** What `figure` grows by between two sides, for each of `count` things more, times `scale`. */
interface Growth {
  readonly kind: 'growth'
  readonly figure: Figure
  readonly of: Side
  readonly to: Side
  readonly count: number
  readonly scale: number
}

/** What a start of the broker showed. */
interface Start {
  readonly kind: 'start'
  readonly figure: StartFigure
}

export interface Target {
  /** Of the table in the report; unique. */
  readonly name: string
  /** Sides of one group are neighbours in time. */
  readonly group: string
  readonly limit: Limit
  readonly evidence: Ratio | Growth | Start
  /** Shown beside the others, promised by nobody. */
  readonly isShownOnly?: boolean
}

/** The workload at half of Apache Kafka's knee: its rate is found in the run. */
export const HALF_KNEE = 'load 50 %'
/** Groups whose broker is started for them alone: what they leave behind is nobody else's. */
export const APART: ReadonlySet<string> = new Set(['partitions', 'connections'])

const ottla = (workload: string): Side => ({ arm: 'ottla', workload })
const kafka = (workload: string): Side => ({ arm: 'kafka', workload })
const pipe = (workload: string): Side => ({ arm: BARE_PIPE, workload })
/** The same side, measured a second time. */
export const again = ({ arm, workload }: Side): Side => ({ arm: arm + AGAIN, workload })

/** Whose difference to itself says what the noise of a ratio is: between two workloads the quieter one's. */
export function noiseSide({ of, to }: { readonly of: Side; readonly to: Side }): Side {
  return of.workload === to.workload ? of : to
}

const SHARES: readonly (readonly [string, string, number])[] = [
  ['at 64 KiB batches', 'produce and consume 1 KiB', 0.8],
  ['at 1 KiB unbatched', 'unbatched 1 KiB', 0.7],
]
const shares = SHARES.map(
  ([how, workload, atLeast]): Target => ({
    name: `throughput ÷ the pipe's, produce and fetch ${how}`,
    group: workload,
    limit: { atLeast },
    evidence: {
      kind: 'ratio',
      figure: 'messagesPerSecond',
      of: ottla(workload),
      to: pipe(workload),
    },
  }),
)

const HOW: Readonly<Record<string, string>> = {
  'ottla-full': ', every record checked',
  [BARE_PIPE]: ', by the pipe',
}

function cpuPerGb(workload: string, atMost: number, arm = 'ottla'): Target {
  const how = HOW[arm] ?? ''
  return {
    name: `CPU per GB ÷ Kafka's, ${workload}${how}`,
    group: workload,
    limit: { atMost },
    evidence: {
      kind: 'ratio',
      figure: 'cpuSecondsPerGb',
      of: { arm, workload },
      to: kafka(workload),
    },
  }
}
const SIZES = ['100 B', '1 KiB', '10 KiB']
const CODECS = ['gzip', 'snappy', 'lz4', 'zstd']
const CONSUME_AT_MOST = [1 / 5, 0.4, 1 / 8]
const cpu: Target[] = [
  ...SIZES.map((size) => cpuPerGb(`produce ${size}`, 1 / 2)),
  ...CODECS.flatMap((codec) => [
    cpuPerGb(`produce codec ${codec}`, 1 / 6),
    { ...cpuPerGb(`produce codec ${codec}`, 1 / 6, 'ottla-full'), isShownOnly: true },
  ]),
  ...SIZES.flatMap((size, i) => [
    cpuPerGb(`consume ${size}`, CONSUME_AT_MOST[i]!),
    // What nobody can do whose records come through the same sockets.
    { ...cpuPerGb(`consume ${size}`, CONSUME_AT_MOST[i]!, BARE_PIPE), isShownOnly: true },
  ]),
]

const ONE = 'produce one in flight 1 KiB'
const single: Target[] = [
  {
    name: "CPU per request ÷ Kafka's, 1 KiB unbatched, one in flight",
    group: ONE,
    limit: { atMost: 1 / 3 },
    evidence: { kind: 'ratio', figure: 'cpuUsPerMessage', of: ottla(ONE), to: kafka(ONE) },
  },
  {
    name: "rate ÷ Kafka's, 1 KiB unbatched, one in flight",
    group: ONE,
    limit: { atLeast: 2.4 },
    evidence: { kind: 'ratio', figure: 'messagesPerSecond', of: ottla(ONE), to: kafka(ONE) },
  },
]

const PERCENTILES = [
  ['p50', 'endToEndP50'],
  ['p99', 'endToEndP99'],
  ['p99.9', 'endToEndP999'],
] as const
const LOADS = [
  ['1,000/s', 'latency at 1000/s'],
  ['5,000/s', 'latency at 5000/s'],
  ["50 % of Kafka's knee", HALF_KNEE],
] as const
const latencies = LOADS.flatMap(([load, workload]) =>
  PERCENTILES.flatMap(([percentile, figure]): Target[] => [
    {
      name: `end to end ${percentile} at ${load} ÷ Kafka's`,
      group: workload,
      limit: { atMost: 1 / 2 },
      evidence: { kind: 'ratio', figure, of: ottla(workload), to: kafka(workload) },
    },
    {
      name: `end to end ${percentile} at ${load} ÷ the pipe's`,
      group: workload,
      limit: { atMost: 1.25 },
      evidence: {
        kind: 'ratio',
        figure,
        of: ottla(workload),
        to: pipe(workload),
        isLooseAsNoise: true,
      },
    },
  ]),
)

const CALM = 'calm before a storm'
const STORMS: readonly Storm[] = ['topics', 'rebalances', 'commits', 'metadata']
const storms = STORMS.map(
  (storm): Target => ({
    name: `p99 during a storm of ${storm} ÷ without`,
    group: 'storms',
    limit: { atMost: 1.2 },
    evidence: {
      kind: 'ratio',
      figure: 'endToEndP99',
      of: ottla(`storm of ${storm}`),
      to: ottla(CALM),
    },
  }),
)

function grown(
  name: string,
  group: string,
  figure: Figure,
  [many, few]: readonly [string, string],
  atMost: number,
): Target {
  const evidence = { kind: 'ratio', figure, of: ottla(many), to: ottla(few) } as const
  return { name, group, limit: { atMost }, evidence }
}
const PARTITIONS = ['10000 partitions', '1 partitions'] as const
const CONNECTIONS = ['10000 idle connections', '10 idle connections'] as const
const growths: Target[] = [
  grown('p99 of 10,000 partitions ÷ of 1', 'partitions', 'endToEndP99', PARTITIONS, 1.5),
  grown('CPU per GB of 10,000 partitions ÷ of 1', 'partitions', 'cpuSecondsPerGb', PARTITIONS, 1.5),
  grown('p99 of 10,000 connections ÷ of 10', 'connections', 'endToEndP99', CONNECTIONS, 1.2),
  {
    name: 'memory per idle connection, KiB',
    group: 'connections',
    limit: { atMost: 8 },
    evidence: {
      kind: 'growth',
      figure: 'residentPeakMib',
      of: ottla(CONNECTIONS[0]),
      to: ottla(CONNECTIONS[1]),
      count: 10_000 - 10,
      scale: 1024,
    },
  },
  grown(
    'CPU per delivered GB of fan-out 10 ÷ of 1',
    'fan-out',
    'cpuSecondsPerDeliveredGb',
    ['fan-out 10', 'fan-out 1'],
    1.1,
  ),
]

const starts: Target[] = (
  [
    ['exec to the first acknowledged produce, ms', 'firstAckMs', 250],
    ['resident memory of an idle broker, MiB', 'residentMib', 70],
    ['wake-ups of an idle broker, per second', 'wakeUpsPerSecond', 10],
  ] as const
).map(([name, figure, atMost]) => ({
  name,
  group: 'starts',
  limit: { atMost },
  evidence: { kind: 'start', figure },
}))

/** In the order of the report. */
export const TARGETS: readonly Target[] = [
  ...shares,
  ...cpu,
  ...single,
  ...latencies,
  ...storms,
  ...growths,
  ...starts,
]
