// A tool of Apache Kafka in a process of its own that tells what it does in JSON, a line each: the verifiable clients,
// the transactional copier. It can be killed at any instant; what it had said until then is kept.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { installKafka } from './kafka.ts'

export type ToolEvent = Readonly<Record<string, unknown>> & { readonly name?: string }

const JAVA = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** One run of a tool. */
export class ToolProcess implements AsyncDisposable {
  /** Everything it told, in order. */
  readonly events: ToolEvent[] = []
  /** Exit code; null: ended by a signal. */
  readonly exited: Promise<number | null>
  isOver = false
  /** The last that it wrote on stderr. */
  stderr = ''
  private readonly child: ChildProcess

  private constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const end = () => this.child.kill('SIGKILL')
    process.once('exit', end)
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      // The last line of a killed process may be half of one.
      if (line.startsWith('{') && line.endsWith('}')) this.events.push(JSON.parse(line))
    })
    this.child.stderr!.on('data', (bytes) => {
      this.stderr = (this.stderr + bytes).slice(-8000)
    })
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code) => {
        this.isOver = true
        process.removeListener('exit', end)
        resolve(code)
      })
    })
  }

  /** Starts one of org.apache.kafka.tools. */
  static async start(tool: string, args: readonly string[]): Promise<ToolProcess> {
    const libs = await installKafka()
    const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
    return ToolProcess.run('java', [
      ...JAVA,
      quiet,
      '-cp',
      libs,
      `org.apache.kafka.tools.${tool}`,
      ...args,
    ])
  }

  /** Starts any command that speaks like one. */
  static run(command: string, args: readonly string[]): ToolProcess {
    return new ToolProcess(command, args)
  }

  /** What it told under this name. */
  named(name: string): ToolEvent[] {
    return this.events.filter((event) => event.name === name)
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal)
    return await this.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isOver) await this.end('SIGKILL')
  }
}
