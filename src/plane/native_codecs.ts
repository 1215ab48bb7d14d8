// The codecs of record batches for whoever reads or writes batches in this process without a plane: our own client.
// They are the data plane's own (native/base/compress.h), so what we produce is framed as Kafka frames it, and bytes
// from strangers are bounded: output stops at `outBytesMax`. One call, one batch, on the caller's thread.
// Kafka: org.apache.kafka.common.compress.

import { MalformedFrame } from '../lib/bytes.ts'
import { COMPRESSION, type Compression } from '../protocol/record_batch.ts'
import { loadAddon } from './native.ts'
import { PlaneError } from './plane.ts'

/** What a decompressed batch may grow to when the caller says nothing: 256 MiB. */
export const DECOMPRESSED_BYTES_MAX = 256 << 20
/** Code::kTooLarge of native/base/status.h. */
const TOO_LARGE = 9

/** The records of a batch, compressed at Kafka's default level of the codec. */
export function compress(compression: Compression, bytes: Uint8Array): Uint8Array {
  if (compression === 'none') return bytes
  const out = loadAddon().compress(COMPRESSION.indexOf(compression), bytes)
  if (typeof out !== 'number') return out
  throw new PlaneError('CODEC', `${compression} refused ${bytes.length} bytes (code ${out})`)
}

/** The records of a compressed batch. Raises MalformedFrame: not what the codec writes, or more than the limit. */
export function decompress(
  compression: Compression,
  bytes: Uint8Array,
  outBytesMax = DECOMPRESSED_BYTES_MAX,
): Uint8Array {
  if (compression === 'none') return bytes
  const out = loadAddon().decompress(COMPRESSION.indexOf(compression), bytes, outBytesMax)
  if (typeof out !== 'number') return out
  const wanted =
    out === TOO_LARGE ? `at most ${outBytesMax} decompressed bytes` : `${compression} data`
  throw new MalformedFrame(0, wanted)
}
