// What a broker is started with, from whichever door: the command line and startBroker() both come through here.
// Defaults make one node that is broker and controller; anything a file, the environment or an option says is stronger.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { OptionValue, ParsedConfig } from './config/parse.ts'
import { parseConfig } from './config/parse.ts'
import { format, readMetaProperties } from './host/formatting.ts'
import type { World } from './host/world.ts'
import { METADATA_VERSION_MAX } from './metadata/features.ts'

/** Where the defaults of a single node come from in messages. */
const DEFAULTS_NAME = "ottla's defaults"

/** The settings of one node on one machine, weaker than everything else. */
export function singleNodeDefaults(directory: string, host: string, port: number): string {
  // A fixed port has its controller beside it; a chosen one lets the system choose both.
  const controllerPort = port === 0 ? 0 : port + 1
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `listeners=PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `controller.quorum.bootstrap.servers=${host}:${controllerPort === 0 ? 1 : controllerPort}`,
    `log.dirs=${directory.replaceAll('\\', '\\\\')}`,
    // There is one broker to hold them.
    'offsets.topic.replication.factor=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
  ].join('\n')
}

/** Configuration from all doors. `defaults` is null where a file must say everything, as with Apache Kafka. */
export function readConfiguration(input: {
  defaults: string | null
  files?: readonly { name: string; text: string }[]
  env?: Readonly<Record<string, string | undefined>>
  options?: Readonly<Record<string, OptionValue | undefined>>
  set?: readonly string[]
}): ParsedConfig {
  const { defaults, files = [], env, options, set } = input
  const first = defaults === null ? [] : [{ name: DEFAULTS_NAME, text: defaults }]
  return parseConfig({ files: [...first, ...files], env, options, set })
}

/** Formats what is not formatted yet; a cluster that is there already keeps its id. */
export function formatMissing(
  world: World,
  { derived }: ParsedConfig,
  clusterId?: string,
): string[] {
  const found = [derived.metadataLogDir, ...derived.logDirs]
    .map((path) => readMetaProperties(world.files, path))
    .find((meta) => meta !== null)
  return format(world.files, {
    clusterId: clusterId ?? found?.clusterId ?? world.random.uuid(),
    derived,
    metadataVersion: METADATA_VERSION_MAX,
    random: world.random,
    nowMs: world.clock.nowMs(),
    isMissingLeft: found !== undefined,
  })
}

/** A directory of our own under the system's temporary one, and how to be rid of it. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'ottla-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** An absolute path, so that the process may change its working directory. */
export function absolute(path: string): string {
  return resolve(path)
}
