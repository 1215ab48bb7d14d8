// `ottla produce` and `ottla consume` as users run them: pipes, files, keys, JSON there and back, groups, signals,
// readers that go away, and errors that name the line.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Broker, startBroker } from '../../../src/index.ts'
import {
  Cluster,
  Consumer,
  createTopics,
  describeGroups,
  fetchCommittedOffsets,
  Producer,
} from '../client/client.ts'
import { ROOT, runCommand } from '../support/commands.ts'
import { eventually } from '../support/eventually.ts'

const MAIN = join(ROOT, 'src/main.ts')
let broker: Broker
let cluster: Cluster
let env: Record<string, string>

beforeAll(async () => {
  broker = await startBroker({
    config: { 'offsets.topic.num.partitions': 1, 'group.initial.rebalance.delay.ms': 0 },
  })
  cluster = await Cluster.connect({ bootstrap: broker.address })
  env = { OTTLA_BOOTSTRAP: broker.address, NO_COLOR: '1' }
})

afterAll(async () => {
  cluster.close()
  await broker.close()
})

async function ottla(args: readonly string[], input: string | Uint8Array = '') {
  const done = await runCommand(process.execPath, [MAIN, ...args], { env, input, mayFail: true })
  return { code: done.code, stdout: done.stdout.toString('latin1'), stderr: done.stderr }
}

async function shell(line: string) {
  const { code, stdout, stderr } = await runCommand('bash', ['-o', 'pipefail', '-c', line], {
    env: { ...env, OTTLA: `${process.execPath} ${MAIN}` },
    mayFail: true,
  })
  return { code, stdout: stdout.toString(), stderr }
}

async function fill(topic: string, count: number): Promise<void> {
  await createTopics(cluster, [{ name: topic, numPartitions: 2 }])
  const producer = new Producer(cluster)
  await producer.sendAll(
    Array.from({ length: count }, (_, i) => ({ topic, partition: i % 2, value: `${i}` })),
  )
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '')

test('cli: records: lines go in and come out, byte by byte', { timeout: 60_000 }, async () => {
  await createTopics(cluster, [{ name: 'lines' }])
  const input = Buffer.from('one\n\xff\xfe\n\ntwo', 'latin1')
  expect(await ottla(['produce', 'lines', '-z', 'zstd'], input)).toMatchObject({
    code: 0,
    stdout: 'produced 4 records to lines\n',
    stderr: '',
  })
  expect(await ottla(['consume', 'lines', '-e'])).toEqual({
    code: 0,
    stdout: 'one\n\xff\xfe\n\ntwo\n',
    stderr: '',
  })
})

