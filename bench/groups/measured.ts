// The brokers whose groups are measured, as processes: Ottla from the sources, with an ear for its event loop, and Apache Kafka
// with a heap of 1 GiB. Of both, what they cost, from outside.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Server } from '../../test/integration/support/commands.ts'
import { eventually } from '../../test/integration/support/eventually.ts'
import { RawClient } from '../../test/integration/support/raw_client.ts'
import { formatKafka, installKafka, writeProperties } from '../../test/oracle/kafka/kafka.ts'
import { type Usage, usageOf } from '../harness/processes.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk'

type Settings = Readonly<Record<string, string>>

/** What some seconds have cost. */
export interface Cost {
  readonly cores: number
  readonly rssMb: number
  /** Only of Node: how late its event loop was. */
  readonly loop?: EventLoop
}

interface EventLoop {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  readonly loopBusy: number
  readonly heapMb: number
}

/** A broker under measurement. */
export interface Measured {
  readonly address: string
  reset(): void
  /** Since `reset`. */
  report(): Promise<Cost>
  end(signal: NodeJS.Signals): Promise<void>
}

/** CPU and memory of a process since it was last reset. */
class Meter {
  private readonly pid: number
  private before: Usage
  private sinceMs = performance.now()

  constructor(pid: number) {
    this.pid = pid
    this.before = usageOf(pid)
  }

  reset(): void {
    this.before = usageOf(this.pid)
    this.sinceMs = performance.now()
  }

  report(): Cost {
    const { cpuSeconds, residentMib } = usageOf(this.pid)
    const seconds = (performance.now() - this.sinceMs) / 1000
    return { cores: (cpuSeconds - this.before.cpuSeconds) / seconds, rssMb: residentMib }
  }
}

/** Ottla, with an ear for its event loop. */
export class MeasuredOttla implements Measured {
  readonly address: string
  private readonly child: ChildProcess
  private readonly meter: Meter

  private constructor(child: ChildProcess, port: number) {
    this.child = child
    this.meter = new Meter(child.pid!)
    this.address = `127.0.0.1:${port}`
  }

  /** `prof`: a folder for a CPU profile. */
  static async start(
    directory: string,
    port: number,
    settings: Settings,
    prof?: string,
  ): Promise<Measured> {
    const profiled = prof === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${prof}`]
    const set = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
    const where = ['--data-dir', directory, '--port', String(port), ...set]
    const probe = ['--import', join(ROOT, 'bench/groups/stalls.mjs')]
    const args = [...profiled, ...probe, join(ROOT, 'src/main.ts')]
    const child = spawn(process.execPath, [...args, 'start', '--log-level', 'error', ...where], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const measured = new MeasuredOttla(child, port)
    await eventually(async () => (await RawClient.open(measured.address)).close() ?? true)
    return measured
  }

  reset(): void {
    this.child.send('reset')
    this.meter.reset()
  }

  async report(): Promise<Cost> {
    this.child.send('report')
    const [loop] = await once(this.child, 'message')
    return { ...this.meter.report(), loop: loop as EventLoop }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const exit = once(this.child, 'exit')
    this.child.kill(signal)
    await exit
  }
}

/** Apache Kafka 4.3.1. */
export class MeasuredKafka implements Measured {
  readonly address: string
  private readonly server: Server
  private readonly meter: Meter

  private constructor(server: Server, port: number) {
    this.server = server
    this.meter = new Meter(server.pid)
    this.address = `127.0.0.1:${port}`
  }

  static async start(directory: string, port: number, config: Settings): Promise<Measured> {
    const libs = await installKafka()
    const file = writeProperties({ directory, port, config })
    await formatKafka(file, CLUSTER_ID)
    const flags = ['-Xms1G', '-Xmx1G', '-server', '-XX:+UseG1GC', '-Djava.awt.headless=true']
    const server = new Server('java', [...flags, '-cp', libs, 'kafka.Kafka', file])
    await server.hears(/Kafka Server started/, 120_000)
    return new MeasuredKafka(server, port)
  }

  reset(): void {
    this.meter.reset()
  }

  report(): Promise<Cost> {
    return Promise.resolve(this.meter.report())
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    await this.server.end(signal === 'SIGKILL' ? 'SIGKILL' : 'SIGTERM', 60_000)
  }
}
