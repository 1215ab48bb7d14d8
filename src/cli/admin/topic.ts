// `ottla topic`: what its commands take. topic_read.ts and topic_write.ts do them.
// Kafka: TopicCommand, DeleteRecordsCommand.

import { type Command, Option } from 'commander'
import { type ConnectOptions, remoteOptions } from '../connect.ts'
import type { Outcome } from '../output/problems.ts'
import { countOption, partitionsOption, timeOption } from './values.ts'

export interface SelectOptions extends ConnectOptions {
  regex?: boolean
  internal?: boolean
}

export interface DescribeTopicOptions extends SelectOptions {
  offsets?: boolean
  size?: boolean
  problems?: boolean
}

export interface CreateTopicOptions extends ConnectOptions {
  partitions?: number
  replicationFactor?: number
  assignment?: string
  config: string[]
  ifNotExists?: boolean
  dryRun?: boolean
}

export interface DeleteTopicOptions extends SelectOptions {
  ifExists?: boolean
  dryRun?: boolean
  yes?: boolean
}

export interface AlterTopicOptions extends ConnectOptions {
  partitions: number
  assignment?: string
  dryRun?: boolean
}

export interface DeleteRecordsOptions extends ConnectOptions {
  partitions?: number[]
  beforeOffset?: number
  beforeTime?: number
  all?: boolean
  fromFile?: string
  dryRun?: boolean
}

export interface TopicConfigOptions extends ConnectOptions {
  unset: string[]
  all?: boolean
  dryRun?: boolean
}

const gather = (value: string, before: string[]): string[] => [...before, value]

/** Declares the commands. */
export function addTopicCommands(program: Command, outcome: Outcome): void {
  const topic = program
    .command('topic')
    .description('list, describe, create, change, delete topics')
  addReaders(topic, outcome)
  addCreate(topic, outcome)
  addChanges(topic, outcome)
  addDeletions(topic, outcome)
}

function selecting(command: Command): Command {
  return command.option('--regex', 'the names are regular expressions, not globs')
}

function addReaders(topic: Command, outcome: Outcome): void {
  remoteOptions(
    selecting(topic.command('list'))
      .alias('ls')
      .description('list topics')
      .argument('[topics...]', 'names or globs; all when left out')
      .option('-i, --internal', 'show internal topics as well'),
  )
    .addHelpText('after', "\nExamples:\n  ottla topic list\n  ottla topic list 'orders-*' --json")
    .action(async (names: string[], options: SelectOptions) => {
      const { listTopicsCommand } = await import('./topic_read.ts')
      outcome.code = await listTopicsCommand(names, options)
    })
  remoteOptions(
    selecting(topic.command('describe'))
      .description('show partitions, leaders, replicas, and what is configured')
      .argument('[topics...]', 'names or globs; all when left out')
      .option('-i, --internal', 'show internal topics as well')
      .option('-o, --offsets', 'show where each partition begins and ends')
      .option('-s, --size', 'show the bytes of each partition on its leader')
      .option('--problems', 'only partitions without a leader or with replicas out of sync'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  ottla topic describe words -os\n  ottla topic describe --problems',
    )
    .action(async (names: string[], options: DescribeTopicOptions) => {
      const { describeTopicsCommand } = await import('./topic_read.ts')
      outcome.code = await describeTopicsCommand(names, options)
    })
}

function addCreate(topic: Command, outcome: Outcome): void {
  remoteOptions(
    topic
      .command('create')
      .description('create topics')
      .argument('<topics...>', 'names')
      .option('-p, --partitions <count>', "how many; the broker's default else", countOption(1))
      .option('-r, --replication-factor <count>', "the broker's default else", countOption(1))
      .addOption(
        new Option(
          '--assignment <brokers>',
          'brokers of each partition, as in 1:2,2:3 for two with two replicas each',
        ).conflicts(['partitions', 'replicationFactor']),
      )
      .option('-c, --config <key=value>', 'a setting; may be given more than once', gather, [])
      .option('--if-not-exists', 'content with a topic that is there already')
      .option('-n, --dry-run', 'have the cluster check it and change nothing'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  ottla topic create words -p 6\n' +
        '  ottla topic create events -p 12 -r 3 -c retention.ms=86400000 -c cleanup.policy=compact',
    )
    .action(async (names: string[], options: CreateTopicOptions) => {
      const { createTopicsCommand } = await import('./topic_write.ts')
      outcome.code = await createTopicsCommand(names, options)
    })
}

function addChanges(topic: Command, outcome: Outcome): void {
  remoteOptions(
    topic
      .command('alter')
      .description('add partitions')
      .argument('<topics...>', 'names')
      .requiredOption('-p, --partitions <count>', 'how many there shall be', countOption(1))
      .option('--assignment <brokers>', 'brokers of each new partition, as in 1:2,2:3')
      .option('-n, --dry-run', 'have the cluster check it and change nothing'),
  ).action(async (names: string[], options: AlterTopicOptions) => {
    const { alterTopicsCommand } = await import('./topic_write.ts')
    outcome.code = await alterTopicsCommand(names, options)
  })
  remoteOptions(
    topic
      .command('config')
      .description('show what is set on a topic, or set it: short for ottla config … topic')
      .argument('<topic>', 'name')
      .argument('[settings...]', 'key=value')
      .option('-u, --unset <key>', 'take a setting away; may be given more than once', gather, [])
      .option('-a, --all', 'show defaults as well')
      .option('-n, --dry-run', 'have the cluster check it and change nothing'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  ottla topic config words\n  ottla topic config words retention.ms=60000 -u cleanup.policy',
    )
    .action(async (name: string, settings: string[], options: TopicConfigOptions) => {
      const { topicConfigCommand } = await import('./config_actions.ts')
      outcome.code = await topicConfigCommand(name, settings, options)
    })
}

function addDeletions(topic: Command, outcome: Outcome): void {
  remoteOptions(
    selecting(topic.command('delete'))
      .alias('rm')
      .description('delete topics and all their records')
      .argument('<topics...>', 'names or globs; a glob asks before it deletes')
      .option('--if-exists', 'content when there is no such topic')
      .option('-i, --internal', 'patterns match internal topics as well')
      .option('-y, --yes', 'do not ask')
      .option('-n, --dry-run', 'show what would be deleted'),
  ).action(async (names: string[], options: DeleteTopicOptions) => {
    const { deleteTopicsCommand } = await import('./topic_write.ts')
    outcome.code = await deleteTopicsCommand(names, options)
  })
  remoteOptions(
    topic
      .command('delete-records')
      .description('delete the oldest records of a topic')
      .argument('[topic]', 'name; none with --from-file')
      .option('-p, --partitions <list>', 'such as 0,2,5-7; all when left out', partitionsOption)
      .option('--before-offset <offset>', 'delete what is below this offset', countOption(0))
      .option('--before-time <time>', 'delete what is older than this time', timeOption)
      .option('--all', 'delete every record there is')
      .option('--from-file <file>', "offsets in the JSON form of Kafka's kafka-delete-records")
      .option('-n, --dry-run', 'show where partitions would begin'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  ottla topic delete-records words --before-time 2026-01-31\n' +
        '  ottla topic delete-records words -p 0 --before-offset 1000',
    )
    .action(async (name: string | undefined, options: DeleteRecordsOptions) => {
      const { deleteRecordsCommand } = await import('./topic_write.ts')
      outcome.code = await deleteRecordsCommand(name, options)
    })
}
