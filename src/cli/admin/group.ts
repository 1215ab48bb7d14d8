// `ottla group`: what its commands take. group_read.ts and group_write.ts do them.
// Kafka: ConsumerGroupCommand, GroupsCommand.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { type ConnectOptions, remoteOptions } from '../connect.ts'
import type { Outcome } from '../output/problems.ts'
import { countOption, durationOption, timeOption } from './values.ts'

export interface ListGroupOptions extends ConnectOptions {
  regex?: boolean
  state: string[]
  type: string[]
}

export interface DescribeGroupOptions extends ConnectOptions {
  regex?: boolean
  members?: boolean
  offsets?: boolean
}

export interface DeleteGroupOptions extends ConnectOptions {
  regex?: boolean
  yes?: boolean
  dryRun?: boolean
}

export interface ResetOptions extends ConnectOptions {
  topic: string[]
  allTopics?: boolean
  toEarliest?: boolean
  toLatest?: boolean
  toCurrent?: boolean
  toOffset?: number
  toDatetime?: number
  byDuration?: number
  shiftBy?: number
  fromFile?: string
  execute?: boolean
  export?: boolean
}

export interface DeleteOffsetsOptions extends ConnectOptions {
  topic: string[]
}

const gather = (value: string, before: string[]): string[] => [...before, value]

/** Declares the commands. */
export function addGroupCommands(program: Command, outcome: Outcome): void {
  const group = program
    .command('group')
    .description('list, describe, delete consumer groups; move their offsets')
  addReaders(group, outcome)
  addReset(group, outcome)
  addDeletions(group, outcome)
}

const REGEX = ['--regex', 'the names are regular expressions, not globs'] as const

function addReaders(group: Command, outcome: Outcome): void {
  remoteOptions(
    group
      .command('list')
      .alias('ls')
      .description('list groups')
      .argument('[groups...]', 'names or globs; all when left out')
      .option(...REGEX)
      .option('--state <state>', 'only in this state, such as Empty or Stable', gather, [])
      .option('--type <type>', 'only of this type: classic, consumer, share, streams', gather, []),
  ).action(async (names: string[], options: ListGroupOptions) => {
    const { listGroupsCommand } = await import('./group_read.ts')
    outcome.code = await listGroupsCommand(names, options)
  })
  remoteOptions(
    group
      .command('describe')
      .description('show state, members, offsets and lag')
      .argument('<groups...>', 'names or globs')
      .option(...REGEX)
      .option('-m, --members', 'show members and what they are assigned, without offsets')
      .option('-o, --offsets', 'show offsets and lag; both when neither is given'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  ottla group describe billing\n' +
        "  ottla group describe billing --json | jq '[.[].offsets[].lag] | add'",
    )
    .action(async (names: string[], options: DescribeGroupOptions) => {
      const { describeGroupsCommand } = await import('./group_read.ts')
      outcome.code = await describeGroupsCommand(names, options)
    })
}

function addReset(group: Command, outcome: Outcome): void {
  const ways = [
    'toEarliest',
    'toLatest',
    'toCurrent',
    'toOffset',
    'toDatetime',
    'byDuration',
    'shiftBy',
    'fromFile',
  ]
  const way = (flags: string, description: string, parse?: (text: string) => unknown): Option => {
    const option = new Option(flags, description).helpGroup('Where to:')
    if (parse !== undefined) option.argParser(parse)
    return option.conflicts(ways.filter((name) => name !== option.attributeName()))
  }
  remoteOptions(
    group
      .command('reset-offsets')
      .description(
        'move the offsets of a group without members; shows what it would do until --execute',
      )
      .argument('<group>', 'name')
      .option(
        '-t, --topic <topic>',
        'a topic, or partitions as in words:0,2; repeatable',
        gather,
        [],
      )
      .option('--all-topics', 'every topic the group has offsets for')
      .addOption(way('--to-earliest', 'to where partitions begin'))
      .addOption(way('--to-latest', 'to where partitions end'))
      .addOption(way('--to-current', 'to what is committed, or the end where nothing is'))
      .addOption(way('--to-offset <offset>', 'to this offset', countOption(0)))
      .addOption(
        way('--to-datetime <time>', 'to the first record of this time or later', timeOption),
      )
      .addOption(way('--by-duration <duration>', 'the same, so long ago: 2h, P7D', durationOption))
      .addOption(way('--shift-by <count>', 'so many forward, or back when negative', signed))
      .addOption(
        way('--from-file <file>', 'CSV of [group,]topic,partition,offset, as --export writes'),
      )
      .option('-x, --execute', 'do it')
      .option('--export', 'write the new offsets as CSV to stdout'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  ottla group reset-offsets billing -t orders --to-earliest\n' +
        '  ottla group reset-offsets billing --all-topics --by-duration 2h --execute\n' +
        '  ottla group reset-offsets billing -t orders:0 --shift-by -100 --execute',
    )
    .action(async (name: string, options: ResetOptions) => {
      const { resetOffsetsCommand } = await import('./group_write.ts')
      outcome.code = await resetOffsetsCommand(name, options)
    })
}

function signed(text: string): number {
  const value = Number(text)
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('It takes a whole number.')
}

function addDeletions(group: Command, outcome: Outcome): void {
  remoteOptions(
    group
      .command('delete')
      .alias('rm')
      .description('delete groups that have no members')
      .argument('<groups...>', 'names or globs; a glob asks before it deletes')
      .option(...REGEX)
      .option('-y, --yes', 'do not ask')
      .option('-n, --dry-run', 'show what would be deleted'),
  ).action(async (names: string[], options: DeleteGroupOptions) => {
    const { deleteGroupsCommand } = await import('./group_write.ts')
    outcome.code = await deleteGroupsCommand(names, options)
  })
  remoteOptions(
    group
      .command('delete-offsets')
      .description('forget what a group has committed for topics that no member reads')
      .argument('<group>', 'name')
      .requiredOption('-t, --topic <topic>', 'a topic, or partitions as in words:0,2', gather, []),
  ).action(async (name: string, options: DeleteOffsetsOptions) => {
    const { deleteOffsetsCommand } = await import('./group_write.ts')
    outcome.code = await deleteOffsetsCommand(name, options)
  })
}
