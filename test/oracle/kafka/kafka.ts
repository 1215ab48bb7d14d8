// Apache Kafka itself, pinned: installed from Maven into a folder that git ignores, formatted, started, and its tools
// run. Loopback only. A process is ended by the id under which it was started here.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Finished,
  freePorts,
  ROOT,
  type RunOptions,
  runCommand,
  Server,
} from '../../integration/support/commands.ts'

export const KAFKA_VERSION = '4.3.1'
const HOME = join(ROOT, '.cache', `kafka-${KAFKA_VERSION}`)
const LIBS = join(HOME, 'libs')

const ARTIFACTS = [
  ['org.apache.kafka', 'kafka_2.13', KAFKA_VERSION],
  ['org.apache.kafka', 'kafka-tools', KAFKA_VERSION],
  ['org.apache.kafka', 'kafka-shell', KAFKA_VERSION],
  ['org.slf4j', 'slf4j-simple', '1.7.36'],
] as const

/** The class path of Apache Kafka; fetches it once. */
export async function installKafka(): Promise<string> {
  const isComplete = ARTIFACTS.every(([, name, version]) =>
    existsSync(join(LIBS, `${name}-${version}.jar`)),
  )
  if (!isComplete) {
    mkdirSync(HOME, { recursive: true })
    writeFileSync(join(HOME, 'pom.xml'), projectFile())
    const goal = [
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      '-DoutputDirectory=libs',
    ]
    await runCommand('mvn', ['-q', '-B', ...goal], { cwd: HOME, timeoutMs: 600_000 })
  }
  return `${LIBS}/*`
}

/** Whether the jars are here already: quick tests do not fetch 100 MB on their own. */
export function isKafkaInstalled(): boolean {
  return existsSync(join(LIBS, `kafka_2.13-${KAFKA_VERSION}.jar`))
}

function projectFile(): string {
  const dependencies = ARTIFACTS.map(
    ([group, name, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId>` +
      `<version>${version}</version></dependency>`,
  )
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    '<groupId>ottla</groupId><artifactId>oracle</artifactId><version>1</version>\n' +
    `<dependencies>\n${dependencies.join('\n')}\n</dependencies></project>\n`
  )
}

/** Runs the main class of one of Kafka's tools; a bare name is one of org.apache.kafka.tools. */
export async function kafkaTool(
  mainClass: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const libs = await installKafka()
  const name = mainClass.startsWith('kafka.') ? mainClass : `org.apache.kafka.tools.${mainClass}`
  const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', libs]
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  return await runCommand('java', [...java, quiet, name, ...args], options)
}

export type Quorum = 'dynamic' | 'static'

export interface KafkaOptions {
  /** Where everything is kept: server.properties, data. */
  directory: string
  port: number
  quorum?: Quorum
  /** More server properties, or other values. */
  config?: Readonly<Record<string, string | number>>
}

/** Writes the server.properties of one node that is broker and controller; its path. Ours reads it as well. */
export function writeProperties(options: KafkaOptions): string {
  const { directory, port, quorum = 'dynamic', config = {} } = options
  const controller = `127.0.0.1:${port + 1}`
  const properties: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    ...(quorum === 'static'
      ? { 'controller.quorum.voters': `1@${controller}` }
      : { 'controller.quorum.bootstrap.servers': controller }),
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(directory, 'data'),
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    ...config,
  }
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'server.properties')
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(file, lines.join(''))
  return file
}

/** `kafka-storage format`: --standalone for a dynamic quorum. */
export async function formatKafka(
  file: string,
  clusterId: string,
  quorum: Quorum = 'dynamic',
): Promise<void> {
  const how = quorum === 'dynamic' ? ['--standalone'] : []
  await kafkaTool('kafka.tools.StorageTool', ['format', '-t', clusterId, '-c', file, ...how])
}

/** A running Apache Kafka. */
export class Kafka implements AsyncDisposable {
  readonly server: Server
  readonly port: number

  private constructor(server: Server, port: number) {
    this.server = server
    this.port = port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Starts on a formatted directory. */
  static async start(file: string, port: number, heap = '512M'): Promise<Kafka> {
    const libs = await installKafka()
    const memory = [`-Xms${heap}`, `-Xmx${heap}`, '-XX:+UseSerialGC', '-Djava.awt.headless=true']
    const server = new Server('java', [...memory, '-cp', libs, 'kafka.Kafka', file])
    await server.hears(/Kafka Server started/, 120_000)
    return new Kafka(server, port)
  }

  /** SIGTERM and a clean end. */
  async stop(): Promise<void> {
    const code = await this.server.end('SIGTERM', 60_000)
    if (code !== 143 && code !== 0 && code !== null) {
      throw new Error(`Apache Kafka ended with ${code}:\n${this.server.said.slice(-4000)}`)
    }
  }

  async kill(): Promise<void> {
    await this.server.end('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.end('SIGKILL')
  }
}

/** Formats, when it is new, and starts Apache Kafka in a directory. */
export async function startKafka(
  options: Omit<KafkaOptions, 'port'> & { port?: number; clusterId?: string },
): Promise<Kafka> {
  const port = options.port ?? (await freePorts())
  const file = writeProperties({ ...options, port })
  if (!existsSync(join(options.directory, 'data', 'meta.properties'))) {
    rmSync(join(options.directory, 'data'), { recursive: true, force: true })
    await formatKafka(file, options.clusterId ?? 'MkU3OEVBNTcwNTJENDM2Qk', options.quorum)
  }
  return await Kafka.start(file, port)
}
