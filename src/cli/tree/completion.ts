// `ottla completion bash|zsh|fish`: a script for the shell, made from the commands themselves. It knows commands,
// options and fixed choices; where a file is wanted, the shell completes files.
//
// The script is static: pressing a key never starts a process and never asks a cluster.

import { Argument, type Command, type Option } from 'commander'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** Declares the command. */
export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  source <(ottla completion bash)                                 in ~/.bashrc
  ottla completion zsh > "\${fpath[1]}/_ottla"                     once
  ottla completion fish > ~/.config/fish/completions/ottla.fish   once`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell))
    })
}

/** A place in the tree of commands: what may stand there. */
interface Node {
  /** Words so far, without the program's name: '' or 'topic list'. */
  readonly path: string
  readonly commands: readonly { names: readonly string[]; description: string }[]
  readonly options: readonly Option[]
  /** Fixed words an argument may be. */
  readonly words: readonly string[]
  /** Whether arguments are files. */
  readonly takesFiles: boolean
}

function nodesOf(command: Command, path: readonly string[] = []): Node[] {
  const node: Node = {
    path: path.join(' '),
    commands: command.commands.map((each) => ({
      names: [each.name(), ...each.aliases()],
      description: each.summary() || each.description(),
    })),
    options: [...command.createHelp().visibleOptions(command)],
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    takesFiles: command.registeredArguments.some((argument) => argument.name() === 'files'),
  }
  const below = command.commands.flatMap((each) =>
    [each.name(), ...each.aliases()].flatMap((name) => nodesOf(each, [...path, name])),
  )
  return [node, ...below]
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].filter((flag) => flag !== undefined)
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional
}

function isFile({ flags }: Option): boolean {
  return /<(file|directory)>/.test(flags)
}

/** The script for a shell. */
export function completionScript(program: Command, shell: Shell): string {
  const nodes = nodesOf(program)
  switch (shell) {
    case 'bash':
      return bashScript(nodes)
    case 'zsh':
      return zshScript(nodes)
    case 'fish':
      return fishScript(nodes)
  }
}

/** In bash and zsh: the longest path of commands that the words before the cursor spell. */
const FIND_PATH = `  local place='' word candidate
  for word in "\${before[@]}"; do
    candidate="\${place:+$place }$word"
    case "$candidate" in
      COMMANDS) place="$candidate" ;;
    esac
  done`

function pathFinder(nodes: readonly Node[]): string {
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
  return FIND_PATH.replace('COMMANDS', paths.join('|'))
}

function bashScript(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const words = [...node.commands.flatMap(({ names }) => names), ...node.words]
    const options = node.options.flatMap((option) => flagsOf(option))
    return `    '${node.path}') words='${words.join(' ')}'; flags='${options.join(' ')}'; files=${node.takesFiles ? 1 : 0} ;;`
  })
  return `# Completion of ottla for bash.
_ottla() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}") words='' flags='' files=0
${pathFinder(nodes)}
  case "$place $previous" in
${valueCases(nodes, (option) => {
  if (option.argChoices !== undefined) {
    return `COMPREPLY=($(compgen -W '${option.argChoices.join(' ')}' -- "$current")); return`
  }
  return isFile(option) ? 'COMPREPLY=($(compgen -f -- "$current")); return' : 'return'
})}
  esac
  case "$place" in
${cases.join('\n')}
  esac
  if [[ "$current" == -* ]]; then words="$flags"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ $files == 1 && "$current" != -* ]]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _ottla ottla
`
}

/** What an option's value may be, by the path and the option in front of the cursor. */
function valueCases(nodes: readonly Node[], action: (option: Option) => string): string {
  const cases = nodes.flatMap(({ path, options }) =>
    options.filter(takesValue).map((option) => {
      const patterns = flagsOf(option).map((flag) => `'${path} ${flag}'`)
      return `    ${patterns.join('|')}) ${action(option)} ;;`
    }),
  )
  return cases.join('\n')
}

/** One sentence for a list of choices: the first line, without what a shell would expand. */
function described(text: string): string {
  return text
    .split('\n')[0]!
    .replaceAll("'", '’')
    .replace(/[:[\]\\$`]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}

function zshScript(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const commands = node.commands.flatMap(({ names, description }) =>
      names.map((name) => `'${name}:${described(description)}'`),
    )
    const options = node.options.flatMap((option) =>
      flagsOf(option).map((flag) => `'${flag}:${described(option.description)}'`),
    )
    const words = [...commands, ...node.words.map((word) => `'${word}'`)]
    return `    '${node.path}') words=(${words.join(' ')}); flags=(${options.join(' ')}); files=${node.takesFiles ? 1 : 0} ;;`
  })
  return `#compdef ottla
# Completion of ottla for zsh.
_ottla() {
  local current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}"
  local -a before=("\${(@)words[2,CURRENT-1]}") choices=()
  local -a flags=()
  local files=0
${pathFinder(nodes)}
  case "$place $previous" in
${valueCases(nodes, (option) => {
  if (option.argChoices !== undefined) return `compadd -- ${option.argChoices.join(' ')}; return`
  return isFile(option) ? '_files; return' : 'return'
})}
  esac
  case "$place" in
${cases.join('\n').replaceAll('words=(', 'choices=(')}
  esac
  if [[ "$current" == -* ]]; then
    _describe -o option flags
  else
    (( \${#choices} )) && _describe command choices
    (( files )) && _files
  fi
  return 0
}
if [[ "$funcstack[1]" == _ottla ]]; then _ottla "$@"; else compdef _ottla ottla; fi
`
}

function fishScript(nodes: readonly Node[]): string {
  const lines = nodes.flatMap((node) => {
    const here = `complete -c ottla -n '__ottla_at "${node.path}"'`
    return [
      ...node.commands.flatMap(({ names, description }) =>
        names.map((name) => `${here} -a '${name}' -d '${described(description)}'`),
      ),
      ...node.words.map((word) => `${here} -a '${word}'`),
      ...(node.takesFiles ? [`${here} -F`] : []),
      ...node.options.map((option) => {
        const parts = [
          ...(option.short === undefined ? [] : [`-s ${option.short.slice(1)}`]),
          ...(option.long === undefined ? [] : [`-l ${option.long.slice(2)}`]),
          ...(takesValue(option) ? [isFile(option) ? '-r -F' : '-x'] : []),
          ...(option.argChoices === undefined ? [] : [`-a '${option.argChoices.join(' ')}'`]),
        ]
        return `${here} ${parts.join(' ')} -d '${described(option.description)}'`
      }),
    ]
  })
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
  return `# Completion of ottla for fish.
function __ottla_at
    set -l path ''
    for word in (commandline -opc)[2..-1]
        set -l candidate (string trim -- "$path $word")
        if contains -- $candidate ${paths.join(' ')}
            set path $candidate
        end
    end
    test "$path" = "$argv[1]"
end
complete -c ottla -f
${lines.join('\n')}
`
}
