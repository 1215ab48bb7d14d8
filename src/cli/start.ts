// `ottla start`: a broker until a signal says otherwise. The first SIGTERM or SIGINT leaves in order, the second ends
// the process at once; data is safe either way, the next start is only slower.

import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
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

/** By then the first clients of a start have what they asked for. */
const START_SETTLES_MS = 1000
/** By then the reducer has looked at what happened until we collected. */
const REDUCER_LOOKS_MS = 20_000
/** V8 names unknown flags on stderr; Node 24 has this one, and others keep their reducer. */
const hasReducerCount = process.versions.v8.startsWith('13.')

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

/**
 * The broker serves: what its start left is collected a little later, and only once. V8's memory reducer collects twice,
 * with all its threads, eight seconds after anything was collected: two hundred wake-ups of a broker that nobody asks
 * anything, and nothing found that ours has left. It is there again for what load leaves.
 */
function startIsOver(): void {
  if (hasReducerCount) {
    setFlagsFromString('--memory-reducer-gc-count=0')
    const restore = () => setFlagsFromString('--memory-reducer-gc-count=2')
    setTimeout(restore, REDUCER_LOOKS_MS).unref()
  }
  setTimeout(dropStartGarbage, START_SETTLES_MS).unref()
}

/**
 * Loading the sources leaves some 12 MB that V8 would keep for as long as little happens. One collection, some 20 ms of this
 * thread; reactors do not notice.
 */
function dropStartGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  // Anything less leaves the young generation as large as the start made it.
  if (typeof collect === 'function')
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
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
