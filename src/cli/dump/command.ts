// `ottla dump-log`: what it takes. dump.ts does it.
// Kafka: DumpLogSegments (kafka-dump-log).

import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Outcome } from '../output/problems.ts'

/** How records are read: by the name of their directory, or as the option says. */
export const DECODERS = ['auto', 'none', 'offsets', 'transactions', 'shares', 'metadata'] as const

export interface DumpOptions {
  records?: boolean
  quiet?: boolean
  json?: boolean
  as: (typeof DECODERS)[number]
  from?: number
  to?: number
}

/** Declares the command. */
export function addDumpCommand(program: Command, outcome: Outcome): void {
  program
    .command('dump-log')
    .summary("show what is in a log's files, and whether it is whole")
    .description(
      "Shows what is in a log's files, and whether it is whole: segments, indexes, producer snapshots, " +
        'checkpoints, metadata snapshots. A directory stands for its files. Memory stays small however ' +
        'large they are. Ends with 7 when something is torn, out of order or fails its checksum.',
    )
    .argument('<files...>', 'files or directories')
    .option('-r, --records', 'show the records of each batch, decompressed')
    .option('-q, --quiet', 'show the verdict of each file alone')
    .addOption(
      new Option('--as <kind>', 'how to read the records; auto goes by the name of the directory')
        .choices(DECODERS)
        .default('auto'),
    )
    .option('--from <offset>', 'leave out what lies wholly below this offset', offset)
    .option('--to <offset>', 'leave out what lies above this offset', offset)
    .option('--json', 'one JSON object per line')
    .addHelpText(
      'after',
      `
Examples:
  ottla dump-log -q data/words-0                            is this partition whole?
  ottla dump-log -r data/words-0/00000000000000000000.log   its records
  ottla dump-log -r data/__consumer_offsets-12 --json       committed offsets and groups, for scripts`,
    )
    .action(async (files: string[], options: DumpOptions) => {
      const { dumpCommand } = await import('./dump.ts')
      outcome.code = await dumpCommand(files, options)
    })
}

function offset(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError('It takes an offset.')
}
