// `ottla produce` and `ottla consume`: what they take. produce.ts and consume.ts do them.
// Kafka: ConsoleProducer, ConsoleConsumer; kcat and rpk for the options' letters.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { COMPRESSION } from '../../protocol/record_batch.ts'
import { countOption, parsePartitions } from '../admin/values.ts'
import { type ConnectOptions, connectOptions } from '../connect.ts'
import type { Outcome } from '../output/problems.ts'
import { unescaped } from './escapes.ts'
import { parseStart } from './start.ts'

export interface ProduceOptions extends ConnectOptions {
  file?: string
  keySeparator?: string
  headers: { key: string; value: string }[]
  partition?: number
  acks: '0' | '1' | 'all'
  compression: (typeof COMPRESSION)[number]
  base64?: boolean
  emptyAsNull?: boolean
  idempotence: boolean
  quiet?: boolean
}

export interface ConsumeOptions extends ConnectOptions {
  from: ReturnType<typeof parseStart>
  partition: number[]
  max?: number
  group?: string
  untilEnd?: boolean
  format?: string
  readCommitted?: boolean
}

/** Declares the commands. */
export function addRecordCommands(program: Command, outcome: Outcome): void {
  addProduce(program, outcome)
  addConsume(program, outcome)
}

function addProduce(program: Command, outcome: Outcome): void {
  const command = program
    .command('produce')
    .description('produce records: each line of the standard input is a value')
    .argument('<topic>', 'created only if the brokers create topics on their own')
    .option('-f, --file <file>', 'lines of this file instead; - is the standard input')
    .option(
      '-k, --key-separator <text>',
      'the key comes before the first such text of a line; \\t is a tab',
      unescaped,
    )
    .option('-H, --headers <key=value>', 'a header of every record; may be repeated', header, [])
    .option('-p, --partition <number>', 'all records to this partition', countOption(0))
    .addOption(
      new Option('--acks <who>', 'who must have a record')
        .choices(['0', '1', 'all'])
        .default('all'),
    )
    .addOption(
      new Option('-z, --compression <codec>', 'how batches are compressed')
        .choices(COMPRESSION)
        .default('none'),
    )
    .option(
      '--json',
      'a line is an object with value, key, headers, partition, timestamp, as consume --json writes it',
    )
    .option('--base64', 'keys and values are base64')
    .option('-Z, --empty-as-null', 'an empty key or value is null; a null value deletes a key')
    .option('--no-idempotence', 'a batch that is sent again may be written twice')
    .option('-q, --quiet', 'do not say how many there were')
  connectOptions(command).action(async (topic: string, options: ProduceOptions) => {
    const { produceCommand } = await import('./produce.ts')
    outcome.code = await produceCommand(topic, options)
  })
}

function addConsume(program: Command, outcome: Outcome): void {
  const command = program
    .command('consume')
    .description('print records as they come, until stopped')
    .argument('<topic...>')
    .addOption(
      new Option(
        '--from <where>',
        'earliest, latest, an offset, -N for the last N of each partition, a time, or @-1h for an hour ago; ' +
          'with a group only where it has committed nothing',
      )
        .argParser((text) => parseStart(text, Date.now()))
        .default('earliest', 'earliest'),
    )
    .option('-e, --until-end', 'stop behind the records that are there now')
    .option('-n, --max <count>', 'stop after so many records', countOption(0))
    .option('-p, --partition <list>', 'these partitions only, such as 0,2,5-7', partitions, [])
    .option('-g, --group <id>', 'as a member of this group, which keeps what was read')
    .option(
      '-F, --format <text>',
      'what to print of a record: %t topic, %p partition, %o offset, %k key, %v value, %h headers, ' +
        '%T timestamp, %K and %V sizes of key and value, %% a per cent, and \\n \\t \\0 \\xHH',
    )
    .option('--json', 'a JSON object a line; bytes that are no text as {"base64": …}')
    .option('--read-committed', 'only records of transactions that were committed')
  connectOptions(command).action(async (topics: string[], options: ConsumeOptions) => {
    const { consumeCommand } = await import('./consume.ts')
    outcome.code = await consumeCommand(topics, options)
  })
}

function header(text: string, before: { key: string; value: string }[]) {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It takes key=value.')
  return [...before, { key: text.slice(0, at), value: text.slice(at + 1) }]
}

function partitions(text: string, before: number[]): number[] {
  const found = parsePartitions(text)
  if (found === null) throw new InvalidArgumentError('It takes partitions such as 0,2,5-7.')
  return [...before, ...found]
}
