// `ottla dump-log` on files that Apache Kafka wrote (test/golden), on the same files damaged, and on the directory of
// a broker that was stopped: what is whole is said to be, and every kind of damage is found and told.

import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DUMP_LINES, misfits } from '../../../src/cli/tree/json_shapes.ts'
import { startBroker } from '../../../src/index.ts'
import { ROOT } from '../support/commands.ts'
import { callsAgainst, ottlaProcess } from './ottla.ts'
import { tellStory } from './story.ts'

const GOLDEN = join(ROOT, 'test/golden/log/kafka-0')
const SEGMENT = '00000000000000000000.log'
const dump = callsAgainst('127.0.0.1:1')

interface Line {
  readonly kind: string
  readonly [key: string]: unknown
}

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ottla-dump-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

async function linesOf(...args: string[]): Promise<{ code: number | null; lines: Line[] }> {
  const { code, stdout } = await dump(['dump-log', ...args, '--json'])
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
  return { code, lines }
}

/** The golden log, to be damaged. */
function copied(): string {
  cpSync(GOLDEN, join(directory, 'kafka-0'), { recursive: true })
  return join(directory, 'kafka-0')
}

function patch(path: string, at: number, bytes: readonly number[]): void {
  const content = readFileSync(path)
  content.set(bytes, at)
  writeFileSync(path, content)
}

async function problemsOf(path: string): Promise<{ code: number | null; problems: unknown[] }> {
  const { code, lines } = await linesOf(path)
  const problems = lines.filter(({ kind }) => kind === 'problem')
  return { code, problems: problems.map(({ problem, position }) => [problem, position]) }
}

describe('cli: dump-log: what Apache Kafka wrote', () => {
  it('is whole, and every line has the documented shape', async () => {
    const golden = await linesOf('-r', GOLDEN)
    const metadata = await linesOf('-r', '--as', 'metadata', join(ROOT, 'test/golden/metadata'))
    expect([golden.code, metadata.code]).toEqual([0, 0])
    const lines = [...golden.lines, ...metadata.lines]
    expect(lines.flatMap((line) => misfits(line, DUMP_LINES[line.kind]!))).toEqual([])
    const ends = golden.lines.filter(({ kind }) => kind === 'end')
    expect(ends.length).toBe(readdirSync(GOLDEN).length)
    expect(ends.every(({ isWhole }) => isWhole)).toBe(true)
    expect(golden.lines.filter(({ kind }) => kind === 'record').length).toBe(150)
    expect(new Set(golden.lines.map(({ compression }) => compression))).toEqual(
      new Set(['none', 'gzip', 'snappy', 'lz4', 'zstd', undefined]),
    )
    const types = metadata.lines.map((line) => (line['decoded'] as { type?: string })?.type)
    for (const type of ['leaderChange', 'voters', 'snapshotFooter', 'TopicRecord']) {
      expect(types).toContain(type)
    }
  })

  it('is told of as text, and a part of it alone', async () => {
    const { code, stdout } = await ottlaProcess([
      'dump-log',
      '-r',
      join(GOLDEN, SEGMENT),
      '--from',
      '1',
      '--to',
      '2',
    ])
    expect(code).toBe(0)
    const [, batch, first, second, end] = stdout.toString().split('\n')
    expect(batch).toBe(
      '  offsets 1 to 2, 2 records, 115 bytes at 78, epoch 1, 2023-11-14T22:13:21.001Z, gzip, crc ok',
    )
    expect(first).toBe('    1 2023-11-14T22:13:21.000Z  null: "value-1-0-xxxxx"')
    expect(second).toBe('    2 2023-11-14T22:13:21.001Z  "key-1": "value-1-1-xxxxx"')
    expect(end).toMatch(/: whole, 2 batches, 3 records, offsets 0 to 2$/)
  })
})

