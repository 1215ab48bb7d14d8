// `ottla format`: what `kafka-storage format --standalone` does. A file with controller.quorum.voters gives a static
// quorum, any other a dynamic quorum of one.

import { readConfiguration } from '../broker_options.ts'
import { DirectoryError, format, readMetaProperties } from '../host/formatting.ts'
import { SystemWorld, stderrSink } from '../host/system.ts'
import { Log, type LogLevel } from '../lib/log.ts'
import {
  METADATA_VERSION_MAX,
  metadataVersionLevel,
  metadataVersionName,
} from '../metadata/features.ts'
import { lockDirectory } from '../plane/native.ts'
import { fileOf } from './start.ts'

// A cluster id is text that is never read as bytes: as in Kafka, stray low bits of its last character are kept, which
// the id in Kafka's own examples has.
const CLUSTER_ID = /^[\w-]{22}$/

export interface FormatOptions {
  config?: string
  set: string[]
  logLevel: LogLevel
  clusterId?: string
  releaseVersion?: string
  ignoreFormatted?: boolean
}

/** Formats and says what it did; the exit code. */
export function formatCommand(options: FormatOptions): number {
  const world = new SystemWorld(new Log(stderrSink(options.logLevel)), lockDirectory)
  try {
    return formatIn(world, options)
  } finally {
    world.close()
  }
}

function formatIn(world: SystemWorld, options: FormatOptions): number {
  const parsed = readConfiguration({
    defaults: null,
    files: options.config === undefined ? [] : [fileOf(options.config)],
    env: process.env,
    set: options.set,
  })
  const { derived } = parsed
  const clusterId = options.clusterId ?? world.random.uuid()
  if (!CLUSTER_ID.test(clusterId)) {
    throw new DirectoryError(`--cluster-id takes 22 characters of base64url, not ${clusterId}`)
  }
  const release = options.releaseVersion
  const metadataVersion =
    release === undefined ? METADATA_VERSION_MAX : metadataVersionLevel(release)
  if (metadataVersion === undefined) {
    throw new DirectoryError(
      `--release-version ${release} is not known; the newest is ${metadataVersionName(METADATA_VERSION_MAX)}`,
    )
  }
  const formatted = [derived.metadataLogDir, ...derived.logDirs].find(
    (path) => readMetaProperties(world.files, path) !== null,
  )
  if (formatted !== undefined && options.ignoreFormatted !== true) {
    throw new DirectoryError(`${formatted} is already formatted; --ignore-formatted passes it over`)
  }
  const known =
    formatted === undefined ? clusterId : readMetaProperties(world.files, formatted)!.clusterId
  const done = format(world.files, {
    clusterId: known,
    derived,
    metadataVersion,
    random: world.random,
    nowMs: world.clock.nowMs(),
  })
  for (const path of done) {
    const name = metadataVersionName(metadataVersion)
    process.stdout.write(`formatted ${path} for cluster ${known}, metadata.version ${name}\n`)
  }
  return 0
}
