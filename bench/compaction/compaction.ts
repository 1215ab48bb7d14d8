// What a compaction costs: a topic of so many gigabytes and keys is filled while nothing is compacted, then compacted, on Ottla
// and on Apache Kafka. Says how fast it went, what memory the broker took, what is left, and how late a paced producer of
// another topic was answered meanwhile, beside the time before.
//   node bench/compaction/compaction.ts [--gigabytes 2] [--keys 1000000] [--seconds 20] [--arms ottla,kafka]
//
// Method: one arm after the other, each with the machine to itself; the cleaner's settings are the defaults, but for its rest.
// Latency counts from when a batch was due. Nothing else may run on the machine.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ErrorCode, errorName } from '../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../src/protocol/messages/configs.ts'
import { Produce } from '../../src/protocol/messages/produce_fetch.ts'
import { encodeBatch } from '../../src/protocol/record_batch.ts'
import { createTopic } from '../../test/integration/support/admin.ts'
import { RawClient } from '../../test/integration/support/raw_client.ts'
import { type RunningBroker, startApacheKafka, startOttla } from '../arms/brokers.ts'

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '2' },
    keys: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '20' },
    arms: { type: 'string', default: 'ottla,kafka' },
  },
})
const BYTES = Number(values.gigabytes) * 1e9
const KEYS = Number(values.keys)
const SECONDS = Number(values.seconds)
const VALUE_BYTES = 1000
const RECORDS_PER_BATCH = 500
const SEGMENT_BYTES = Math.max(1 << 20, Math.min(100 << 20, Math.trunc(BYTES / 10)))
const PACE_MS = 2
/** The cleaner's rest when it was started. */
const FIRST_REST_MS = 16_000
const LOOK_MS = 50
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TOPIC = 'compacted'
const BESIDE = 'beside'

async function alter(
  client: RawClient,
  resourceType: number,
  resourceName: string,
  name: string,
  value: string,
): Promise<void> {
  const configs = [{ name, configOperation: 0, value }]
  const { responses } = await client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType, resourceName, configs }],
  })
  const { errorCode, errorMessage } = responses[0]!
  if (errorCode !== ErrorCode.NONE) throw new Error(`${name}: ${errorMessage}`)
}

async function put(client: RawClient, name: string, records: Uint8Array): Promise<void> {
  const { responses } = await client.ask(Produce, 9, {
    acks: -1,
    timeoutMs: 60_000,
    topicData: [{ name, partitionData: [{ index: 0, records }] }],
  })
  const { errorCode } = responses[0]!.partitionResponses[0]!
  if (errorCode !== ErrorCode.NONE) throw new Error(`${name}: ${errorName(errorCode)}`)
}

async function fill(client: RawClient): Promise<void> {
  const value = new Uint8Array(VALUE_BYTES).map((_, at) => (at * 131) % 251)
  const batches = Math.ceil(BYTES / VALUE_BYTES / RECORDS_PER_BATCH)
  for (let batch = 0; batch < batches; batch++) {
    const records = Array.from({ length: RECORDS_PER_BATCH }, () => ({
      key: Buffer.from(`key ${Math.trunc(Math.random() * KEYS)}`),
      value,
    }))
    await put(client, TOPIC, encodeBatch({ records, timestamp: Date.now() }))
  }
}

/** Batches that are due at a pace until it is over; how late each was answered, in µs. */
async function paced(client: RawClient, isOver: () => boolean) {
  const late = createHistogram()
  const records = Array.from({ length: 10 }, () => ({ value: new Uint8Array(100) }))
  const batch = encodeBatch({ records, timestamp: Date.now() })
  const waiting: Promise<void>[] = []
  let due = performance.now()
  while (!isOver()) {
    due += PACE_MS
    const restMs = due - performance.now()
    if (restMs > 0) await sleep(restMs)
    const dueMs = Math.min(due, performance.now()) // timers may be early by what is below a millisecond
    waiting.push(
      put(client, BESIDE, batch).then(() => {
        late.record(Math.max(1, Math.round((performance.now() - dueMs) * 1000)))
      }),
    )
    if (waiting.length > 1000) await Promise.all(waiting.splice(0))
  }
  await Promise.all(waiting)
  const ms = (percentile: number) => (late.percentile(percentile) / 1000).toFixed(2)
  return `p50 ${ms(50)} p99 ${ms(99)} p99.9 ${ms(99.9)} max ${(late.max / 1000).toFixed(2)} ms`
}

const logs = (data: string) =>
  readdirSync(join(data, `${TOPIC}-0`)).filter((name) => /^\d{20}\.log$/.test(name))

const sizeOf = (data: string): number =>
  logs(data).reduce((sum, name) => sum + statSync(join(data, `${TOPIC}-0`, name)).size, 0)

/** Up to which offset the log is compacted. */
function cleanedTo(data: string): number {
  try {
    const text = readFileSync(join(data, 'cleaner-offset-checkpoint'), 'utf8')
    return Number(new RegExp(`^${TOPIC} 0 (\\d+)$`, 'm').exec(text)?.[1] ?? -1)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return -1
    throw error
  }
}

async function measure(broker: RunningBroker, data: string): Promise<void> {
  const client = await RawClient.open(broker.address)
  const beside = await RawClient.open(broker.address)
  await createTopic(broker.address, BESIDE, 1)
  await createTopic(broker.address, TOPIC, 1, {
    'cleanup.policy': 'compact',
    'segment.bytes': String(SEGMENT_BYTES),
    'min.cleanable.dirty.ratio': '1',
  })
  await alter(client, 4, '', 'log.cleaner.backoff.ms', '100')
  await fill(client)
  await sleep(FIRST_REST_MS)
  const before = sizeOf(data)
  const active = Math.max(...logs(data).map((name) => Number.parseInt(name, 10)))
  const residentBefore = broker.residentMb()
  const quietUntil = performance.now() + SECONDS * 1000
  const quiet = await paced(beside, () => performance.now() > quietUntil)
  await alter(client, 2, TOPIC, 'min.cleanable.dirty.ratio', '0.01')
  const startedMs = performance.now()
  let tookMs = 0
  let resident = residentBefore
  const watch = (async () => {
    while (cleanedTo(data) < active) {
      resident = Math.max(resident, broker.residentMb())
      await sleep(LOOK_MS)
    }
    tookMs = performance.now() - startedMs
  })()
  const busy = await paced(beside, () => tookMs > 0)
  await watch
  const after = sizeOf(data)
  const rate = (before / 1e6 / (tookMs / 1000)).toFixed(0)
  console.log(
    `${broker.name}: ${(before / 1e9).toFixed(2)} GB in ${(tookMs / 1000).toFixed(1)} s (${rate} MB/s), ` +
      `${(after / 1e9).toFixed(2)} GB left; resident ${residentBefore} MB before, ${resident} MB at most`,
  )
  console.log(`  produce before:     ${quiet}`)
  console.log(`  produce meanwhile:  ${busy}`)
  client.close()
  beside.close()
}

for (const arm of values.arms.split(',')) {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-compaction-'))
  let broker: RunningBroker | null = null
  try {
    broker = arm === 'kafka' ? await startApacheKafka(directory) : await startOttla(ROOT, directory)
    await measure(broker, arm === 'kafka' ? join(directory, 'data') : directory)
  } finally {
    await broker?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
