// A client: one connection at a time, dialled when needed; requests answered, or never answered.
// It speaks Kafka's frames through the simulated network, so its requests are cut, delayed and lost like anybody's.

import { Reader } from '../../src/lib/bytes.ts'
import type { Stream } from '../../src/plane/model_network.ts'
import { decodeFrom } from '../../src/protocol/codec.ts'
import type { Api, EncodableOf, ResponseOf } from '../../src/protocol/dsl.ts'
import {
  encodeRequestFrame,
  ResponseHeader,
  responseHeaderVersion,
} from '../../src/protocol/headers.ts'
import { CLIENT_PORT } from './machine.ts'
import type { SimNetwork } from './network.ts'

type RequestBody<A> = A extends { request: infer M } ? EncodableOf<M> : never

/** The connection ended before the answer came: nobody knows what became of the request. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
}

interface Waiting {
  resolve(frame: Uint8Array): void
  reject(problem: Error): void
}

class Connection {
  readonly waiting = new Map<number, Waiting>()
  stream: Stream | null = null
  isOpen = true
  received = new Uint8Array(0)
}

/** A client of the node. */
export class SimClient {
  readonly name: string
  private readonly network: SimNetwork
  private connection: Promise<Connection> | null = null
  private next = 1
  /** What it waits for, for whoever asks why it does not finish. */
  asking = ''

  constructor(name: string, network: SimNetwork) {
    this.name = name
    this.network = network
  }

  /** Sends a request; throws Unanswered when the connection ends first. */
  async ask<A extends Api>(api: A, version: number, body: RequestBody<A>): Promise<ResponseOf<A>> {
    this.connection ??= this.dial()
    const connection = await this.connection
    const correlationId = this.next++
    this.asking = `${api.name} ${correlationId}`
    const header = { correlationId, clientId: this.name }
    const frame = await new Promise<Uint8Array>((resolve, reject) => {
      if (!connection.isOpen) return reject(new Unanswered('closed'))
      connection.waiting.set(correlationId, { resolve, reject })
      connection.stream!.write(encodeRequestFrame(api as Api, version, header, body as object))
    })
    this.asking = ''
    const reader = new Reader(frame)
    decodeFrom(ResponseHeader, responseHeaderVersion(api, version), reader)
    const response = decodeFrom(api.response, version, reader)
    reader.finish()
    return response as ResponseOf<A>
  }

  private dial(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection = new Connection()
      connection.stream = this.network.dial('127.0.0.1', CLIENT_PORT, {
        opened: (errno) => {
          if (errno === 0) return resolve(connection)
          this.connection = null
          reject(new Unanswered(`connect: errno ${errno}`))
        },
        data: (bytes) => receive(connection, bytes),
        closed: () => {
          connection.isOpen = false
          this.connection = null
          for (const { reject: fail } of connection.waiting.values()) fail(new Unanswered('closed'))
          connection.waiting.clear()
        },
      })
    })
  }
}

function receive(connection: Connection, bytes: Uint8Array): void {
  const joined = new Uint8Array(connection.received.length + bytes.length)
  joined.set(connection.received)
  joined.set(bytes, connection.received.length)
  connection.received = joined
  for (;;) {
    const { received } = connection
    if (received.length < 4) return
    const view = new DataView(received.buffer, received.byteOffset)
    const length = view.getInt32(0)
    if (received.length < 4 + length) return
    const correlationId = view.getInt32(4)
    connection.received = received.slice(4 + length)
    const waiting = connection.waiting.get(correlationId)
    connection.waiting.delete(correlationId)
    waiting?.resolve(received.slice(4, 4 + length))
  }
}
