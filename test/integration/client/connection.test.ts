// A connection against peers that are old, foreign, silent or broken: every request ends, and says why.

import { expect, test } from 'vitest'
import type { ClientError } from '../../../src/client/client_error.ts'
import { Connection } from '../../../src/client/connection.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { encodeResponseFrame } from '../../../src/protocol/headers.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { Peer, type Script, versionsFrame } from './peer.ts'

const API_VERSIONS = 18
const APIS = [
  [API_VERSIONS, 0, 4],
  [3, 0, 5],
] as const
/** Speaks properly until the versions are known, then follows the script. */
const behind =
  (script: Script): Script =>
  (asked) =>
    asked.apiKey === API_VERSIONS
      ? versionsFrame(asked.correlationId, asked.version, APIS)
      : script(asked)

async function failure(work: Promise<unknown>): Promise<ClientError> {
  return await work.then(
    () => Promise.reject(new Error('it did not fail')),
    (problem) => problem,
  )
}

test('client: connection: a broker older than our ApiVersions is asked in its version', async () => {
  await using peer = await Peer.start(({ version, correlationId }) =>
    version > 2
      ? versionsFrame(correlationId, 0, [[API_VERSIONS, 0, 2]], ErrorCode.UNSUPPORTED_VERSION)
      : versionsFrame(correlationId, version, APIS),
  )
  const connection = await Connection.open(peer.endpoint)
  expect(peer.asked.map(({ version }) => version)).toEqual([4, 2])
  expect(connection.versionOf(Metadata)).toBe(5)
  expect(connection.serves(CreateTopics)).toBe(false)
  connection.close()
})

test('client: connection: an older one that says nothing is asked in version 0', async () => {
  await using peer = await Peer.start(({ version, correlationId }) =>
    version > 0
      ? versionsFrame(correlationId, 0, [], ErrorCode.UNSUPPORTED_VERSION)
      : versionsFrame(correlationId, 0, APIS),
  )
  const connection = await Connection.open(peer.endpoint)
  expect(peer.asked.map(({ version }) => version)).toEqual([4, 0])
  const problem = await failure(connection.request(CreateTopics, {}))
  expect(problem.code).toBe('UNSUPPORTED_VERSION')
  expect(problem.message).toContain('CreateTopics not at all')
  connection.close()
})

test('client: connection: answers may come in any order', async () => {
  const held: Uint8Array[] = []
  await using peer = await Peer.start(
    behind(({ correlationId, version, socket }) => {
      held.push(
        encodeResponseFrame(Metadata, version, correlationId, { clusterId: `c${held.length}` }),
      )
      if (held.length === 3) for (const frame of held.reverse()) socket.write(frame)
      return null
    }),
  )
  const connection = await Connection.open(peer.endpoint)
  const answers = await Promise.all(
    [0, 1, 2].map(() => connection.request(Metadata, { topics: [] })),
  )
  expect(answers.map(({ clusterId }) => clusterId)).toEqual(['c0', 'c1', 'c2'])
  connection.close()
})

test('client: connection: a frame cut into single bytes is a frame', async () => {
  await using peer = await Peer.start(
    behind(({ correlationId, version, socket }) => {
      const frame = encodeResponseFrame(Metadata, version, correlationId, { clusterId: 'bytes' })
      for (const byte of frame) socket.write(new Uint8Array([byte]))
      return null
    }),
  )
  const connection = await Connection.open(peer.endpoint)
  expect((await connection.request(Metadata, { topics: [] })).clusterId).toBe('bytes')
  connection.close()
})

test.each([
  ['a frame over the limit', [0x7f, 0xff, 0xff, 0xff], /frame of 2147483647 bytes/],
  ['a frame of no size', [0, 0, 0, 0], /frame of 0 bytes/],
  ['an answer nobody waits for', [0, 0, 0, 4, 0, 0, 9, 9], /nobody waits for/],
  ['an answer cut short', [0, 0, 0, 5, 0, 0, 0, 2, 0], /Metadata: malformed/],
])('client: connection: %s ends it in words', async (_, bytes, words) => {
  await using peer = await Peer.start(behind(() => new Uint8Array(bytes)))
  const connection = await Connection.open(peer.endpoint)
  const problem = await failure(connection.request(Metadata, { topics: [] }))
  expect(problem).toMatchObject({ code: 'MALFORMED_RESPONSE', isRetriable: false })
  expect(problem.message).toMatch(words)
  expect(connection.isClosed).toBe(true)
  expect((await failure(connection.request(Metadata, {}))).code).toBe('MALFORMED_RESPONSE')
})

test('client: connection: silence ends with the deadline, and takes along what waits behind', async () => {
  await using peer = await Peer.start(behind(() => null))
  const connection = await Connection.open(peer.endpoint, { requestTimeoutMs: 100 })
  const problems = await Promise.all([
    failure(connection.request(Metadata, { topics: [] })),
    failure(connection.request(Metadata, { topics: [] }, { extraMs: 60_000 })),
  ])
  for (const { code } of problems) expect(code).toBe('REQUEST_TIMED_OUT')
  expect(problems[0].message).toContain('did not answer Metadata within 100 ms')
})

test('client: connection: what is no broker is named', async () => {
  const http = new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n')
  await using web = await Peer.start(() => http)
  expect((await failure(Connection.open(web.endpoint))).message).toContain('HTTP server')
  await using tls = await Peer.start(() => new Uint8Array([0x15, 3, 3, 0, 2, 2, 0x46]))
  expect((await failure(Connection.open(tls.endpoint))).message).toContain('expects TLS')
  await using closing = await Peer.start(({ socket }) => {
    socket.destroy()
    return null
  })
  expect(await failure(Connection.open(closing.endpoint))).toMatchObject({
    code: 'CONNECTION_FAILED',
  })
  const gone = closing.endpoint
  await closing[Symbol.asyncDispose]()
  expect((await failure(Connection.open(gone))).message).toContain('nothing listens there')
})

test('client: connection: TLS and SASL are refused before anything is sent', async () => {
  await using peer = await Peer.start(() => null)
  for (const options of [{ tls: {} }, { sasl: { mechanism: 'PLAIN' } }]) {
    expect((await failure(Connection.open(peer.endpoint, options))).code).toBe('NOT_SUPPORTED')
  }
  expect(peer.asked).toEqual([])
})