describe('cli: dump-log: damage', () => {
  it('a torn tail, a flipped bit and rubbish are found where they are', async () => {
    const log = join(copied(), SEGMENT)
    truncateSync(log, 5659)
    expect(await problemsOf(log)).toEqual({ code: 7, problems: [['torn', 5532]] })
    patch(log, 500, [0x58])
    expect(await problemsOf(log)).toEqual({
      code: 7,
      problems: [
        ['crc', 478],
        ['torn', 5532],
      ],
    })
    patch(log, 193 + 8, [0, 0, 0, 7])
    expect(await problemsOf(log)).toEqual({ code: 7, problems: [['malformed', 193]] })
  })

  it('offsets that go back and formats of old are told', async () => {
    const log = join(copied(), SEGMENT)
    patch(log, 78, [0, 0, 0, 0, 0, 0, 0, 0])
    const { problems } = await problemsOf(log)
    expect(problems).toEqual([['order', 78]])
    patch(log, 16, [1])
    expect((await problemsOf(log)).problems).toEqual([['old-format', 0]])
  })

  it('zeros behind the last batch are preallocated, not damage', async () => {
    const folder = copied()
    for (const name of [SEGMENT, '00000000000000000000.index', '00000000000000000000.timeindex']) {
      const path = join(folder, name)
      truncateSync(path, readFileSync(path).length + 1200)
      const { code, lines } = await linesOf(path)
      expect({ name, code }).toEqual({ name, code: 0 })
      expect(lines.find(({ kind }) => kind === 'note')!['message']).toContain('preallocated')
    }
  })

  it('indexes that lie, snapshots and checkpoints that do not add up are told', async () => {
    const folder = copied()
    const cases: [string, number, readonly number[], string][] = [
      ['00000000000000000000.index', 7, [1], 'index'],
      ['00000000000000000000.timeindex', 7, [1], 'index'],
      ['00000000000000000000.txnindex', 34 + 18, [0, 0, 0, 0, 0, 0, 0, 1], 'order'],
      ['00000000000000000150.snapshot', 20, [9], 'crc'],
      ['leader-epoch-checkpoint', 2, [0x39], 'torn'],
    ]
    for (const [name, at, bytes, problem] of cases) {
      patch(join(folder, name), at, bytes)
      const found = await problemsOf(join(folder, name))
      expect([name, found.code, (found.problems[0] as string[])[0]]).toEqual([name, 7, problem])
    }
    const { stdout } = await dump(['dump-log', '-q', folder])
    expect(stdout.match(/: whole,/g)!.length).toBe(readdirSync(folder).length - cases.length)
  })

  it('a file that is none of a log is refused by name', async () => {
    writeFileSync(join(directory, 'notes.md'), 'x')
    const { code, stderr } = await dump(['dump-log', join(directory, 'notes.md')])
    expect(code).toBe(2)
    expect(stderr).toContain('the name does not say what it is')
  })
})

describe('cli: dump-log: our own directory', () => {
  it('every file of a stopped broker is whole; groups and metadata are in words', async () => {
    const data = join(directory, 'data')
    const config = { 'offsets.topic.num.partitions': 1 }
    const broker = await startBroker({ directory: data, config })
    await tellStory(broker.address, callsAgainst(broker.address))
    await broker.close()
    const partitions = readdirSync(data, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(data, name))
    const all = await linesOf('-r', data, ...partitions)
    expect(all.lines.filter(({ kind }) => kind === 'problem')).toEqual([])
    expect(all.code).toBe(0)
    const decoded = all.lines.flatMap(({ decoded }) => (decoded === undefined ? [] : [decoded]))
    expect(decoded).toContainEqual(
      expect.objectContaining({
        type: 'OffsetCommit',
        key: { group: 'billing', topic: 'words', partition: 0 },
        value: expect.objectContaining({ offset: 3 }),
      }),
    )
    const names = new Set(decoded.map((each) => (each as { type: string }).type))
    for (const type of ['RegisterBrokerRecord', 'TopicRecord', 'ConfigRecord', 'leaderChange']) {
      expect(names).toContain(type)
    }
    expect(decoded.filter((each) => 'unreadable' in (each as object))).toEqual([])
  })
})
