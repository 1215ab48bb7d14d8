// A line of `ottla produce` as a record: a value, a key and a value, or a JSON object. What cannot be read says why;
// the caller knows the line's number.

import type { BytesOrText, ProducerRecord } from '../../client/record_data.ts'
import { parseTime } from '../admin/values.ts'

/** How lines are read. */
export interface LineOptions {
  readonly topic: string
  readonly isJson: boolean
  readonly isBase64: boolean
  readonly isEmptyNull: boolean
  readonly keySeparator: Buffer | null
  readonly headers: readonly { readonly key: string; readonly value: BytesOrText | null }[]
  readonly partition: number | undefined
}

/** A line that is no record; the message is for people. */
export class LineError extends Error {
  override readonly name = 'LineError'
}

/** The record of a line. Raises LineError. */
export function recordOfLine(line: Buffer, options: LineOptions): ProducerRecord {
  if (options.isJson) return ofJson(line, options)
  const { topic, partition, headers, keySeparator } = options
  if (keySeparator === null) {
    return { topic, partition, headers, value: dataOf(line, options) }
  }
  const at = line.indexOf(keySeparator)
  if (at < 0) throw new LineError(`there is no ${JSON.stringify(String(keySeparator))} in it`)
  return {
    topic,
    partition,
    headers,
    key: dataOf(line.subarray(0, at), options),
    value: dataOf(line.subarray(at + keySeparator.length), options),
  }
}

function dataOf(bytes: Buffer, { isBase64, isEmptyNull }: LineOptions): Buffer | null {
  if (bytes.length === 0 && isEmptyNull) return null
  return isBase64 ? unbase64(bytes.toString('latin1')) : bytes
}

function unbase64(text: string): Buffer {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) {
    throw new LineError(`'${text.slice(0, 40)}' is not base64`)
  }
  return Buffer.from(text, 'base64')
}

function ofJson(line: Buffer, options: LineOptions): ProducerRecord {
  let json: unknown
  try {
    json = JSON.parse(line.toString('utf8'))
  } catch (problem) {
    throw new LineError(`not JSON: ${(problem as Error).message}`)
  }
  if (!isObject(json)) throw new LineError('not a JSON object')
  const { key, value, headers, partition, timestamp } = json
  if (value === undefined) throw new LineError('the object has no value; null deletes a key')
  return {
    topic: options.topic,
    key: dataOfJson(key, options),
    value: dataOfJson(value, options),
    headers: [...options.headers, ...headersOf(headers, options)],
    partition: options.partition ?? partitionOf(partition),
    timestamp: timestampOf(timestamp),
  }
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** Text is its UTF-8, `{"base64": …}` is bytes, null is null; any other JSON is itself, as text. */
function dataOfJson(json: unknown, { isBase64 }: LineOptions): BytesOrText | null {
  if (json === undefined || json === null) return null
  if (typeof json === 'string') return isBase64 ? unbase64(json) : json
  if (isObject(json) && typeof json['base64'] === 'string' && Object.keys(json).length === 1) {
    return unbase64(json['base64'])
  }
  return JSON.stringify(json)
}

/** `{"name": value}`, or a list of `{"key": …, "value": …}` where a name comes twice. */
function headersOf(json: unknown, options: LineOptions) {
  if (json === undefined || json === null) return []
  const list = Array.isArray(json)
    ? json
    : isObject(json)
      ? Object.entries(json).map(([key, value]) => ({ key, value }))
      : [json]
  return list.map((header: unknown) => {
    if (!isObject(header) || typeof header['key'] !== 'string') {
      throw new LineError('headers are an object, or a list of objects with key and value')
    }
    return { key: header['key'], value: dataOfJson(header['value'], options) }
  })
}

function partitionOf(json: unknown): number | undefined {
  if (json === undefined || json === null) return undefined
  if (Number.isInteger(json) && (json as number) >= 0) return json as number
  throw new LineError(`partition is a number from 0 on, not ${JSON.stringify(json)}`)
}

function timestampOf(json: unknown): number | undefined {
  if (json === undefined || json === null) return undefined
  const ms = typeof json === 'string' ? parseTime(json) : json
  if (Number.isSafeInteger(ms)) return ms as number
  throw new LineError(`timestamp is a time or milliseconds, not ${JSON.stringify(json)}`)
}
