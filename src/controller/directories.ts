// Log directories as the controller hears of them: those that failed, those that take no new partitions, and in which
// one each replica lies.
//
// Invariant: a replica whose directory is not among its broker's online ones neither leads nor joins an ISR; its broker
// may lead others meanwhile. A replica without a known directory (reserved ids) counts as online.
// Kafka: ReplicationControlManager.{handleDirectoriesOffline,handleAssignReplicasToDirs}, DirectoryId; KIP-858, KIP-1066.

import { uuidToBytes } from '../lib/uuid.ts'
import type { Broker } from '../metadata/brokers.ts'
import { directoryOf, isOnlineDirectory } from '../metadata/directories.ts'
import { SINCE } from '../metadata/features.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import type { Partition } from '../metadata/topics.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { AssignReplicasToDirs } from '../protocol/messages/cluster.ts'
import { changePartition, changePartitions } from './partitions.ts'
import type { ControllerState } from './state.ts'

type AssignRequest = RequestOf<typeof AssignReplicasToDirs>
type AssignResponse = EncodableOf<(typeof AssignReplicasToDirs)['response']>

/** Whether a heartbeat's offline directories are news. */
export function losesDirectories({ logDirs }: Broker, offline: readonly string[]): boolean {
  return logDirs.some((id) => offline.includes(id))
}

/** Of a heartbeat's offline directories those that are news: their replicas leave the lead and the ISRs. */
export function takeOffline(
  state: ControllerState,
  broker: Broker,
  offline: readonly string[],
  records: MetadataRecord[],
): void {
  if (state.metadataVersion < SINCE.directoryAssignment) return
  const lost = broker.logDirs.filter((id) => offline.includes(id))
  records.push(...leaveDirectories(state, broker.brokerId, (id) => lost.includes(id)))
  const logDirs = broker.logDirs.filter((id) => !lost.includes(id))
  records.push(registrationChange(state, broker, { logDirs }))
}

/** Replicas of a broker in directories that `isLost` picks leave the lead, and ISRs of more than one. */
export function leaveDirectories(
  state: ControllerState,
  brokerId: number,
  isLost: (directoryId: string) => boolean,
): MetadataRecord[] {
  const concerns = (partition: Partition) =>
    partition.isr.includes(brokerId) && isLost(directoryOf(partition, brokerId))
  return changePartitions(state, concerns, { leaving: new Set([brokerId]) })
}

/** What a heartbeat says of cordoned directories; null says nothing. */
export function cordon(
  state: ControllerState,
  broker: Broker,
  cordoned: readonly string[] | null,
  records: MetadataRecord[],
): void {
  if (cordoned === null || state.metadataVersion < SINCE.cordonedLogDirs) return
  const before = broker.cordonedLogDirs ?? []
  if (before.length === cordoned.length && cordoned.every((id) => before.includes(id))) return
  records.push(registrationChange(state, broker, { cordonedLogDirs: [...cordoned] }))
}

/** A BrokerRegistrationChangeRecord that says nothing but what is given. */
export function registrationChange(
  state: ControllerState,
  { brokerId, brokerEpoch }: Broker,
  change: {
    fenced?: 1 | -1
    inControlledShutdown?: 1
    logDirs?: string[]
    cordonedLogDirs?: string[]
  },
): MetadataRecord {
  const { metadataVersion } = state
  const version =
    metadataVersion >= SINCE.cordonedLogDirs
      ? 3
      : metadataVersion >= SINCE.directoryAssignment
        ? 2
        : 1
  return {
    name: 'BrokerRegistrationChangeRecord',
    version,
    value: {
      brokerId,
      brokerEpoch,
      fenced: change.fenced ?? 0,
      inControlledShutdown: change.inControlledShutdown ?? 0,
      logDirs: change.logDirs ?? [],
      cordonedLogDirs: change.cordonedLogDirs ?? null,
    },
  }
}

/** AssignReplicasToDirs: a broker says where its replicas lie; in a directory that is offline they do not lead. */
export function assignReplicasToDirs(
  state: ControllerState,
  request: AssignRequest,
  records: MetadataRecord[],
): AssignResponse {
  const broker = state.image.brokers.get(request.brokerId)
  if (state.metadataVersion < SINCE.directoryAssignment)
    return { errorCode: ErrorCode.UNSUPPORTED_VERSION }
  if (broker?.brokerEpoch !== request.brokerEpoch) {
    return { errorCode: ErrorCode.STALE_BROKER_EPOCH }
  }
  const directories = request.directories.map(({ id, topics }) => ({
    id,
    topics: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: assignReplica(state, broker, topicId, partitionIndex, id, records),
      })),
    })),
  }))
  return { errorCode: ErrorCode.NONE, directories }
}

function assignReplica(
  state: ControllerState,
  broker: Broker,
  topicId: string,
  partitionIndex: number,
  directoryId: string,
  records: MetadataRecord[],
): number {
  const topic = state.image.topics.byId(topicId)
  if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
  const partition = topic.partitions[partitionIndex]
  if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const at = partition.replicas.indexOf(broker.brokerId)
  if (at < 0) return ErrorCode.NOT_LEADER_OR_FOLLOWER
  const directories = partition.directories.with(at, directoryId)
  const isOffline = !isOnlineDirectory(broker, directoryId)
  const leaving = isOffline ? { leaving: new Set([broker.brokerId]) } : {}
  const record = changePartition(state, partition, { directories, ...leaving })
  if (record !== null) records.push(record)
  return ErrorCode.NONE
}

/** A registration's directories: at least one, each once, none reserved and none another broker's; null when fit. */
export function refuseDirectories(
  state: ControllerState,
  request: { brokerId: number; logDirs: readonly string[] },
): number | null {
  if (state.metadataVersion < SINCE.directoryAssignment) return null
  const directories = new Set(request.logDirs)
  if (directories.size === 0 || directories.size !== request.logDirs.length) {
    return ErrorCode.INVALID_REGISTRATION
  }
  if (request.logDirs.some(isReservedDirectory)) return ErrorCode.INVALID_REGISTRATION
  for (const broker of state.image.brokers.values()) {
    if (broker.brokerId === request.brokerId) continue
    if (broker.logDirs.some((id) => directories.has(id))) return ErrorCode.INVALID_REGISTRATION
  }
  return null
}

/** Kafka: DirectoryId.reserved, the first hundred ids. */
function isReservedDirectory(id: string): boolean {
  const bytes = uuidToBytes(id)
  return bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15]! < 100
}
