// What a process cost, from outside: CPU of all its threads, memory, context switches, system calls. Linux only.

import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Sums since the process began; threads that ended are not in them. */
export interface Usage {
  readonly cpuSeconds: number
  readonly contextSwitches: number
  readonly residentMib: number
}

/** Reads /proc; a thread that ends meanwhile counts as nothing. */
export function usageOf(pid: number): Usage {
  let cpuSeconds = 0
  let contextSwitches = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const [runNs, , slices] = read(`/proc/${pid}/task/${task}/schedstat`).split(' ')
    cpuSeconds += Number(runNs ?? 0) / 1e9
    contextSwitches += Number(slices ?? 0)
  }
  return { cpuSeconds, contextSwitches, residentMib: residentMib(pid) }
}

function residentMib(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0
  return Number(kib) / 1024
}

const LOOK_MS = 200

/** Looks at a process's memory now and then, and keeps the most that it saw. */
export class PeakMemory {
  private mostMib = 0
  private readonly timer: NodeJS.Timeout

  constructor(pid: number) {
    this.timer = setInterval(() => {
      this.mostMib = Math.max(this.mostMib, residentMib(pid))
    }, LOOK_MS).unref()
  }

  /** In MiB; undefined when it never looked. */
  stop(): number | undefined {
    clearInterval(this.timer)
    return this.mostMib === 0 ? undefined : this.mostMib
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Counts a process's system calls with perf, where perf may (root, tracepoints); elsewhere the count is undefined. */
export class SystemCalls {
  private readonly perf: ChildProcess
  private readonly ended: Promise<unknown>
  private said = ''

  constructor(pid: number) {
    const args = ['stat', '-x', ',', '-e', 'raw_syscalls:sys_enter', '-p', String(pid)]
    this.perf = spawn('perf', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.perf.stderr!.on('data', (bytes) => (this.said += bytes))
    this.ended = new Promise((resolve) => {
      this.perf.on('error', resolve)
      this.perf.on('close', resolve)
    })
  }

  async count(): Promise<number | undefined> {
    this.perf.kill('SIGINT')
    await this.ended
    const counted = /^(\d+),/m.exec(this.said)
    return counted === null ? undefined : Number(counted[1])
  }
}
