// Twenty places in one group, four for each of five client libraries, in seven processes: kafkajs, @platformatic/kafka and
// @confluentinc/kafka-javascript have one each, Apache Kafka's consumer has one, kcat one for each member.
// A member joins under a name that was never used before; it leaves in order or is cut off without a word.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { installKafka } from '../../../oracle/kafka/kafka.ts'
import { CONFLUENT_HOME, SYSTEM_PATH } from '../../clients/confluent.ts'
import { ROOT, runCommand } from '../../support/commands.ts'

export const LIBRARIES = ['kafkajs', 'platformatic', 'confluent', 'java', 'kcat'] as const
export type Library = (typeof LIBRARIES)[number]

/** What a member says. */
export type Said = { readonly who: string } & (
  | { readonly what: 'owns'; readonly partitions: readonly number[] }
  | {
      readonly what: 'read'
      readonly partition: number
      readonly offset: number
      readonly values: readonly string[]
    }
  | { readonly what: 'left' }
  | { readonly what: 'failed' | 'noted'; readonly why: string }
)

/** `modern`: KIP-848, of those libraries that speak it; the others are eager members of the same group. */
export type Style = 'eager' | 'cooperative' | 'modern'

export interface Place {
  readonly address: string
  readonly groupId: string
  readonly topic: string
  readonly style: Style
}

/** One library's members. */
export interface Stable extends AsyncDisposable {
  /** `instance`: the member is static, and known by it. */
  join(name: string, instance?: string): void
  leave(name: string): void
  /** The witness has cut it off. */
  abandon(name: string): void
}

const FOLDER = join(ROOT, 'test/integration/groups/torture')
const CLASSES = join(ROOT, '.cache/torture')

/** Starts the processes of a library. */
export async function stableOf(
  library: Library,
  place: Place,
  hear: (said: Said) => void,
): Promise<Stable> {
  const { address, groupId, topic, style } = place
  if (library === 'kcat') return new Kcats(place, hear)
  if (library === 'java') {
    const path = await compiled()
    const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
    const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=off'
    return new Shared(
      'java',
      [...java, quiet, '-cp', path, 'Members', address, groupId, topic, style],
      hear,
    )
  }
  const isOurs = library !== 'confluent'
  const node = isOurs ? process.execPath : 'node'
  const program = join(FOLDER, 'members.mjs')
  const args = [program, library, address, groupId, topic, CONFLUENT_HOME, style]
  return new Shared(node, args, hear, isOurs ? undefined : SYSTEM_PATH)
}

/** The class path of the Java members, compiled when they are older than their source. */
async function compiled(): Promise<string> {
  const libs = await installKafka()
  const source = join(FOLDER, 'Members.java')
  const written = statSync(join(CLASSES, 'Members.class'), { throwIfNoEntry: false })
  if (written === undefined || written.mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(CLASSES, { recursive: true })
    await runCommand('javac', ['-cp', libs, '-d', CLASSES, source], { timeoutMs: 120_000 })
  }
  return `${CLASSES}${delimiter}${libs}`
}

/** Ends a process and waits for it. */
async function ended(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await exit
}

/** Members that share a process, told what to do by lines. */
class Shared implements Stable {
  private readonly child: ChildProcessWithoutNullStreams
  /** The last that it complained about. */
  private complaint = ''

  constructor(command: string, args: readonly string[], hear: (said: Said) => void, path?: string) {
    const env = path === undefined ? process.env : { ...process.env, PATH: path }
    this.child = spawn(command, args, { cwd: ROOT, env, stdio: 'pipe' })
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) hear(JSON.parse(line) as Said)
    })
    this.child.stderr.on('data', (bytes) => {
      this.complaint = (this.complaint + bytes).slice(-4000)
    })
    this.child.stdin.on('error', () => {})
    this.child.once('exit', (code, signal) => {
      if (signal !== 'SIGKILL') {
        hear({ who: args.join(' '), what: 'failed', why: `ended with ${code}: ${this.complaint}` })
      }
    })
  }

  join(name: string, instance = ''): void {
    this.tell('join', `${name} ${instance}`.trim())
  }

  leave(name: string): void {
    this.tell('leave', name)
  }

  abandon(name: string): void {
    this.tell('abandon', name)
  }

  private tell(verb: string, name: string): void {
    this.child.stdin.write(`${verb} ${name}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ended(this.child, 'SIGKILL')
  }
}

/** kcat: a process for each member, which commits by itself twice a second. */
class Kcats implements Stable {
  private readonly place: Place
  private readonly hear: (said: Said) => void
  private readonly children = new Map<string, ChildProcessWithoutNullStreams>()

  constructor(place: Place, hear: (said: Said) => void) {
    this.place = place
    this.hear = hear
  }

  join(name: string, instance?: string): void {
    const { address, groupId, topic, style } = this.place
    const set = {
      'client.id': name,
      'session.timeout.ms': 6000,
      'heartbeat.interval.ms': 400,
      'auto.commit.interval.ms': 500,
      'auto.offset.reset': 'earliest',
      'partition.assignment.strategy':
        style === 'cooperative' ? 'cooperative-sticky' : 'range,roundrobin',
      ...(instance === undefined ? {} : { 'group.instance.id': instance }),
      'fetch.wait.max.ms': 300,
    }
    const options = Object.entries(set).flatMap(([key, value]) => ['-X', `${key}=${value}`])
    const format = ['-u', '-f', '%p %o %s\\n']
    const child = spawn('kcat', ['-b', address, ...format, ...options, '-G', groupId, topic])
    this.children.set(name, child)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [partition, offset, value] = line.split(' ')
      const values = [value!]
      this.hear({
        who: name,
        what: 'read',
        partition: Number(partition),
        offset: Number(offset),
        values,
      })
    })
    createInterface({ input: child.stderr }).on('line', (line) => {
      const assigned = /\): assigned: (.*)$/.exec(line)
      if (assigned === null || style === 'cooperative') return
      const partitions = Array.from(assigned[1]!.matchAll(/\[(\d+)\]/g), ([, digits]) =>
        Number(digits),
      )
      this.hear({ who: name, what: 'owns', partitions })
    })
    child.once('exit', (code, signal) => {
      const isKilled = signal === 'SIGKILL'
      if (this.children.delete(name) && !isKilled) {
        this.hear({ who: name, what: 'failed', why: `kcat ended with ${code} ${signal}` })
      } else if (!isKilled) this.hear({ who: name, what: 'left' })
    })
  }

  leave(name: string): void {
    const child = this.children.get(name)
    this.children.delete(name)
    child?.kill('SIGTERM')
  }

  abandon(name: string): void {
    this.children.get(name)?.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.children.values(), (child) => ended(child, 'SIGKILL')))
  }
}
