// kcat: librdkafka on a command line. It gives every record the present as its time.

import type { Compression } from '../../../src/protocol/record_batch.ts'
import { runCommand } from '../support/commands.ts'
import type { ClientRecord, Place, Reader, SeenRecord, Writer } from './matrix.ts'

const AFTER_KEY = '\x02'
const AFTER_RECORD = '\x03'

/** Settings that records of 1 MiB need. */
const LARGE = ['-X', 'message.max.bytes=2000000', '-X', 'fetch.message.max.bytes=4000000']

/** Sends records with the same headers by one run of kcat; more options may be given. */
export async function kcatProduce(
  { address, topic, partition }: Place,
  records: readonly ClientRecord[],
  codec: Compression = 'none',
  options: readonly string[] = [],
): Promise<void> {
  let at = 0
  while (at < records.length) {
    const first = records[at]!
    const empty = isEmpty(first)
    let end = at + 1
    while (end < records.length && isLike(records[end]!, first, empty)) end++
    const run = records.slice(at, end)
    const nulls = empty ? [] : ['-Z'] // says nothing by an empty text
    const headers = first.headers.flatMap(([name, value]) =>
      value === null ? ['-H', name] : ['-H', `${name}=${value}`],
    )
    const input = run.map(
      ({ key, value }) => `${key ?? ''}${AFTER_KEY}${value ?? ''}${AFTER_RECORD}`,
    )
    await runCommand(
      'kcat',
      // biome-ignore format: an option and its value
      ['-P', '-q', '-b', address, '-t', topic, '-p', String(partition), '-K', AFTER_KEY, '-D', AFTER_RECORD,
        '-X', `compression.codec=${codec}`, ...LARGE, ...nulls, ...headers, ...options],
      { input: input.join('') },
    )
    at = end
  }
}

function isEmpty({ key, value }: ClientRecord): boolean {
  return key === '' || value === ''
}

function isLike(record: ClientRecord, first: ClientRecord, empty: boolean): boolean {
  return (
    isEmpty(record) === empty && JSON.stringify(record.headers) === JSON.stringify(first.headers)
  )
}

export const kcatWriter: Writer = {
  name: 'kcat',
  codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
  express: (record) => ({ ...record, timestamp: 0 }),
  write: kcatProduce,
}

/** Records of one partition from an offset on, until `count` or the end. */
export async function kcatConsume(
  { address, topic, partition }: Place,
  from: number | 'beginning',
  count: number | null,
  options: readonly string[] = [],
): Promise<SeenRecord[]> {
  const limit = count === null ? ['-e'] : ['-c', String(count)]
  const { stdout } = await runCommand(
    'kcat',
    // biome-ignore format: an option and its value
    ['-C', '-q', '-b', address, '-t', topic, '-p', String(partition), '-o', String(from), ...LARGE, ...limit,
      '-X', 'check.crcs=true', '-f', '%o\t%T\t%K\t%S\t%h\n%k%s\n', ...options],
  )
  const seen: SeenRecord[] = []
  let at = 0
  while (at < stdout.length) {
    const line = stdout.indexOf('\n', at)
    const [offset, timestamp, keyBytes, valueBytes, headers] = stdout
      .toString('utf8', at, line)
      .split('\t')
    at = line + 1
    const take = (bytes: number): string | null => {
      if (bytes < 0) return null
      at += bytes
      return stdout.toString('utf8', at - bytes, at)
    }
    const key = take(Number(keyBytes))
    const value = take(Number(valueBytes))
    at += 1
    seen.push({
      offset: Number(offset),
      timestamp: Number(timestamp),
      key,
      value,
      headers: headers === '' ? [] : headers!.split(',').map(headerOf),
    })
  }
  return seen
}

function headerOf(text: string): [string, string | null] {
  const [name, value] = text.split('=')
  return [name!, value === 'NULL' || value === undefined ? null : value]
}

export const kcatReader: Reader = {
  name: 'kcat',
  read: (from, count) => kcatConsume(from, 'beginning', count),
}
