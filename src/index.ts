// The library: a real broker in the caller's process.
//
//   import { startBroker } from 'ottla'
//   const broker = await startBroker()
//   … connect any Kafka client to broker.address …
//   await broker.close()
//
// close() leaves no handle, thread, lock or (for a temporary directory) file behind.

import {
  absolute,
  formatMissing,
  readConfiguration,
  singleNodeDefaults,
  temporaryDirectory,
} from './broker_options.ts'
import type { OptionValue, ParsedConfig } from './config/parse.ts'
import { BrokerClient, type BrokerConnection, type Conveniences } from './embedded/broker_client.ts'
import { SystemWorld, stderrSink } from './host/system.ts'
import { Log, type LogLevel, type LogSink, silentLog } from './lib/log.ts'
import { OttlaNode } from './node.ts'
import { createNativePlane, lockDirectory } from './plane/native.ts'

export { ClientError } from './client/client_error.ts'
export { ConfigError } from './config/parse.ts'
export type {
  BrokerConnection,
  ConsumeOptions,
  Conveniences,
  ReadFrom,
  ReadOptions,
  ReadRecord,
  RecordForm,
  RecordToProduce,
  TopicOptions,
  WrittenRecord,
} from './embedded/broker_client.ts'
export { DirectoryError } from './host/formatting.ts'
export type { LogLevel } from './lib/log.ts'
export { StartRefused } from './node.ts'

/** A broker that lives for a test has few groups, which should not wait for members that never come. */
const TEMPORARY_DEFAULTS = [
  'offsets.topic.num.partitions=1',
  'transaction.state.log.num.partitions=1',
  'group.initial.rebalance.delay.ms=0',
]

/** How to start a broker; everything has a default. */
export interface BrokerOptions {
  /** Address to bind and to tell clients; 127.0.0.1 when left out. */
  host?: string
  /** 0, the default, lets the system choose. */
  port?: number
  /** Where the data is kept; a temporary directory, removed by close(), when left out. */
  directory?: string
  /** The cluster id of a directory that is formatted now; random when left out. */
  clusterId?: string
  /** Kafka's server properties by name, such as `{ 'num.partitions': 3 }`. */
  config?: Readonly<Record<string, OptionValue | undefined>>
  /** A level writes to stderr, a function gets every line; silent when left out. */
  log?: LogLevel | LogSink
  /** The broker cannot go on (a failed metadata log); it has already begun to stop. */
  onFatal?: (problem: Error) => void
}

/** A running broker. */
export interface Broker extends Conveniences, AsyncDisposable {
  /** host:port of the first listener: what a client's bootstrap setting takes. */
  readonly address: string
  readonly host: string
  readonly port: number
  /** Every listener by name, as host:port. */
  readonly listeners: Readonly<Record<string, string>>
  readonly clusterId: string
  readonly nodeId: number
  readonly directory: string
  /** Leaves in order: answers what was asked, flushes, marks the data clean. */
  close(): Promise<void>
}

/** Starts a broker in this process. Throws ConfigError, DirectoryError or StartRefused, in plain words. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const temporary = options.directory === undefined ? temporaryDirectory() : null
  const directory = temporary?.path ?? absolute(options.directory!)
  let world: SystemWorld | null = null
  try {
    const defaults = singleNodeDefaults(directory, options.host ?? '127.0.0.1', options.port ?? 0)
    const all = temporary === null ? defaults : [defaults, ...TEMPORARY_DEFAULTS].join('\n')
    const parsed = readConfiguration({ defaults: all, options: options.config })
    // What close() removes need not survive a power cut: no file of it waits for the disk.
    const isVolatile = temporary !== null && isWithin(directory, parsed)
    world = new SystemWorld(logOf(options.log), lockDirectory, isVolatile ? 'process' : 'disk')
    const { log } = world
    formatMissing(world, parsed, options.clusterId)
    const node = await OttlaNode.start(parsed, {
      world,
      createPlane: (plane) => createNativePlane({ ...plane, syncs: isVolatile ? 'never' : 'disk' }),
      onFatal: (problem) => {
        log.error(problem.message)
        options.onFatal?.(problem)
      },
    })
    return running(node, world, directory, temporary)
  } catch (problem) {
    world?.close()
    temporary?.remove()
    throw problem
  }
}

/** The conveniences of a broker that runs elsewhere, such as another process's. Connects when first used. */
export function connectBroker(address: string): BrokerConnection {
  return new BrokerClient(address)
}

function running(
  node: OttlaNode,
  world: SystemWorld,
  directory: string,
  temporary: { remove(): void } | null,
): Broker {
  const listeners = Object.fromEntries(
    node.boundListeners.map((listener) => [
      listener.name,
      `${bracketed(listener.advertisedHost)}:${listener.advertisedPort}`,
    ]),
  )
  const first = node.boundListeners.find(({ isController }) => !isController)!
  let closed: Promise<void> | null = null
  const address = listeners[first.name]!
  const client = new BrokerClient(address)
  const close = async () => {
    await client.close()
    await node.stop()
    world.close()
    temporary?.remove()
  }
  return {
    address,
    host: first.advertisedHost,
    port: first.advertisedPort,
    listeners,
    clusterId: node.clusterId,
    nodeId: node.nodeId,
    directory,
    createTopic: (topic, topicOptions) => client.createTopic(topic, topicOptions),
    produce: (topic, records) => client.produce(topic, records),
    consume: (topic, readOptions) => client.consume(topic, readOptions),
    stream: (topic, readOptions) => client.stream(topic, readOptions),
    reset: () => client.reset(),
    close: () => (closed ??= close()),
    [Symbol.asyncDispose]: () => (closed ??= close()),
  }
}

/** Whether everything is kept below the directory; `config` may say otherwise. */
function isWithin(directory: string, { derived }: ParsedConfig): boolean {
  return [derived.metadataLogDir, ...derived.logDirs].every(
    (path) => path === directory || path.startsWith(`${directory}/`),
  )
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function logOf(log: BrokerOptions['log']): Log {
  if (log === undefined) return silentLog
  return new Log(typeof log === 'function' ? log : stderrSink(log))
}
