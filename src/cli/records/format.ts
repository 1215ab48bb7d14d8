// A record as `ottla consume` prints it: its value and a line feed, a format of its own, or JSON. Keys and values are
// written as the bytes they are, so what was produced comes out again; JSON says base64 where bytes are no text.

import { InvalidArgumentError } from 'commander'
import type { ConsumerRecord } from '../../client/record_data.ts'
import { formatJson } from '../../protocol/json.ts'
import { bytesToJson } from '../output/output.ts'
import { CliProblem } from '../output/problems.ts'
import { unescaped } from './escapes.ts'

/** Writes records one after the other into pieces of output. */
export type RecordFormat = (record: ConsumerRecord, into: Uint8Array[]) => void

const LF = Buffer.from('\n')
const NOTHING = new Uint8Array(0)
const text = (value: string | number): Uint8Array => Buffer.from(String(value))
const sizeOf = (bytes: Uint8Array | null): number => bytes?.length ?? -1

const FIELDS: Readonly<Record<string, (record: ConsumerRecord) => Uint8Array>> = {
  t: ({ topic }) => text(topic),
  p: ({ partition }) => text(partition),
  o: ({ offset }) => text(offset),
  T: ({ timestamp }) => text(timestamp),
  k: ({ key }) => key ?? NOTHING,
  v: ({ value }) => value ?? NOTHING,
  K: ({ key }) => text(sizeOf(key)),
  V: ({ value }) => text(sizeOf(value)),
  h: ({ headers }) =>
    Buffer.concat(
      headers.flatMap(({ key, value }, i) => [
        text(`${i === 0 ? '' : ','}${key}=`),
        value ?? NOTHING,
      ]),
    ),
}

/** The value, and a line feed. */
export const valueFormat: RecordFormat = ({ value }, into) => {
  if (value !== null) into.push(value)
  into.push(LF)
}

/** One JSON object a line, as `ottla produce --json` reads it. */
export const jsonFormat: RecordFormat = (record, into) => {
  const { topic, partition, offset, timestamp, key, value, headers } = record
  const json = formatJson({
    topic,
    partition,
    offset,
    timestamp,
    key: bytesToJson(key),
    value: bytesToJson(value),
    headers: headers.map((header) => ({ key: header.key, value: bytesToJson(header.value) })),
  })
  into.push(Buffer.from(`${json}\n`))
}

/** What `--format` says. Raises CliProblem where it says nothing. */
export function customFormat(format: string): RecordFormat {
  const parts = format.split(/(%[\s\S]?)/).filter((part) => part !== '')
  const writers = parts.map((part): ((record: ConsumerRecord) => Uint8Array) => {
    if (!part.startsWith('%')) {
      const bytes = literal(part)
      return () => bytes
    }
    if (part === '%%') return () => text('%')
    const field = FIELDS[part.slice(1)]
    if (field !== undefined) return field
    throw new CliProblem(`--format: ${part} is none of %t %p %o %k %v %h %T %K %V %%`)
  })
  return (record, into) => {
    for (const write of writers) into.push(write(record))
  }
}

// \xff is the byte 255, not the two bytes of U+00FF: what is escaped is bytes, what is not is UTF-8.
function literal(part: string): Uint8Array {
  const pieces = part.split(/(\\x[0-9a-fA-F]{2})/).filter((piece) => piece !== '')
  return Buffer.concat(
    pieces.map((piece) => {
      if (/^\\x[0-9a-fA-F]{2}$/.test(piece)) return Buffer.from(piece.slice(2), 'hex')
      try {
        return Buffer.from(unescaped(piece))
      } catch (problem) {
        if (problem instanceof InvalidArgumentError) {
          throw new CliProblem(`--format: ${problem.message}`)
        }
        throw problem
      }
    }),
  )
}
