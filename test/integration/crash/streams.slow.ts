// An application of Kafka Streams with exactly_once_v2 (Counts.java) that is killed at random instants, and so is its
// broker: every record is copied once, and every count is one more than the last, though the state in which it is kept
// is rebuilt from its changelog each time. STREAMS_KILLS makes it longer, STREAMS_SEED repeats one's choices.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { streamsProgram } from '../../oracle/kafka/streams.ts'
import { ToolProcess } from '../../oracle/kafka/tool_process.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually, pause } from '../support/eventually.ts'
import { batchOf } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'
import { readCommittedRecords } from './transactional_copy.ts'

const KILLS = Number(process.env['STREAMS_KILLS'] ?? 6)
const SEED = Number(process.env['STREAMS_SEED'] ?? Date.now() % 1_000_000)
const PARTITIONS = 2
const KEYS = 5
const CHUNK = 60
const PATIENCE_MS = 180_000

/** Records so far, by partition: `key:number`. */
type Input = string[][]

async function feed(address: string, input: Input, random: Random): Promise<void> {
  const client = await RawClient.open(address)
  for (const [index, all] of input.entries()) {
    const fresh = Array.from({ length: CHUNK }, (_, i) => {
      // A key is of one partition.
      return `${index}-${random.nextInt(KEYS)}:${all.length + i}`
    })
    const encoder = new TextEncoder()
    const records = batchOf(
      fresh.map((text) => {
        const [key, value] = text.split(':')
        return { key: encoder.encode(key), value: encoder.encode(value) }
      }),
    )
    const topicData = [{ name: 'input', partitionData: [{ index, records }] }]
    const { responses } = await client.ask(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData })
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
    all.push(...fresh)
  }
  client.close()
}

/** What a topic holds, all partitions; undefined while something is open or missing. */
async function read(address: string, topic: string, expected: number) {
  const client = await RawClient.open(address)
  try {
    const all = []
    for (let partition = 0; partition < PARTITIONS; partition++) {
      all.push(await readCommittedRecords(client, topic, partition))
    }
    return all.flat().length < expected ? undefined : all
  } finally {
    client.close()
  }
}

test('crash: Kafka Streams counts exactly once while it and its broker are killed', {
  timeout: 300_000 + KILLS * 60_000,
}, async () => {
  const random = new Random(SEED)
  await using broker = await BrokerProcess.start({
    config: {
      'group.initial.rebalance.delay.ms': 0,
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1000,
    },
  })
  for (const topic of ['input', 'copies', 'counts']) {
    await createTopic(broker.address, topic, PARTITIONS)
  }
  const state = mkdtempSync(join(tmpdir(), 'ottla-streams-'))
  const source = join(import.meta.dirname, 'Counts.java')
  const [java, ...args] = await streamsProgram(source, [broker.address, state])
  const start = () => ToolProcess.run(java!, args)
  const input: Input = Array.from({ length: PARTITIONS }, () => [])
  let app = start()
  const told = { kills: 0, brokerKills: 0, starts: 1 }
  try {
    while (told.kills < KILLS) {
      await eventually(
        async () => (app.isOver || app.named('RUNNING').length > 0 ? true : undefined),
        PATIENCE_MS,
      )
      for (let chunks = random.nextInt(1, 12); chunks > 0; chunks--) {
        await feed(broker.address, input, random)
        await pause(random.nextInt(120))
      }
      told.kills++
      if (random.ratio(1, 2)) {
        told.brokerKills++
        await broker.kill()
        await broker.start()
        if (!app.isOver && random.ratio(1, 2)) continue
      }
      await app.end('SIGKILL')
      app = start()
      told.starts++
    }
    await feed(broker.address, input, random)
    const total = input.flat().length
    const about = `seed ${SEED}: ${told.kills} kills, ${told.brokerKills} of the broker, ${told.starts} applications, ${total} records`
    const awaited = async (topic: string) =>
      await eventually(async () => {
        if (app.isOver) app = start()
        return await read(broker.address, topic, total)
      }, PATIENCE_MS)
    const inputs = Map.groupBy(
      input.flat().map((text) => text.split(':') as [string, string]),
      ([key]) => key,
    )
    // Keys go to partitions by their hash: the order within a key is what is kept.
    for (const [topic, expectedOf] of [
      ['copies', (values: string[]) => values],
      ['counts', (values: string[]) => values.map((_, i) => String(i + 1))],
    ] as const) {
      const seen = Map.groupBy((await awaited(topic)).flat(), ({ key }) => key!)
      expect([...seen.keys()].sort(), about).toEqual([...inputs.keys()].sort())
      for (const [key, records] of seen) {
        const expected = expectedOf(inputs.get(key)!.map(([, value]) => value))
        expect(
          records.map(({ value }) => value),
          `${about}, ${topic} of key ${key}`,
        ).toEqual(expected)
      }
    }
    console.info(about)
  } finally {
    await app[Symbol.asyncDispose]()
    rmSync(state, { recursive: true, force: true })
  }
})
