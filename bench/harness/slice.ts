// One slice: a workload on one arm for some seconds, with what it cost the broker. Memory is warmed right before, the
// topic is new and goes away afterwards.

import type { Arm } from '../arms/arms.ts'
import { failedGates, type LoadOptions, type LoadResult, runLoad } from './load_result.ts'
import { SystemCalls, type Usage, usageOf, warmMemory } from './processes.ts'
import { during, type StormCount } from './storms.ts'
import type { Workload } from './workloads.ts'

/** What a slice is compared by; undefined where it does not apply. Times are in microseconds. */
export interface Figures {
  readonly messagesPerSecond: number
  readonly cpuSecondsPerGb?: number
  readonly cpuUsPerMessage?: number
  readonly ackP50?: number
  readonly ackP99?: number
  readonly endToEndP50?: number
  readonly endToEndP99?: number
  readonly endToEndP999?: number
  readonly residentMib?: number
  readonly switchesPerMessage?: number
  readonly callsPerMessage?: number
}

export interface Slice {
  readonly arm: string
  readonly workload: string
  /** Slices of one round are neighbours in time. */
  readonly round: number
  readonly at: string
  readonly figures: Figures
  /** Why it is void; empty when it counts. */
  readonly void: readonly string[]
  readonly storm?: StormCount
  readonly result: LoadResult
}

export interface SliceTime {
  readonly seconds: number
  readonly warmup: number
}

let topics = 0
const WARM_BYTES_MAX = 2e9
const ASSUMED_BYTES_PER_SECOND = 3e8 // of a closed loop, for warming only

function bytesOf(options: LoadOptions, seconds: number): number {
  const rate = Number(options['rate'] ?? 0)
  const size = Number(options['message-bytes'] ?? 1024)
  return rate === 0 ? ASSUMED_BYTES_PER_SECOND * seconds : rate * size * seconds
}

/** Runs it. Throws when the broker or the generator could not; a void slice is an answer. */
export async function runSlice(
  program: string,
  broker: Arm,
  workload: Workload,
  round: number,
  time: SliceTime,
): Promise<Slice> {
  const { partitions, options } = workload
  const topic = `bench-${process.pid}-${topics++}-p${partitions}`
  await broker.createTopic(topic, partitions)
  const idle = `idle-${topic}`
  if (workload.idlePartitions !== undefined) await broker.createTopic(idle, workload.idlePartitions)
  try {
    const run = { ...options, seconds: time.seconds, warmup: time.warmup }
    const asked = workload.cold === true ? await fill(program, broker, topic, run) : run
    warmMemory(Math.min(WARM_BYTES_MAX, 1.5 * bytesOf(options, time.seconds + time.warmup)))
    const before = broker.pid === undefined ? undefined : usageOf(broker.pid)
    const calls = broker.pid === undefined ? undefined : new SystemCalls(broker.pid)
    const work = () => runLoad(program, broker.address, topic, asked)
    const [result, storm] =
      workload.storm === undefined
        ? [await work(), undefined]
        : await during(workload.storm, broker.address, work)
    const after = broker.pid === undefined ? undefined : usageOf(broker.pid)
    const called = await calls?.count()
    const figures = figuresOf(result, workload.cold === true, before, after, called)
    const more = storm === undefined ? {} : { storm }
    const at = new Date().toISOString()
    const why = failedGates(result)
    return {
      arm: broker.name,
      workload: workload.name,
      round,
      at,
      figures,
      void: why,
      ...more,
      result,
    }
  } finally {
    await broker.deleteTopic(topic)
    if (workload.idlePartitions !== undefined) await broker.deleteTopic(idle)
  }
}

/** Writes what the cold read will read; the options of that read. */
async function fill(
  program: string,
  broker: Arm,
  topic: string,
  options: LoadOptions,
): Promise<LoadOptions> {
  const filled = await runLoad(program, broker.address, topic, { ...options, groups: 0 })
  const { seconds } = options
  return {
    produce: 'no',
    groups: 1,
    from: 'earliest',
    count: filled.acked,
    warmup: 0,
    seconds: seconds!,
  }
}

/** From what the generator saw and what the process cost; messages are those written or, in a cold read, read. */
export function figuresOf(
  result: LoadResult,
  isCold: boolean,
  before?: Usage,
  after?: Usage,
  calls?: number,
): Figures {
  const messages = isCold ? result.consumed : result.acked
  const gigabytes = (messages * result.asked.messageBytes) / 1e9
  const { ackUs, endToEndUs } = result
  const rate = isCold ? result.consumedPerSecond : result.ackedPerSecond
  const cost = before === undefined || after === undefined ? {} : costOf(before, after)
  function costOf(from: Usage, to: Usage): Partial<Figures> {
    const cpu = to.cpuSeconds - from.cpuSeconds
    return {
      cpuSecondsPerGb: cpu / gigabytes,
      cpuUsPerMessage: (cpu * 1e6) / messages,
      residentMib: to.residentMib,
      switchesPerMessage: (to.contextSwitches - from.contextSwitches) / messages,
    }
  }
  return {
    messagesPerSecond: rate,
    ...cost,
    ...(calls === undefined ? {} : { callsPerMessage: calls / messages }),
    ...(ackUs.count === 0 ? {} : { ackP50: ackUs.p50, ackP99: ackUs.p99 }),
    ...(endToEndUs.count === 0
      ? {}
      : {
          endToEndP50: endToEndUs.p50,
          endToEndP99: endToEndUs.p99,
          endToEndP999: endToEndUs.p999,
        }),
  }
}
