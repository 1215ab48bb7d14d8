// The same segments, settings and timestamps on Apache Kafka and on Ottla: after a round of retention the logs start
// at the same offsets and have the same segments, and Kafka's tools read what is left of ours.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { formatKafka, Kafka, kafkaTool, writeProperties } from '../../oracle/kafka/kafka.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { freePorts } from '../support/commands.ts'
import { eventually } from '../support/eventually.ts'
import { batchOf, earliest, produceBody } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qk'
const HOUR = 3_600_000
const TOPICS = 40
const PACE = {
  'log.initial.task.delay.ms': 1000,
  'log.retention.check.interval.ms': 2000,
  'log.segment.delete.delay.ms': 1000,
}

interface History {
  readonly name: string
  readonly configs: Readonly<Record<string, string>>
  /** Set once everything is produced: a round in the middle would end segments elsewhere. */
  readonly limits: Readonly<Record<string, string>>
  readonly batches: readonly Uint8Array[]
}

/** Topics with settings of their own and batches of all ages: old, young, of the future, without a time. */
function histories(seed: number): History[] {
  const random = new Random(seed)
  const now = Date.now()
  return [...Array(TOPICS).keys()].map((index) => {
    const ages = [3 * HOUR, 3 * HOUR, 3 * HOUR, 2.5 * HOUR, 1.5 * HOUR, 0, -HOUR / 4, null]
    const isOrdered = random.ratio(1, 2)
    const drawn = [...Array(random.nextInt(1, 16))].map(() => random.pick(ages))
    if (isOrdered) drawn.sort((one, other) => (other ?? 0) - (one ?? 0))
    const batches = drawn.map((age) =>
      batchOf([`${'x'.repeat(random.nextInt(10, 200))}`], {
        timestamp: age === null ? -1 : now - age,
      }),
    )
    return {
      name: `t${index}`,
      configs: {
        'internal.segment.bytes': String(random.pick([280, 400, 1000])),
        'segment.ms': String(random.pick([HOUR, 100 * HOUR])),
        'retention.ms': '-1',
      },
      limits: {
        'retention.ms': String(random.pick([-1, HOUR, 2 * HOUR, 2.6 * HOUR])),
        'retention.bytes': String(random.pick([-1, -1, 0, 150, 500, 1200])),
        'cleanup.policy': random.pick(['delete', 'delete', 'delete', 'delete', '']),
      },
      batches,
    }
  })
}

async function create(client: RawClient, { name, configs }: Pick<History, 'name' | 'configs'>) {
  const { topics } = await client.ask(CreateTopics, 7, {
    topics: [
      {
        name,
        numPartitions: 1,
        replicationFactor: 1,
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      },
    ],
    timeoutMs: 30_000,
  })
  expect(topics[0]).toMatchObject({ errorCode: ErrorCode.NONE })
  await eventually(() => earliest(client, name), 60_000)
}

async function put(client: RawClient, name: string, batch: Uint8Array): Promise<void> {
  const { responses } = await client.ask(Produce, 9, produceBody(name, 0, batch))
  expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
}

/** Two whole rounds: a log of which something must go has lost it, twice. */
async function rounds(client: RawClient): Promise<void> {
  for (const name of ['probe-1', 'probe-2']) {
    await create(client, {
      name,
      configs: { 'internal.segment.bytes': '200', 'retention.ms': '1' },
    })
    await put(client, name, batchOf(['x'.repeat(80)], { timestamp: 1 }))
    await eventually(async () => (await earliest(client, name)) === 1 || undefined, 60_000)
  }
}

async function limit(client: RawClient, all: readonly History[]): Promise<void> {
  const { responses } = await client.ask(IncrementalAlterConfigs, 1, {
    resources: all.map(({ name, limits }) => ({
      resourceType: 2,
      resourceName: name,
      configs: Object.entries(limits).map(([key, value]) => ({
        name: key,
        configOperation: 0,
        value,
      })),
    })),
  })
  for (const { errorCode } of responses) expect(errorCode).toBe(ErrorCode.NONE)
}

async function live(address: string, all: readonly History[]): Promise<Record<string, unknown>> {
  const client = await RawClient.open(address)
  for (const history of all) {
    await create(client, history)
    for (const batch of history.batches) await put(client, history.name, batch)
  }
  await limit(client, all)
  await rounds(client)
  const starts: Record<string, unknown> = {}
  for (const { name } of all) starts[name] = await earliest(client, name)
  client.close()
  return starts
}

const segmentsOf = (data: string, name: string) =>
  readdirSync(join(data, `${name}-0`)).filter((file) => /^\d{20}\.log$/.test(file))

test.each([1, 2])(
  'kafka: retention: seed %i: both keep the same',
  async (seed) => {
    const root = mkdtempSync(join(tmpdir(), 'ottla-retention-'))
    const all = histories(seed)
    const one = async (who: 'ottla' | 'kafka') => {
      const directory = join(root, who)
      const port = await freePorts()
      const file = writeProperties({ directory, port, config: PACE })
      await formatKafka(file, CLUSTER)
      const broker =
        who === 'kafka'
          ? await Kafka.start(file, port)
          : await BrokerProcess.start({ file, port, directory })
      await using _ = broker
      const starts = await live(broker.address, all)
      await broker.stop()
      const data = join(directory, 'data')
      return { data, starts, segments: all.map(({ name }) => segmentsOf(data, name)) }
    }
    try {
      const [ours, theirs] = [await one('ottla'), await one('kafka')]
      expect(ours.starts).toEqual(theirs.starts)
      expect(ours.segments).toEqual(theirs.segments)
      const moved = Object.values(ours.starts).filter((start) => start !== 0).length
      expect(moved).toBeGreaterThan(TOPICS / 4)
      const files = all.flatMap(({ name }) =>
        segmentsOf(ours.data, name).map((file) => join(ours.data, `${name}-0`, file)),
      )
      const { stdout } = await kafkaTool('DumpLogSegments', ['--files', files.join(',')])
      expect(stdout.toString()).toMatch(/Log starting offset/)
      expect(stdout.toString()).not.toMatch(/invalid|corrupt|mismatch|truncated/i)
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  },
  600_000,
)
