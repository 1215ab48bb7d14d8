// The embedded broker: many in one process, one after another and side by side, and nothing left behind.

import fs, { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type BrokerOptions,
  ConfigError,
  DirectoryError,
  StartRefused,
  startBroker,
} from '../../../src/index.ts'
import { Bench, batchOf, text } from '../support/harness.ts'

const threads = () => readdirSync('/proc/self/task').length
const descriptors = () => readdirSync('/proc/self/fd').length

test('embedding: a hundred brokers leave no handle, thread or file', {
  timeout: 120_000,
}, async () => {
  const cycle = async () => {
    const bench = await Bench.start()
    await bench.createTopic('t', 3)
    await bench.produce('t', batchOf(['a', 'b']))
    const { directory } = bench.broker
    await bench[Symbol.asyncDispose]()
    expect(existsSync(directory)).toBe(false)
  }
  // The first rounds load code and fill pools that stay.
  for (let round = 0; round < 3; round++) await cycle()
  const before = { threads: threads(), descriptors: descriptors() }
  const handles = process.getActiveResourcesInfo().length
  for (let round = 0; round < 100; round++) await cycle()
  expect(threads()).toBeLessThanOrEqual(before.threads)
  expect(descriptors()).toBeLessThanOrEqual(before.descriptors)
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(handles)
})

test('embedding: brokers side by side do not know of each other', async () => {
  await using one = await Bench.start()
  await using two = await Bench.start()
  await one.createTopic('mine')
  await one.produce('mine', batchOf(['x']))
  await expect(two.fetch('mine', 0)).resolves.toMatchObject({ errorCode: 3 })
  expect(one.broker.clusterId).not.toBe(two.broker.clusterId)
})

test('embedding: a given directory keeps its data from one broker to the next', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  try {
    const clusterIds: string[] = []
    for (let round = 0; round < 3; round++) {
      await using bench = await Bench.start({ directory })
      clusterIds.push(bench.broker.clusterId)
      if (round === 0) await bench.createTopic('kept')
      await bench.produce('kept', batchOf([`round ${round}`]))
      const { decoded } = await bench.fetch('kept', 0)
      expect(decoded.map(({ value }) => text(value))).toEqual(
        Array.from({ length: round + 1 }, (_, index) => `round ${index}`),
      )
    }
    expect(new Set(clusterIds).size).toBe(1)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('embedding: only what must outlive the process waits for the disk', async () => {
  const { fsyncSync } = fs
  let syncs = 0
  fs.fsyncSync = (file) => {
    syncs++
    fsyncSync(file)
  }
  syncBuiltinESMExports()
  const countOf = async (options: BrokerOptions) => {
    syncs = 0
    await (await startBroker(options)).close()
    return syncs
  }
  const directory = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  try {
    expect(await countOf({})).toBe(0)
    expect(await countOf({ directory: join(directory, 'given') })).toBeGreaterThan(10)
    // A temporary directory, but the data is told to be elsewhere.
    const config = { 'log.dirs': join(directory, 'elsewhere') }
    expect(await countOf({ config })).toBeGreaterThan(10)
  } finally {
    fs.fsyncSync = fsyncSync
    syncBuiltinESMExports()
    rmSync(directory, { recursive: true })
  }
})

test('embedding: a deletion that a crash interrupted is finished by the next start', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  await (await startBroker({ directory })).close()
  const left = join(directory, 'gone-0.0123456789abcdef0123456789abcdef-delete')
  mkdirSync(left)
  writeFileSync(join(left, '00000000000000000000.log'), 'x')
  await (await startBroker({ directory })).close()
  expect(existsSync(left)).toBe(false)
  rmSync(directory, { recursive: true })
})

test('embedding: IPv6, and a port that was asked for', async () => {
  await using six = await Bench.start({ host: '::1' })
  expect(six.broker.address).toMatch(/^\[::1\]:\d+$/)
  const cluster = await six.createTopic('six')
  expect(cluster).toHaveLength(22)
})

test('embedding: what cannot be started says why, and leaves nothing', async () => {
  const before = { threads: threads(), descriptors: descriptors() }
  await expect(
    startBroker({ config: { 'num.partitions': 0, 'log.roll.hours': 'x' } }),
  ).rejects.toSatisfy((problem) => problem instanceof ConfigError && problem.mistakes.length === 2)
  await using first = await Bench.start()
  const { directory, port } = first.broker
  await expect(startBroker({ directory })).rejects.toBeInstanceOf(StartRefused)
  await expect(startBroker({ port })).rejects.toThrow('EADDRINUSE')
  await expect(startBroker({ directory: tmpdir() })).rejects.toBeInstanceOf(DirectoryError)
  await first[Symbol.asyncDispose]()
  expect(threads()).toBeLessThanOrEqual(before.threads + 1)
})
