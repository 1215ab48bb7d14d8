// Apache Kafka's console producer and console consumer, the latter by partition. The producer gives every record the
// present as its time and chooses partitions itself: it writes to topics of one.

import { kafkaTool } from '../../oracle/kafka/kafka.ts'
import type { ClientRecord, Reader, SeenRecord, Writer } from './matrix.ts'

const BETWEEN_HEADERS = '\x01'
const BETWEEN_FIELDS = '\x02'
const AFTER_RECORD = '\x03'
const NULL = '\x04'

export const javaWriter: Writer = {
  name: 'java',
  codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
  // The first of its fields is never empty: no headers are said as null.
  express: (record) => ({ ...record, timestamp: 0 }),
  write: async ({ address, topic }, records, codec) => {
    const reader = {
      'parse.headers': 'true',
      'parse.key': 'true',
      'headers.delimiter': BETWEEN_FIELDS,
      'headers.separator': BETWEEN_HEADERS,
      'headers.key.separator': ':',
      'key.separator': BETWEEN_FIELDS,
      'null.marker': NULL,
    }
    const producer = { acks: 'all', 'max.request.size': '4000000', 'linger.ms': '5' }
    await kafkaTool(
      'ConsoleProducer',
      [
        ...['--bootstrap-server', address, '--topic', topic, '--compression-codec', codec],
        ...properties('--reader-property', reader),
        ...properties('--command-property', producer),
      ],
      { input: records.map(lineOf).join(''), timeoutMs: 120_000 },
    )
  },
}

function lineOf({ key, value, headers }: ClientRecord): string {
  const said = headers.map(([name, text]) => `${name}:${text ?? NULL}`).join(BETWEEN_HEADERS)
  return `${[said === '' ? NULL : said, key ?? NULL, value ?? NULL].join(BETWEEN_FIELDS)}\n`
}

export const javaReader: Reader = {
  name: 'java',
  read: async ({ address, topic, partition }, count) => {
    const formatter = {
      'print.timestamp': 'true',
      'print.offset': 'true',
      'print.headers': 'true',
      'print.key': 'true',
      'key.separator': BETWEEN_FIELDS,
      'line.separator': AFTER_RECORD,
      'headers.separator': BETWEEN_HEADERS,
      'null.literal': NULL,
    }
    const { stdout } = await kafkaTool(
      'consumer.ConsoleConsumer',
      [
        ...['--bootstrap-server', address, '--topic', topic, '--partition', String(partition)],
        ...['--offset', 'earliest', '--max-messages', String(count), '--timeout-ms', '60000'],
        ...properties('--formatter-property', formatter),
      ],
      { timeoutMs: 120_000 },
    )
    return stdout.toString().split(AFTER_RECORD).slice(0, -1).map(recordOf)
  },
}

function recordOf(line: string): SeenRecord {
  const [time, offset, headers, key, value] = line.split(BETWEEN_FIELDS)
  return {
    timestamp: Number(time!.replace('CreateTime:', '')),
    offset: Number(offset!.replace('Offset:', '')),
    headers:
      headers === 'NO_HEADERS'
        ? []
        : headers!.split(BETWEEN_HEADERS).map((header) => {
            const [name, text] = header.split(':')
            return [name!, textOf(text!)] as const
          }),
    key: textOf(key!),
    value: textOf(value!),
  }
}

function textOf(said: string): string | null {
  return said === NULL ? null : said
}

function properties(option: string, values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => [option, `${key}=${value}`])
}
