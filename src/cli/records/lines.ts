// Lines of bytes from a stream: nothing is decoded, so what is no UTF-8 survives. A line ends with a line feed, with or
// without a carriage return before it, as Kafka's console producer reads it; the last one may end with the stream.

import { CliProblem, EXIT } from '../output/problems.ts'

/** The longest line that is taken: more than any broker takes as a record. */
const LINE_BYTES_MAX = 256 << 20
const LF = 10
const CR = 13

/** The lines that have come so far, each time some have. */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let rest: Buffer[] = []
  let restBytes = 0
  for await (const bytes of stream) {
    const lines: Buffer[] = []
    let from = 0
    for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, from)) {
      const tail = bytes.subarray(from, at)
      lines.push(withoutReturn(rest.length === 0 ? tail : Buffer.concat([...rest, tail])))
      rest = []
      restBytes = 0
      from = at + 1
    }
    if (from < bytes.length) {
      rest.push(bytes.subarray(from))
      restBytes += bytes.length - from
    }
    if (restBytes > LINE_BYTES_MAX) {
      throw new CliProblem(`a line is longer than ${LINE_BYTES_MAX} bytes`, EXIT.usage)
    }
    if (lines.length > 0) yield lines
  }
  if (restBytes > 0) yield [withoutReturn(Buffer.concat(rest))]
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line
}
