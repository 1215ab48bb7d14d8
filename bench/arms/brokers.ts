// The brokers that are compared, as processes: Ottla as users install it (compiled), Apache Kafka with its own JVM flags,
// and the bare pipe, which is no broker but the ceiling.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePorts, Server } from '../../test/integration/support/commands.ts'
import { formatKafka, installKafka, writeProperties } from '../../test/oracle/kafka/kafka.ts'
import { createTopic, deleteTopic } from './topics.ts'

export const BARE_PIPE = 'bare pipe'

const FILES_GONE_MS = 1000
const LOOK_MS = 5

/** A broker under measurement. */
export class RunningBroker {
  readonly name: string
  readonly address: string
  readonly pid: number
  private readonly server: Server
  /** The bare pipe makes topics when they are named, with as many partitions as the name says. */
  private readonly makesTopics: boolean
  /** Where its partitions are; the pipe's have no names. */
  private readonly logs: string | undefined

  constructor(name: string, port: number, server: Server, logs?: string) {
    this.logs = logs
    this.makesTopics = name.startsWith(BARE_PIPE)
    this.name = name
    this.address = `127.0.0.1:${port}`
    this.server = server
    this.pid = server.child.pid!
  }

  async createTopic(name: string, partitions: number): Promise<void> {
    if (!this.makesTopics) await createTopic(this.address, name, partitions)
  }

  async deleteTopic(name: string): Promise<void> {
    await deleteTopic(this.address, name)
    await this.filesGone(name)
  }

  /** Until its files are, or for a second: Kafka takes longer in its first half minute. */
  private async filesGone(topic: string): Promise<void> {
    const { logs } = this
    const until = performance.now() + FILES_GONE_MS
    const isThere = () => logs !== undefined && readdirSync(logs).some((one) => one.includes(topic))
    while (isThere() && performance.now() < until) await pause(LOOK_MS)
  }

  residentMb(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024)
  }

  async stop(): Promise<void> {
    await this.server.end('SIGTERM', 60_000)
  }
}

/**
 * Of both brokers: a deleted topic's files go away at once, not after a minute, so that no slice waits for the disk to take
 * what an earlier one wrote.
 */
const SETTINGS = { 'log.segment.delete.delay.ms': '0' } as const

let isBuilt = false

/** Makes `dist/` and the addon what the sources are now; once per process. */
export function buildOttla(root: string): void {
  if (isBuilt) return
  execFileSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  isBuilt = true
}

/** The command line of Ottla, built, with more settings where they are given. */
export function ottlaCommand(
  root: string,
  directory: string,
  port: number,
  settings: Readonly<Record<string, string>> = {},
): string[] {
  buildOttla(root)
  const words = [join(root, 'dist', 'main.js'), 'start', '--data-dir', directory]
  const set = Object.entries({ ...SETTINGS, ...settings }).flatMap(([name, value]) => [
    '--set',
    `${name}=${value}`,
  ])
  return [...words, '--port', String(port), '--log-level', 'error', ...set]
}

/** Ottla as users install it. */
export async function startOttla(
  root: string,
  directory: string,
  name = 'ottla',
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningBroker> {
  const port = await freePorts()
  const server = new Server(process.execPath, ottlaCommand(root, directory, port, settings))
  await server.hears(/listens on/, 10_000)
  return new RunningBroker(name, port, server, directory)
}

/** Apache Kafka 4.3.1 with the flags of its own start script and a heap of 1 GiB. */
export async function startApacheKafka(directory: string): Promise<RunningBroker> {
  const libs = await installKafka()
  const port = await freePorts()
  const file = writeProperties({ directory, port, config: SETTINGS })
  await formatKafka(file, 'MkU3OEVBNTcwNTJENDM2Qk')
  const flags = [
    '-Xms1G',
    '-Xmx1G',
    '-server',
    '-XX:+UseG1GC',
    '-XX:MaxGCPauseMillis=20',
    '-XX:InitiatingHeapOccupancyPercent=35',
    '-XX:+ExplicitGCInvokesConcurrent',
    '-Djava.awt.headless=true',
  ]
  const server = new Server('java', [...flags, '-cp', libs, 'kafka.Kafka', file])
  await server.hears(/Kafka Server started/, 120_000)
  return new RunningBroker('kafka', port, server, join(directory, 'data'))
}

/** The bare pipe with a folding checksum, space allocated ahead, and `congestion` when it is given. */
export async function startBarePipe(
  program: string,
  directory: string,
  congestion?: string,
): Promise<RunningBroker> {
  mkdirSync(directory, { recursive: true })
  const more = congestion === undefined ? [] : ['--congestion', congestion]
  const server = new Server(program, ['--directory', directory, ...more])
  const [, port] = await server.hears(/listens on 127\.0\.0\.1:(\d+)/, 10_000)
  const name = congestion === undefined ? BARE_PIPE : `${BARE_PIPE}, ${congestion}`
  return new RunningBroker(name, Number(port), server)
}
