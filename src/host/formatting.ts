// What makes a directory ours: meta.properties, and the bootstrap files of the metadata log.
//
// Invariants: a directory belongs to one cluster and one node for ever; what belongs to another, is locked, or is of a
// newer layout is refused in plain words and left as it is; meta.properties comes last, so a directory is formatted
// when it is there and not before.
// Kafka: Formatter, MetaPropertiesEnsemble, StorageTool (format --standalone); KIP-853, KIP-858.

import type { Derived } from '../config/derive.ts'
import { parseProperties } from '../config/text/properties.ts'
import type { Random } from '../lib/random.ts'
import { defaultFeatureLevels } from '../metadata/features.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import { BOOTSTRAP_FILE_NAME, encodeSnapshot, snapshotFileName } from '../metadata/snapshot.ts'
import { VoterSet } from '../raft/voters.ts'
import { attempt, type FoundDirectory } from './log_directory.ts'
import { METADATA_DIRECTORY } from './metadata_log.ts'
import type { Files } from './world.ts'

const META_PROPERTIES = 'meta.properties'
const MISSING = 'it is missing'
const KRAFT_VERSION = 'kraft.version'

/** The content of meta.properties, version 1. */
export interface MetaProperties {
  clusterId: string
  nodeId: number
  directoryId: string
}

/** A data directory that cannot be used, and what to do about it. */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError'
  readonly code = 'DIRECTORY_ERROR'
}

/** Null when the directory is not formatted; throws DirectoryError when it cannot be read by us. */
export function readMetaProperties(files: Files, directory: string): MetaProperties | null {
  const bytes = files.read(`${directory}/${META_PROPERTIES}`)
  if (bytes === null) return null
  const { entries } = parseProperties(new TextDecoder().decode(bytes))
  const values = new Map(entries.map(({ key, value }) => [key, value]))
  const version = values.get('version')
  if (version !== '1') {
    throw new DirectoryError(
      `${directory} has layout version ${version ?? 'none'}; this release understands version 1`,
    )
  }
  const nodeId = Number(values.get('node.id'))
  const clusterId = values.get('cluster.id') ?? ''
  if (!Number.isInteger(nodeId) || clusterId === '') {
    throw new DirectoryError(`${directory}/${META_PROPERTIES} has no node.id or no cluster.id`)
  }
  return { clusterId, nodeId, directoryId: values.get('directory.id') ?? '' }
}

/** The bytes of meta.properties, in Kafka's order of keys. */
export function encodeMetaProperties({ clusterId, nodeId, directoryId }: MetaProperties): string {
  return [
    '#',
    `cluster.id=${clusterId}`,
    `directory.id=${directoryId}`,
    `node.id=${nodeId}`,
    'version=1',
    '',
  ].join('\n')
}

export interface FormatOptions {
  clusterId: string
  derived: Derived
  /** metadata.version level. */
  metadataVersion: number
  random: Random
  nowMs: number
  /** Leaves out those that are not there: their disks may be missing, and what is on them must not be made anew. */
  isMissingLeft?: boolean
}

/** Formats every directory that is not formatted yet; says which. */
export function format(files: Files, options: FormatOptions): string[] {
  const { clusterId, derived } = options
  const directories = new Set([derived.metadataLogDir, ...derived.logDirs])
  if (options.isMissingLeft === true) {
    for (const path of directories) if (!files.isDirectory(path)) directories.delete(path)
  }
  // All of them first: one that a format cut short has not come to is there, and is not taken for missing.
  for (const path of directories) files.makeDirectory(path)
  const done: string[] = []
  for (const directory of directories) {
    const found = readMetaProperties(files, directory)
    if (found !== null) {
      verify(directory, found, clusterId, derived.nodeId)
      continue
    }
    const isEmpty = files
      .list(directory)
      .every(
        (name) =>
          name.startsWith('.') || name === 'lost+found' || isUnfinished(files, directory, name),
      )
    if (!isEmpty) {
      throw new DirectoryError(
        `${directory} is not formatted but holds files; choose an empty directory or remove them`,
      )
    }
    const directoryId = newDirectoryId(options.random)
    if (directory === derived.metadataLogDir) formatMetadata(files, directory, directoryId, options)
    const meta = encodeMetaProperties({ clusterId, nodeId: derived.nodeId, directoryId })
    files.replace(`${directory}/${META_PROPERTIES}`, new TextEncoder().encode(meta))
    done.push(directory)
  }
  return done
}

/** What a format that was cut short left behind: the next one writes it again. */
function isUnfinished(files: Files, directory: string, name: string): boolean {
  const ours = [META_PROPERTIES, BOOTSTRAP_FILE_NAME]
  if (name === METADATA_DIRECTORY) {
    const first = snapshotFileName(0, 0)
    return files
      .list(`${directory}/${name}`)
      .every((entry) => entry === first || entry === `${first}.tmp`)
  }
  return name === BOOTSTRAP_FILE_NAME || ours.some((file) => name === `${file}.tmp`)
}

