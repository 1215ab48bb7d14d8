// A Kafka client made of codecs: requests go out in any version, responses come back decoded, matched by
// order and correlation id.

import { expect } from 'vitest'
import { Reader, Writer } from '../../src/lib/bytes.ts'
import { decodeFrom } from '../../src/protocol/codec.ts'
import type { Api, EncodableOf, ResponseOf } from '../../src/protocol/dsl.ts'
import {
  encodeRequestFrame,
  ResponseHeader,
  responseHeaderVersion,
} from '../../src/protocol/headers.ts'
import { Fetch, Produce } from '../../src/protocol/messages/produce_fetch.ts'
import { type BatchInput, encodeBatch } from '../../src/protocol/record_batch.ts'
import type { PlaneUnderTest, TestConnection } from './harness.ts'

export type ProduceResult = ResponseOf<typeof Produce>
export type FetchResult = ResponseOf<typeof Fetch>
export type FetchBody = EncodableOf<(typeof Fetch)['request']>

/** A request under way: `response` is set once it has come. */
export interface Sent<A> {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  response?: ResponseOf<A>
}

/** One connection, spoken to in frames. */
export class Client {
  readonly conn: TestConnection
  readonly #under: PlaneUnderTest
  readonly #sent: Sent<unknown>[] = []
  /** Frames that answered nothing sent through `send`: replies to raw frames. */
  readonly raw: Uint8Array[] = []
  #nextCorrelation = 1

  constructor(under: PlaneUnderTest, conn: TestConnection) {
    this.#under = under
    this.conn = conn
  }

  static async open(under: PlaneUnderTest, port: number): Promise<Client> {
    return new Client(under, await under.connect(port))
  }

  /** Sends a request without waiting. */
  send<A extends typeof Produce | typeof Fetch>(
    api: A,
    version: number,
    body: EncodableOf<A['request']>,
    clientId = 'test',
  ): Sent<A> {
    const correlationId = this.#nextCorrelation++
    const header = { correlationId, clientId }
    const sent: Sent<A> = { api: api as unknown as Api, version, correlationId }
    this.#sent.push(sent as Sent<unknown>)
    this.conn.send(encodeRequestFrame(api as never, version, header, body as never))
    return sent
  }

  /** Takes what has come; true when `sent` is answered. */
  has(sent: Sent<unknown>): boolean {
    for (const frame of this.conn.receive()) {
      const next = this.#sent.find((waiting) => waiting.response === undefined)
      if (next === undefined) {
        this.raw.push(frame)
        continue
      }
      const reader = new Reader(frame)
      const headerVersion = responseHeaderVersion(next.api, next.version)
      const { correlationId } = decodeFrom(ResponseHeader, headerVersion, reader)
      expect(correlationId).toBe(next.correlationId)
      next.response = decodeFrom(next.api.response, next.version, reader) as never
      reader.finish()
    }
    return sent.response !== undefined
  }

  async answer<A>(sent: Sent<A>): Promise<ResponseOf<A>> {
    await this.#under.until(() => this.has(sent), `a response to ${sent.api.name}`)
    return sent.response!
  }

  produce(version: number, body: EncodableOf<(typeof Produce)['request']>): Promise<ProduceResult> {
    return this.answer(this.send(Produce, version, body))
  }

  fetch(version: number, body: FetchBody): Promise<FetchResult> {
    return this.answer(this.send(Fetch, version, body))
  }
}

/** A frame that is not the plane's: any api key but 0 and 1. */
export function foreignFrame(key: number, correlationId: number, text = ''): Uint8Array {
  const body = new TextEncoder().encode(text)
  const out = new Writer()
  out.int32(8 + body.length)
  out.int16(key)
  out.int16(0)
  out.int32(correlationId)
  out.raw(body)
  return out.copy()
}

/** A batch of records that hold these texts, all keyed 'k'. */
export function batchOf(values: readonly string[], input: Partial<BatchInput> = {}): Uint8Array {
  const encoder = new TextEncoder()
  const records = values.map((value) => ({
    key: encoder.encode('k'),
    value: encoder.encode(value),
  }))
  return encodeBatch({ records, timestamp: 1_600_000_000_000, ...input })
}
