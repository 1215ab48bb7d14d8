// One run of the suite kafka-tools against one broker: tools, names that nobody else uses, and what was printed, in
// the form that checks compare. Ids, times, addresses and the widths of columns differ from run to run and become
// words; everything else that a tool prints is compared as it stands.

import assert from 'node:assert/strict'
import { eventually } from '../../integration/support/eventually.ts'
import type { Target } from '../suite.ts'
import { Driver, mainClass, type Printed, type Running, runAlone } from './driver.ts'

/** A command and what it printed, normalised: what a comparison of two brokers looks at. */
export interface Spoken {
  readonly check: string
  readonly command: string
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A check of this suite. */
export interface ToolCheck {
  readonly name: string
  run(t: Session): Promise<void>
}

export class Session implements AsyncDisposable {
  readonly target: Target
  /** Everything said, in order. */
  readonly spoken: Spoken[] = []
  /** The check that runs. */
  check = ''
  private readonly driver: Driver
  private readonly libs: string
  private readonly prefix: string

  /** `prefix` begins every name; the same one on two brokers keeps what depends on hashes the same. */
  constructor(target: Target, libs: string, prefix: string) {
    this.target = target
    this.libs = libs
    this.prefix = prefix
    this.driver = new Driver(libs)
  }

  /** A name for a topic or a group. */
  name(word: string): string {
    return `${this.prefix}${word}`
  }

  /** Runs a tool on the broker. */
  async tool(tool: string, ...args: string[]): Promise<Printed> {
    return await this.run(tool, [...this.server, ...args])
  }

  /** Runs a tool with exactly these arguments. */
  async run(
    tool: string,
    args: readonly string[],
    input?: string,
    timeoutMs?: number,
  ): Promise<Printed> {
    return this.note(tool, args, await this.driver.run(tool, args, input, timeoutMs))
  }

  /** Runs a tool in a process of its own, as a shell does. */
  async alone(tool: string, args: readonly string[], input?: string): Promise<Printed> {
    return this.note(tool, args, await runAlone(this.libs, tool, args, input))
  }

  /** Starts a tool that goes on while others run. What it prints is not part of a comparison. */
  start(tool: string, ...args: string[]): Running {
    return this.driver.start(tool, [...this.server, ...args])
  }

  get server(): string[] {
    return ['--bootstrap-server', this.target.address]
  }

  async topics(...args: string[]): Promise<Printed> {
    return await this.tool('TopicCommand', ...args)
  }

  async configs(...args: string[]): Promise<Printed> {
    return await this.tool('kafka.admin.ConfigCommand', ...args)
  }

  async groups(...args: string[]): Promise<Printed> {
    return await this.tool('consumer.group.ConsumerGroupCommand', ...args)
  }

  async offsets(...args: string[]): Promise<Printed> {
    return await this.tool('GetOffsetShell', ...args)
  }

  /** Consumes as many as --max-messages says, or until nothing comes. */
  async consume(...args: string[]): Promise<Printed> {
    const patience = args.includes('--max-messages') ? '30000' : '4000'
    const wait = args.includes('--timeout-ms') ? [] : ['--timeout-ms', patience]
    return await this.tool('consumer.ConsoleConsumer', ...args, ...wait)
  }

  /** Makes a topic, and its name. */
  async topic(word: string, ...args: string[]): Promise<string> {
    const name = this.name(word)
    const printed = await this.topics('--create', '--topic', name, ...args)
    assert.equal(printed.code, 0, `topic ${name}: ${printed.out}${printed.err}`)
    return name
  }

  /** Sends lines with the console producer. */
  async produce(topic: string, lines: readonly string[], ...args: string[]): Promise<void> {
    const all = [...this.server, '--topic', topic, ...args]
    const { code, out, err } = await this.run('ConsoleProducer', all, `${lines.join('\n')}\n`)
    assert.deepEqual({ code, out, err }, { code: 0, out: '', err: '' })
  }

  /** Sends lines `key:value`. */
  async produceKeyed(topic: string, lines: readonly string[]): Promise<void> {
    const property = '--reader-property'
    await this.produce(topic, lines, property, 'parse.key=true', property, 'key.separator=:')
  }

