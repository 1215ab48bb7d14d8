// What every command that asks a cluster takes, and how it gets there: an address, a client.properties file, a
// deadline, tables or JSON. The client is loaded when a command runs, not when it is declared.

import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import type { Cluster, ClusterOptions } from '../client/cluster.ts'
import { durationOption } from './admin/values.ts'
import type { Output } from './output/output.ts'
import { CliProblem, EXIT } from './output/problems.ts'

/** Options of every command that asks a cluster. */
export interface ConnectOptions {
  bootstrapServer?: string
  commandConfig?: string
  /** Milliseconds. */
  timeout: number
  json?: boolean
}

/** The heading of these options in a command's help. */
export const CONNECTION_GROUP = 'Connection:'
const DEFAULT_ADDRESS = '127.0.0.1:9092'
const CONNECT_TIMEOUT_MS = 10_000

/** Declares the options on a command. */
export function connectOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '-b, --bootstrap-server <host:port,...>',
        `one or more brokers; ${DEFAULT_ADDRESS} when nothing says`,
      )
        .env('OTTLA_BOOTSTRAP')
        .helpGroup(CONNECTION_GROUP),
    )
    .addOption(
      new Option('--command-config <file>', 'a client.properties file').helpGroup(CONNECTION_GROUP),
    )
    .addOption(
      new Option('--timeout <duration>', 'how long to try, such as 500ms, 10s or 2m')
        .argParser(durationOption)
        .default(30_000, '30s')
        .helpGroup(CONNECTION_GROUP),
    )
}

/** Declares the same, and `--json`. */
export function remoteOptions(command: Command): Command {
  return connectOptions(command.option('--json', 'JSON instead of tables'))
}

/** Where and how to connect: options first, then the environment, then the file, then the default. */
export async function clusterOptionsOf(options: ConnectOptions): Promise<ClusterOptions> {
  const path = options.commandConfig
  const file = path === undefined ? new Map<string, string>() : await readClient(path)
  const clientId = file.get('client.id')
  return {
    bootstrap: options.bootstrapServer ?? file.get('bootstrap.servers') ?? DEFAULT_ADDRESS,
    ...(clientId === undefined ? {} : { clientId }),
    connectTimeoutMs: Math.min(options.timeout, CONNECT_TIMEOUT_MS),
    requestTimeoutMs: options.timeout,
    retryTimeoutMs: options.timeout,
  }
}

async function readClient(path: string): Promise<Map<string, string>> {
  const { parseProperties } = await import('../config/text/properties.ts')
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (problem) {
    throw new CliProblem(`cannot read ${path}: ${(problem as Error).message}`, EXIT.usage)
  }
  const entries = new Map(parseProperties(text).entries.map(({ key, value }) => [key, value]))
  const protocol = entries.get('security.protocol') ?? 'PLAINTEXT'
  if (protocol !== 'PLAINTEXT') {
    const message = `${path}: security.protocol=${protocol} is not supported by these commands yet`
    throw new CliProblem(message, EXIT.usage, 'Use a listener of the kind PLAINTEXT.')
  }
  return entries
}

/** Connects, runs `use`, and closes whatever happens; the exit code that `use` returns, 0 without one. */
export async function withCluster(
  options: ConnectOptions,
  use: (cluster: Cluster, out: Output) => Promise<number | undefined>,
): Promise<number> {
  const [{ Output }, client] = await Promise.all([
    import('./output/output.ts'),
    import('../client/cluster.ts'),
  ])
  const out = new Output(options)
  const cluster = await client.Cluster.connect(await clusterOptionsOf(options))
  try {
    return (await use(cluster, out)) ?? EXIT.ok
  } finally {
    out.clearProgress()
    cluster.close()
  }
}

/** What a peer that is no Kafka broker answers is malformed. */
const UNREACHABLE = [
  'CONNECTION_FAILED',
  'CONNECTION_CLOSED',
  'REQUEST_TIMED_OUT',
  'MALFORMED_RESPONSE',
  'CLOSED',
]

/** A failure of the client as a problem with an exit code; null for anything else. */
export function clientProblem(problem: unknown): CliProblem | null {
  if (!(problem instanceof Error) || problem.name !== 'ClientError') return null
  const { code } = problem as Error & { code: string }
  if (UNREACHABLE.includes(code)) {
    const hint = 'Is a broker running there? -b HOST:PORT or OTTLA_BOOTSTRAP says where to look.'
    return new CliProblem(problem.message, EXIT.unreachable, hint)
  }
  const isUsage = code === 'INVALID_ARGUMENT' || code === 'NOT_SUPPORTED'
  return new CliProblem(problem.message, isUsage ? EXIT.usage : EXIT.answer)
}
