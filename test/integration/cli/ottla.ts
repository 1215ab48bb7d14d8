// The command line as users run it: a process, its streams, its exit code. And the same commands in this process, for
// tests that run dozens of them: all is the same but for the start of a process.

import { join } from 'node:path'
import { run } from '../../../src/cli/program.ts'
import { type Finished, ROOT, runCommand } from '../support/commands.ts'

/** The command from the sources. */
export const MAIN = join(ROOT, 'src/main.ts')

/** What a command said, and its exit code. */
export interface Said {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs commands against one cluster. */
export type Ottla = (args: readonly string[]) => Promise<Said>

/** Runs one command to its end in a process of its own, whatever its exit code. */
export function ottlaProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return runCommand(process.execPath, [MAIN, ...args], {
    env: { NO_COLOR: '', FORCE_COLOR: '', ...env },
    timeoutMs: 60_000,
    mayFail: true,
  })
}

/** Commands as processes. */
export function processesAgainst(address: string): Ottla {
  return async (args) => {
    const { code, stdout, stderr } = await ottlaProcess(args, { OTTLA_BOOTSTRAP: address })
    return { code, stdout: stdout.toString(), stderr }
  }
}

/** Commands in this process, one at a time. */
export function callsAgainst(address: string): Ottla {
  return async (args) => {
    const said = { stdout: '', stderr: '' }
    const writes = [process.stdout.write, process.stderr.write] as const
    const before = process.env['OTTLA_BOOTSTRAP']
    process.env['OTTLA_BOOTSTRAP'] = address
    process.stdout.write = taking((text) => {
      said.stdout += text
    })
    process.stderr.write = taking((text) => {
      said.stderr += text
    })
    try {
      const code = await run(['node', 'ottla', ...args])
      return { code, ...said }
    } finally {
      ;[process.stdout.write, process.stderr.write] = writes
      if (before === undefined) delete process.env['OTTLA_BOOTSTRAP']
      else process.env['OTTLA_BOOTSTRAP'] = before
    }
  }
}

function taking(take: (text: string) => void): typeof process.stdout.write {
  return ((text: string | Uint8Array) => {
    take(typeof text === 'string' ? text : Buffer.from(text).toString())
    return true
  }) as typeof process.stdout.write
}

/** What a command wrote with --json. Throws when it failed. */
export async function jsonOf(ottla: Ottla, args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await ottla([...args, '--json'])
  if (code !== 0) throw new Error(`ottla ${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}
