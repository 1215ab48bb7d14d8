// Runs Apache Kafka's tools: many in one JVM (Driver.java), or one in a process of its own as a shell does. Both give
// what the tool printed and its exit code. A run has a deadline; one that passes it is told to stop, as by SIGTERM.

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { runCommand } from '../../integration/support/commands.ts'

/** What a tool printed, and how it ended; null when it had to be given up. */
export interface Printed {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A run that goes on until it ends by itself or is stopped. */
export interface Running {
  readonly ended: Promise<Printed>
  /** What SIGTERM does: shutdown hooks run. Resolves when the run has ended. */
  stop(): Promise<Printed>
}

const QUIET = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
const SMALL = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', QUIET]
/** A stopped run closes its clients first. */
const STOP_MS = 15_000

/** The main class of a tool; a bare name is one of org.apache.kafka.tools. */
export function mainClass(tool: string): string {
  return tool.startsWith('kafka.') ? tool : `org.apache.kafka.tools.${tool}`
}

/** One JVM for many runs. */
export class Driver implements AsyncDisposable {
  private readonly child: ChildProcess
  private readonly waiting = new Map<number, (printed: Printed) => void>()
  private readonly gone: Promise<void>
  private isGone = false
  private next = 1
  private said = ''

  constructor(libs: string) {
    const source = join(import.meta.dirname, 'Driver.java')
    this.child = spawn('java', [...SMALL, '-Djava.security.manager=allow', '-cp', libs, source], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.child.stdin!.on('error', () => {}) // 'close' below tells all who wait
    this.child.stderr!.on('data', (bytes) => {
      this.said = (this.said + bytes).slice(-4000)
    })
    createInterface(this.child.stdout!).on('line', (line) => {
      const { id, code, out, err } = JSON.parse(line)
      this.waiting.get(id)?.({ code, out, err })
      this.waiting.delete(id)
    })
    this.gone = new Promise((resolve) => {
      this.child.once('close', () => {
        this.isGone = true
        for (const end of this.waiting.values()) end(this.nothing())
        this.waiting.clear()
        resolve()
      })
    })
  }

  /** Starts a run that others may go on beside. */
  start(tool: string, args: readonly string[], input = ''): Running {
    const id = this.next++
    const ended = new Promise<Printed>((resolve) => {
      if (this.isGone) resolve(this.nothing())
      else this.waiting.set(id, resolve)
    })
    this.say({ id, main: mainClass(tool), args, input })
    const stop = async () => {
      this.say({ stop: id })
      const last = await Promise.race([ended, after(STOP_MS)])
      return last ?? { code: null, out: '', err: `did not stop within ${STOP_MS} ms` }
    }
    return { ended, stop }
  }

  /** Runs to the end, or to the deadline. */
  async run(
    tool: string,
    args: readonly string[],
    input = '',
    timeoutMs = 60_000,
  ): Promise<Printed> {
    const running = this.start(tool, args, input)
    const first = await Promise.race([running.ended, after(timeoutMs)])
    if (first !== null) return first
    const { out, err } = await running.stop()
    return { code: null, out, err: `${err}\n(stopped after ${timeoutMs} ms)` }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.gone
  }

  private nothing(): Printed {
    return { code: null, out: '', err: `the JVM of the tools ended:\n${this.said}` }
  }

  private say(message: object): void {
    this.child.stdin!.write(`${JSON.stringify(message)}\n`)
  }
}

/** Null once that has passed. */
function after(ms: number): Promise<null> {
  return new Promise((resolve) => {
    AbortSignal.timeout(ms).addEventListener('abort', () => resolve(null))
  })
}

/** Runs a tool in a JVM of its own. */
export async function runAlone(
  libs: string,
  tool: string,
  args: readonly string[],
  input = '',
): Promise<Printed> {
  const { code, stdout, stderr } = await runCommand(
    'java',
    [...SMALL, '-cp', libs, mainClass(tool), ...args],
    { input, mayFail: true, timeoutMs: 90_000 },
  )
  return { code, out: stdout.toString(), err: stderr }
}
