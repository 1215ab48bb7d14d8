// `ottla offsets`: what it takes. offsets_actions.ts does it.
// Kafka: GetOffsetShell (kafka-get-offsets).

import { type Command, InvalidArgumentError } from 'commander'
import { remoteOptions } from '../connect.ts'
import type { Outcome } from '../output/problems.ts'
import type { SelectOptions } from './topic.ts'
import { type OffsetAt, parseOffsetAt, partitionsOption } from './values.ts'

export interface OffsetsOptions extends SelectOptions {
  at?: OffsetAt
  partitions?: number[]
  readCommitted?: boolean
}

/** Declares the command. */
export function addOffsetsCommand(program: Command, outcome: Outcome): void {
  remoteOptions(
    program
      .command('offsets')
      .description('show where partitions begin and end, or which offset a time has')
      .argument('[topics...]', 'names, globs, or partitions as in words:0,2; all when left out')
      .option('--regex', 'the names are regular expressions, not globs')
      .option('-i, --internal', 'show internal topics as well')
      .option('-p, --partitions <list>', 'such as 0,2,5-7; all when left out', partitionsOption)
      .option('--at <where>', 'earliest, latest, max-timestamp, a time, or so long ago: 1h', where)
      .option('--read-committed', 'end before the first open transaction'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  ottla offsets words\n  ottla offsets words:0 --at 2026-01-31T12:00:00Z\n' +
        "  ottla offsets 'orders-*' --at 1h --json",
    )
    .action(async (names: string[], options: OffsetsOptions) => {
      const { offsetsCommand } = await import('./offsets_actions.ts')
      outcome.code = await offsetsCommand(names, options)
    })
}

function where(text: string): OffsetAt {
  const at = parseOffsetAt(text, Date.now())
  if (at !== null) return at
  throw new InvalidArgumentError(
    'It takes earliest, latest, max-timestamp, a time, or a duration such as 1h.',
  )
}
