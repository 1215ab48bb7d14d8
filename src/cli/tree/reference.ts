// The commands → docs/reference/command_line.md: usage, arguments, options, examples and JSON of each. Called by
// gen.ts; a test keeps the committed file equal to what is emitted.

import type { Command, Option } from 'commander'
import { buildProgram } from '../commands.ts'
import { CONNECTION_GROUP } from '../connect.ts'
import { EXIT } from '../output/problems.ts'
import { everyCommand, optionDescription } from '../program.ts'
import { DUMP_LINES, formatShape, JSON_SHAPES, LINE_SHAPES, type Shape } from './json_shapes.ts'

const INTRODUCTION = `# The command line

Generated from \`src/cli/\` by \`npm run gen\`; do not edit.

Results go to stdout, everything else to stderr. Tables are for people: they fit the terminal, and through a pipe they
are whole. \`--json\` is for scripts: its fields are added to, never renamed. Colours appear on a terminal only;
\`NO_COLOR\` turns them off. A reader that goes away (\`| head\`) ends a command quietly.

Commands that ask a cluster work with any that speaks Kafka's protocol. They take the address from \`-b\`, else from
\`OTTLA_BOOTSTRAP\`, else from the file of \`--command-config\`, else 127.0.0.1:9092. Topics and groups are named
exactly, by globs (\`*\`, \`?\`, \`[a-z]\`, \`{a,b}\`; in quotes) or, with \`--regex\`, by regular expressions.

Exit codes are in [HACKING.md](../HACKING.md): EXITS.
`

/** The text of docs/reference/command_line.md. */
export function emitCommandLineReference(): string {
  const program = buildProgram({ code: EXIT.ok })
  const commands = everyCommand(program).filter((command) => command.commands.length === 0)
  const exits = Object.entries(EXIT).map(([name, code]) => `${code} ${name}`)
  return [
    INTRODUCTION.replace('EXITS', exits.join(', ')),
    emitConnection(commands),
    ...commands.map(emitCommand),
    emitDumpLines(),
  ].join('\n')
}

/** The words that lead to a command, without the program's name. */
export function pathOf(command: Command): string {
  const { parent } = command
  return parent === null ? '' : `${pathOf(parent)} ${command.name()}`.trim()
}

function emitCommand(command: Command): string {
  const path = pathOf(command)
  const arguments_ = command.registeredArguments
    .filter(({ description }) => description !== '')
    .map((each) => {
      const choices = each.argChoices === undefined ? '' : ` (${each.argChoices.join(', ')})`
      return row(each.name(), `${each.description}${choices}`)
    })
  const options = command.options
    .filter((option) => !option.hidden && !isConnection(option))
    .map(optionRow)
  const table = [...arguments_, ...options]
  const aliases =
    command.aliases().length === 0 ? '' : ` Also \`${command.aliases().join('`, `')}\`.`
  return [
    `## ottla ${path}`,
    '',
    `\`ottla ${path} ${command.usage()}\``,
    '',
    `${sentence(command.description())}${aliases}`,
    '',
    ...(table.length === 0 ? [] : ['| | |', '|---|---|', ...table, '']),
    ...emitExamples(command),
    ...emitShape('JSON:', JSON_SHAPES[path]),
    ...emitShape('JSON, an object a line:', LINE_SHAPES[path]),
  ].join('\n')
}

// The same on every command that asks a cluster, so told once.
function isConnection({ helpGroupHeading }: Option): boolean {
  return helpGroupHeading === CONNECTION_GROUP
}

function emitConnection(commands: readonly Command[]): string {
  const options = commands.find((command) => command.options.some(isConnection))!.options
  const rows = options.filter(isConnection).map(optionRow)
  return `Commands that ask a cluster also take:\n\n${['| | |', '|---|---|', ...rows].join('\n')}\n`
}

function optionRow(option: Option): string {
  return row(option.flags, optionDescription(option))
}

function emitShape(title: string, shape: Shape | undefined): string[] {
  if (shape === undefined) return []
  return [title, '', '```', formatShape(shape), '```', '']
}

function emitDumpLines(): string {
  const kinds = Object.entries(DUMP_LINES).map(
    ([kind, shape]) => `\`${kind}\`:\n\n\`\`\`\n${formatShape(shape)}\n\`\`\`\n`,
  )
  return `## Lines of dump-log --json

One object per line; \`kind\` says which. The lines of a file stand between its \`file\` and its \`end\`; with
\`--quiet\` there are problems and ends alone.

${kinds.join('\n')}`
}

// The examples are what addHelpText put behind the help.
function emitExamples(command: Command): string[] {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) })
  command.outputHelp()
  const at = help.indexOf('Examples:\n')
  if (at < 0) return []
  const lines = help.slice(at).split('\n').slice(1)
  return ['```sh', ...lines.map((line) => line.trim()).filter((line) => line !== ''), '```', '']
}

function row(name: string, text: string): string {
  const bars = (cell: string) => cell.replaceAll('|', '\\|')
  return `| \`${bars(name)}\` | ${bars(text).replaceAll('<', '&lt;')} |`
}

function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1)
  return whole.endsWith('.') ? whole : `${whole}.`
}
