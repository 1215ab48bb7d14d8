// A broker in a process of its own, as users run it: `ottla start` from the sources. It can be stopped, killed and
// started again on the same directory and port.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts, ROOT, Server } from './commands.ts'

export interface BrokerProcessOptions {
  /** Kept by the caller; a temporary one, removed in the end, when left out. */
  directory?: string
  port?: number
  config?: Readonly<Record<string, string | number>>
  /** A server.properties file instead of the defaults: it says directory and port. */
  file?: string
  /** How the broker is run; from the sources when left out. */
  main?: string
}

/** One broker: a directory, a port, and a process that comes and goes. */
export class BrokerProcess implements AsyncDisposable {
  readonly directory: string
  readonly port: number
  /** From the start of the last process to the line that it listens. */
  startedInMs = 0
  private server: Server | null = null
  private readonly options: BrokerProcessOptions
  private readonly isTemporary: boolean

  private constructor(options: BrokerProcessOptions, port: number) {
    this.options = options
    this.port = port
    this.isTemporary = options.directory === undefined
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'ottla-test-'))
  }

  static async start(options: BrokerProcessOptions = {}): Promise<BrokerProcess> {
    const broker = new BrokerProcess(options, options.port ?? (await freePorts()))
    await broker.start()
    return broker
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.server!.pid
  }

  /** What the present or last process said. */
  get said(): string {
    return this.server?.said ?? ''
  }

  /** Starts again on the same directory and port. */
  async start(): Promise<void> {
    const { config = {}, file, main = join(ROOT, 'src/main.ts') } = this.options
    const where =
      file === undefined
        ? ['--port', String(this.port), '--data-dir', this.directory]
        : ['--config', file]
    const set = Object.entries(config).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    const began = performance.now()
    this.server = new Server(process.execPath, [main, 'start', ...where, ...set])
    await this.server.hears(/listens on .*\n/, 120_000)
    this.startedInMs = performance.now() - began
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.server!.end('SIGKILL')
  }

  /** SIGTERM; throws when the broker does not leave in order. */
  async stop(): Promise<void> {
    const code = await this.server!.end('SIGTERM')
    if (code !== 0) throw new Error(`the broker ended with ${code}:\n${this.said}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server?.end('SIGKILL')
    if (this.isTemporary) rmSync(this.directory, { recursive: true, force: true })
  }
}
