// What stands before every request and response: a frame length, then a header whose version follows
// from the api and its version. Request header 2 and response header 1 go with flexible versions; the
// client id stays in the old form even there, so that any node can read it. The response to ApiVersions
// always has header 0: the client does not know yet what the node speaks (KIP-511).
// Kafka: RequestHeader, ResponseHeader, ApiKeys.requestHeaderVersion.

import type { Reader } from '../lib/bytes.ts'
import { collect, decodeFrom, encodeInto } from './codec.ts'
import {
  type Api,
  contains,
  type DecodedOf,
  type Encodable,
  type Fields,
  int16,
  int32,
  message,
  string,
} from './dsl.ts'
import { ApiVersions } from './messages/metadata.ts'

export const RequestHeader = message(
  'header',
  null,
  'RequestHeader',
  { valid: '1-2', flexible: '2+' },
  {
    requestApiKey: int16(),
    requestApiVersion: int16(),
    correlationId: int32(),
    clientId: string({ nullable: true, flexible: false }),
  },
)

export const ResponseHeader = message(
  'header',
  null,
  'ResponseHeader',
  { valid: '0-1', flexible: '1+' },
  { correlationId: int32() },
)

/** A request's header as read. */
export type RequestHeaderValue = DecodedOf<typeof RequestHeader>

/** The header version that requests of `api` at `version` carry. */
export function requestHeaderVersion(api: Api, version: number): 1 | 2 {
  return contains(api.flexible, version) ? 2 : 1
}

/** The header version that responses of `api` at `version` carry. */
export function responseHeaderVersion(api: Api, version: number): 0 | 1 {
  return contains(api.flexible, version) && api.key !== ApiVersions.key ? 1 : 0
}

/** The key and version of the request at the reader, which is not moved. */
export function peekApi(reader: Reader): { key: number; version: number } {
  const start = reader.offset
  const key = reader.int16()
  const version = reader.int16()
  reader.offset = start
  return { key, version }
}

/** Reads the header of a request to `api`; `version` comes from peekApi and need not be a valid one. */
export function decodeRequestHeader(api: Api, version: number, reader: Reader): RequestHeaderValue {
  return decodeFrom(RequestHeader, requestHeaderVersion(api, version), reader)
}

/** A whole request frame: length, header, body. */
export function encodeRequestFrame<Q extends Fields, P extends Fields>(
  api: Api<Q, P>,
  version: number,
  header: { readonly correlationId: number; readonly clientId: string | null },
  body: Encodable<Q>,
): Uint8Array {
  return framed((out) => {
    const { correlationId, clientId } = header
    encodeInto(
      RequestHeader,
      requestHeaderVersion(api, version),
      { requestApiKey: api.key, requestApiVersion: version, correlationId, clientId },
      out,
    )
    encodeInto(api.request, version, body, out)
  })
}

/** A whole response frame: length, header, body. */
export function encodeResponseFrame<Q extends Fields, P extends Fields>(
  api: Api<Q, P>,
  version: number,
  correlationId: number,
  body: Encodable<P>,
): Uint8Array {
  return framed((out) => {
    encodeInto(ResponseHeader, responseHeaderVersion(api, version), { correlationId }, out)
    encodeInto(api.response, version, body, out)
  })
}

function framed(write: Parameters<typeof collect>[0]): Uint8Array {
  return collect((out) => {
    out.int32(0)
    write(out)
    const end = out.offset
    out.offset = 0
    out.int32(end - 4)
    out.offset = end
  })
}
