// `ottla config`: what its commands take. config_actions.ts does them.
// Kafka: ConfigCommand.

import { Argument, type Command } from 'commander'
import { type ConnectOptions, remoteOptions } from '../connect.ts'
import type { Outcome } from '../output/problems.ts'

/** What has settings. */
export const RESOURCES = ['topic', 'broker', 'group', 'client-metrics', 'broker-logger'] as const
export type Resource = (typeof RESOURCES)[number]

export interface DescribeConfigOptions extends ConnectOptions {
  all?: boolean
  long?: boolean
}

export interface EditConfigOptions extends ConnectOptions {
  dryRun?: boolean
}

const NAME = 'name; for brokers an id, or default for all of them'
const type = () => new Argument('<type>', 'what it belongs to').choices(RESOURCES)

/** Declares the commands. */
export function addConfigCommands(program: Command, outcome: Outcome): void {
  const config = program
    .command('config')
    .description('show and change settings of topics, brokers and groups')
  addReaders(config, outcome)
  addEdits(config, outcome)
}

function addReaders(config: Command, outcome: Outcome): void {
  remoteOptions(
    config
      .command('list')
      .alias('ls')
      .description('list what has settings of its own, and which')
      .addArgument(
        new Argument(
          '[type]',
          'only of this type; topics, brokers and groups when left out',
        ).choices(RESOURCES),
      ),
  ).action(async (resource: Resource | undefined, options: ConnectOptions) => {
    const { listConfigsCommand } = await import('./config_actions.ts')
    outcome.code = await listConfigsCommand(resource, options)
  })
  remoteOptions(
    config
      .command('describe')
      .description('show settings: where each value comes from, and its default')
      .addArgument(type())
      .argument('<name>', NAME)
      .argument('[keys...]', 'only these settings, in full')
      .option('-a, --all', 'show settings that nobody changed as well')
      .option('-l, --long', 'show type, default, synonyms and meaning of each'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  ottla config describe topic words\n  ottla config describe broker 1 --all\n' +
        '  ottla config describe topic words retention.ms',
    )
    .action(
      async (resource: Resource, name: string, keys: string[], options: DescribeConfigOptions) => {
        const { describeConfigCommand } = await import('./config_actions.ts')
        outcome.code = await describeConfigCommand(resource, name, keys, options)
      },
    )
}

function addEdits(config: Command, outcome: Outcome): void {
  const edits = [
    ['set', 'set values', '<settings...>', 'key=value'],
    ['unset', 'take values away, so that defaults hold again', '<keys...>', 'keys'],
    ['append', 'add items to settings that are lists', '<settings...>', 'key=item,item'],
    ['subtract', 'take items out of settings that are lists', '<settings...>', 'key=item,item'],
  ] as const
  for (const [verb, description, argument, words] of edits) {
    remoteOptions(
      config
        .command(verb)
        .description(description)
        .addArgument(type())
        .argument('<name>', NAME)
        .argument(argument, words)
        .option('-n, --dry-run', 'have the cluster check it and change nothing'),
    )
      .addHelpText('after', EXAMPLES[verb])
      .action(
        async (
          resource: Resource,
          name: string,
          settings: string[],
          options: EditConfigOptions,
        ) => {
          const { editConfigCommand } = await import('./config_actions.ts')
          outcome.code = await editConfigCommand(verb, resource, name, settings, options)
        },
      )
  }
}

const EXAMPLES = {
  set: '\nExamples:\n  ottla config set topic words retention.ms=60000\n  ottla config set broker default log.cleaner.threads=2',
  unset: '\nExamples:\n  ottla config unset topic words retention.ms',
  append: '\nExamples:\n  ottla config append topic words cleanup.policy=compact',
  subtract: '\nExamples:\n  ottla config subtract topic words cleanup.policy=compact',
} as const
