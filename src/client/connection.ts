// One TCP connection to one broker: requests go out at once and are matched to their answers by correlation id, so
// many may be under way. The versions the broker speaks are asked first; each request takes the highest both sides
// have. A request that gets no answer in its time ends the connection, since everything behind it is late too.
//
// Invariant: every promise given out is settled, with an answer or with a ClientError, and nothing is allocated by a
// length that was not checked against `frameBytesMax`.
// Kafka: NetworkClient, InFlightRequests; KIP-35, KIP-511 for the negotiation.

import { connect, type Socket } from 'node:net'
import { AssertionFailed } from '../lib/assert.ts'
import { MalformedFrame, Reader } from '../lib/bytes.ts'
import { decodeFrom } from '../protocol/codec.ts'
import type { Api, Decoded, Encodable, Fields, Versions } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { encodeRequestFrame, ResponseHeader, responseHeaderVersion } from '../protocol/headers.ts'
import { ApiVersions } from '../protocol/messages/metadata.ts'
import { type Endpoint, endpointText } from './bootstrap.ts'
import { ClientError } from './client_error.ts'
import { later } from './timing.ts'

/** How to connect; everything has a default. */
export interface ConnectionOptions {
  readonly clientId?: string
  readonly connectTimeoutMs?: number
  /** How long an answer may take. */
  readonly requestTimeoutMs?: number
  /** The largest answer that is taken. */
  readonly frameBytesMax?: number
  /** Not supported yet; anything but undefined is refused. */
  readonly tls?: unknown
  /** Not supported yet; anything but undefined is refused. */
  readonly sasl?: unknown
}

/** How one request is sent. */
export interface RequestOptions {
  /** The newest version the caller can use. */
  readonly versionMax?: number
  /** Time for the answer beyond what the connection grants, such as a long poll's wait. */
  readonly extraMs?: number
}

/** A request's body, or what makes it once the version is known. */
export type Body<Q extends Fields> = Encodable<Q> | ((version: number) => Encodable<Q>)

const SOFTWARE = { clientSoftwareName: 'ottla', clientSoftwareVersion: '1' }
/** A broker's answer about a large cluster has more elements than a stranger's request may have. */
const ELEMENTS_MAX = 50_000_000

interface Waiting {
  readonly name: string
  readonly take: (frame: Buffer) => void
  readonly fail: (problem: ClientError) => void
  readonly cancel: () => void
}

/** An open connection. */
export class Connection {
  readonly address: string
  /** What the broker speaks, by api key. */
  versions: ReadonlyMap<number, Versions> = new Map()
  /** Feature levels the cluster has finalized, such as metadata.version. */
  finalizedFeatures: ReadonlyMap<string, Versions> = new Map()
  supportedFeatures: ReadonlyMap<string, Versions> = new Map()
  finalizedFeaturesEpoch = -1
  readonly #socket: Socket
  readonly #clientId: string
  readonly #requestTimeoutMs: number
  readonly #frameBytesMax: number
  readonly #waiting = new Map<number, Waiting>()
  readonly #frames: Frames
  #next = 1
  #ended: ClientError | null = null

