// Asks Apache Kafka 4.3.1 about our codecs; needs JDK 17 and its jars under .cache/kafka-4.3.1/libs.
//   node test/oracle/codec/run.ts corpus          writes test/golden/protocol/ anew from the fixed seed
//   node test/oracle/codec/run.ts verify [seed]   sends our bytes of other values to Kafka, which must read
//                                                 them as we meant and write the same bytes, tags that it
//                                                 does not know included

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { NATIVE_MESSAGES } from '../../../src/cli/gen_messages.ts'
import { formatJson } from '../../../src/protocol/json.ts'
import {
  bytesOf,
  CORPUS_SEED,
  corpusFile,
  framesFile,
  jsonOf,
  nativeFramesFile,
  readCorpus,
  type Sample,
  samples,
  withUnknownTags,
} from './corpus.ts'

const libs = fileURLToPath(new URL('../../../.cache/kafka-4.3.1/libs/', import.meta.url))

function askKafka(program: string, mode: string, lines: readonly string[]): string {
  if (!existsSync(libs)) throw new Error(`the jars of Apache Kafka 4.3.1 are needed in ${libs}`)
  const source = fileURLToPath(new URL(program, import.meta.url))
  const done = spawnSync('java', ['-Xmx512m', '-cp', `${libs}*`, source, mode], {
    input: lines.join('\n') + '\n',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (done.status !== 0) throw new Error(done.stderr || String(done.error))
  return done.stdout
}

function lineOf(sample: Sample): string {
  return [sample.message.name, sample.version, formatJson(jsonOf(sample))].join('\t')
}

function writeCorpus(): void {
  const lines = [...samples(CORPUS_SEED)].map(lineOf)
  const answer = askKafka('Codec.java', 'encode', lines)
  mkdirSync(new URL('.', corpusFile), { recursive: true })
  writeFileSync(corpusFile, gzipSync(answer, { level: 9 }))
  writeFileSync(nativeFramesFile, nativeFrames())
  writeFileSync(framesFile, askKafka('Frames.java', '', []))
  console.log(`${lines.length} values written to ${fileURLToPath(corpusFile)}`)
}

function nativeFrames(): Uint8Array {
  const frames = readCorpus().flatMap(({ message, version, bytes }) => {
    const place = NATIVE_MESSAGES.indexOf(message)
    if (place < 0) return []
    const head = Buffer.alloc(6)
    head.writeUInt8(place, 0)
    head.writeUInt8(version, 1)
    head.writeUInt32BE(bytes.length, 2)
    return [head, bytes]
  })
  return Buffer.concat(frames)
}

function verify(seed: number): void {
  const lines = [...samples(seed)]
    .flatMap((sample) => [sample, withUnknownTags(sample)])
    .map((sample) => `${lineOf(sample)}\t${Buffer.from(bytesOf(sample)).toString('base64')}`)
  const complaints = askKafka('Codec.java', 'verify', lines)
  console.log(complaints === '' ? `Kafka agrees with ${lines.length} values` : complaints)
  if (complaints !== '') process.exitCode = 1
}

const [mode, seed] = process.argv.slice(2)
if (mode === 'corpus') writeCorpus()
else if (mode === 'verify') verify(Number(seed ?? 1))
else console.error('usage: node test/oracle/codec/run.ts corpus | verify [seed]')
