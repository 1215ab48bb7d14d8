// Asks Apache Kafka 4.3.1 about metadata logs and snapshots; needs JDK 17 and its jars under
// .cache/kafka-4.3.1/libs.
//   node test/oracle/metadata/run.ts golden   writes test/golden/metadata/ anew
//   node test/oracle/metadata/run.ts verify   loads the golden log here, writes our snapshot of it, and
//                                             has Kafka load both snapshots and dump ours

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeSnapshot, snapshotFileName } from '../../../src/metadata/snapshot.ts'
import { loadGoldenLog } from './golden.ts'

const libs = fileURLToPath(new URL('../../../.cache/kafka-4.3.1/libs/', import.meta.url))
const golden = fileURLToPath(new URL('../../golden/metadata/', import.meta.url))

function java(...words: string[]): string {
  if (!existsSync(libs)) throw new Error(`the jars of Apache Kafka 4.3.1 are needed in ${libs}`)
  const done = spawnSync('java', ['-Xmx512m', '-cp', `${libs}*`, ...words], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(done.stdout + done.stderr + String(done.error ?? ''))
  return done.stdout
}

const program = fileURLToPath(new URL('./Metadata.java', import.meta.url))

function verify(): void {
  const { image, quorum } = loadGoldenLog(readFileSync(join(golden, '00000000000000000000.log')))
  const { offset, epoch, timestampMs } = image.provenance
  const directory = mkdtempSync(join(tmpdir(), 'ottla-metadata-'))
  const name = snapshotFileName(offset + 1, epoch)
  const ours = join(directory, name)
  const snapshot = {
    endOffset: offset + 1,
    epoch,
    lastContainedLogTimestampMs: timestampMs,
    ...quorum,
    records: image.toRecords(),
  }
  writeFileSync(ours, encodeSnapshot(snapshot, timestampMs))
  process.stdout.write(java(program, 'same', join(golden, name), ours))
  const dump = ['org.apache.kafka.tools.DumpLogSegments', '--cluster-metadata-decoder', '--files']
  const said = java(...dump, ours)
  const count = said.split('\n').filter((line) => line.includes('payload: {"type"')).length
  if (
    count !== snapshot.records.length ||
    /could not|exception|invalid: |isvalid: false/i.test(said)
  ) {
    throw new Error(said)
  }
  process.stdout.write(`dumped ${count} records\n`)
  rmSync(directory, { recursive: true })
}

switch (process.argv[2]) {
  case 'golden':
    mkdirSync(golden, { recursive: true })
    java(program, 'write', golden)
    break
  case 'verify':
    verify()
    break
  default:
    process.stderr.write('golden or verify\n')
    process.exitCode = 2
}
