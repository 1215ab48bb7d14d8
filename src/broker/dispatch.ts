// Dispatch: a frame becomes a request, finds its handler, and its answer finds the way back.
//
// Invariants: what is registered is what ApiVersions says, so it cannot lie; a frame that cannot be read, or an
// api or version that is not served, closes the connection and the log says who and which (ApiVersions alone is
// answered in version 0);
// a handler that throws is a bug: it is logged with its stack, and the connection closes.
// Kafka: KafkaApis.handle, RequestContext, SocketServer.processCompletedReceives.

import { MalformedFrame, Reader } from '../lib/bytes.ts'
import type { Log } from '../lib/log.ts'
import type { ConnId, DataPlane } from '../plane/plane.ts'
import { apiName, apis } from '../protocol/apis.ts'
import { decodeFrom } from '../protocol/codec.ts'
import {
  type Api,
  contains,
  type EncodableOf,
  type RequestOf,
  type Versions,
  versions,
} from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { decodeRequestHeader, encodeResponseFrame, peekApi } from '../protocol/headers.ts'
import { ApiVersions } from '../protocol/messages/metadata.ts'
import type { Listener, Session } from './session.ts'

/** What a handler knows about the request besides its body. */
export interface RequestContext {
  readonly session: Session
  readonly version: number
  readonly correlationId: number
  readonly clientId: string | null
}

type Response<A> = A extends { response: infer M } ? EncodableOf<M> : never
/** Null: no response is owed. */
export type Handler<A extends Api> = (
  request: RequestOf<A>,
  context: RequestContext,
) => Response<A> | null | Promise<Response<A> | null>

interface Served {
  readonly api: Api
  readonly versions: Versions
  /** The range ApiVersions tells; wider than served only for Produce (KAFKA-18659). */
  readonly advertised: Versions
  readonly handler: Handler<Api> | null
}

/** The apis one kind of listener serves. */
export class ServedApis {
  private readonly byKey = new Map<number, Served>()

  /** Registers a handler for a range of versions. */
  serve<A extends Api>(api: A, range: string, handler: Handler<A>): this {
    const served = versions(range)
    this.byKey.set(api.key, {
      api,
      versions: served,
      advertised: served,
      handler: handler as unknown as Handler<Api>,
    })
    return this
  }

  /** Registers what the data plane serves by itself. */
  servedBelow(api: Api, range: string, advertised = range): this {
    const row = { api, versions: versions(range), advertised: versions(advertised), handler: null }
    this.byKey.set(api.key, row)
    return this
  }

  find(key: number, version: number): Served | undefined {
    const served = this.byKey.get(key)
    return served !== undefined && contains(served.versions, version) ? served : undefined
  }

  /** Rows of an ApiVersions response, by key. */
  rows(): { apiKey: number; minVersion: number; maxVersion: number }[] {
    return [...this.byKey.values()]
      .map(({ api, advertised }) => ({
        apiKey: api.key,
        minVersion: advertised.min,
        maxVersion: advertised.max,
      }))
      .sort((a, b) => a.apiKey - b.apiKey)
  }
}

/** Sessions and requests of every listener. */
export class Dispatch {
  private readonly sessions = new Map<ConnId, Session>()
  private readonly plane: DataPlane
  private readonly log: Log
  private readonly listeners = new Map<number, { listener: Listener; served: ServedApis }>()
  private inFlight = 0

  constructor(plane: DataPlane, log: Log) {
    this.plane = plane
    this.log = log
  }

  addListener(listener: Listener, served: ServedApis): void {
    this.listeners.set(listener.number, { listener, served })
  }

  /** Requests that wait for their handler. */
  get pending(): number {
    return this.inFlight
  }

  connected(conn: ConnId, listenerNumber: number, peerHost: string, peerPort: number): void {
    const listener = this.listeners.get(listenerNumber)?.listener
    if (listener === undefined) return this.plane.hangup(conn)
    this.sessions.set(conn, {
      conn,
      listener,
      peerHost,
      peerPort,
      clientSoftwareName: 'unknown',
      clientSoftwareVersion: 'unknown',
    })
  }

  disconnected(conn: ConnId): void {
    this.sessions.delete(conn)
  }

  request(conn: ConnId, requestId: number, listenerNumber: number, frame: Uint8Array): void {
    const session = this.sessions.get(conn)
    const served = this.listeners.get(listenerNumber)?.served
    if (session === undefined || served === undefined) return this.plane.hangup(conn)
    try {
      this.start(session, served, requestId, new Reader(frame))
    } catch (problem) {
      if (!(problem instanceof MalformedFrame)) throw problem
      this.refuse(session, `malformed request: ${problem.message}`)
    }
  }

  private start(session: Session, served: ServedApis, requestId: number, reader: Reader): void {
    const { key, version } = peekApi(reader)
    const found = served.find(key, version)
    if (found === undefined || found.handler === null) {
      return this.unserved(session, served, requestId, reader, key, version)
    }
    const { api, handler } = found
    const header = decodeRequestHeader(api, version, reader)
    const request = decodeFrom(api.request, version, reader)
    const { correlationId, clientId } = header
    const context: RequestContext = { session, version, correlationId, clientId }
    const answer = (response: object | null) =>
      this.reply(session.conn, requestId, api, version, correlationId, response)
    // What cannot be encoded is as much a bug as a handler that throws, and costs one connection too.
    const failed = (problem: unknown) => {
      if (problem instanceof MalformedFrame) this.refuse(session, `malformed: ${problem.message}`)
      else this.fail(session, api, version, problem)
    }
    let result: ReturnType<Handler<Api>>
    try {
      result = handler(request, context)
      if (!(result instanceof Promise)) return answer(result)
    } catch (problem) {
      return failed(problem)
    }
    this.inFlight++
    result
      .then(answer)
      .catch(failed)
      .finally(() => this.inFlight--)
  }

  private reply(
    conn: ConnId,
    requestId: number,
    api: Api,
    version: number,
    correlationId: number,
    response: object | null,
  ): void {
    if (!this.sessions.has(conn)) return
    if (response === null) return this.plane.reply(conn, requestId, null)
    const frame = encodeResponseFrame(api, version, correlationId, response)
    this.plane.reply(conn, requestId, frame.subarray(4))
  }

  /** KIP-35: an unknown version of ApiVersions is answered so that the client can choose another. */
  private unserved(
    session: Session,
    served: ServedApis,
    requestId: number,
    reader: Reader,
    key: number,
    version: number,
  ): void {
    const known = apis.get(key)
    if (key === ApiVersions.key && known !== undefined) {
      const { correlationId } = decodeRequestHeader(known, version, reader)
      const apiKeys = served.rows().filter(({ apiKey }) => apiKey === key)
      const response = { errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys }
      return this.reply(session.conn, requestId, ApiVersions, 0, correlationId, response)
    }
    this.refuse(session, `${apiName(key)} version ${version} is not served here`)
  }

  private refuse(session: Session, why: string): void {
    const { peerHost, peerPort, clientSoftwareName, clientSoftwareVersion, listener } = session
    this.log.warn(`closing a connection: ${why}`, {
      peer: `${peerHost}:${peerPort}`,
      listener: listener.name,
      software: `${clientSoftwareName} ${clientSoftwareVersion}`,
    })
    this.plane.hangup(session.conn)
  }

  /** A bug of ours: the client gets a closed connection, we get a stack. */
  private fail(session: Session, api: Api, version: number, problem: unknown): void {
    const stack = problem instanceof Error ? problem.stack : String(problem)
    this.log.error(`${api.name} version ${version} failed`, { stack })
    this.plane.hangup(session.conn)
  }
}
