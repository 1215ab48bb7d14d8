// Kafka's bytes are our bytes: every value of the corpus, which Apache Kafka 4.3.1 encoded with its own
// classes, decodes here to the same value and encodes to the same bytes, by compiled code and by closures.
// The corpus is committed; test/oracle/codec/run.ts makes it anew.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decode, encode, useInterpreter } from '../../../src/protocol/codec.ts'
import type { EncodableOf } from '../../../src/protocol/dsl.ts'
import { formatJson, fromJson, isMistake, parseJson, toJson } from '../../../src/protocol/json.ts'
import { messages } from '../../../src/protocol/registry.ts'
import { bytesOf, CORPUS_SEED, jsonOf, readCorpus, samples } from '../../oracle/codec/corpus.ts'

const corpus = readCorpus()

describe.each([
  ['compiled', false],
  ['interpreted', true],
] as const)('protocol: corpus: %s', (_name, interpreted) => {
  beforeAll(() => useInterpreter(interpreted))
  afterAll(() => useInterpreter(false))

  test('decodes Kafka’s bytes to the values Kafka was given', () => {
    for (const { message, version, json, bytes } of corpus) {
      const value = decode(message, version, bytes)
      expect(formatJson(toJson(message, version, value)), `${message.name} v${version}`).toBe(json)
    }
  })

  test('encodes what it decoded to Kafka’s bytes', () => {
    for (const { message, version, bytes } of corpus) {
      const again = encode(message, version, decode(message, version, bytes))
      expect(hex(again), `${message.name} v${version}`).toBe(hex(bytes))
    }
  })

  test('encodes values from JSON to Kafka’s bytes', () => {
    for (const { message, version, json, bytes } of corpus) {
      const value = fromJson(message, version, parseJson(json))
      expect(isMistake(value), `${message.name} v${version}`).toBe(false)
      const encoded = encode(message, version, value as EncodableOf<typeof message>)
      expect(hex(encoded), `${message.name} v${version}`).toBe(hex(bytes))
    }
  })

  test('fields left out encode as their defaults', () => {
    for (const sample of samples(CORPUS_SEED + 1)) {
      const value = decode(sample.message, sample.version, bytesOf(sample))
      const json = formatJson(toJson(sample.message, sample.version, value))
      expect(json, `${sample.message.name} v${sample.version}`).toBe(formatJson(jsonOf(sample)))
    }
  })
})

describe('protocol: corpus', () => {
  test('has every version of every message', () => {
    const seen = new Set(corpus.map(({ message, version }) => `${message.name} v${version}`))
    for (const message of messages.values()) {
      for (let version = message.valid.min; version <= message.valid.max; version++) {
        expect(seen, `${message.name} v${version}`).toContain(`${message.name} v${version}`)
      }
    }
  })

  test('is what its seed gives, so that a change of the tables asks for a new one', () => {
    const ours = [...samples(CORPUS_SEED)].map((sample) => formatJson(jsonOf(sample)))
    expect(corpus.map(({ json }) => json)).toEqual(ours)
  })
})

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
