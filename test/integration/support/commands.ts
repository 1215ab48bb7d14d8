// Real processes under test: one that runs to its end, and one that serves until it is told to go. Each has a
// deadline, is known by its id and ended by it; nothing here ends a process that it did not start.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/** What a command said and how it ended. */
export interface Finished {
  code: number | null
  stdout: Buffer
  stderr: string
}

export interface RunOptions {
  input?: Uint8Array | string
  env?: Readonly<Record<string, string>>
  cwd?: string
  timeoutMs?: number
  /** Exit codes other than 0 are answers too. */
  mayFail?: boolean
}

/** Runs a command to its end. Throws with what it said when it fails. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const { input, timeoutMs = 60_000 } = options
  const child = spawn(command, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (bytes) => out.push(bytes))
  child.stderr.on('data', (bytes) => err.push(bytes))
  child.stdin.on('error', () => {}) // it ended without reading all: its exit code says why
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const finished = { code, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }
  if (code !== 0 && options.mayFail !== true) {
    const said = `${finished.stdout.toString().slice(-2000)}\n${finished.stderr.slice(-4000)}`
    throw new Error(`${command} ${args.slice(0, 12).join(' ')} ended with ${code}:\n${said}`)
  }
  return finished
}

/** What still runs when this process ends goes with it. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A process that serves until it is stopped. */
export class Server {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  /** The last that it said, on both streams. */
  said = ''
  private readonly watchers: { pattern: RegExp; found: (match: RegExpMatchArray) => void }[] = []

  constructor(command: string, args: readonly string[], options: RunOptions = {}) {
    this.child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this.child)
    this.exited = new Promise((resolve) => {
      this.child.on('error', (problem) => {
        this.said += String(problem)
        resolve(null)
      })
      this.child.on('exit', (code, signal) => {
        running.delete(this.child)
        if (signal !== null) this.said += `(ended by ${signal})`
        resolve(code)
      })
    })
    this.child.stdout!.on('data', (bytes) => this.hear(bytes))
    this.child.stderr!.on('data', (bytes) => this.hear(bytes))
  }

  /** Resolves when it says so; rejects when the process ends first or the deadline passes. */
  async hears(pattern: RegExp, timeoutMs = 60_000): Promise<RegExpMatchArray> {
    const heard = this.said.match(pattern)
    if (heard !== null) return heard
    const late = AbortSignal.timeout(timeoutMs)
    return await new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${why} before ${pattern}:\n${this.said}`))
      this.watchers.push({ pattern, found: resolve })
      late.addEventListener('abort', () => fail(`${timeoutMs} ms passed`))
      this.exited.then((code) => fail(`the process ended with ${code}`))
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Sends a signal and waits for the end; the exit code, null when the signal ended it. */
  async end(signal: NodeJS.Signals, timeoutMs = 60_000): Promise<number | null> {
    AbortSignal.timeout(timeoutMs).addEventListener('abort', () => this.child.kill('SIGKILL'))
    this.child.kill(signal)
    return await this.exited
  }

  private hear(bytes: Buffer): void {
    this.said = (this.said + bytes.toString()).slice(-200_000)
    for (const watcher of [...this.watchers]) {
      const match = this.said.match(watcher.pattern)
      if (match === null) continue
      this.watchers.splice(this.watchers.indexOf(watcher), 1)
      watcher.found(match)
    }
  }
}

/**
 * A free port whose neighbour is free as well: for a listener and the controller's beside it. Below the ports that
 * the system gives to clients, or a client that connects while nobody listens could meet itself.
 */
export async function freePorts(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 30_000)
    if ((await isFree(port)) && (await isFree(port + 1))) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
