// kcat as the checks call it: one run, what it printed, and names that no other run has.

import { randomBytes } from 'node:crypto'
import { runCommand, Server } from '../../integration/support/commands.ts'
import type { Target } from '../suite.ts'

/** A name of a topic or a group. */
export function fresh(word: string): string {
  return `kcat-${word}-${randomBytes(4).toString('hex')}`
}

/** What a run printed. */
export interface Printed {
  readonly out: string
  readonly err: string
  readonly code: number | null
}

/** Runs kcat against the target; throws when it fails, unless it may. */
export async function kcat(
  { address }: Target,
  args: readonly string[],
  input: string | Uint8Array = '',
  mayFail = false,
): Promise<Printed> {
  const options = { input, timeoutMs: 60_000, mayFail }
  const { stdout, stderr, code } = await runCommand('kcat', ['-b', address, ...args], options)
  return { out: stdout.toString(), err: stderr, code }
}

/** Produces one message per line. */
export async function produce(
  target: Target,
  topic: string,
  lines: readonly string[],
  ...args: readonly string[]
): Promise<void> {
  const input = lines.map((line) => `${line}\n`).join('')
  await kcat(target, ['-P', '-t', topic, ...args], input)
}

/** Consumes to the end; the lines printed. */
export async function consume(
  target: Target,
  topic: string,
  ...args: readonly string[]
): Promise<string[]> {
  const { out } = await kcat(target, ['-C', '-q', '-e', '-t', topic, ...args])
  return out.split('\n').slice(0, -1)
}

/** A member of a group that stays until it is ended. */
export function member(target: Target, group: string, ...args: readonly string[]): Server {
  return new Server('kcat', ['-b', target.address, '-u', '-G', group, ...args])
}

/** Everything that a group has left of a topic, in a run of its own. */
export async function groupReads(
  target: Target,
  group: string,
  topic: string,
  ...args: readonly string[]
): Promise<string[]> {
  const settings = ['-X', 'auto.offset.reset=earliest', ...args]
  const { out } = await kcat(target, ['-q', '-e', ...settings, '-G', group, topic])
  return out.split('\n').slice(0, -1)
}