test('cli: records: keys, headers, tombstones, a file, a format', { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-produce-'))
  try {
    const file = join(directory, 'records')
    writeFileSync(file, 'a\tx\nb\t\n')
    const args = ['-k', '\\t', '-Z', '-H', 'h=1', '-H', 'i=', '--partition', '0', '--acks', '1']
    const produced = await ottla(['produce', 'keyed', '-f', file, '-q', ...args])
    expect(produced).toEqual({ code: 0, stdout: '', stderr: '' })
    const shown = await ottla(['consume', 'keyed', '-e', '-F', '%t-%p@%o %k=%v %V %h\\n'])
    expect(shown.stdout).toBe('keyed-0@0 a=x 1 h=1,i=\nkeyed-0@1 b= -1 h=1,i=\n')
    const missing = await ottla(['produce', 'keyed', '-f', join(directory, 'nothing')])
    expect(missing.code).toBe(2)
    expect(missing.stderr).toContain('cannot read')
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('cli: records: JSON of one topic is produced to another as it was', {
  timeout: 60_000,
}, async () => {
  await createTopics(cluster, [{ name: 'from' }, { name: 'to' }])
  await new Producer(cluster).sendAll([
    { topic: 'from', key: 'k', value: new Uint8Array([255]), headers: { a: 'b' }, timestamp: 5 },
    { topic: 'from', key: 'k', value: null, timestamp: 6 },
  ])
  const piped = await shell('$OTTLA consume from -e --json | $OTTLA produce to --json')
  expect(piped).toMatchObject({ code: 0, stdout: 'produced 2 records to to\n' })
  const options = { from: 'earliest', until: 'end' } as const
  const [before, after] = await Promise.all(
    ['from', 'to'].map((topic) => new Consumer(cluster, { topics: [topic], ...options }).take(2)),
  )
  expect(after).toEqual(before!.map((record) => ({ ...record, topic: 'to' })))
})

test('cli: records: the line that failed is named, what came before is written', {
  timeout: 60_000,
}, async () => {
  await createTopics(cluster, [{ name: 'fails', configs: { 'max.message.bytes': '1000' } }])
  const bad = await ottla(
    ['produce', 'fails', '--json'],
    '{"value":"ok"}\n{"value":\n{"value":1}\n',
  )
  expect(bad.code).toBe(2)
  expect(bad.stderr).toMatch(/^ottla: line 2: not JSON.*\n.*1 record of 2 lines written/)
  const large = await ottla(['produce', 'fails'], `ok\n${'x'.repeat(2000)}\n`)
  expect(large.code).toBe(5)
  expect(large.stderr).toMatch(/^ottla: line 2: .*MESSAGE_TOO_LARGE/)
  const read = await ottla(['consume', 'fails', '-e'])
  expect(read.stdout).toBe('ok\nok\n')
  const [nowhere, alone] = await Promise.all([
    ottla(['consume', 'nowhere', '-e']),
    ottla(['consume', 'fails', '-e', '-b', '127.0.0.1:1']),
  ])
  expect(nowhere.code).toBe(5)
  expect(nowhere.stderr).toContain('UNKNOWN_TOPIC_OR_PARTITION')
  expect(alone.code).toBe(6)
  expect(alone.stderr).toContain('127.0.0.1:1')
})

test('cli: records: where to begin, which partitions, how many', { timeout: 60_000 }, async () => {
  await fill('many', 10)
  const read = async (...args: string[]) =>
    lines((await ottla(['consume', 'many', ...args])).stdout)
  const [last, one, three, none, hour, future] = await Promise.all([
    read('-e', '--from', '-1'),
    read('-e', '-p', '1', '--from', '3'),
    read('-n', '3'),
    read('-n', '0'),
    read('-e', '--from', '@-1h'),
    read('-e', '--from', '2999-01-01'),
  ])
  expect(last.sort()).toEqual(['8', '9'])
  expect(one).toEqual(['7', '9'])
  expect([three.length, none.length, hour.length, future.length]).toEqual([3, 0, 10, 0])
})

test('cli: records: a reader that goes away ends it with code 0, even when nothing comes', {
  timeout: 60_000,
}, async () => {
  await fill('heads', 20_000)
  const cut = await shell('$OTTLA consume heads | head -n 2')
  expect(cut).toMatchObject({ code: 0, stderr: '' })
  expect(lines(cut.stdout).length).toBe(2)
  await fill('quiet', 2)
  const silent = await shell('$OTTLA consume quiet -g quiet | head -n 2')
  expect(silent).toMatchObject({ code: 0, stderr: '' })
  const [group] = await describeGroups(cluster, ['quiet'])
  expect(group!.members).toEqual([])
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  'cli: records: %s commits, leaves the group and ends with code 0',
  { timeout: 60_000 },
  async (signal) => {
    const topic = `group-${signal}`
    await fill(topic, 6)
    const child = spawn(process.execPath, [MAIN, 'consume', topic, '-g', topic], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    let said = ''
    child.stdout.on('data', (bytes) => {
      said += bytes
    })
    await eventually(async () => (lines(said).length === 6 ? true : undefined))
    await new Producer(cluster).send({ topic, partition: 0, value: 'late' })
    await eventually(async () => (said.endsWith('late\n') ? true : undefined))
    child.kill(signal)
    expect(await exited).toEqual([0, null])
    const committed = await fetchCommittedOffsets(cluster, topic)
    expect(committed.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 4],
      [1, 3],
    ])
    expect((await describeGroups(cluster, [topic]))[0]!.members).toEqual([])
    const again = await ottla(['consume', topic, '-g', topic, '-e'])
    expect(again, 'the group has read all of it').toMatchObject({ code: 0, stdout: '' })
  },
)

test('cli: records: produce ends when a line fails or a signal comes, though its input goes on', {
  timeout: 60_000,
}, async () => {
  await createTopics(cluster, [{ name: 'endless', configs: { 'max.message.bytes': '1000' } }])
  const start = () => {
    const child = spawn(process.execPath, [MAIN, 'produce', 'endless'], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const said = { text: '' }
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes) => {
        said.text += bytes
      })
    }
    return { child, said, closed: once(child, 'close') }
  }
  const failing = start()
  failing.child.stdin.write(`${'x'.repeat(2000)}\n`)
  expect(await failing.closed).toEqual([5, null])
  expect(failing.said.text).toContain('line 1: ')

  const stopped = start()
  stopped.child.stdin.write('one\ntwo\nthr')
  const reader = new Consumer(cluster, { topics: ['endless'], from: 'earliest' })
  expect((await reader.take(2)).length).toBe(2)
  stopped.child.kill('SIGINT')
  expect(await stopped.closed).toEqual([130, null])
  expect(stopped.said.text).toBe('produced 2 records to endless\n')
})

test('cli: records: a hundred thousand lines pass', { timeout: 120_000 }, async () => {
  await createTopics(cluster, [{ name: 'large', numPartitions: 4 }])
  const passed = await shell(
    'seq 1 100000 | $OTTLA produce large -q -z lz4 && $OTTLA consume large -e | sort -n | tail -n 1; ' +
      '$OTTLA consume large -e | wc -l',
  )
  expect(passed).toMatchObject({ code: 0, stdout: '100000\n100000\n', stderr: '' })
})
