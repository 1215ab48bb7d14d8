// Brokers as the controller sees them: registration, heartbeat, fencing, controlled shutdown.
//
//   (unknown) --register--> fenced --caught up--> unfenced --wants to stop--> in controlled shutdown
//                             ^                      |                          |  no leaders left
//                             +----session over------+                          v
//                             +-----------------------------------------  fenced, may stop
//
// Invariants: a broker's epoch is the offset of its registration record, so it only grows; a heartbeat of an
// older epoch is answered STALE_BROKER_EPOCH; a fenced broker leads nothing.
// Kafka: ClusterControlManager.registerBroker, BrokerHeartbeatManager.calculateNextBrokerState.

import type { Broker } from '../metadata/brokers.ts'
import { registerBrokerVersion } from '../metadata/brokers.ts'
import { METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import { NO_LEADER } from '../metadata/topics.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type {
  BrokerHeartbeat,
  BrokerRegistration,
  UnregisterBroker,
} from '../protocol/messages/cluster.ts'
import {
  cordon,
  leaveDirectories,
  losesDirectories,
  refuseDirectories,
  registrationChange,
  takeOffline,
} from './directories.ts'
import { changePartitions } from './partitions.ts'
import type { ControllerState } from './state.ts'

type RegistrationRequest = RequestOf<typeof BrokerRegistration>
type RegistrationResponse = EncodableOf<(typeof BrokerRegistration)['response']>
type HeartbeatRequest = RequestOf<typeof BrokerHeartbeat>
type HeartbeatResponse = EncodableOf<(typeof BrokerHeartbeat)['response']>

/** BrokerRegistration: a new incarnation gets a new epoch and starts fenced. */
export function registerBroker(
  state: ControllerState,
  request: RegistrationRequest,
  nowMs: number,
  records: MetadataRecord[],
): RegistrationResponse {
  const refusal = refuseRegistration(state, request, nowMs)
  if (refusal !== null) return { errorCode: refusal, brokerEpoch: -1 }
  const before = state.image.brokers.get(request.brokerId)
  const isSame =
    before !== undefined &&
    before.incarnationId === request.incarnationId &&
    !before.inControlledShutdown
  if (before !== undefined && !isSame) retireIncarnation(state, before, request, records)
  const epoch = isSame ? before.brokerEpoch : state.nextOffset + records.length
  records.push({
    name: 'RegisterBrokerRecord',
    version: registerBrokerVersion(state.metadataVersion),
    value: {
      brokerId: request.brokerId,
      isMigratingZkBroker: false,
      incarnationId: request.incarnationId,
      brokerEpoch: epoch,
      endPoints: request.listeners,
      features: request.features,
      rack: request.rack,
      fenced: isSame ? before.fenced : true,
      inControlledShutdown: false,
      logDirs: [...request.logDirs].sort(),
      cordonedLogDirs: before?.cordonedLogDirs ?? null,
    },
  })
  if (before !== undefined) loseDirectories(state, before, request.logDirs, records)
  state.liveness.touch(request.brokerId, nowMs, -1)
  return { errorCode: ErrorCode.NONE, brokerEpoch: epoch }
}

/** It came back without directories that it had: what lies there is led by nobody until they are back. */
function loseDirectories(
  state: ControllerState,
  { brokerId, logDirs }: Broker,
  present: readonly string[],
  records: MetadataRecord[],
): void {
  const lost = logDirs.filter((id) => !present.includes(id))
  if (lost.length === 0) return
  records.push(...leaveDirectories(state, brokerId, (id) => lost.includes(id)))
}

/** A broker that came back without having been seen off loses its place: nobody knows what it lost. */
function retireIncarnation(
  state: ControllerState,
  before: Broker,
  request: RegistrationRequest,
  records: MetadataRecord[],
): void {
  const isClean = request.previousBrokerEpoch === before.brokerEpoch
  if (isClean || !state.isElrEnabled) return
  const leaving = new Set([before.brokerId])
  const concerns = (partition: { isr: readonly number[] }) =>
    partition.isr.includes(before.brokerId) && partition.isr.length > 1
  records.push(...changePartitions(state, concerns, { leaving }))
}

function refuseRegistration(
  state: ControllerState,
  request: RegistrationRequest,
  nowMs: number,
): number | null {
  if (request.clusterId !== state.settings.clusterId) return ErrorCode.INCONSISTENT_CLUSTER_ID
  const before = state.image.brokers.get(request.brokerId)
  if (
    before !== undefined &&
    before.incarnationId !== request.incarnationId &&
    !before.fenced &&
    state.liveness.isAlive(request.brokerId, nowMs)
  ) {
    return ErrorCode.DUPLICATE_BROKER_REGISTRATION
  }
  if (request.isMigratingZkBroker) return ErrorCode.BROKER_ID_NOT_REGISTERED
  if (request.listeners.some(({ securityProtocol }) => !isSecurityProtocol(securityProtocol))) {
    return ErrorCode.INVALID_REGISTRATION
  }
  const directories = refuseDirectories(state, request)
  if (directories !== null) return directories
  if (!request.features.some(({ name }) => name === METADATA_VERSION)) {
    return ErrorCode.INVALID_REGISTRATION
  }
  for (const [name, level] of state.image.features.entries()) {
    const feature = request.features.find((candidate) => candidate.name === name)
    const isSupported =
      feature !== undefined &&
      level >= feature.minSupportedVersion &&
      level <= feature.maxSupportedVersion
    if (!isSupported && level > 0) return ErrorCode.UNSUPPORTED_VERSION
  }
  return null
}

/** PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL. A record with another one would stop every Kafka that reads it. */
const isSecurityProtocol = (id: number) => id >= 0 && id <= 3

/** BrokerHeartbeat: keeps the session, and moves the broker between its states. */
export function heartbeat(
  state: ControllerState,
  request: HeartbeatRequest,
  nowMs: number,
  records: MetadataRecord[],
): HeartbeatResponse {
  const broker = state.image.brokers.get(request.brokerId)
  if (broker === undefined) return { errorCode: ErrorCode.STALE_BROKER_EPOCH }
  if (broker.brokerEpoch !== request.brokerEpoch) {
    return { errorCode: ErrorCode.STALE_BROKER_EPOCH }
  }
  state.liveness.touch(request.brokerId, nowMs, request.currentMetadataOffset)
  const isCaughtUp = request.currentMetadataOffset >= broker.brokerEpoch
  const isLosing = losesDirectories(broker, request.offlineLogDirs)
  // One that comes back leads what it still has: first it is known what that is.
  const wantFence = request.wantFence || (broker.fenced && isLosing)
  const next = nextState(state, broker, { ...request, wantFence }, isCaughtUp)
  if (next === 'unfenced' && broker.fenced) unfence(state, broker, records)
  if (next === 'fenced' && !broker.fenced) fence(state, broker, records)
  if (next === 'stopping' && !broker.inControlledShutdown) beginShutdown(state, broker, records)
  if (next === 'stopped' && !broker.fenced) fence(state, broker, records)
  if (isLosing) takeOffline(state, broker, request.offlineLogDirs, records)
  cordon(state, broker, request.cordonedLogDirs, records)
  return {
    errorCode: ErrorCode.NONE,
    isCaughtUp,
    isFenced: next === 'fenced' || next === 'stopped',
    shouldShutDown: next === 'stopped',
  }
}

type BrokerState = 'fenced' | 'unfenced' | 'stopping' | 'stopped'

function nextState(
  state: ControllerState,
  broker: Broker,
  request: HeartbeatRequest,
  isCaughtUp: boolean,
): BrokerState {
  if (broker.fenced) {
    if (request.wantShutDown) return 'stopped'
    return !request.wantFence && isCaughtUp ? 'unfenced' : 'fenced'
  }
  if (broker.inControlledShutdown || request.wantShutDown) {
    return leads(state, broker.brokerId) ? 'stopping' : 'stopped'
  }
  return request.wantFence ? 'fenced' : 'unfenced'
}

function leads(state: ControllerState, brokerId: number): boolean {
  for (const topic of state.image.topics.values()) {
    for (const partition of topic.partitions) if (partition?.leader === brokerId) return true
  }
  return false
}

function unfence(state: ControllerState, broker: Broker, records: MetadataRecord[]): void {
  records.push(registrationChange(state, broker, { fenced: -1 }))
  const concerns = (partition: { leader: number }) => partition.leader === NO_LEADER
  records.push(...changePartitions(state, concerns, { arriving: broker.brokerId }))
}

function fence(state: ControllerState, broker: Broker, records: MetadataRecord[]): void {
  records.push(registrationChange(state, broker, { fenced: 1 }))
  records.push(...leave(state, broker))
}

function beginShutdown(state: ControllerState, broker: Broker, records: MetadataRecord[]): void {
  records.push(registrationChange(state, broker, { inControlledShutdown: 1 }))
  records.push(...leave(state, broker))
}

function leave(state: ControllerState, broker: Broker): MetadataRecord[] {
  const leaving = new Set([broker.brokerId])
  return changePartitions(state, (partition) => partition.isr.includes(broker.brokerId), {
    leaving,
  })
}

/** Fences every broker whose session is over. */
export function fenceExpired(
  state: ControllerState,
  nowMs: number,
  records: MetadataRecord[],
): void {
  for (const brokerId of state.liveness.expired(nowMs)) {
    state.liveness.forget(brokerId)
    const broker = state.image.brokers.get(brokerId)
    if (broker !== undefined && !broker.fenced) fence(state, broker, records)
  }
}

/** UnregisterBroker: forgets a broker that will not come back. */
export function unregisterBroker(
  state: ControllerState,
  request: RequestOf<typeof UnregisterBroker>,
  records: MetadataRecord[],
): EncodableOf<(typeof UnregisterBroker)['response']> {
  const broker = state.image.brokers.get(request.brokerId)
  if (broker === undefined) {
    return {
      errorCode: ErrorCode.BROKER_ID_NOT_REGISTERED,
      errorMessage: `Broker ID ${request.brokerId} is not currently registered`,
    }
  }
  records.push(...leave(state, broker))
  const { brokerId, brokerEpoch } = broker
  records.push({ name: 'UnregisterBrokerRecord', version: 0, value: { brokerId, brokerEpoch } })
  state.liveness.forget(brokerId)
  return { errorCode: ErrorCode.NONE, errorMessage: '' }
}