  private constructor(socket: Socket, address: string, options: ConnectionOptions) {
    this.address = address
    this.#socket = socket
    this.#clientId = options.clientId ?? 'ottla'
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 30_000
    this.#frameBytesMax = options.frameBytesMax ?? 256 << 20
    this.#frames = new Frames(this.#frameBytesMax, (frame) => this.#receive(frame))
    socket.on('data', (bytes) => this.#read(bytes))
    socket.on('error', (problem) => this.#end(lost(this.address, problem.message)))
    socket.on('close', () => this.#end(lost(this.address, 'the broker closed the connection')))
  }

  /** Connects and asks for versions. Raises CONNECTION_FAILED or what the negotiation found. */
  static async open(endpoint: Endpoint, options: ConnectionOptions = {}): Promise<Connection> {
    refuseSecurity(options)
    const address = endpointText(endpoint)
    const socket = await dial(endpoint, address, options.connectTimeoutMs ?? 10_000)
    const connection = new Connection(socket, address, options)
    try {
      await connection.renegotiate()
    } catch (problem) {
      connection.close()
      throw explainNegotiation(problem, address)
    }
    return connection
  }

  get isClosed(): boolean {
    return this.#ended !== null
  }

  /** The highest version of `api` that both sides have. Raises UNSUPPORTED_VERSION when there is none. */
  versionOf(api: Api, versionMax = Number.MAX_SAFE_INTEGER): number {
    const theirs = this.versions.get(api.key)
    const ours = api.latestUnstable ? api.valid.max - 1 : api.valid.max
    const version = Math.min(theirs?.max ?? -1, ours, versionMax)
    if (theirs !== undefined && version >= Math.max(theirs.min, api.valid.min)) return version
    const there = theirs === undefined ? 'not at all' : `in versions ${theirs.min}-${theirs.max}`
    const here = `${api.valid.min}-${Math.min(ours, versionMax)}`
    throw new ClientError(
      'UNSUPPORTED_VERSION',
      `the broker at ${this.address} serves ${api.name} ${there}; this client speaks ${here}`,
      { address: this.address },
    )
  }

  /** True when both sides have a version of `api`. */
  serves(api: Api): boolean {
    const theirs = this.versions.get(api.key)
    return theirs !== undefined && theirs.max >= api.valid.min && theirs.min <= api.valid.max
  }

  /** Sends a request; its answer. */
  request<Q extends Fields, P extends Fields>(
    api: Api<Q, P>,
    body: Body<Q>,
    options: RequestOptions = {},
  ): Promise<Decoded<P>> {
    return new Promise((resolve, reject) => {
      const version = this.versionOf(api as Api, options.versionMax)
      this.#send(api, version, bodyAt(body, version), {
        timeoutMs: this.#requestTimeoutMs + (options.extraMs ?? 0),
        take: (frame) => resolve(decodeFrame(api, version, frame)),
        fail: reject,
      })
    })
  }

  /** Sends a request that gets no answer (Produce with acks=0); resolves when the system has taken it. */
  tell<Q extends Fields, P extends Fields>(
    api: Api<Q, P>,
    body: Body<Q>,
    options: RequestOptions = {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const version = this.versionOf(api as Api, options.versionMax)
      if (this.#ended !== null) return reject(this.#ended)
      const frame = this.#encode(api, version, this.#next++, bodyAt(body, version))
      this.#socket.write(frame, (problem) =>
        problem ? reject(lost(this.address, problem.message)) : resolve(),
      )
    })
  }

  /** Ends the connection; what is under way fails. */
  close(): void {
    this.#end(new ClientError('CLOSED', `the connection to ${this.address} was closed here`))
  }

  /** Asks for versions and features anew. */
  async renegotiate(): Promise<void> {
    let version = ApiVersions.valid.max
    for (;;) {
      const answer = await this.#askVersions(version)
      if (answer.errorCode === ErrorCode.NONE) return this.#learn(answer)
      // A broker that is older answers in version 0 and, since KIP-511, says what it has.
      const known = answer.apiKeys.find(({ apiKey }) => apiKey === ApiVersions.key)
      const next = Math.min(known?.maxVersion ?? 0, version - 1)
      if (answer.errorCode !== ErrorCode.UNSUPPORTED_VERSION || next < 0) {
        throw new ClientError(
          'UNSUPPORTED_VERSION',
          `the broker at ${this.address} refuses to say what it speaks (error ${answer.errorCode})`,
          { address: this.address },
        )
      }
      version = next
    }
  }

