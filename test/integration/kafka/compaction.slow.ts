// The same history of compacted topics on Apache Kafka and on Ottla: after every round of compaction the same records are
// left, by offset, key, value, timestamp and headers, and Kafka's tools read our files. Two directories, two brokers: after
// every stage both stop, and at some each goes on with the other's directory.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { judgeDirectory } from '../../oracle/kafka/judge.ts'
import { formatKafka, Kafka, writeProperties } from '../../oracle/kafka/kafka.ts'
import { fetchBatches, type SeenBatch } from '../clients/raw.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { freePorts } from '../support/commands.ts'
import { eventually, pause } from '../support/eventually.ts'
import { earliest } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'
import { historyOf, Player, STAGES, type TopicHistory } from './compaction_history.ts'

const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qk'
const SEEDS = (process.env['COMPACTION_SEEDS'] ?? '1,2').split(',').map(Number)
const PACE = {
  'log.cleaner.backoff.ms': 300,
  'log.initial.task.delay.ms': 500,
  'transaction.state.log.num.partitions': 3,
  'log.cleaner.dedupe.buffer.size': 4 << 20,
}
const STABLE_LOOKS = 12
const LOOK_MS = 250

type Who = 'ottla' | 'kafka'

interface Directory {
  readonly path: string
  readonly file: string
  readonly port: number
  readonly player: Player
}

async function running(who: Who, { path, file, port }: Directory) {
  return who === 'kafka'
    ? await Kafka.start(file, port)
    : await BrokerProcess.start({ file, port, directory: path })
}

async function create(client: RawClient, all: readonly TopicHistory[]): Promise<void> {
  const { topics } = await client.ask(CreateTopics, 7, {
    topics: all.map(({ name, configs }) => ({
      name,
      numPartitions: 1,
      replicationFactor: 1,
      configs: Object.entries({ ...configs, 'min.cleanable.dirty.ratio': '1' }).map(
        ([key, value]) => ({ name: key, value }),
      ),
    })),
    timeoutMs: 30_000,
  })
  for (const { errorCode } of topics) expect(errorCode).toBe(ErrorCode.NONE)
}

async function ready(client: RawClient, all: readonly TopicHistory[]): Promise<void> {
  for (const { name } of all) await eventually(() => earliest(client, name), 60_000)
  await eventually(async () => {
    const { coordinators } = await client.ask(FindCoordinator, 4, {
      keyType: 1,
      coordinatorKeys: ['any'],
    })
    return coordinators[0]!.errorCode === ErrorCode.NONE || undefined
  }, 60_000)
}

/** How dirty a log has to be: 1 is never, because a ratio is not above it. */
async function ratio(client: RawClient, all: readonly TopicHistory[], value: string) {
  const { responses } = await client.ask(IncrementalAlterConfigs, 1, {
    resources: all.map(({ name }) => ({
      resourceType: 2,
      resourceName: name,
      configs: [{ name: 'min.cleanable.dirty.ratio', configOperation: 0, value }],
    })),
  })
  for (const { errorCode } of responses) expect(errorCode).toBe(ErrorCode.NONE)
}

/** Where segments begin, the active one last. */
function basesOf(data: string, name: string): number[] {
  const files = readdirSync(join(data, `${name}-0`)).filter((file) => /^\d{20}\.log$/.test(file))
  return files.map((file) => Number.parseInt(file, 10)).sort((a, b) => a - b)
}

