// Feature levels: what the cluster has agreed to use. A level moves up only where every broker and controller
// supports it and what it depends on is there, and down only where nothing would be lost.
// Kafka: FeatureControlManager.updateFeatures; KIP-584, KIP-778, KIP-1022.

import { FEATURES, METADATA_VERSION, metadataVersionName } from '../metadata/features.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { UpdateFeatures } from '../protocol/messages/cluster.ts'
import { isRefusal, type Refusal, refuse } from './answer.ts'
import type { ControllerState } from './state.ts'
import { duplicates } from './topics.ts'

type UpdateRequest = RequestOf<typeof UpdateFeatures>
type FeatureUpdate = UpdateRequest['featureUpdates'][number]
type UpdateResponse = EncodableOf<(typeof UpdateFeatures)['response']>

const UPGRADE = Object.freeze({ upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 })

/** UpdateFeatures: one failing update refuses them all. */
export function updateFeatures(
  state: ControllerState,
  request: UpdateRequest,
  version: number,
  records: MetadataRecord[],
): UpdateResponse {
  const repeated = duplicates(request.featureUpdates.map(({ feature }) => feature))
  const made: MetadataRecord[] = []
  const results = request.featureUpdates.map((update) => {
    const refusal = repeated.has(update.feature)
      ? refuse(ErrorCode.INVALID_REQUEST, `The feature ${update.feature} stands more than once.`)
      : refuseUpdate(state, update, version)
    if (refusal !== null) return { feature: update.feature, ...refusal }
    const value = { name: update.feature, featureLevel: update.maxVersionLevel }
    // The voters' own version stands in the log of the quorum, never among the image's features.
    if (update.feature !== 'kraft.version') {
      made.push({ name: 'FeatureLevelRecord', version: 0, value })
    }
    return { feature: update.feature, errorCode: ErrorCode.NONE as number, errorMessage: 'NONE' }
  })
  const failed = results.find(({ errorCode }) => errorCode !== ErrorCode.NONE)
  if (failed !== undefined) {
    const { errorCode, errorMessage } = failed
    const why = 'The update failed for all features since the following feature had an error:'
    return { errorCode, errorMessage: `${why} ${errorMessage}` }
  }
  if (!request.validateOnly) records.push(...made)
  return { errorCode: ErrorCode.NONE, errorMessage: null, results: version >= 2 ? [] : results }
}

function refuseUpdate(
  state: ControllerState,
  update: FeatureUpdate,
  version: number,
): Refusal | null {
  const { feature, maxVersionLevel: level } = update
  if (feature === 'kraft.version' && level === state.settings.kraftVersion) return null
  const current = state.image.features.level(feature)
  const range = state.settings.features.get(feature)
  if (range === undefined) {
    return refuse(
      ErrorCode.INVALID_UPDATE_VERSION,
      `Invalid update version ${level} for feature ${feature}. Local controller does not support this feature.`,
    )
  }
  if (level < range[0] || level > range[1]) {
    return refuse(
      ErrorCode.INVALID_UPDATE_VERSION,
      `Invalid update version ${level} for feature ${feature}. Local controller ` +
        `${state.settings.nodeId} only supports versions ${range[0]}-${range[1]}`,
    )
  }
  if (feature === 'kraft.version') {
    if (level < state.settings.kraftVersion) {
      return refuse(
        ErrorCode.INVALID_UPDATE_VERSION,
        `Invalid update version ${level} for feature ${feature}. Can't downgrade the version of this feature.`,
      )
    }
    return refuse(ErrorCode.INVALID_UPDATE_VERSION, 'kraft.version cannot be changed in place.')
  }
  const upgradeType =
    version === 0 && update.allowDowngrade ? UPGRADE.safeDowngrade : update.upgradeType
  if (level < current && upgradeType === UPGRADE.upgrade) {
    return refuse(
      ErrorCode.INVALID_UPDATE_VERSION,
      `Invalid update version ${level} for feature ${feature}. Can't downgrade the version of ` +
        'this feature without setting the upgrade type to either safe or unsafe downgrade.',
    )
  }
  if (level > current && upgradeType !== UPGRADE.upgrade) {
    return refuse(
      ErrorCode.INVALID_UPDATE_VERSION,
      `Invalid update version ${level} for feature ${feature}. Can't downgrade to a newer version.`,
    )
  }
  return (
    refuseByBrokers(state, feature, level) ??
    refuseByDependencies(state, feature, level) ??
    refuseDowngrade(state, feature, level, current, upgradeType)
  )
}

function refuseByBrokers(state: ControllerState, feature: string, level: number): Refusal | null {
  for (const broker of state.image.brokers.values()) {
    const supported = broker.features.find(({ name }) => name === feature)
    if (
      level > 0 &&
      (supported === undefined ||
        level < supported.minSupportedVersion ||
        level > supported.maxSupportedVersion)
    ) {
      return refuse(
        ErrorCode.INVALID_UPDATE_VERSION,
        `Invalid update version ${level} for feature ${feature}. Broker ${broker.brokerId} ` +
          'does not support it.',
      )
    }
  }
  return null
}

function refuseByDependencies(
  state: ControllerState,
  feature: string,
  level: number,
): Refusal | null {
  const row = FEATURES.get(feature)?.find((candidate) => candidate.level === level)
  for (const [needed, neededLevel] of Object.entries(row?.dependsOn ?? {})) {
    if (state.image.features.level(needed) < neededLevel) {
      return refuse(
        ErrorCode.INVALID_UPDATE_VERSION,
        `${feature} at ${level} needs ${needed} at ${neededLevel} or above.`,
      )
    }
  }
  return null
}

/** What the metadata log already says cannot be said at an older metadata.version. */
function refuseDowngrade(
  state: ControllerState,
  feature: string,
  level: number,
  current: number,
  upgradeType: number,
): Refusal | null {
  if (feature !== METADATA_VERSION || level >= current) return null
  const name = metadataVersionName(level)
  if (upgradeType === UPGRADE.unsafeDowngrade) {
    return refuse(
      ErrorCode.INVALID_UPDATE_VERSION,
      `Invalid metadata.version ${level}. Unsafe metadata downgrade is not supported in this version.`,
    )
  }
  const answer = snapshotAt(state, level)
  return isRefusal(answer)
    ? refuse(
        ErrorCode.INVALID_UPDATE_VERSION,
        `Invalid metadata.version ${level} (${name}). Refusing to perform the requested downgrade ` +
          `because it might delete metadata information: ${answer.errorMessage}`,
      )
    : null
}

/** Any level that changes the metadata format is refused, as Apache Kafka refuses it. */
function snapshotAt(state: ControllerState, level: number): Refusal | { value: null } {
  const current = state.image.features.metadataVersion ?? level
  for (const boundary of [8, 11, 14, 15, 17, 23, 30]) {
    if (level < boundary && current >= boundary) {
      return refuse(
        ErrorCode.INVALID_UPDATE_VERSION,
        `${metadataVersionName(boundary)} changed the metadata format.`,
      )
    }
  }
  return { value: null }
}
