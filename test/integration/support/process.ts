// The command line as a process: started, watched for a line, signalled, waited for.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

/** One `ottla …` process; killed when the scope ends. */
export class OttlaProcess implements AsyncDisposable {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  private readonly ended: Promise<number>
  private readonly watchers = new Set<() => void>()

  constructor(args: readonly string[], main = MAIN) {
    this.child = spawn(process.execPath, [main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
    })
    this.child.stdout!.on('data', (text) => this.heard(() => (this.stdout += text)))
    this.child.stderr!.on('data', (text) => this.heard(() => (this.stderr += text)))
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.heard(() => {})
        resolve(code ?? (signal === 'SIGKILL' ? 137 : 143))
      })
    })
  }

  /** Resolves when the line at start is there; rejects when the process ends before. */
  async started(): Promise<this> {
    const isUp = () => this.stdout.includes('listens on')
    await Promise.race([
      this.until(isUp),
      this.ended.then((code) => {
        if (!isUp()) throw new Error(`ended with ${code} before it listened:\n${this.stderr}`)
      }),
    ])
    return this
  }

  /** The address of a listener, from the line at start. */
  address(listener = 'PLAINTEXT'): string {
    const match = new RegExp(`${listener}://([^,;\\s]+)`).exec(this.stdout)
    if (match === null) throw new Error(`no ${listener} in: ${this.stdout}`)
    return match[1]!
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return
        this.watchers.delete(look)
        resolve()
      }
      this.watchers.add(look)
      look()
    })
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** The exit code; 137 for SIGKILL. */
  exit(): Promise<number> {
    return this.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }

  private heard(note: () => void): void {
    note()
    for (const watcher of [...this.watchers]) watcher()
  }
}

/** Runs a command to its end. */
export async function ottla(...args: string[]) {
  const running = new OttlaProcess(args)
  const code = await running.exit()
  return { code, stdout: running.stdout, stderr: running.stderr }
}

/** `ottla start` on free ports. */
export function startProcess(directory: string, ...more: string[]): Promise<OttlaProcess> {
  return new OttlaProcess(['start', '--data-dir', directory, '--port', '0', ...more]).started()
}
