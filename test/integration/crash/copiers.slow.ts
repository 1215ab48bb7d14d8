// kill -9 at random instants while kafkajs, librdkafka and franz-go copy a topic transactionally: what a read_committed consumer
// sees of each copy equals the input, each record once and in order. TXN_KILLS says how often, TXN_SEED repeats the
// instants, TXN_CLIENTS names some of the libraries. It prints what each of them did and how long a kill cost it.

import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { pause } from '../support/eventually.ts'
import { batchOf } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'
import { Copier, install, LIBRARIES, type Library } from './copiers/copier.ts'
import { INPUT, readCommitted } from './transactional_copy.ts'

const KILLS = Number(process.env['TXN_KILLS'] ?? 6)
const RECORDS_PER_KILL = 300
/** Until every copier commits again; a member that is replaced waits for the session of the last one. */
const RECOVERY_MS = 120_000

const wanted = process.env['TXN_CLIENTS']?.split(',') ?? LIBRARIES
const libraries = LIBRARIES.filter((library) => wanted.includes(library))

/** Appends numbers to the input, as many as there are in all afterwards. */
async function feed(client: RawClient, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, at) => String(from + at))
  const topicData = [{ name: INPUT, partitionData: [{ index: 0, records: batchOf(numbers) }] }]
  const { responses } = await client.ask(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData })
  expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
}

/** Waits until every copier has committed again; how long each took, in ms. */
async function everyoneCommits(copiers: readonly Copier[], times: Map<Library, number[]>) {
  const began = performance.now()
  const before = copiers.map(({ commits }) => commits)
  const waiting = new Set(copiers.keys())
  while (waiting.size > 0) {
    for (const at of waiting) {
      const { commits, library, complaints } = copiers[at]!
      const tookMs = performance.now() - began
      if (commits > before[at]!) {
        waiting.delete(at)
        times.get(library)!.push(tookMs)
      } else if (tookMs > RECOVERY_MS) {
        throw new Error(`${library} does not go on: ${complaints.slice(-3).join('; ')}`)
      }
    }
    await pause(5)
  }
}

const median = (times: readonly number[]) =>
  Math.round(times.toSorted((x, y) => x - y)[Math.floor(times.length / 2)] ?? 0)

test('crash: what kafkajs, librdkafka and franz-go copy transactionally under kills is the input', async () => {
  for (const library of libraries) await install(library)
  const seed = Number(process.env['TXN_SEED'] ?? Date.now() % 1_000_000)
  const random = new Random(seed)
  await using broker = await BrokerProcess.start({
    config: {
      'transaction.state.log.num.partitions': 3,
      'offsets.topic.num.partitions': 3,
      'group.initial.rebalance.delay.ms': 0,
    },
  })
  let client = await RawClient.open(broker.address)
  const topics = [INPUT, ...libraries.map((library) => `output-${library}`)]
  await client.ask(CreateTopics, 7, {
    topics: topics.map((name) => ({ name, numPartitions: 1, replicationFactor: 1 })),
    timeoutMs: 10_000,
  })
  const began = performance.now()
  const times = new Map<Library, number[]>(libraries.map((library) => [library, []]))
  let fed = 0
  await using stack = new AsyncDisposableStack()
  await feed(client, fed, (fed += RECORDS_PER_KILL))
  const copiers = libraries.map((library) => stack.use(new Copier(library, broker.address, INPUT)))
  for (let kill = 0; kill < KILLS; kill++) {
    await everyoneCommits(copiers, times)
    await pause(random.nextInt(120))
    client.close()
    await broker.kill()
    await broker.start()
    client = await RawClient.open(broker.address)
    await feed(client, fed, (fed += RECORDS_PER_KILL))
  }
  const expected = Array.from({ length: fed }, (_, number) => `copy of ${number}`)
  const deadlineMs = performance.now() + RECOVERY_MS
  for (const { library, output, complaints } of copiers) {
    let seen: string[] = []
    while (seen.length < fed && performance.now() < deadlineMs) {
      await pause(200)
      // Something is open: it is not at its end yet.
      seen = await readCommitted(client, 0, output).catch(() => [])
    }
    expect(seen, `seed ${seed}, ${library}: ${complaints.slice(-3).join('; ')}`).toEqual(expected)
  }
  client.close()
  console.info(
    `seed ${seed}: ${KILLS} kills in ${Math.round((performance.now() - began) / 1000)} s, ${fed} records each`,
  )
  for (const { library, commits, aborts, failures, processes, complaints } of copiers) {
    const all = times.get(library)!.slice(1)
    console.info(
      `${library}: ${commits} commits, ${aborts} aborts, ${failures} given up, ${processes} processes; ` +
        `commits again after ${median(all)} ms (median), ${Math.round(Math.max(0, ...all))} ms (at most)`,
    )
    for (const why of new Set(complaints)) console.info(`  gave up: ${why}`)
  }
}, 3_600_000)
