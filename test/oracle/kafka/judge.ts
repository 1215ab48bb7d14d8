// Apache Kafka's DumpLogSegments as the judge of a data directory: every batch and record of every log, every index
// against its log, producer snapshots, and the metadata log with its snapshots. A complaint throws.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { kafkaTool } from './kafka.ts'

/** What was read without a complaint. */
export interface Judged {
  segments: number
  batches: number
  records: number
  indexes: number
  producers: number
  metadataRecords: number
}

const METADATA = '__cluster_metadata-0'
const COMPLAINTS =
  /isvalid: false|exception|mismatch|out of order|not found|could not|corrupt|unable|error at|failed/i

/** A header whose records were compacted away has still a time: Kafka's own cleaner leaves such for its producers. */
const EMPTY_BATCH =
  /^Found timestamp mismatch in :.*\n(?: +Index timestamp: \d+, log timestamp: -1\n)+(?! +Index)/gm

/** Reads all of a data directory with Kafka's tool. */
export async function judgeDirectory(directory: string): Promise<Judged> {
  const partitions = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /-\d+$/.test(entry.name))
    .map(({ name }) => name)
  const files = partitions
    .filter((name) => name !== METADATA)
    .flatMap((name) => filesOf(directory, name))
  const logs = files.filter((name) => name.endsWith('.log'))
  const indexes = files.filter((name) => /\.(time)?index$/.test(name))
  const snapshots = files.filter((name) => name.endsWith('.snapshot'))
  const metadata = filesOf(directory, METADATA).filter((name) => /\.(log|checkpoint)$/.test(name))

  const records = await dump(['--deep-iteration'], [...logs, ...snapshots])
  const sane = await dump(['--index-sanity-check'], indexes)
  const passed = count(sane, /passed sanity check|\.(time)?index is empty/g)
  if (passed !== indexes.length) {
    throw new Error(
      `${passed} of ${indexes.length} indexes are sane:\n${notSane(sane).slice(0, 3000)}`,
    )
  }
  await dump(['--verify-index-only'], indexes)
  const decoded = await dump(['--cluster-metadata-decoder'], metadata)
  return {
    segments: logs.length,
    batches: count(records, /^baseOffset: /gm),
    records: count(records, /^\| offset: /gm),
    indexes: passed,
    producers: count(records, /^producerId: /gm),
    metadataRecords: count(decoded, /^\| offset: .*payload: \{"type"/gm),
  }
}

function filesOf(directory: string, partition: string): string[] {
  return readdirSync(join(directory, partition)).map((name) => join(directory, partition, name))
}

/** What the tool says of some files; throws when it complains. Command lines have an end, so in groups. */
async function dump(options: readonly string[], files: readonly string[]): Promise<string> {
  let said = ''
  for (let at = 0; at < files.length; at += 400) {
    const list = files.slice(at, at + 400).join(',')
    const done = await kafkaTool('DumpLogSegments', [...options, '--files', list], {
      timeoutMs: 300_000,
      mayFail: true,
    })
    said += `${done.stdout}${done.stderr}`
    if (done.code !== 0) throw new Error(`DumpLogSegments ended with ${done.code}: ${said}`)
  }
  said = said.replace(EMPTY_BATCH, '')
  const complaint = said.split('\n').find((line) => COMPLAINTS.test(withoutPayload(line)))
  if (complaint !== undefined) throw new Error(`DumpLogSegments ${options}: ${complaint}`)
  return said
}

function notSane(said: string): string {
  const lines = said.split('\n').filter((line) => !/^Dumping |passed sanity check/.test(line))
  return lines.join('\n')
}

/** A line without what users wrote. */
function withoutPayload(line: string): string {
  return line.replace(/payload: .*$/, '').replace(/^Dumping .*$/, '')
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0
}
