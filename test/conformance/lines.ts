// Runs a suite's own program and hands over what it prints line by line, so that every test is reported when it ends
// and a run that hangs has still reported what it did. A program that misses its deadline is killed by its id, and
// so is the process group that it leads: test runners have children.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface LinesOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

export interface Ended {
  /** null: ended by a signal. */
  readonly code: number | null
  readonly isLate: boolean
  /** The last that it wrote on stderr. */
  readonly stderr: string
}

const STDERR_KEPT = 20_000

/** Runs to the end or the deadline; rejects only when the program cannot be started. */
export async function runLines(
  command: string,
  args: readonly string[],
  options: LinesOptions,
  onLine: (line: string) => void,
): Promise<Ended> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const end = () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    process.kill(-child.pid, 'SIGKILL')
  }
  process.once('exit', end)
  const late = AbortSignal.timeout(options.timeoutMs)
  late.addEventListener('abort', end)
  let stderr = ''
  child.stderr.on('data', (bytes) => {
    stderr = (stderr + bytes).slice(-STDERR_KEPT)
  })
  createInterface({ input: child.stdout }).on('line', onLine)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    return { code, isLate: late.aborted, stderr }
  } finally {
    late.removeEventListener('abort', end)
    process.removeListener('exit', end)
  }
}
