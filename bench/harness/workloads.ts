// The workloads by name: what is asked of every arm alike. Names of OpenMessaging Benchmark's files are its shapes at this
// machine's size: the same partitions, message size and number of producers and consumers, its own rate where one is
// given, else a closed loop.
//
// `share` is a part of the knee, the highest rate that every arm sustained for that shape; main.ts finds it first.

import type { LoadOptions } from './load_result.ts'

/** A storm on the control plane while the load runs; storms.ts. */
export type Storm = 'topics' | 'rebalances' | 'commits' | 'metadata'

/** Somebody else who reads meanwhile: from the earliest record of another topic, as fast as it goes. */
export type Beside = 'draining'

export interface Workload {
  readonly name: string
  readonly partitions: number
  readonly options: LoadOptions
  readonly storm?: Storm
  readonly beside?: Beside
  /** Reads back what a first run, with the same options, wrote. */
  readonly cold?: boolean
  /** Every partition has a record before the slice begins: what the first one costs is not looked at. */
  readonly isTouched?: boolean
  /** Topic partitions beside, that nobody uses. */
  readonly idlePartitions?: number
  readonly note?: string
}

const KIB = 1024

/** Records that make a batch of about 64 KiB; one for large messages. */
const batchOf = (bytes: number): number => Math.max(1, Math.floor((64 * KIB) / (bytes + 12)))

/** Everything that a peak run needs: as much as goes, produced and read at the same time. */
function peak(bytes: number, more: LoadOptions = {}): LoadOptions {
  const batched = { 'message-bytes': bytes, 'batch-records': batchOf(bytes) }
  return { rate: 0, connections: 2, 'in-flight': 5, groups: 1, ...batched, ...more }
}

/** Single records at their times, read at the tail. */
function steady(rate: number, more: LoadOptions = {}): LoadOptions {
  return { rate, 'message-bytes': KIB, connections: 4, groups: 1, ...more }
}

const SIZES: readonly (readonly [string, number])[] = [
  ['100 B', 100],
  ['1 KiB', KIB],
  ['10 KiB', 10 * KIB],
  ['1 MiB', KIB * KIB - KIB], // with its frame just below message.max.bytes
]
const PARTITIONS = [1, 10, 100, 1000, 10_000]
const CODECS = ['gzip', 'snappy', 'lz4', 'zstd']
const STORMS: readonly Storm[] = ['topics', 'rebalances', 'commits', 'metadata']

const peaks: Workload[] = SIZES.flatMap(([name, bytes]) => [
  { name: `produce ${name}`, partitions: 4, options: peak(bytes, { groups: 0 }) },
  { name: `produce and consume ${name}`, partitions: 4, options: peak(bytes) },
  { name: `consume ${name}`, partitions: 4, options: peak(bytes), cold: true },
])

/** A client that slept between its requests would add its own wake-up, 30 µs here, to every one of every arm. */
const ONE_IN_FLIGHT = { connections: 1, 'in-flight': 1, 'batch-records': 1, 'spin-closed': 'yes' }

const singles: Workload[] = [
  { name: 'one in flight 1 KiB', partitions: 1, options: peak(KIB, ONE_IN_FLIGHT) },
  {
    name: 'produce one in flight 1 KiB',
    partitions: 1,
    options: peak(KIB, { ...ONE_IN_FLIGHT, groups: 0 }),
  },
  { name: 'unbatched 1 KiB', partitions: 4, options: peak(KIB, { 'batch-records': 1 }) },
  {
    name: 'idempotent, acks all, 1 KiB',
    partitions: 4,
    options: peak(KIB, { acks: 'all', idempotent: 'yes' }),
  },
  {
    name: 'produce 10 partitions a request',
    partitions: 40,
    options: peak(KIB, { 'batch-records': 10, 'request-batches': 10, groups: 0 }),
  },
  { name: 'keyed 1 KiB', partitions: 4, options: peak(KIB, { 'key-bytes': 16 }) },
]

const codecs: Workload[] = CODECS.flatMap((codec) => [
  { name: `codec ${codec}`, partitions: 4, options: peak(KIB, { codec }) },
  { name: `produce codec ${codec}`, partitions: 4, options: peak(KIB, { codec, groups: 0 }) },
])

const latencies: Workload[] = [1000, 5000].map((rate) => ({
  name: `latency at ${rate}/s`,
  partitions: 4,
  options: steady(rate),
}))

