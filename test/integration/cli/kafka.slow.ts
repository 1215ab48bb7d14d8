// The command line against Apache Kafka: the operator's day reads the same to the letter, and dump-log understands
// Kafka's files as Kafka's own tool does, whole and damaged.

import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COMPRESSION } from '../../../src/protocol/record_batch.ts'
import { kafkaTool, startKafka } from '../../oracle/kafka/kafka.ts'
import { kcatProduce } from '../clients/kcat.ts'
import { everyShape } from '../clients/matrix.ts'
import { createTopic } from '../support/admin.ts'
import { ROOT } from '../support/commands.ts'
import { ottlaProcess, processesAgainst } from './ottla.ts'
import { tellStory } from './story.ts'

/** What both tools say of a batch. */
interface Batch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly count: number
  readonly position: number
  readonly size: number
  readonly compression: string
  readonly crc: number
  readonly isIntact: boolean
}

let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ottla-cli-kafka-'))
})

afterAll(() => {
  rmSync(directory, { recursive: true })
})

test('cli: kafka: the same commands say the same', async () => {
  const config = { 'offsets.topic.num.partitions': 5 }
  await using kafka = await startKafka({ directory, config })
  const told = await tellStory(kafka.address, processesAgainst(kafka.address))
  expect(told).toBe(readFileSync(join(ROOT, 'test/integration/cli/commands.txt'), 'utf8'))
  for (const codec of COMPRESSION) {
    await createTopic(kafka.address, codec, 1)
    await kcatProduce({ address: kafka.address, topic: codec, partition: 0 }, everyShape(0), codec)
  }
  await kafka.stop()
})

test("cli: kafka: dump-log and Kafka's tool agree on every batch", async () => {
  const data = join(directory, 'data')
  const folders = readdirSync(data, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const paths = folders.map(({ name }) => join(data, name))
  const logs = paths
    .flatMap((path) => readdirSync(path).map((name) => join(path, name)))
    .filter((path) => path.endsWith('.log'))
  const whole = await oursOf(logs, 0)
  expect(whole).toEqual(await kafkasOf(logs))
  expect(whole.filter(({ isIntact }) => !isIntact)).toEqual([])
  expect(new Set(whole.map(({ compression }) => compression))).toEqual(new Set(COMPRESSION))
  const everything = await ottlaProcess(['dump-log', '-r', data, ...paths])
  expect(everything.stderr + everything.stdout.toString().slice(0, 4000)).not.toMatch(/problem/)
  expect(everything.code).toBe(0)

  const damaged = logs.find((path) => path.includes('/none-0/'))!
  const bytes = readFileSync(damaged)
  bytes[70]! ^= 1
  writeFileSync(damaged, bytes)
  const broken = await oursOf([damaged], 7)
  expect(broken).toEqual(await kafkasOf([damaged]))
  expect(broken.map(({ isIntact }) => isIntact).slice(0, 2)).toEqual([false, true])

  appendFileSync(damaged, bytes.subarray(0, 100))
  const torn = await ottlaProcess(['dump-log', '-q', damaged])
  const said = await kafkaTool('DumpLogSegments', ['--files', damaged])
  expect(torn.stdout.toString()).toContain(`at ${bytes.length}, is torn: 100 of`)
  expect(said.stdout.toString()).toContain('Found 100 invalid bytes at the end')
})

async function oursOf(files: readonly string[], code: number): Promise<Batch[]> {
  const done = await ottlaProcess(['dump-log', '--json', ...files])
  expect(done.code).toBe(code)
  const lines = done.stdout.toString().trim().split('\n')
  return lines
    .map((line) => JSON.parse(line) as Batch & { kind: string })
    .filter(({ kind }) => kind === 'batch')
    .map(({ baseOffset, lastOffset, count, position, size, compression, crc, isIntact }) => ({
      baseOffset,
      lastOffset,
      count,
      position,
      size,
      compression,
      crc,
      isIntact,
    }))
}

async function kafkasOf(files: readonly string[]): Promise<Batch[]> {
  const done = await kafkaTool('DumpLogSegments', ['--files', files.join(',')])
  const lines = done.stdout.toString().split('\n')
  return lines
    .filter((line) => line.startsWith('baseOffset: '))
    .map((line) => {
      const said = new Map(
        [...line.matchAll(/(\w+): (\S+)/g)].map(([, key, value]) => [key, value]),
      )
      const number = (key: string) => Number(said.get(key))
      return {
        baseOffset: number('baseOffset'),
        lastOffset: number('lastOffset'),
        count: number('count'),
        position: number('position'),
        size: number('size'),
        compression: said.get('compresscodec')!,
        crc: number('crc'),
        isIntact: said.get('isvalid') === 'true',
      }
    })
}