  #askVersions(version: number): Promise<Decoded<(typeof ApiVersions)['response']['fields']>> {
    return new Promise((resolve, reject) => {
      this.#send(ApiVersions, version, version >= 3 ? SOFTWARE : {}, {
        timeoutMs: this.#requestTimeoutMs,
        take: (frame) => {
          const refused = new Reader(frame, 4).int16() === ErrorCode.UNSUPPORTED_VERSION
          resolve(decodeFrame(ApiVersions, refused ? 0 : version, frame))
        },
        fail: reject,
      })
    })
  }

  #learn(answer: Decoded<(typeof ApiVersions)['response']['fields']>): void {
    this.versions = new Map(
      answer.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
        apiKey,
        { min: minVersion, max: maxVersion },
      ]),
    )
    this.supportedFeatures = new Map(
      answer.supportedFeatures.map(({ name, minVersion, maxVersion }) => [
        name,
        { min: minVersion, max: maxVersion },
      ]),
    )
    this.finalizedFeatures = new Map(
      answer.finalizedFeatures.map(({ name, minVersionLevel, maxVersionLevel }) => [
        name,
        { min: minVersionLevel, max: maxVersionLevel },
      ]),
    )
    this.finalizedFeaturesEpoch = answer.finalizedFeaturesEpoch
  }

  #send<Q extends Fields, P extends Fields>(
    api: Api<Q, P>,
    version: number,
    body: Encodable<Q>,
    how: {
      timeoutMs: number
      take: (frame: Buffer) => void
      fail: (problem: ClientError) => void
    },
  ): void {
    if (this.#ended !== null) return how.fail(this.#ended)
    const correlationId = this.#next++
    if (this.#next > 0x7fffffff) this.#next = 1
    const frame = this.#encode(api, version, correlationId, body)
    const cancel = later(how.timeoutMs, () => {
      this.#end(
        new ClientError(
          'REQUEST_TIMED_OUT',
          `${this.address} did not answer ${api.name} within ${how.timeoutMs} ms`,
          { address: this.address },
          true,
        ),
      )
    })
    this.#waiting.set(correlationId, { name: api.name, take: how.take, fail: how.fail, cancel })
    this.#socket.write(frame)
  }

  // What a user typed may not fit the wire (a name of 40,000 characters): the table's assertion becomes an answer.
  #encode<Q extends Fields, P extends Fields>(
    api: Api<Q, P>,
    version: number,
    correlationId: number,
    body: Encodable<Q>,
  ): Uint8Array {
    try {
      return encodeRequestFrame(api, version, { correlationId, clientId: this.#clientId }, body)
    } catch (problem) {
      if (!(problem instanceof AssertionFailed)) throw problem
      throw new ClientError(
        'INVALID_ARGUMENT',
        `${api.name} version ${version} cannot carry this: ${problem.message}`,
        { address: this.address, cause: problem },
      )
    }
  }

  #read(bytes: Buffer): void {
    if (this.#ended !== null) return
    const wrong = this.#frames.push(bytes)
    if (wrong !== null) this.#end(malformed(this.address, wrong))
  }

  #receive(frame: Buffer): void {
    const correlationId = frame.length < 4 ? 0 : frame.readInt32BE(0)
    const waiting = this.#waiting.get(correlationId)
    if (waiting === undefined) {
      return this.#end(malformed(this.address, `an answer nobody waits for (${correlationId})`))
    }
    this.#waiting.delete(correlationId)
    waiting.cancel()
    try {
      waiting.take(frame)
    } catch (problem) {
      if (!(problem instanceof MalformedFrame)) throw problem
      const why = malformed(this.address, `${waiting.name}: ${problem.message}`)
      waiting.fail(why)
      this.#end(why)
    }
  }

  #end(why: ClientError): void {
    if (this.#ended !== null) return
    this.#ended = why
    this.#socket.destroy()
    for (const { cancel, fail } of this.#waiting.values()) {
      cancel()
      fail(why)
    }
    this.#waiting.clear()
  }
}

/** Cuts a stream into frames; a frame's memory is asked for once its length was found acceptable. */
class Frames {
  readonly #bytesMax: number
  readonly #give: (frame: Buffer) => void
  readonly #head = Buffer.alloc(4)
  #headBytes = 0
  #frame: Buffer | null = null
  #frameBytes = 0

  constructor(bytesMax: number, give: (frame: Buffer) => void) {
    this.#bytesMax = bytesMax
    this.#give = give
  }

