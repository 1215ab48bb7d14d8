// What the image says of log directories: where a replica lies, whether that is online, where a new one may go.
//
// Invariant: the reserved ids stand for what is not known (online, until somebody says otherwise) and what is lost.
// Kafka: DirectoryId, BrokerRegistration.{hasOnlineDir,hasUncordonedDirs}, ClusterControlManager.defaultDir; KIP-858.

import type { Broker } from './brokers.ts'
import {
  DIRECTORY_LOST,
  DIRECTORY_MIGRATING,
  DIRECTORY_UNASSIGNED,
  type Partition,
} from './topics.ts'

/** Whether a broker still has a directory; one that nobody knows is not held against it. */
export function isOnlineDirectory(broker: Broker, directoryId: string): boolean {
  if (directoryId === DIRECTORY_LOST) return false
  if (directoryId === DIRECTORY_UNASSIGNED || directoryId === DIRECTORY_MIGRATING) return true
  // Registered under a metadata.version that names no directories.
  return broker.logDirs.length === 0 || broker.logDirs.includes(directoryId)
}

/** Where a broker's replica of a partition lies. */
export function directoryOf(partition: Partition, brokerId: number): string {
  return partition.directories[partition.replicas.indexOf(brokerId)] ?? DIRECTORY_UNASSIGNED
}

/** The directory of a new replica: a broker with one has no choice, one with several reports its own. */
export function defaultDirectory(broker: Broker | undefined): string {
  if (broker === undefined) return DIRECTORY_UNASSIGNED
  if (broker.logDirs.length === 0) return DIRECTORY_MIGRATING
  return broker.logDirs.length === 1 ? broker.logDirs[0]! : DIRECTORY_UNASSIGNED
}

/** Whether a broker has room for new partitions at all. */
export function hasUncordonedDirectory({ logDirs, cordonedLogDirs }: Broker): boolean {
  if (logDirs.length === 0 || cordonedLogDirs === null) return true
  return logDirs.some((id) => !cordonedLogDirs.includes(id))
}

/** Whether a broker can serve its replica of a partition as far as disks go; false for a broker that is not known. */
export function isReplicaOnline(broker: Broker | undefined, partition: Partition): boolean {
  return broker !== undefined && isOnlineDirectory(broker, directoryOf(partition, broker.brokerId))
}