  /** Asks until a tool prints what is awaited. */
  async until(
    tool: string,
    args: readonly string[],
    awaited: RegExp | ((text: string) => boolean),
  ): Promise<Printed> {
    return await eventually(async () => {
      const printed = await this.driver.run(tool, [...this.server, ...args])
      const text = this.plain(printed.out)
      const isThere = awaited instanceof RegExp ? awaited.test(text) : awaited(text)
      if (!isThere) throw new Error(printed.out + printed.err)
      return printed
    })
  }

  /** What was printed, in the form that is compared. */
  plain(text: string): string {
    const { host, port, address } = this.target
    const named = text
      .replaceAll(address, '<address>')
      .replaceAll(`${host} ${port}`, '<host> <port>')
      .replaceAll(`${host}:${port + 1}`, '<controller>')
    return normalised(named)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver[Symbol.asyncDispose]()
  }

  private note(tool: string, args: readonly string[], printed: Printed): Printed {
    const rest = args.filter(
      (arg, i) => arg !== '--bootstrap-server' && !(args[i - 1] === '--bootstrap-server'),
    )
    const command = this.plain([mainClass(tool).split('.').at(-1)!, ...rest].join(' '))
    const { code, out, err } = printed
    const said = { command, code, out: this.plain(out), err: this.plain(err) }
    this.spoken.push({ check: this.check, ...said })
    return printed
  }
}

/** Lines of the JVM and of logging that no reader of a tool looks at. */
const NOISE = [
  /^\s+at /,
  /^\s+\.\.\. \d+ more/,
  /^The consumer rebalance protocol \(KIP-848\) is production-ready/,
  /^\[[^\]]*\] (ERROR|WARN) /,
]

/** Ids, times and widths become words; blank lines and noise go. */
export function normalised(text: string): string {
  return text
    .split('\n')
    .filter((line) => !NOISE.some((noise) => noise.test(line)))
    .map((line) => line.replaceAll(/[ \t]+/g, ' ').trimEnd())
    .filter((line) => line !== '')
    .join('\n')
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<uuid>')
    .replaceAll(/(?<![\w-])[\w-]{22}(?![\w-])/g, (word) => (isName(word) ? word : '<id>'))
    .replaceAll(/\b1[789]\d{11}\b/g, '<ms>')
}

/** Twenty-two characters that are an id are a jumble; names are words, with or without capitals. */
function isName(word: string): boolean {
  return (
    /^[A-Z]?[a-z]+([A-Z][a-z]+)+$/.test(word) ||
    /^[\da-z_-]+$/.test(word) ||
    /^[A-Z_-]+$/.test(word)
  )
}

/** That a tool ended well and printed exactly these lines, in this form, on its standard output. */
export function printed(t: Session, what: Printed, ...lines: string[]): void {
  const { code, out, err } = what
  assert.equal(t.plain(out), lines.join('\n'), `${t.check}: ${t.plain(err).slice(0, 600)}`)
  assert.equal(code, 0, `ended with ${code}: ${t.plain(err)}`)
}

/** The same, when the order of the lines is nobody's promise. */
export function printedInAnyOrder(t: Session, what: Printed, ...lines: string[]): void {
  const sorted = t.plain(what.out).split('\n').sort().join('\n')
  printed(t, { ...what, out: sorted }, ...lines.sort())
}

/** That a tool said all this, on either stream. */
export function said(t: Session, what: Printed, ...patterns: (RegExp | string)[]): void {
  const all = `${t.plain(what.out)}\n${t.plain(what.err)}`
  for (const pattern of patterns) {
    if (typeof pattern === 'string') assert.ok(all.includes(pattern), `no "${pattern}" in:\n${all}`)
    else assert.match(all, pattern)
  }
}

/** That a tool said all this and ended badly. */
export function refused(t: Session, what: Printed, ...patterns: (RegExp | string)[]): void {
  said(t, what, ...patterns)
  assert.equal(what.code, 1, `ended with ${what.code}: ${what.out}${what.err}`)
}

/** Cells of the lines that begin with this word. */
export function rows(t: Session, what: Printed, first: string): string[][] {
  const lines = t
    .plain(what.out)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  return lines.filter(([cell]) => cell === first)
}
