// The arms of a comparison by name: `ottla`, `ottla-full` (every record is checked on produce), `ottla-uring` (sockets by
// io_uring), `ottla-spin-N` (a reactor looks on for N µs at most, before it sleeps), `ottla-send-N`, `ottla-receive-N` (a
// socket's buffer has N bytes, -1 as the system likes), `kafka`, `pipe`, or HOST:PORT of any broker that runs already.
// Tansu, Redpanda and others are measured by their address; what such a broker costs is not seen, unless `@PID` follows
// and it is here.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startApacheKafka, startBarePipe, startOttla } from './brokers.ts'
import type { Programs } from './programs.ts'
import { createTopic, deleteTopic } from './topics.ts'

/** Something that answers Produce and Fetch. */
export interface Arm {
  readonly name: string
  readonly address: string
  /** Of the process whose cost is counted. */
  readonly pid?: number | undefined
  createTopic(name: string, partitions: number): Promise<void>
  deleteTopic(name: string): Promise<void>
  stop(): Promise<void>
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Ottla with one setting, whose value the arm's name ends with. */
const WITH_A_SETTING: readonly (readonly [RegExp, string])[] = [
  [/^ottla-spin-(\d+)$/, 'ottla.reactor.spin.us'],
  [/^ottla-send-(-1|\d+)$/, 'socket.send.buffer.bytes'],
  [/^ottla-receive-(-1|\d+)$/, 'socket.receive.buffer.bytes'],
]

/** A broker that somebody else started. */
class Elsewhere implements Arm {
  readonly name: string
  readonly address: string
  readonly pid: number | undefined

  constructor(words: string) {
    const [address, pid] = words.split('@')
    this.name = address!
    this.address = address!
    this.pid = pid === undefined ? undefined : Number(pid)
  }

  async createTopic(name: string, partitions: number): Promise<void> {
    await createTopic(this.address, name, partitions)
  }

  async deleteTopic(name: string): Promise<void> {
    await deleteTopic(this.address, name)
  }

  async stop(): Promise<void> {}
}

/** Starts it, or names it; `directory` is its own. */
export async function startArm(name: string, directory: string, programs: Programs): Promise<Arm> {
  if (name.includes(':')) return new Elsewhere(name)
  const data = join(directory, name)
  for (const [pattern, key] of WITH_A_SETTING) {
    const value = pattern.exec(name)?.[1]
    if (value !== undefined) return await startOttla(ROOT, data, name, { [key]: value })
  }
  switch (name) {
    case 'ottla':
      return await startOttla(ROOT, data)
    case 'ottla-full':
      return await startOttla(ROOT, data, name, { 'ottla.produce.validate': 'full' })
    case 'ottla-uring':
      return await startOttla(ROOT, data, name, { 'ottla.io.backend': 'io_uring' })
    case 'kafka':
      return await startApacheKafka(data)
    case 'pipe':
      return await startBarePipe(programs.barePipe, data)
    case 'pipe-cubic':
      return await startBarePipe(programs.barePipe, data, 'cubic')
    default:
      throw new Error(
        `no arm "${name}": ottla, ottla-full, ottla-uring, ottla-spin-N, ottla-send-N, ottla-receive-N, kafka, pipe, pipe-cubic or HOST:PORT[@PID]`,
      )
  }
}
