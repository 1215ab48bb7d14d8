// `ottla start`: a broker until a signal says otherwise. The first SIGTERM or SIGINT leaves in order, the second ends
// the process at once; data is safe either way, the next start is only slower.

import { readFileSync } from 'node:fs'
import {
  absolute,
  formatMissing,
  readConfiguration,
  singleNodeDefaults,
} from '../broker_options.ts'
import { ConfigError, describeWarning, type ParsedConfig } from '../config/parse.ts'
import { DirectoryError } from '../host/formatting.ts'
import { SystemWorld, stderrSink } from '../host/system.ts'
import { Log, type LogLevel } from '../lib/log.ts'
import { CorruptMetadata, UnsupportedMetadata } from '../metadata/record.ts'
import { OttlaNode, StartRefused } from '../node.ts'
import { createNativePlane, lockDirectory } from '../plane/native.ts'
import { PlaneError } from '../plane/plane.ts'
import { CliProblem, EXIT } from './output/problems.ts'
import { startIsOver } from './start_memory.ts'

export interface StartOptions {
  config?: string
  set: string[]
  logLevel: LogLevel
  dataDir: string
  port: number
  host: string
  allowUnenforced?: boolean
}

/** Runs until stopped; resolves to the exit code. */
export async function startCommand(options: StartOptions): Promise<number> {
  const world = new SystemWorld(new Log(stderrSink(options.logLevel)), lockDirectory)
  try {
    const parsed = configurationOf(options)
    for (const warning of parsed.warnings) world.log.warn(describeWarning(warning))
    if (options.config === undefined) formatMissing(world, parsed)
    const node = await OttlaNode.start(parsed, {
      world,
      createPlane: createNativePlane,
      onFatal: (problem) => {
        world.log.error(`stopping: ${problem.message}`)
        process.exit(1)
      },
    })
    startIsOver()
    return await untilStopped(node, world, parsed)
  } finally {
    world.close()
  }
}

function configurationOf(options: StartOptions): ParsedConfig {
  const { config, dataDir, host, port } = options
  return readConfiguration({
    defaults: config === undefined ? singleNodeDefaults(absolute(dataDir), host, port) : null,
    files: config === undefined ? [] : [fileOf(config)],
    env: process.env,
    options: options.allowUnenforced === true ? { 'ottla.allow.unenforced': true } : {},
    set: options.set,
  })
}

function untilStopped(node: OttlaNode, world: SystemWorld, parsed: ParsedConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    let isStopping = false
    const stop = (signal: NodeJS.Signals) => {
      if (isStopping) process.exit(128 + (signal === 'SIGINT' ? 2 : 15))
      isStopping = true
      world.log.info('stopping; a second signal ends at once', { signal })
      node.stop().then(() => resolve(0), reject)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    const where = node.boundListeners.map(
      ({ name, advertisedHost, advertisedPort }) => `${name}://${advertisedHost}:${advertisedPort}`,
    )
    process.stdout.write(
      `ottla node ${node.nodeId} of cluster ${node.clusterId} listens on ${where.join(', ')}; ` +
        `its data is in ${parsed.derived.logDirs.join(', ')}\n`,
    )
  })
}

/** A configuration file and its name for messages. */
export function fileOf(path: string): { name: string; text: string } {
  try {
    return { name: path, text: readFileSync(path, 'latin1') }
  } catch (problem) {
    throw new DirectoryError(`cannot read ${path}: ${(problem as Error).message}`)
  }
}

/** The words for a problem of starting or formatting; one that has none is a bug, and is thrown on. */
export function explainProblem(problem: unknown): CliProblem {
  if (problem instanceof ConfigError) return new CliProblem(problem.message, EXIT.usage)
  if (problem instanceof DirectoryError) return new CliProblem(problem.message, EXIT.directory)
  if (problem instanceof StartRefused) {
    const code = problem.code === 'LOCKED' ? EXIT.directory : EXIT.refused
    return new CliProblem(problem.message, code)
  }
  if (problem instanceof UnsupportedMetadata || problem instanceof CorruptMetadata) {
    const words = `the metadata log cannot be used: ${problem.message}`
    return new CliProblem(words, EXIT.directory)
  }
  if (problem instanceof PlaneError) return new CliProblem(problem.message, EXIT.refused)
  throw problem
}
