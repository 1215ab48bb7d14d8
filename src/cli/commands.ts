// The commands and what they take. Each command is a thin user of the library.

import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { ConfigError } from '../config/parse.ts'
import { DirectoryError } from '../host/formatting.ts'
import { LOG_LEVELS } from '../lib/log.ts'
import { CorruptMetadata, UnsupportedMetadata } from '../metadata/record.ts'
import { StartRefused } from '../node.ts'
import { PlaneError } from '../plane/plane.ts'
import { formatCommand } from './format.ts'
import { startCommand } from './start.ts'

/** What the process ends with, for scripts. */
export const EXIT = Object.freeze({
  ok: 0,
  /** A bug, or a disk that failed under a running broker. */
  internal: 1,
  /** The command line or the configuration: nothing was touched. */
  usage: 2,
  /** A data directory: not formatted, locked, of another cluster, newer than we understand. */
  directory: 3,
  /** The start was refused: a port is taken, or what the metadata holds is not enforced here. */
  refused: 4,
})

/** Runs one command; resolves to the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = new Command('ottla')
    .description("An event-streaming broker that speaks Apache Kafka's protocol")
    .version(version(), '-v, --version')
    .showHelpAfterError('(ottla --help shows what there is)')
    .exitOverride()
  let code: number = EXIT.ok
  const configured = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'a server.properties file, as for Apache Kafka')
      .option('-s, --set <key=value>', 'one setting, stronger than the file', collect, [])
      .addOption(
        new Option('--log-level <level>', 'least level that is written')
          .choices(LOG_LEVELS)
          .default('info'),
      )
  configured('start', 'start a broker; without --config a single node that formats itself')
    .option('-d, --data-dir <directory>', 'where the data is kept', './data')
    .option(
      '-p, --port <port>',
      'where clients connect; the controller listens on the next one',
      port,
      9092,
    )
    .option('--host <address>', 'address to bind and to tell clients', '127.0.0.1')
    .option(
      '--allow-unenforced',
      'start although ACLs, quotas or credentials in the metadata are not enforced',
    )
    .action(async (options) => {
      code = await startCommand(options)
    })
  configured('format', 'prepare the directories of a server.properties file, as kafka-storage does')
    .option('-t, --cluster-id <uuid>', 'the cluster id; a random one when left out')
    .option('--release-version <version>', 'metadata.version to begin with, such as 4.3')
    .option('--ignore-formatted', 'do nothing where a directory is formatted already')
    .action(async (options) => {
      code = formatCommand(options)
    })
  try {
    await program.parseAsync([...argv])
  } catch (problem) {
    return explain(problem)
  }
  return code
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

function port(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 0 && value <= 65_534) return value
  throw new CommanderError(EXIT.usage, 'ottla.port', `--port takes 0 to 65534, not ${text}`)
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** Problems with words are told in words; the rest is ours and is thrown on. */
function explain(problem: unknown): number {
  if (problem instanceof CommanderError) {
    if (problem.code === 'ottla.port') say(problem.message)
    return problem.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
  if (problem instanceof ConfigError) return say(problem.message, EXIT.usage)
  if (problem instanceof DirectoryError) return say(problem.message, EXIT.directory)
  if (problem instanceof StartRefused) {
    return say(problem.message, problem.code === 'LOCKED' ? EXIT.directory : EXIT.refused)
  }
  if (problem instanceof UnsupportedMetadata || problem instanceof CorruptMetadata) {
    return say(`the metadata log cannot be used: ${problem.message}`, EXIT.directory)
  }
  if (problem instanceof PlaneError) return say(problem.message, EXIT.refused)
  throw problem
}

function say(text: string, code: number = EXIT.usage): number {
  process.stderr.write(`ottla: ${text}\n`)
  return code
}
