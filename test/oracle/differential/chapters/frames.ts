// Frames that no client library sends: unknown apis and versions, bodies cut short or too long, absurd lengths, and
// which side closes the connection.

import { apis } from '../../../../src/protocol/apis.ts'
import { collect, encodeInto } from '../../../../src/protocol/codec.ts'
import type { Api } from '../../../../src/protocol/dsl.ts'
import { encodeRequestFrame } from '../../../../src/protocol/headers.ts'
import { ApiVersions, Metadata } from '../../../../src/protocol/messages/metadata.ts'
import { ListOffsets } from '../../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../../src/protocol/messages/topics.ts'
import type { Listener } from '../sides.ts'
import type { Talk } from '../talk.ts'

const CORRELATION = 7

function framed(...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts)
  const out = Buffer.alloc(4 + body.length)
  out.writeInt32BE(body.length)
  body.copy(out, 4)
  return out
}

/** A request header in its first form: key, version, correlation id, client id. */
function header(
  key: number,
  version: number,
  clientId: string | null = 'raw',
  tags = false,
): Buffer {
  const name = Buffer.from(clientId ?? '')
  const out = Buffer.alloc(10 + name.length + (tags ? 1 : 0))
  out.writeInt16BE(key, 0)
  out.writeInt16BE(version, 2)
  out.writeInt32BE(CORRELATION, 4)
  out.writeInt16BE(clientId === null ? -1 : name.length, 8)
  name.copy(out, 10)
  return out
}

function whole(api: Api, version: number, body: object): Uint8Array {
  return encodeRequestFrame(api, version, { correlationId: CORRELATION, clientId: 'raw' }, body)
}

/** A frame with another body length and the length field right. */
function resized(frame: Uint8Array, by: number): Uint8Array {
  const body = Buffer.from(frame.subarray(4))
  return framed(by < 0 ? body.subarray(0, by) : Buffer.concat([body, Buffer.alloc(by)]))
}

export async function frames(talk: Talk): Promise<void> {
  for (const listener of ['broker', 'controller'] as const) {
    await lengths(talk, listener)
    await keys(talk, listener)
    await versions(talk, listener)
  }
  await bodies(talk)
  await elsewhere(talk)
}

async function lengths(talk: Talk, listener: Listener): Promise<void> {
  const length = (value: number) => {
    const out = Buffer.alloc(4)
    out.writeInt32BE(value)
    return out
  }
  const cases: Record<string, Uint8Array> = {
    'length 0': length(0),
    'length -1': length(-1),
    'length -2147483648': length(-2_147_483_648),
    'length too large': length(104_857_601),
    'length huge': length(0x7fffffff),
    'a length and nothing': length(20),
    'half a length': length(20).subarray(0, 2),
    'one byte': framed(Buffer.alloc(1)),
    'seven bytes': framed(header(18, 0).subarray(0, 7)),
    'no client id length': framed(header(18, 0).subarray(0, 8)),
    'a client id cut': framed(header(18, 0).subarray(0, 11)),
    http: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    tls: Buffer.from('16030100a5010000a10303', 'hex'),
  }
  for (const [label, bytes] of Object.entries(cases)) {
    await talk.bytes(label, bytes, CORRELATION, listener)
  }
}

async function keys(talk: Talk, listener: Listener): Promise<void> {
  for (const key of [-1, 4, 5, 6, 7, 93, 100, 1000, 0x7fff]) {
    await talk.bytes(`api ${key}`, framed(header(key, 0)), CORRELATION, listener)
  }
}

/** Versions around what each api has; ApiVersions alone is answered. */
async function versions(talk: Talk, listener: Listener): Promise<void> {
  for (const api of apis.values()) {
    if (!SERVED.has(api.name)) continue
    for (const version of [-1, api.valid.min - 1, api.valid.max + 1, 0x7fff]) {
      if (version >= api.valid.min && version <= api.valid.max) continue
      await talk.bytes(
        `${api.name} version ${version}`,
        framed(header(api.key, version)),
        CORRELATION,
        listener,
      )
      const flexible = framed(header(api.key, version), Buffer.alloc(3))
      await talk.bytes(`${api.name} version ${version}, flexible`, flexible, CORRELATION, listener)
    }
  }
}

const SERVED = new Set([
  'Produce',
  'Fetch',
  'ListOffsets',
  'Metadata',
  'ApiVersions',
  'CreateTopics',
  'InitProducerId',
  'DescribeCluster',
  'DescribeQuorum',
  'Vote',
  'BrokerHeartbeat',
])

