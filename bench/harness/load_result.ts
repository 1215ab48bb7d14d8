// The load generator's one JSON object, and running it. It runs beside us, not instead of us: brokers write their logs
// into our pipes, and a full pipe would stop them.

import { spawn } from 'node:child_process'

/** Microseconds; `curve` has shares of 0..1 and the value that they do not exceed. */
export interface Percentiles {
  readonly count: number
  readonly min: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly p9999: number
  readonly max: number
  readonly curve: readonly (readonly [number, number])[]
}

/** What `build/bench/load` prints. */
export interface LoadResult {
  readonly asked: {
    readonly rate: number
    readonly messageBytes: number
    readonly batchRecords: number
    readonly batchBytes: number
    readonly codec: string
    /** Whether it never slept. */
    readonly spins?: boolean
    readonly partitions: number
    readonly groups: number
    readonly produceVersion: number
    readonly fetchVersion: number
  }
  readonly windowSeconds: number
  readonly sent: number
  readonly acked: number
  readonly failed: number
  readonly ackedPerSecond: number
  readonly consumedPerSecond: number
  readonly backlogMax: number
  readonly consumed: number
  readonly errors: Readonly<Record<string, number>>
  readonly ackUs: Percentiles
  readonly endToEndUs: Percentiles
  readonly sendLagUs: Percentiles
  /** By second since the start: acknowledged, consumed, worst of both latencies. */
  readonly timeline: readonly (readonly [number, number, number, number])[]
  readonly generator: {
    readonly busyShare: number
    readonly cpuSeconds: number
    readonly wallSeconds: number
    readonly stealShare: number
    readonly longestGapUs: number
  }
  readonly valid: boolean
  readonly gates: Readonly<Record<string, { readonly holds: boolean; readonly value: number }>>
}

export type LoadOptions = Readonly<Record<string, string | number>>

const VALID = 0
const VOID = 3

/** One run. Throws when it could not run; a void one is an answer. */
export async function runLoad(
  program: string,
  address: string,
  topic: string,
  options: LoadOptions,
): Promise<LoadResult> {
  const words = Object.entries({ bootstrap: address, topic, ...options })
  const args = words.flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (bytes) => (out += bytes))
  child.stderr.on('data', (bytes) => (err += bytes))
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== VALID && code !== VOID) throw new Error(`load ${args.join(' ')}: ${err}`)
  return JSON.parse(out) as LoadResult
}

/** The gates that do not hold, with their values. */
export function failedGates({ gates }: Pick<LoadResult, 'gates'>): string[] {
  return Object.entries(gates)
    .filter(([, { holds }]) => !holds)
    .map(([name, { value }]) => `${name} ${value}`)
}

const nameOf = (gate: string): string => gate.split(' ')[0]!

/** Others had the machine meanwhile. */
export const isSteal = (gate: string): boolean => nameOf(gate) === 'steal'

/** Gates that tell of the machine's time, not of records. */
const MACHINE_GATES = ['steal', 'sendLag', 'generatorIdle']

/** Void, if at all, only because the machine was busy: what was sent was answered and read back all the same. */
export function isComplete(why: readonly string[]): boolean {
  return why.every((gate) => MACHINE_GATES.includes(nameOf(gate)))
}