/** Lets everything be compacted that may be, and nothing any more: the checkpoint has stood still for a while. */
async function compacted(
  client: RawClient,
  { path, player }: Directory,
  all: readonly TopicHistory[],
): Promise<string[]> {
  const data = join(path, 'data')
  const whole = all.filter(
    ({ name, configs }) => configs['min.compaction.lag.ms'] === '0' && !player.isOpen(name),
  )
  await ratio(client, all, '0.0001')
  let before = ''
  let stable = 0
  await eventually(async () => {
    await pause(LOOK_MS)
    const text = readFileSync(join(data, 'cleaner-offset-checkpoint'), 'utf8')
    // With an active segment alone there is nothing to compact, and nobody writes that down.
    const isThrough = whole.every(({ name }) => {
      const bases = basesOf(data, name)
      return bases.length === 1 || text.includes(`\n${name} 0 ${bases.at(-1)}\n`)
    })
    stable = isThrough && text === before ? stable + 1 : 0
    before = text
    return stable === STABLE_LOOKS || undefined
  }, 120_000)
  await ratio(client, all, '1')
  return before
    .split('\n')
    .filter((line) => line.startsWith('compacted-'))
    .sort()
}

const hex = (bytes: Uint8Array | null) =>
  bytes === null ? null : Buffer.from(bytes).toString('hex')

const recordsOf = (batches: readonly SeenBatch[]) =>
  batches
    .filter(({ header }) => !header.isControl)
    .flatMap(({ records }) => records)
    .map(({ offset, timestamp, key, value, headers }) => ({
      at: `${offset} ${timestamp}`,
      key: hex(key),
      value: hex(value),
      headers: headers.map((one) => `${one.key}=${hex(one.value)}`),
    }))

/** What one broker makes of one stage in one directory. */
async function stageOf(
  who: Who,
  directory: Directory,
  all: readonly TopicHistory[],
  stage: number,
) {
  await using broker = await running(who, directory)
  const client = await RawClient.open(broker.address)
  if (stage === 0) await create(client, all)
  await ready(client, all)
  directory.player.client = client
  for (const topic of all) await directory.player.play(topic, stage)
  const checkpoint = await compacted(client, directory, all)
  const left: Record<string, unknown> = {}
  let batches = 0
  for (const { name } of all) {
    const start = (await earliest(client, name))!
    const found = await fetchBatches(client, { topic: name, partition: 0 }, start)
    batches += found.length
    left[name] = { start, records: recordsOf(found) }
  }
  client.close()
  await broker.stop()
  return { checkpoint, left, batches }
}

const count = (left: Record<string, unknown>): number =>
  Object.values(left).reduce<number>(
    (sum, one) => sum + (one as { records: unknown[] }).records.length,
    0,
  )

test.each(SEEDS)(
  'kafka: compaction: seed %i: both keep the same, in each other’s directories too',
  async (seed) => {
    const root = mkdtempSync(join(tmpdir(), 'ottla-compaction-'))
    const random = new Random(seed)
    const all = historyOf(seed, Date.now())
    const directories: Directory[] = []
    let isSwapped = false
    try {
      for (const name of ['one', 'other']) {
        const path = join(root, name)
        const port = await freePorts()
        const file = writeProperties({ directory: path, port, config: PACE })
        await formatKafka(file, CLUSTER)
        directories.push({ path, file, port, player: new Player() })
      }
      for (let stage = 0; stage < STAGES; stage++) {
        // Exchanged at least at every second stage.
        isSwapped = stage % 2 === 1 ? !isSwapped : random.ratio(1, 2)
        const [ours, theirs] = isSwapped ? [...directories].reverse() : directories
        const our = await stageOf('ottla', ours!, all, stage)
        const their = await stageOf('kafka', theirs!, all, stage)
        const story = `stage ${stage}, ${isSwapped ? 'the other' : 'one'} is ours`
        for (const { name } of all)
          expect(our.left[name], `${name}, ${story}`).toEqual(their.left[name])
        expect(our.checkpoint, story).toEqual(their.checkpoint)
        process.stderr.write(
          `seed ${seed}, ${story}: ${count(our.left)} records in ${our.batches} batches, Kafka ${their.batches}\n`,
        )
        expect(count(our.left)).toBeGreaterThan(0)
        await judgeDirectory(join(ours!.path, 'data'))
        const names = all.flatMap(({ name }) => readdirSync(join(ours!.path, 'data', `${name}-0`)))
        expect(names.filter((name) => /\.(cleaned|swap)$/.test(name))).toEqual([])
      }
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  },
  900_000,
)