async function bodies(talk: Talk): Promise<void> {
  const software = { clientSoftwareName: 'raw', clientSoftwareVersion: '1' }
  const examples: [Api, number, object][] = [
    [ApiVersions as unknown as Api, 3, software],
    [Metadata as unknown as Api, 12, { topics: [{ name: 'plain-7' }] }],
    [Metadata as unknown as Api, 1, { topics: [{ name: 'plain-7' }] }],
    [
      CreateTopics as unknown as Api,
      7,
      { topics: [{ name: 'framed', numPartitions: 1, replicationFactor: 1 }], validateOnly: true },
    ],
    [ListOffsets as unknown as Api, 1, { replicaId: -1, topics: [] }],
    [Produce as unknown as Api, 9, { acks: 1, timeoutMs: 1, topicData: [] }],
    [Produce as unknown as Api, 3, { acks: 1, timeoutMs: 1, topicData: [] }],
    [Fetch as unknown as Api, 12, { maxWaitMs: 0, minBytes: 0, topics: [{ topic: 'nowhere' }] }],
    [Fetch as unknown as Api, 4, { maxWaitMs: 0, minBytes: 0, topics: [{ topic: 'nowhere' }] }],
  ]
  for (const [api, version, body] of examples) {
    const frame = whole(api, version, body)
    const label = (what: string) => `${api.name} ${version}: ${what}`
    const asked = [api, version] as const
    const ask = (what: string, bytes: Uint8Array) =>
      talk.bytes(label(what), bytes, CORRELATION, 'broker', asked)
    await ask('whole', frame)
    for (const by of [-1, -2, -5, 1, 4, 100]) {
      await ask(by < 0 ? `cut by ${-by}` : `${by} more`, resized(frame, by))
    }
    await ask('no body', framed(header(api.key, version)))
  }
  const old = (count: number) => {
    const out = Buffer.alloc(4)
    out.writeInt32BE(count)
    return out
  }
  const ask = (label: string, bytes: Uint8Array, version = 1) =>
    talk.bytes(label, bytes, CORRELATION, 'broker', [Metadata as unknown as Api, version])
  for (const count of [-2, 5, 0x7fffffff]) {
    await ask(`Metadata 1: ${count} topics`, framed(header(3, 1), old(count)))
  }
  await ask('Metadata 0: null topics', framed(header(3, 0), old(-1)), 0)
  await ask('no client id', framed(header(3, 1, null), old(0)))
  await ask('an empty client id', framed(header(3, 1, ''), old(0)))
  await ask('bad UTF-8', framed(header(3, 1), old(1), Buffer.from([0, 2, 0xff, 0xfe])))
  await tagged(talk)
}

async function tagged(talk: Talk): Promise<void> {
  const body = collect((out) =>
    encodeInto(Metadata.request, 12, { topics: [{ name: 'plain-7' }] }, out),
  )
  const with_ = (headerTags: number[], bodyTags: number[]) =>
    framed(header(3, 12), Buffer.from(headerTags), body.subarray(0, -1), Buffer.from(bodyTags))
  const ask = (label: string, bytes: Uint8Array) =>
    talk.bytes(label, bytes, CORRELATION, 'broker', [Metadata as unknown as Api, 12])
  await ask('tags: none', with_([0], [0]))
  await ask('tags: one in the body', with_([0], [1, 99, 2, 1, 2]))
  await ask('tags: one in the header', with_([1, 99, 2, 1, 2], [0]))
  await ask('tags: two', with_([0], [2, 3, 1, 1, 9, 1, 2]))
  await ask('tags: out of order', with_([0], [2, 9, 1, 1, 3, 1, 2]))
  await ask('tags: one twice', with_([0], [2, 9, 1, 1, 9, 1, 2]))
  await ask('tags: longer than the frame', with_([0], [1, 9, 50, 1]))
  await ask('tags: a count without end', with_([0], [255, 255, 255, 255, 255, 255]))
}

/** What one kind of listener serves, asked of the other. */
async function elsewhere(talk: Talk): Promise<void> {
  const atController: [number, number][] = [
    [0, 9],
    [2, 5],
    [3, 1],
    [10, 1],
    [74, 0],
    [75, 0],
    [61, 0],
    [22, 1],
    [35, 1],
  ]
  for (const [key, version] of atController) {
    await talk.bytes(
      `api ${key} at the controller`,
      framed(header(key, version), Buffer.alloc(12)),
      CORRELATION,
      'controller',
    )
  }
  for (const key of [52, 53, 54, 59, 62, 63, 67, 56, 70, 58, 73]) {
    await talk.bytes(
      `api ${key} at the broker`,
      framed(header(key, 0), Buffer.alloc(12)),
      CORRELATION,
    )
  }
}
