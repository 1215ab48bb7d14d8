// (message, version) → encoder and decoder, made on first use and kept. They are compiled with
// `new Function` from straight-line code; `useInterpreter(true)` switches to the closure interpreter, for
// processes that forbid code generation from strings. Both walk the same shapes and are tested as equal.
// Errors: decoding raises MalformedFrame and nothing else; encoding what a version cannot carry is a bug
// of ours, hence an assertion. Trailing bytes are the caller's business (Kafka ignores them in requests).
// Kafka: org.apache.kafka.message.MessageDataGenerator, KIP-482.

import { Reader, Writer } from '../lib/bytes.ts'
import { compile } from './codec_compiled.ts'
import { interpret } from './codec_interpreted.ts'
import type { Api, Decoded, Encodable, Fields, Message } from './dsl.ts'
import { contains } from './dsl.ts'
import { shapeOf } from './shape.ts'

/** Encoder and decoder of one message at one version. */
export interface VersionCodec {
  readonly encode: (value: object, writer: Writer) => void
  readonly decode: (reader: Reader) => object
}

const KEPT_BYTES_MAX = 1 << 20
let codecs = new WeakMap<Message, VersionCodec[]>()
let interpreted = false
let idle: Writer | null = null

/** Chooses closures (true) or compiled functions (false, the default) for codecs made from now on. */
export function useInterpreter(on: boolean): void {
  interpreted = on
  codecs = new WeakMap()
}

/** The codec of `message` at `version`, which must be valid. */
export function codecOf(message: Message, version: number): VersionCodec {
  let versions = codecs.get(message)
  if (versions === undefined) codecs.set(message, (versions = []))
  return (versions[version] ??= makeCodec(message, version))
}

function makeCodec(message: Message, version: number): VersionCodec {
  const shape = shapeOf(message, version)
  const where = `${message.name} v${version}`
  return interpreted ? interpret(shape, where) : compile(shape, where)
}

/** True when the table has `version`. */
export function hasVersion(message: Message | Api, version: number): boolean {
  return contains(message.valid, version)
}

/** Appends `value` to `out`. */
export function encodeInto<F extends Fields>(
  message: Message<F>,
  version: number,
  value: Encodable<F>,
  out: Writer,
): void {
  codecOf(message, version).encode(value, out)
}

/** Reads one message from `reader` and leaves it behind the last byte used. */
export function decodeFrom<F extends Fields>(
  message: Message<F>,
  version: number,
  reader: Reader,
): Decoded<F> {
  return codecOf(message, version).decode(reader) as Decoded<F>
}

/** The bytes of `value`. */
export function encode<F extends Fields>(
  message: Message<F>,
  version: number,
  value: Encodable<F>,
): Uint8Array {
  return collect((out) => codecOf(message, version).encode(value, out))
}

/** The message that `bytes` hold, all of them: bytes left over are malformed. */
export function decode<F extends Fields>(
  message: Message<F>,
  version: number,
  bytes: Uint8Array,
): Decoded<F> {
  const reader = new Reader(bytes)
  const value = decodeFrom(message, version, reader)
  reader.finish()
  return value
}

/** The body of a request, without header. */
export function encodeRequest<Q extends Fields, P extends Fields>(
  api: Api<Q, P>,
  version: number,
  value: Encodable<Q>,
): Uint8Array {
  return encode(api.request, version, value)
}

/** The body of a request; the reader stands behind the header. */
export function decodeRequest<Q extends Fields, P extends Fields>(
  api: Api<Q, P>,
  version: number,
  reader: Reader,
): Decoded<Q> {
  return decodeFrom(api.request, version, reader)
}

/** The body of a response, without header. */
export function encodeResponse<Q extends Fields, P extends Fields>(
  api: Api<Q, P>,
  version: number,
  value: Encodable<P>,
): Uint8Array {
  return encode(api.response, version, value)
}

/** The body of a response; the reader stands behind the header. */
export function decodeResponse<Q extends Fields, P extends Fields>(
  api: Api<Q, P>,
  version: number,
  reader: Reader,
): Decoded<P> {
  return decodeFrom(api.response, version, reader)
}

/** Runs `write` on a writer that is reused between calls and returns a copy of what it wrote. */
export function collect(write: (out: Writer) => void): Uint8Array {
  // Taken while in use, so that a collect inside a collect gets another; a failed assertion loses it.
  const mine = idle ?? new Writer(4096)
  idle = null
  mine.reset()
  write(mine)
  const bytes = mine.copy()
  if (mine.bytes.length <= KEPT_BYTES_MAX) idle = mine
  return bytes
}