  /** Takes what came; says what is wrong with it, or null. */
  push(bytes: Buffer): string | null {
    let at = 0
    while (at < bytes.length) {
      if (this.#frame === null) {
        const count = Math.min(4 - this.#headBytes, bytes.length - at)
        bytes.copy(this.#head, this.#headBytes, at, at + count)
        this.#headBytes += count
        at += count
        if (this.#headBytes < 4) return null
        const length = this.#head.readInt32BE(0)
        if (length < 4 || length > this.#bytesMax) return this.#refusal(length)
        this.#frame = Buffer.allocUnsafe(length)
        this.#frameBytes = 0
      }
      const frame = this.#frame
      const count = Math.min(frame.length - this.#frameBytes, bytes.length - at)
      bytes.copy(frame, this.#frameBytes, at, at + count)
      this.#frameBytes += count
      at += count
      if (this.#frameBytes < frame.length) return null
      this.#frame = null
      this.#headBytes = 0
      this.#give(frame)
    }
    return null
  }

  #refusal(length: number): string {
    if (this.#head.toString('latin1') === 'HTTP')
      return 'this is an HTTP server, not a Kafka broker'
    // A TLS alert: the listener expects TLS.
    if (this.#head[0] === 0x15 && this.#head[1] === 3) return 'this listener expects TLS'
    return `a frame of ${length} bytes, where 4 to ${this.#bytesMax} are taken`
  }
}

function decodeFrame<Q extends Fields, P extends Fields>(
  api: Api<Q, P>,
  version: number,
  frame: Buffer,
): Decoded<P> {
  const reader = new Reader(frame)
  reader.elementsLeft = ELEMENTS_MAX
  decodeFrom(ResponseHeader, responseHeaderVersion(api as Api, version), reader)
  return decodeFrom(api.response, version, reader)
}

function bodyAt<Q extends Fields>(body: Body<Q>, version: number): Encodable<Q> {
  return typeof body === 'function' ? body(version) : body
}

function dial(endpoint: Endpoint, address: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...endpoint, noDelay: true, keepAlive: true })
    const failed = (why: string) => {
      cancel()
      socket.destroy()
      const message = `cannot connect to ${address}: ${why}`
      reject(new ClientError('CONNECTION_FAILED', message, { address }, true))
    }
    const cancel = later(timeoutMs, () => failed(`no answer within ${timeoutMs} ms`))
    const onError = (problem: NodeJS.ErrnoException) => failed(reasonOf(problem))
    socket.once('error', onError)
    socket.once('connect', () => {
      cancel()
      socket.off('error', onError)
      resolve(socket)
    })
  })
}

function reasonOf(problem: NodeJS.ErrnoException): string {
  switch (problem.code) {
    case 'ECONNREFUSED':
      return 'nothing listens there (connection refused)'
    case 'ENOTFOUND':
      return 'the host name is not known'
    default:
      return problem.message || String(problem.code)
  }
}

function lost(address: string, why: string): ClientError {
  return new ClientError('CONNECTION_CLOSED', `${address}: ${why}`, { address }, true)
}

function malformed(address: string, what: string): ClientError {
  return new ClientError('MALFORMED_RESPONSE', `${address}: ${what}`, { address })
}

function refuseSecurity(options: ConnectionOptions): void {
  for (const name of ['tls', 'sasl'] as const) {
    if (options[name] !== undefined) {
      throw new ClientError(
        'NOT_SUPPORTED',
        `this client does not speak ${name.toUpperCase()} yet; use a PLAINTEXT listener`,
      )
    }
  }
}

// A TLS or SASL listener closes on a frame it does not understand: say what it may be.
function explainNegotiation(problem: unknown, address: string): unknown {
  if (!(problem instanceof ClientError) || problem.code !== 'CONNECTION_CLOSED') return problem
  const message =
    `${address} closed the connection at the first request; ` +
    'it may expect TLS, or be no Kafka broker'
  return new ClientError('CONNECTION_FAILED', message, { address, cause: problem }, true)
}