/** Kafka keeps the first hundred ids, and those that print with a leading dash, out of the way. */
function newDirectoryId(random: Random): string {
  for (;;) {
    const id = random.uuid()
    if (!id.startsWith('-')) return id
  }
}

/** The features of a new cluster; a dynamic quorum of one also begins with its voter set. */
function formatMetadata(
  files: Files,
  directory: string,
  directoryId: string,
  { derived, metadataVersion, nowMs }: FormatOptions,
): void {
  if (!derived.isController) return
  const log = `${directory}/${METADATA_DIRECTORY}`
  files.makeDirectory(log)
  const at = { endOffset: 0, epoch: 0, lastContainedLogTimestampMs: 0 }
  if (derived.voters.length === 0) {
    const endpoints = derived.advertisedControllerListeners.map(({ name, host, port }) => ({
      name,
      host: host === '' ? 'localhost' : host,
      port,
    }))
    const kraftVersions = { min: 0, max: 1 }
    const voters = new VoterSet([
      { id: derived.nodeId, directoryId, endpoints, kraftVersions },
    ]).toRecord()
    const first = encodeSnapshot({ ...at, kraftVersion: 1, voters, records: [] }, nowMs)
    files.replace(`${log}/${snapshotFileName(0, 0)}`, first)
  }
  const records = bootstrapRecords(metadataVersion)
  const bootstrap = encodeSnapshot({ ...at, kraftVersion: 0, voters: null, records }, nowMs)
  files.replace(`${directory}/${BOOTSTRAP_FILE_NAME}`, bootstrap)
}

/** The feature levels that a cluster of this metadata.version begins with. */
export function bootstrapRecords(metadataVersion: number): MetadataRecord[] {
  return [...defaultFeatureLevels(metadataVersion)]
    .filter(([name]) => name !== KRAFT_VERSION)
    .map(([name, featureLevel]) => ({
      name: 'FeatureLevelRecord',
      version: 0,
      value: { name, featureLevel },
    }))
}

function verify(directory: string, found: MetaProperties, clusterId: string, nodeId: number): void {
  if (found.clusterId !== clusterId) {
    throw new DirectoryError(
      `${directory} belongs to cluster ${found.clusterId}, not to ${clusterId}`,
    )
  }
  if (found.nodeId !== nodeId) {
    throw new DirectoryError(`${directory} belongs to node ${found.nodeId}, not to ${nodeId}`)
  }
}

/**
 * The directories of a node that starts: formatted, all of one cluster, all of this node. One that is missing or cannot
 * be read is told with its failure, unless it is the metadata log's or there is no other.
 */
export function openDirectories(
  files: Files,
  derived: Derived,
): { clusterId: string; directories: FoundDirectory[]; metadataDirectoryId: string } {
  const { metadataLogDir, logDirs } = derived
  const found = new Map<string, { meta: MetaProperties | null; failure: string | null }>()
  for (const path of new Set([metadataLogDir, ...logDirs])) found.set(path, look(files, path))
  const whole = [...found.values()].flatMap(({ meta }) => meta ?? [])
  const metadata = found.get(metadataLogDir)!.meta
  const first = metadata ?? whole[0]
  for (const [path, { meta, failure }] of found) {
    if (meta !== null) verify(path, meta, first!.clusterId, derived.nodeId)
    else if (failure === null || (failure === MISSING && path === metadataLogDir)) {
      throw new DirectoryError(`${path} is not formatted; run: ottla format --config FILE`)
    }
  }
  if (metadata === null) {
    const why = found.get(metadataLogDir)!.failure
    throw new DirectoryError(`${metadataLogDir}, where the metadata log is, cannot be used: ${why}`)
  }
  const directories = logDirs.map((path) => {
    const { meta, failure } = found.get(path)!
    return { path, id: meta?.directoryId ?? '', failure }
  })
  if (directories.every(({ failure }) => failure !== null)) {
    throw new DirectoryError(`none of the log directories can be used: ${directories[0]!.failure}`)
  }
  return {
    clusterId: metadata.clusterId,
    directories,
    metadataDirectoryId: metadata.directoryId,
  }
}

function look(files: Files, path: string): { meta: MetaProperties | null; failure: string | null } {
  // An empty place where a disk should be mounted is there, and not formatted: that is for an operator to see.
  const outcome = attempt(() =>
    files.isDirectory(path) ? readMetaProperties(files, path) : MISSING,
  )
  if (!outcome.ok) return { meta: null, failure: outcome.why }
  if (outcome.value === MISSING) return { meta: null, failure: MISSING }
  return { meta: outcome.value, failure: null }
}
