// Uuids as Kafka writes them: 16 bytes on the wire, 22 characters of unpadded base64url everywhere
// else (Kafka: org.apache.kafka.common.Uuid). In this program a uuid IS the string: it compares with
// ===, is a Map key, and prints. Invariant: the string is canonical, so equal bytes give equal strings.

import { assert } from './assert.ts'

/** A uuid in Kafka's text form: 22 characters of base64url. */
export type Uuid = string

/** Sixteen zero bytes: "no uuid". */
export const ZERO_UUID: Uuid = 'AAAAAAAAAAAAAAAAAAAAAA'
/** Fifteen zero bytes and a one. Kafka reserves it: once the id of `__cluster_metadata`. */
export const ONE_UUID: Uuid = 'AAAAAAAAAAAAAAAAAAAAAQ'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const VALUES = new Int8Array(128).fill(-1)
for (let i = 0; i < 64; i++) VALUES[ALPHABET.charCodeAt(i)] = i

/** The text form of the 16 bytes at `offset`. The caller has checked that they are there. */
export function uuidToString(bytes: Uint8Array, offset = 0): Uuid {
  assert(offset >= 0 && offset + 16 <= bytes.length, 'uuid: 16 bytes are needed')
  let text = ''
  for (let i = offset; i < offset + 15; i += 3) {
    const word = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    text +=
      ALPHABET[word >>> 18]! +
      ALPHABET[(word >>> 12) & 63]! +
      ALPHABET[(word >>> 6) & 63]! +
      ALPHABET[word & 63]!
  }
  const last = bytes[offset + 15]!
  return text + ALPHABET[last >>> 2]! + ALPHABET[(last & 3) << 4]!
}

/** Writes the 16 bytes of `uuid` at `offset`. The text must satisfy `isUuid`. */
export function uuidToBytes(
  uuid: Uuid,
  out: Uint8Array = new Uint8Array(16),
  offset = 0,
): Uint8Array {
  assert(isUuid(uuid), `uuid: not canonical base64url of 16 bytes: ${uuid}`)
  assert(offset >= 0 && offset + 16 <= out.length, 'uuid: 16 bytes are needed')
  for (let i = 0, o = offset; i < 20; i += 4, o += 3) {
    const word =
      (valueAt(uuid, i) << 18) |
      (valueAt(uuid, i + 1) << 12) |
      (valueAt(uuid, i + 2) << 6) |
      valueAt(uuid, i + 3)
    out[o] = word >>> 16
    out[o + 1] = word >>> 8
    out[o + 2] = word
  }
  out[offset + 15] = (valueAt(uuid, 20) << 2) | (valueAt(uuid, 21) >>> 4)
  return out
}

/** True for the canonical text of 16 bytes: right length, right alphabet, no stray low bits. */
export function isUuid(text: string): boolean {
  if (text.length !== 22) return false
  for (let i = 0; i < 22; i++) if (valueAt(text, i) < 0) return false
  return (valueAt(text, 21) & 15) === 0
}

/** Kafka's reading of a uuid a person typed: `=` padding and stray low bits are forgiven. */
export function parseUuid(text: string): Uuid | null {
  const bare = text.replace(/={1,2}$/, '')
  if (bare.length !== 22) return null
  for (let i = 0; i < 22; i++) if (valueAt(bare, i) < 0) return null
  return bare.slice(0, 21) + ALPHABET[valueAt(bare, 21) & 48]!
}

function valueAt(text: string, index: number): number {
  const code = text.charCodeAt(index)
  return code < 128 ? VALUES[code]! : -1
}
