// The load generator against real brokers: the bare pipe, Ottla, Apache Kafka. Whatever the machine was busy with, every
// record that was acknowledged is read back once and in order; the gates that say how well the machine kept time are
// not looked at here.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  buildOttla,
  startApacheKafka,
  startBarePipe,
  startOttla,
} from '../../../bench/arms/brokers.ts'
import { buildPrograms } from '../../../bench/arms/programs.ts'
import { type LoadOptions, type LoadResult, runLoad } from '../../../bench/harness/load_result.ts'
import { ROOT, runCommand } from '../support/commands.ts'

const programs = buildPrograms()
buildOttla(ROOT) // not within a hook's time
/** Gates of the machine's time; all others are about records. */
const TIME_GATES = ['steal', 'sendLag', 'generatorIdle']

function expectComplete(result: LoadResult, groups: number): void {
  const broken = Object.entries(result.gates).filter(
    ([name, { holds }]) => !holds && !TIME_GATES.includes(name),
  )
  expect(broken).toEqual([])
  expect(result.acked).toBeGreaterThan(0)
  expect(result.sent).toBe(result.acked)
  expect(result.consumed).toBe(result.acked * groups)
}

it('its own tests pass', async () => {
  await runCommand(programs.loadTest, [])
})

describe.each(['bare pipe', 'ottla', 'kafka'])('load generator: %s', (name) => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-load-'))
  const data = join(directory, 'data')
  const start = {
    'bare pipe': () => startBarePipe(programs.barePipe, data),
    ottla: () => startOttla(ROOT, data),
    kafka: () => startApacheKafka(data),
  }[name]!
  let broker: Awaited<ReturnType<typeof start>>
  let topics = 0

  beforeAll(async () => {
    broker = await start()
  })
  afterAll(async () => {
    await broker?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  async function load(partitions: number, options: LoadOptions): Promise<LoadResult> {
    const topic = `load-${topics++}-p${partitions}`
    await broker.createTopic(topic, partitions)
    return await runLoad(programs.load, broker.address, topic, { drain: 60, ...options })
  }

  it('an open loop: single records, several partitions and groups', async () => {
    const more = { rate: 500, seconds: 2, warmup: 0.5, connections: 2, groups: 2 }
    const result = await load(6, { ...more, 'group-connections': 2 })
    expectComplete(result, 2)
    expect(result.acked).toBe(1250)
    expect(result.ackUs.count).toBe(1000)
    expect(result.endToEndUs.count).toBe(2000)
    expect(result.endToEndUs.min).toBeGreaterThan(0)
  })

  it('a closed loop with batches', async () => {
    const more = { rate: 0, seconds: 1, warmup: 0.2, connections: 3, groups: 1 }
    expectComplete(await load(3, { ...more, 'batch-records': 50, 'message-bytes': 200 }), 1)
  })

  it('requests of many partitions, by schedule and as fast as it goes', async () => {
    const shape = { connections: 2, 'request-batches': 5, 'batch-records': 3, groups: 2 }
    const paced = await load(12, { rate: 3000, seconds: 1, warmup: 0, ...shape })
    expectComplete(paced, 2)
    expect(paced.acked).toBe(3000)
    expect(paced.ackUs.count).toBe(1000) // one for each batch
    expectComplete(await load(10, { rate: 0, seconds: 0.5, warmup: 0, ...shape }), 2)
    await expect(load(8, { rate: 10, seconds: 1, ...shape })).rejects.toThrow('--request-batches')
  })

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('batches compressed with %s', async (codec) => {
    const more = { rate: 2000, seconds: 1, warmup: 0, groups: 1, codec }
    const result = await load(2, { ...more, 'batch-records': 20 })
    expectComplete(result, 1)
    expect(result.endToEndUs.count).toBe(result.acked)
  })

  it.each([0, 1, 'all'])('acks %s', async (acks) => {
    expectComplete(await load(1, { rate: 500, seconds: 1, warmup: 0, groups: 1, acks }), 1)
  })

  it('a cold read of what an earlier run wrote', async () => {
    const topic = `load-${topics++}-p2`
    await broker.createTopic(topic, 2)
    const fill = { count: 20_000, rate: 0, 'batch-records': 100, 'message-bytes': 100 }
    await runLoad(programs.load, broker.address, topic, fill)
    const read = { produce: 'no', groups: 1, from: 'earliest', count: 20_000 }
    const result = await runLoad(programs.load, broker.address, topic, read)
    expect(result.gates).toMatchObject({
      readBack: { holds: true },
      nothingMissing: { holds: true },
    })
    expect(result.consumed).toBe(20_000)
  })

  it.runIf(name !== 'bare pipe')(
    'every version it may speak, and an idempotent producer',
    async () => {
      for (const [produce, fetch] of [
        [3, 4],
        [8, 11],
        [9, 12],
        [12, 12],
        [13, 18],
      ] as const) {
        const versions = { 'produce-version': produce, 'fetch-version': fetch }
        const result = await load(2, { rate: 500, seconds: 0.5, warmup: 0, groups: 1, ...versions })
        expectComplete(result, 1)
        expect(result.asked).toMatchObject({ produceVersion: produce, fetchVersion: fetch })
      }
      const idempotent = { idempotent: 'yes', acks: 'all', connections: 2 }
      expectComplete(await load(4, { rate: 0, seconds: 0.5, groups: 1, ...idempotent }), 1)
    },
  )
})

it('a broker that is not there is an error, not a result', async () => {
  await expect(runLoad(programs.load, '127.0.0.1:1', 'none', {})).rejects.toThrow('cannot connect')
})
