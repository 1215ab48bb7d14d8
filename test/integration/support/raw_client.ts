// A client that says exactly what a test tells it to: any api at any version over a real socket, any bytes at all.
// Responses are matched by correlation id, so the order in which they came back can be asserted too.

import { connect, type Socket } from 'node:net'
import { Reader } from '../../../src/lib/bytes.ts'
import { decodeFrom } from '../../../src/protocol/codec.ts'
import type { Api, EncodableOf, ResponseOf } from '../../../src/protocol/dsl.ts'
import {
  encodeRequestFrame,
  ResponseHeader,
  responseHeaderVersion,
} from '../../../src/protocol/headers.ts'

type RequestBody<A> = A extends { request: infer M } ? EncodableOf<M> : never

/** One connection. */
export class RawClient {
  /** Correlation ids in the order in which responses arrived. */
  readonly order: number[] = []
  private readonly socket: Socket
  private readonly waiting = new Map<number, (frame: Uint8Array) => void>()
  private readonly failures = new Map<number, (problem: Error) => void>()
  private buffered: Buffer = Buffer.alloc(0)
  private next = 1
  /** Who it says it is. */
  clientId = 'raw'
  private readonly closed: Promise<void>
  isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => this.receive(bytes))
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.isClosed = true
        for (const fail of this.failures.values()) fail(new Error('connection closed'))
        resolve()
      })
    })
  }

  static open(address: string): Promise<RawClient> {
    const at = address.lastIndexOf(':')
    const host = address.slice(0, at).replace(/^\[|\]$/g, '')
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port: Number(address.slice(at + 1)), noDelay: true })
      socket.once('connect', () => resolve(new RawClient(socket)))
      socket.once('error', reject)
    })
  }

  /** Sends a request and decodes its response. */
  async ask<A extends Api>(api: A, version: number, body: RequestBody<A>): Promise<ResponseOf<A>> {
    const frame = await this.askFrame(api, version, body)
    const reader = new Reader(frame)
    decodeFrom(ResponseHeader, responseHeaderVersion(api, version), reader)
    const response = decodeFrom(api.response, version, reader)
    reader.finish()
    return response as ResponseOf<A>
  }

  /** Sends a request; the response's bytes, header included. */
  askFrame<A extends Api>(api: A, version: number, body: RequestBody<A>): Promise<Uint8Array> {
    const correlationId = this.send(api, version, body)
    return new Promise((resolve, reject) => {
      this.waiting.set(correlationId, resolve)
      this.failures.set(correlationId, reject)
      if (this.isClosed) reject(new Error('connection closed'))
    })
  }

  /** Sends a request whose response nobody waits for; says its correlation id. */
  send<A extends Api>(api: A, version: number, body: RequestBody<A>): number {
    const correlationId = this.next++
    const header = { correlationId, clientId: this.clientId }
    this.socket.write(encodeRequestFrame(api as Api, version, header, body as object))
    return correlationId
  }

  /** Sends a frame as it is, length included; the frame that answers `correlationId`. */
  askBytes(frame: Uint8Array, correlationId: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.waiting.set(correlationId, resolve)
      this.failures.set(correlationId, reject)
      this.socket.write(frame)
    })
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Resolves when the other side has closed the connection. */
  ended(): Promise<void> {
    return this.closed
  }

  close(): void {
    this.socket.destroy()
  }

  private receive(bytes: Buffer): void {
    this.buffered = this.buffered.length === 0 ? bytes : Buffer.concat([this.buffered, bytes])
    while (this.buffered.length >= 4) {
      const length = this.buffered.readInt32BE(0)
      if (this.buffered.length < 4 + length) return
      const frame = this.buffered.subarray(4, 4 + length)
      this.buffered = this.buffered.subarray(4 + length)
      const correlationId = frame.readInt32BE(0)
      this.order.push(correlationId)
      this.waiting.get(correlationId)?.(frame)
      this.waiting.delete(correlationId)
      this.failures.delete(correlationId)
    }
  }
}