const shapes: Workload[] = [
  ...PARTITIONS.map((partitions) => ({
    name: `${partitions} partitions`,
    partitions,
    options: steady(2000),
    isTouched: true,
  })),
  ...[1, 5, 10].map((groups) => ({
    name: `fan-out ${groups}`,
    partitions: 4,
    options: steady(1000, { groups }),
  })),
  ...[0, 10, 100, 1000, 10_000].map((idle) => ({
    name: `${idle} idle connections`,
    partitions: 4,
    options: steady(1000, { 'idle-connections': idle }),
  })),
  // Every connection produces, each of many seldom; rounds are of all streams.
  ...[10, 100, 1000, 10_000].map((connections) => ({
    name: `${connections} connections`,
    partitions: 10,
    options: steady(1000, { connections, 'in-flight': 1 }),
  })),
  {
    name: 'tail beside a drain',
    partitions: 4,
    options: steady(1000),
    beside: 'draining',
  },
  {
    name: '1000 idle partitions',
    partitions: 4,
    options: steady(1000),
    idlePartitions: 1000,
  },
]

const storms: Workload[] = [
  { name: 'calm before a storm', partitions: 4, options: steady(1000) },
  ...STORMS.map((storm) => ({
    name: `storm of ${storm}`,
    partitions: 4,
    options: steady(1000),
    storm,
  })),
]

function openMessaging(
  name: string,
  partitions: number,
  bytes: number,
  more: LoadOptions,
): Workload {
  const options = { 'message-bytes': bytes, connections: 1, groups: 1, ...more }
  return { name: `omb ${name}`, partitions, options, note: 'OpenMessaging Benchmark' }
}

const batched100 = { 'batch-records': batchOf(100) }
const batched1k = { 'batch-records': batchOf(KIB) }
const fours = { connections: 4, 'group-connections': 4 }
/** The rates of their files, at the sizes of this machine; `backlog`: read beside by a group that drains. */
const omb: Workload[] = [
  openMessaging('1-topic-1-partition-100b', 1, 100, { rate: 50_000, ...batched100 }),
  openMessaging('1-topic-1-partition-1kb', 1, KIB, { rate: 50_000, ...batched1k }),
  openMessaging('1-topic-3-partition-100b-3producers', 3, 100, {
    rate: 0,
    connections: 3,
    ...batched100,
  }),
  openMessaging('1-topic-6-partition-100b', 6, 100, { rate: 50_000, ...batched100 }),
  openMessaging('1-topic-16-partitions-1kb', 16, KIB, { rate: 50_000, ...batched1k }),
  openMessaging('1-topic-100-partitions-1kb', 100, KIB, { rate: 50_000, ...batched1k }),
  openMessaging('1-topic-1000-partitions-500b', 1000, 500, { rate: 50_000, 'batch-records': 10 }),
  ...[200, 500].map((thousands) =>
    openMessaging(`1-topic-100-partitions-1kb-4p-4c-${thousands}k`, 100, KIB, {
      rate: thousands * 1000,
      ...fours,
      ...batched1k,
    }),
  ),
  {
    ...openMessaging('1-topic-100-partitions-1kb-4p-4c-200k-backlog', 100, KIB, {
      rate: 200_000,
      ...fours,
      ...batched1k,
    }),
    beside: 'draining',
  },
  openMessaging('max-rate-1-topic-1-partition-1p-1c-100b', 1, 100, { rate: 0, ...batched100 }),
  openMessaging('max-rate-1-topic-1-partition-1p-1c-1kb', 1, KIB, { rate: 0, ...batched1k }),
  openMessaging('max-rate-1-topic-1-partition-4p-1c-1kb', 1, KIB, {
    rate: 0,
    connections: 4,
    ...batched1k,
  }),
  openMessaging('max-rate-1-topic-100-partitions-1p-1c-1kb', 100, KIB, { rate: 0, ...batched1k }),
]

export const WORKLOADS: readonly Workload[] = [
  ...peaks,
  ...singles,
  ...codecs,
  ...latencies,
  ...shapes,
  ...storms,
  ...omb,
]

/** What minutes allow. */
export const QUICK: readonly string[] = [
  'produce 1 KiB',
  'consume 1 KiB',
  'one in flight 1 KiB',
  'latency at 1000/s',
]

/** Parts of the knee at which latency is drawn against load. */
export const LOAD_SHARES = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 1]

/** Single records at a part of the knee. */
export function atShare(knee: number, share: number): Workload {
  const rate = Math.max(1, Math.round(knee * share))
  return { name: `load ${Math.round(share * 100)} %`, partitions: 4, options: steady(rate) }
}

/** Throws when there is no such workload. */
export function workload(name: string): Workload {
  const found = WORKLOADS.find((one) => one.name === name)
  if (found === undefined) {
    throw new Error(
      `no workload "${name}"; there are: ${WORKLOADS.map((one) => one.name).join('; ')}`,
    )
  }
  return found
}
