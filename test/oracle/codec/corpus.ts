// The corpus: for every message, version and temper a value as JSON and the bytes Kafka 4.3.1 makes of it.
// test/golden/protocol/corpus.tsv.gz holds it (made by run.ts); tests read it without Java. The frames that
// C++ reads are in native_frames.bin beside it, which test/native/gen_messages_test.cc walks:
// for each, message (u8, its place in NATIVE_MESSAGES), version (u8), length (u32), bytes.

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { Random } from '../../../src/lib/random.ts'
import { encode } from '../../../src/protocol/codec.ts'
import { contains, type Fields, type Message } from '../../../src/protocol/dsl.ts'
import { type Json, toJson } from '../../../src/protocol/json.ts'
import { messages } from '../../../src/protocol/registry.ts'
import { defaultsOf } from '../../../src/protocol/shape.ts'
import { arbitraryValue, TEMPERS, type Temper } from './values.ts'

export const corpusFile = new URL('../../golden/protocol/corpus.tsv.gz', import.meta.url)
export const nativeFramesFile = new URL('../../golden/protocol/native_frames.bin', import.meta.url)
/** Batches, records and embedded bytes of Kafka's making: name, tab, base64. */
export const framesFile = new URL('../../golden/protocol/frames.tsv', import.meta.url)
export const CORPUS_SEED = 20261120

/** A value of one message at one version. */
export interface Sample {
  readonly message: Message
  readonly version: number
  readonly value: Record<string, unknown>
}

/** A line of the corpus. */
export interface Judged {
  readonly message: Message
  readonly version: number
  /** As text, because JSON of numbers has more than one reading. */
  readonly json: string
  readonly bytes: Uint8Array
}

/** Every message at every version in every temper, decided by the seed. */
export function* samples(seed: number, tempers: readonly Temper[] = TEMPERS): Generator<Sample> {
  const random = new Random(seed)
  for (const message of messages.values()) {
    for (let version = message.valid.min; version <= message.valid.max; version++) {
      for (const temper of tempers) {
        yield { message, version, value: arbitraryValue(message, version, temper, random) }
      }
    }
  }
}

/** The JSON of a value as decoding its bytes would show it: fields left out have their defaults. */
export function jsonOf({ message, version, value }: Sample): { [name: string]: Json } {
  return toJson(message, version, completed(message.fields, value))
}

function completed(fields: Fields, value: Record<string, unknown>): Record<string, unknown> {
  const full = defaultsOf(fields)
  for (const [name, given] of Object.entries(value)) {
    if (name === '_unknownTags') continue
    const { type } = fields[name]!
    if (given === null) full[name] = null
    else if (type.kind === 'struct') full[name] = completed(type.fields, given as typeof value)
    else if (type.kind === 'array' && type.element.kind === 'struct') {
      const { fields: inner } = type.element
      full[name] = (given as (typeof value)[]).map((item) => completed(inner, item))
    } else full[name] = given
  }
  return full
}

/** The sample with tags that Kafka does not know, at the top and in the structs of its arrays. */
export function withUnknownTags(sample: Sample): Sample {
  if (!contains(sample.message.flexible, sample.version)) return sample
  return { ...sample, value: tagged(sample.value) as Sample['value'] }
}

function tagged(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tagged)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  const members = Object.entries(value).map(([name, member]) => {
    return [name, Array.isArray(member) ? tagged(member) : member]
  })
  const unknown = [
    { tag: 100, bytes: Uint8Array.from([1, 2, 3]) },
    { tag: 70_000, bytes: new Uint8Array(0) },
  ]
  return { ...Object.fromEntries(members), _unknownTags: unknown }
}

/** Our own bytes of a sample. */
export function bytesOf({ message, version, value }: Sample): Uint8Array {
  return encode(message, version, value)
}

/** The committed corpus. */
export function readCorpus(): Judged[] {
  const lines = gunzipSync(readFileSync(corpusFile)).toString('utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const [name, version, json, base64] = line.split('\t') as [string, string, string, string]
    const message = messages.get(name)!
    return {
      message,
      version: Number(version),
      json,
      bytes: new Uint8Array(Buffer.from(base64 ?? '', 'base64')),
    }
  })
}
