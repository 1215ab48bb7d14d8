// Whether a consumer that drains old data starves those at the tail: produce and tail fetch latency alone, then beside a
// consumer that reads gigabytes which are not in the page cache, in turns, with the ratio of the two.
//   node bench/storage/cold_reads.ts [--gib 4] [--seconds 20] [--rounds 3] [--rate 2000] [--out FILE.json]
//
// Method: a topic is filled, synced, and taken out of the page cache (posix_fadvise, by dd) before every drain; drains
// follow each other until the tail's slice is over. Fails when a median ratio of the p99s is above 1.5. The broker runs
// from the sources. Nothing else may run on the machine; with two cores the drain's own client is one that runs.

import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createTopic } from '../../test/integration/support/admin.ts'
import { BrokerProcess } from '../../test/integration/support/broker_process.ts'
import { buildPrograms } from '../arms/programs.ts'
import { failedGates, type LoadResult, runLoad } from '../harness/load_result.ts'
import { usageOf } from '../harness/processes.ts'
import { median } from '../report/stats.ts'

const PARTITIONS = 4
const MESSAGE_BYTES = 1024
const RATIO_MAX = 1.5
const NO_VERDICT = /^(clock|steal|sendLag|generatorIdle)\b/

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '2000' },
    out: { type: 'string' },
  },
})
const BATCH_RECORDS = 60
/** Whole batches. */
const RECORDS =
  Math.round((Number(values.gib) * 2 ** 30) / MESSAGE_BYTES / BATCH_RECORDS) * BATCH_RECORDS
const SECONDS = Number(values.seconds)
const ROUNDS = Number(values.rounds)

/** What one slice at the tail was like, in microseconds. */
interface Slice {
  readonly produceP99: number
  readonly fetchP99: number
  readonly produceMax: number
  readonly brokerCores: number
  /** Drained meanwhile. */
  readonly drains: number
  readonly mibPerSecond: number
}

function sound(result: LoadResult): LoadResult {
  const failed = failedGates(result).filter((gate) => !NO_VERDICT.test(gate))
  if (failed.length > 0) throw new Error(`the load failed: ${failed.join(', ')}`)
  return result
}

/** Takes a topic's segments out of the page cache. */
function forget(directory: string, topic: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(`${topic}-`)) continue
    for (const file of readdirSync(join(directory, name))) {
      const path = join(directory, name, file)
      execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], {
        stdio: 'ignore',
      })
    }
  }
}

/** Who reads beside the tail: nobody, or a drain of what is in memory, or of what is not. */
type Beside = 'nobody' | 'warm' | 'cold'

async function drain(load: string, broker: BrokerProcess, isCold: boolean, isOver: () => boolean) {
  let [drains, seconds] = [0, 0]
  while (!isOver()) {
    if (isCold) forget(broker.directory, 'cold')
    const result = await runLoad(load, broker.address, 'cold', {
      produce: 'no',
      groups: 1,
      from: 'earliest',
      count: RECORDS,
      spin: 'no',
      warmup: 0,
      seconds: 600,
    })
    sound(result)
    drains++
    seconds += result.windowSeconds
  }
  return { drains, mibPerSecond: (drains * RECORDS * MESSAGE_BYTES) / 2 ** 20 / seconds }
}

async function slice(load: string, broker: BrokerProcess, beside: Beside): Promise<Slice> {
  let isOver = false
  const before = usageOf(broker.pid)
  const draining =
    beside === 'nobody'
      ? { drains: 0, mibPerSecond: 0 }
      : drain(load, broker, beside === 'cold', () => isOver)
  const began = performance.now()
  const tail = sound(
    await runLoad(load, broker.address, 'tail', {
      rate: values.rate,
      acks: 'all',
      groups: 1,
      connections: 2,
      spin: 'no',
      seconds: SECONDS,
      warmup: 2,
    }),
  )
  const cpu = usageOf(broker.pid).cpuSeconds - before.cpuSeconds
  const brokerCores = (cpu * 1000) / (performance.now() - began)
  isOver = true
  const { ackUs, endToEndUs } = tail
  return {
    produceP99: ackUs.p99,
    fetchP99: endToEndUs.p99,
    produceMax: ackUs.max,
    brokerCores,
    ...(await draining),
  }
}

async function main(): Promise<void> {
  const { load } = buildPrograms()
  await using broker = await BrokerProcess.start()
  await createTopic(broker.address, 'tail', PARTITIONS)
  await createTopic(broker.address, 'cold', PARTITIONS, { 'segment.bytes': `${256 << 20}` })
  const filling = {
    rate: 0,
    'batch-records': BATCH_RECORDS,
    groups: 0,
    count: RECORDS,
    seconds: 600,
  }
  sound(await runLoad(load, broker.address, 'cold', { ...filling, spin: 'no', warmup: 0 }))
  const rows: (Slice & { round: number; beside: Beside })[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (const beside of ['nobody', 'warm', 'cold'] as const) {
      rows.push({ round, beside, ...(await slice(load, broker, beside)) })
    }
  }
  console.table(rows)
  const ratio = (of: 'produceP99' | 'fetchP99', one: Beside, other: Beside) => {
    const seen = (beside: Beside) => rows.filter((row) => row.beside === beside)
    return median(seen(one).map((row, round) => row[of] / seen(other)[round]![of]))
  }
  const pairs = {
    'cold over nobody': ['cold', 'nobody'],
    'cold over warm': ['cold', 'warm'],
  } as const
  const verdict = Object.entries(pairs).map(([name, [one, other]]) => ({
    p99: name,
    produce: ratio('produceP99', one, other),
    fetch: ratio('fetchP99', one, other),
  }))
  console.table(verdict)
  if (values.out !== undefined) writeFileSync(values.out, JSON.stringify({ rows, verdict }))
  if (verdict.some(({ produce, fetch }) => Math.max(produce, fetch) > RATIO_MAX))
    process.exitCode = 1
}

await main()
