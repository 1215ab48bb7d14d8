// Feature levels: metadata.version first, then every other finalized feature.
//
// Invariant: metadata.version is written first in a snapshot, because it decides the versions of the
// records after it. A level outside the table stops the start: records of a newer level could mean
// something that we would silently get wrong.
// Kafka: FeaturesDelta, FeaturesImage, MetadataVersion. ZkMigrationStateRecord is read and has no
// effect, as in Apache Kafka 4.x.

import { type Change, Changes } from './changes.ts'
import { type RecordSink, UnsupportedMetadata, type ValueOf } from './record.ts'

export const METADATA_VERSION = 'metadata.version'
export const METADATA_VERSION_MIN = 7
export const METADATA_VERSION_MAX = 30

/** Names of the metadata.version levels, the first being METADATA_VERSION_MIN. */
const METADATA_VERSION_NAMES = (
  '3.3-IV3 3.4-IV0 3.5-IV0 3.5-IV1 3.5-IV2 3.6-IV0 3.6-IV1 3.6-IV2 3.7-IV0 3.7-IV1 3.7-IV2 ' +
  '3.7-IV3 3.7-IV4 3.8-IV0 3.9-IV0 4.0-IV0 4.0-IV1 4.0-IV2 4.0-IV3 4.1-IV0 4.1-IV1 4.2-IV0 ' +
  '4.2-IV1 4.3-IV0'
).split(' ')

/** The release name of a level, such as `4.3-IV0`. */
export function metadataVersionName(level: number): string {
  return METADATA_VERSION_NAMES[level - METADATA_VERSION_MIN] ?? `level ${level}`
}

/** The level of a release name, or of a short one: `4.0` is the newest 4.0 level. */
export function metadataVersionLevel(name: string): number | undefined {
  const at = METADATA_VERSION_NAMES.findLastIndex(
    (known) => known === name || known.startsWith(`${name}-`),
  )
  return at < 0 ? undefined : METADATA_VERSION_MIN + at
}

/** From which metadata.version the image can say a thing; the names are those of MetadataVersion. */
export const SINCE = Object.freeze({
  migration: 8,
  scram: 11,
  metadataTransactions: 13,
  delegationTokens: 14,
  controllerRegistration: 15,
  directoryAssignment: 17,
  eligibleLeaderReplicas: 23,
  cordonedLogDirs: 30,
})

/** One level of a feature other than metadata.version. */
export interface FeatureLevel {
  level: number
  /** The metadata.version whose default set brings this level. */
  since: number
  dependsOn: Readonly<Record<string, number>>
}

const NONE = Object.freeze({})
const row = (level: number, since: string, dependsOn: Readonly<Record<string, number>> = NONE) => ({
  level,
  since: metadataVersionLevel(since)!,
  dependsOn,
})

/** Every feature but metadata.version, with its levels in ascending order. */
export const FEATURES: ReadonlyMap<string, readonly FeatureLevel[]> = new Map([
  [
    'eligible.leader.replicas.version',
    [row(0, '3.3-IV3'), row(1, '4.1-IV0', { [METADATA_VERSION]: SINCE.eligibleLeaderReplicas })],
  ],
  ['group.version', [row(0, '3.3-IV3'), row(1, '4.0-IV0')]],
  ['kraft.version', [row(0, '3.3-IV3'), row(1, '3.9-IV0')]],
  ['share.version', [row(0, '3.3-IV3'), row(1, '4.2-IV0')]],
  ['streams.version', [row(0, '3.3-IV3'), row(1, '4.2-IV1')]],
  ['transaction.version', [row(0, '3.3-IV3'), row(1, '4.0-IV2'), row(2, '4.0-IV2')]],
])

/** The levels that a cluster formatted at a metadata.version begins with; level 0 is left out. */
export function defaultFeatureLevels(metadataVersion: number): Map<string, number> {
  const out = new Map<string, number>([[METADATA_VERSION, metadataVersion]])
  for (const [name, levels] of FEATURES) {
    const level = levels.findLast((candidate) => candidate.since <= metadataVersion)
    if (level !== undefined && level.level > 0) out.set(name, level.level)
  }
  return out
}

/** The finalized feature levels. */
export class Features {
  private readonly levels = new Map<string, number>()
  private readonly changes = new Changes<string, number>()

  /** The finalized metadata.version; undefined until a record has named one. */
  get metadataVersion(): number | undefined {
    return this.levels.get(METADATA_VERSION)
  }

  /** The finalized level of a feature; 0 when it has none. */
  level(name: string): number {
    return this.levels.get(name) ?? 0
  }

  /** All finalized features, metadata.version included. */
  entries(): IterableIterator<[string, number]> {
    return this.levels.entries()
  }

  replay(record: ValueOf<'FeatureLevelRecord'>): void {
    const { name, featureLevel } = record
    if (name === METADATA_VERSION) requireKnown(featureLevel)
    this.changes.note(name, this.levels.get(name))
    if (featureLevel === 0) this.levels.delete(name)
    else this.levels.set(name, featureLevel)
  }

  write(sink: RecordSink, metadataVersion: number): void {
    const level = (name: string, featureLevel: number) =>
      sink({ name: 'FeatureLevelRecord', version: 0, value: { name, featureLevel } })
    level(METADATA_VERSION, metadataVersion)
    for (const [name, featureLevel] of this.levels) {
      if (name !== METADATA_VERSION) level(name, featureLevel)
    }
  }

  takeChanges(): Map<string, Change<number>> {
    return this.changes.take((name) => this.levels.get(name))
  }
}

function requireKnown(level: number): void {
  if (level >= METADATA_VERSION_MIN && level <= METADATA_VERSION_MAX) return
  throw new UnsupportedMetadata(
    `metadata.version ${level} is not one this release knows ` +
      `(${METADATA_VERSION_MIN} to ${METADATA_VERSION_MAX})`,
  )
}
