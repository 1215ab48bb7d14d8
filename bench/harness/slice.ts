// One slice: a workload on one arm for some seconds, with what it cost the broker. Memory is warm (memory.ts), the topic is
// new and goes away afterwards.

import type { Arm } from '../arms/arms.ts'
import { failedGates, type LoadOptions, type LoadResult, runLoad } from './load_result.ts'
import { WarmMemory, warmMemory } from './memory.ts'
import { PeakMemory, SystemCalls, type Usage, usageOf } from './processes.ts'
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
  /** As above, per 1e9 bytes that consumers were given. */
  readonly cpuSecondsPerDeliveredGb?: number
  readonly residentMib?: number
  /** The most that was seen while the load ran. */
  readonly residentPeakMib?: number
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
/** What a draining group reads at a time: a quarter of a gigabyte. */
const BACKLOG_RECORDS = 63 * 4096
const memory = new WarmMemory()
const ASSUMED_BYTES_PER_SECOND = 1e8 // of a closed loop that was not seen yet, for warming only

/** What a second of it may write, as long as nobody knows. */
function guessOf(options: LoadOptions): number {
  const rate = Number(options['rate'] ?? 0)
  const size = Number(options['message-bytes'] ?? 1024)
  return rate === 0 ? ASSUMED_BYTES_PER_SECOND : rate * size
}

const writtenBy = ({ sent, asked }: LoadResult): number =>
  (sent / asked.batchRecords) * asked.batchBytes

/** Runs it. Throws when the broker or the generator could not; a void slice is an answer. */
export async function runSlice(
  program: string,
  broker: Arm,
  workload: Workload,
  round: number,
  time: SliceTime,
): Promise<Slice> {
  const { partitions, options, idlePartitions } = workload
  const seconds = time.seconds + time.warmup
  const warm = () => {
    const lacks = memory.lacks(workload.name, seconds, guessOf(options), performance.now())
    warmMemory(lacks)
  }
  let written = 0
  const topic = `bench-${process.pid}-${topics++}-p${partitions}`
  const others = idlePartitions === undefined ? [] : [{ name: `idle-${topic}`, idlePartitions }]
  await broker.createTopic(topic, partitions)
  for (const { name, idlePartitions: count } of others) await broker.createTopic(name, count)
  try {
    if (workload.isTouched === true) {
      const one = { rate: 0, count: partitions, 'message-bytes': 1024, drain: 120 }
      await runLoad(program, broker.address, topic, one)
    }
    const run = { ...options, seconds: time.seconds, warmup: time.warmup }
    const load = (asked: LoadOptions) => runLoad(program, broker.address, topic, asked)
    let asked: LoadOptions = run
    if (workload.cold === true) {
      warm()
      const filled = await load({ ...run, groups: 0 })
      written = writtenBy(filled)
      asked = coldRead(run, filled.acked)
    }
    const work = await besides(program, broker, workload, topic, () => load(asked))
    if (workload.cold !== true) warm()
    const { storm, result, figures } = await measured(broker, workload, work)
    written += writtenBy(result)
    return {
      arm: broker.name,
      workload: workload.name,
      round,
      at: new Date().toISOString(),
      figures,
      void: failedGates(result),
      ...(storm === undefined ? {} : { storm }),
      result,
    }
  } finally {
    for (const { name } of [...others, { name: topic }]) await broker.deleteTopic(name)
    memory.freedBy(workload.name, seconds, written, performance.now())
  }
}

/** What the work cost the broker, and the storm that went on meanwhile. */
async function measured(
  { pid, address }: Arm,
  { storm: kind, cold }: Workload,
  work: () => Promise<LoadResult>,
): Promise<{ result: LoadResult; storm: StormCount | undefined; figures: Figures }> {
  const before = pid === undefined ? undefined : usageOf(pid)
  const calls = pid === undefined ? undefined : new SystemCalls(pid)
  const memory = pid === undefined ? undefined : new PeakMemory(pid)
  const [result, storm] =
    kind === undefined ? [await work(), undefined] : await during(kind, address, work)
  const peakMib = memory?.stop()
  const after = pid === undefined ? undefined : usageOf(pid)
  const seen = figuresOf(result, cold === true, before, after, await calls?.count())
  return {
    result,
    storm,
    figures: peakMib === undefined ? seen : { ...seen, residentPeakMib: peakMib },
  }
}

/** A topic that is read from its beginning, again and again, while the work goes on. */
async function besides(
  program: string,
  broker: Arm,
  { partitions, beside }: Workload,
  topic: string,
  work: () => Promise<LoadResult>,
): Promise<() => Promise<LoadResult>> {
  if (beside === undefined) return work
  const backlog = `drain-${topic}`
  await broker.createTopic(backlog, partitions)
  const written = { rate: 0, count: BACKLOG_RECORDS, 'message-bytes': 1024, 'batch-records': 63 }
  await runLoad(program, broker.address, backlog, written)
  const read = { produce: 'no', groups: 1, from: 'earliest', count: BACKLOG_RECORDS }
  return async () => {
    let isOver = false
    const ended = work().finally(() => {
      isOver = true
    })
    const drained = (async () => {
      while (!isOver) await runLoad(program, broker.address, backlog, read)
    })()
    try {
      const [result] = await Promise.all([ended, drained])
      return result
    } finally {
      await broker.deleteTopic(backlog)
    }
  }
}

/** Reads back what a run with these options wrote: the size of its messages is theirs, since figures are per byte. */
export function coldRead(written: LoadOptions, count: number): LoadOptions {
  const { seconds, 'message-bytes': messageBytes } = written
  return {
    produce: 'no',
    groups: 1,
    from: 'earliest',
    count,
    warmup: 0,
    seconds: seconds!,
    'message-bytes': messageBytes!,
  }
}

/** What went through: where it is read as well, no more than every group read while it was written. */
function rateOf({ ackedPerSecond, consumedPerSecond, asked }: LoadResult, isCold: boolean): number {
  if (isCold) return consumedPerSecond
  if (asked.groups === 0) return ackedPerSecond
  return Math.min(ackedPerSecond, consumedPerSecond / asked.groups)
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
  const cost = before === undefined || after === undefined ? {} : costOf(before, after)
  function costOf(from: Usage, to: Usage): Partial<Figures> {
    const cpu = to.cpuSeconds - from.cpuSeconds
    const delivered = (result.consumed * result.asked.messageBytes) / 1e9
    return {
      cpuSecondsPerGb: cpu / gigabytes,
      ...(delivered === 0 ? {} : { cpuSecondsPerDeliveredGb: cpu / delivered }),
      cpuUsPerMessage: (cpu * 1e6) / messages,
      residentMib: to.residentMib,
      switchesPerMessage: (to.contextSwitches - from.contextSwitches) / messages,
    }
  }
  return {
    messagesPerSecond: rateOf(result, isCold),
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
