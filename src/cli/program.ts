// One command, from its words to its exit code: what every program of commands has, and the commands that are a broker.
// Those are by themselves, so that a broker's start does not load what the others take; commands.ts has all.

import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { LOG_LEVELS } from '../lib/log.ts'
import { CliProblem, EXIT, type Outcome } from './output/problems.ts'

/** Runs one command; resolves to the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const outcome: Outcome = { code: EXIT.ok }
  try {
    const program = await programOf(argv[2], outcome)
    await program.parseAsync([...argv])
  } catch (problem) {
    return await explain(problem)
  }
  return outcome.code
}

/** The program that knows the command which begins with this word. */
async function programOf(word: string | undefined, outcome: Outcome): Promise<Command> {
  if (word === undefined || !BROKER_COMMANDS.includes(word)) {
    const { buildProgram } = await import('./commands.ts')
    return buildProgram(outcome)
  }
  const program = emptyProgram()
  addBrokerCommands(program, outcome)
  return finishProgram(program)
}

/** Problems with words are told in words; the rest is ours and is thrown on. */
async function explain(problem: unknown): Promise<number> {
  if (problem instanceof CommanderError) {
    return problem.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
  if (problem instanceof CliProblem) return say(problem)
  const { clientProblem } = await import('./connect.ts')
  const ofClient = clientProblem(problem)
  if (ofClient !== null) return say(ofClient)
  const { explainProblem } = await import('./start.ts')
  return say(explainProblem(problem))
}

function say({ message, hint, code }: CliProblem): number {
  process.stderr.write(`ottla: ${message}\n${hint === null ? '' : `       ${hint}\n`}`)
  return code
}

/** Words that begin a command of `addBrokerCommands`. */
export const BROKER_COMMANDS: readonly string[] = ['start', 'format']

/** A program without commands. */
export function emptyProgram(): Command {
  return new Command('ottla')
    .description("An event-streaming broker that speaks Apache Kafka's protocol, and its tools")
    .version(version(), '-v, --version')
    .showHelpAfterError('(add --help to see what there is)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'ottla: ')) })
}

/** To be called when all commands are there: how they end, and how their help looks. */
export function finishProgram(program: Command): Command {
  for (const command of everyCommand(program)) {
    command
      .exitOverride()
      .helpCommand(false)
      .configureHelp({
        subcommandTerm: (each) => [each.name(), ...each.aliases()].join(', '),
        optionDescription,
      })
  }
  return program
}

/** A command and all below it. */
export function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)]
}

/** The description with choices, default and variable; a list that is empty by default says nothing. */
export function optionDescription({ description, argChoices, ...option }: Option): string {
  const { defaultValue, defaultValueDescription, envVar } = option
  const isEmpty =
    defaultValue === undefined || (Array.isArray(defaultValue) && !defaultValue.length)
  const facts = [
    ...(argChoices === undefined ? [] : [argChoices.join(', ')]),
    ...(isEmpty ? [] : [`default: ${defaultValueDescription ?? String(defaultValue)}`]),
    ...(envVar === undefined ? [] : [`or ${envVar}`]),
  ]
  return facts.length === 0 ? description : `${description} (${facts.join('; ')})`
}

/** Declares `start` and `format`. */
export function addBrokerCommands(program: Command, outcome: Outcome): void {
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
      const { startCommand } = await import('./start.ts')
      outcome.code = await startCommand(options)
    })
  configured('format', 'prepare the directories of a server.properties file, as kafka-storage does')
    .option('-t, --cluster-id <uuid>', 'the cluster id; a random one when left out')
    .option('--release-version <version>', 'metadata.version to begin with, such as 4.3')
    .option('--ignore-formatted', 'do nothing where a directory is formatted already')
    .action(async (options) => {
      const { formatCommand } = await import('./format.ts')
      outcome.code = formatCommand(options)
    })
}

/** Gathers an option that may be given more than once. */
function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

function port(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 0 && value <= 65_534) return value
  throw new InvalidArgumentError('It takes 0 to 65534.')
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
