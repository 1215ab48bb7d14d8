// Partition state: what one partition's leader, ISR and epochs become when the world around it changes.
//
// Invariants: the ISR never becomes empty by us; the leader is -1 or a member of the ISR (or of the ELR, or unclean
// where allowed); leader epoch grows whenever the leader changes; a replica that is
// fenced or shutting down is neither elected nor added.
// Kafka: PartitionChangeBuilder, ReplicationControlManager.generateLeaderAndIsrUpdates; KIP-966 for ELR.

import { isReplicaOnline } from '../metadata/directories.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import { NO_LEADER, type Partition } from '../metadata/topics.ts'
import type { ControllerState } from './state.ts'

/** What is asked of a partition; each part is optional. */
export interface PartitionAim {
  /** Replicas that must leave the ISR. */
  readonly leaving?: ReadonlySet<number>
  /** A replica that just became eligible. */
  readonly arriving?: number
  /** Elect the first replica if it can lead, though there is a leader already. */
  readonly isPreferred?: boolean
  /** Any live replica may lead, at the price of what it does not have. */
  readonly isUnclean?: boolean
  /** Where its replicas lie from now on, by replica. */
  readonly directories?: readonly string[]
}

/** The change record that reaches an aim, or null when nothing changes. */
export function changePartition(
  state: ControllerState,
  partition: Partition,
  aim: PartitionAim,
): MetadataRecord | null {
  const placed =
    aim.directories === undefined ? partition : { ...partition, directories: [...aim.directories] }
  const canLead = (id: number) =>
    aim.leaving?.has(id) !== true &&
    (aim.arriving === id || isEligible(state, id)) &&
    isReplicaOnline(state.image.brokers.get(id), placed)
  const isr = remainingIsr(partition, aim)
  const leader = chooseLeader(partition, isr, aim, canLead)
  const value: Change = {}
  if (leader.isUnclean) {
    value.isr = [leader.id]
    value.leaderRecoveryState = 1
  } else if (leader.id !== NO_LEADER && !isr.includes(leader.id)) {
    value.isr = [leader.id]
  } else if (isr.length !== partition.isr.length) value.isr = isr
  if (leader.id !== partition.leader) value.leader = leader.id
  // Before 3.6-IV0 a smaller ISR had to fence fetch state: same leader, next epoch.
  else if (value.isr !== undefined && state.metadataVersion < 12) value.leader = leader.id
  const isMoved = placed.directories.some((id, at) => id !== partition.directories[at])
  if (isMoved) value.directories = placed.directories
  if (Object.keys(value).length === 0) return null
  // We name no eligible replicas, which is always safe; those that Kafka named end with the state they were named in.
  const { eligibleLeaderReplicas: elr, lastKnownElr } = partition
  if (leader.id !== NO_LEADER && elr.length + lastKnownElr.length > 0) {
    value.eligibleLeaderReplicas = []
    value.lastKnownElr = []
  }
  return {
    name: 'PartitionChangeRecord',
    version: partitionChangeVersion(state),
    value: partitionChange(partition, value),
  }
}

/** Whether a broker may lead: registered, unfenced, not shutting down. */
export function isEligible(state: ControllerState, brokerId: number): boolean {
  const broker = state.image.brokers.get(brokerId)
  return broker !== undefined && !broker.fenced && !broker.inControlledShutdown
}

/** The PartitionRecord version of the finalized metadata.version. */
export function partitionVersion(state: ControllerState): number {
  if (state.metadataVersion >= 23) return 2
  return state.metadataVersion >= 17 ? 1 : 0
}

const partitionChangeVersion = partitionVersion

function remainingIsr(partition: Partition, aim: PartitionAim): number[] {
  const isr = partition.isr.filter((id) => aim.leaving?.has(id) !== true)
  // The last member stays on paper: the partition waits for it.
  return isr.length > 0 ? isr : [...partition.isr]
}

function chooseLeader(
  partition: Partition,
  isr: readonly number[],
  aim: PartitionAim,
  canLead: (id: number) => boolean,
): { id: number; isUnclean: boolean } {
  const clean = (id: number) => canLead(id) && isr.includes(id)
  const preferred = partition.replicas[0]!
  if (aim.isPreferred === true && clean(preferred)) return { id: preferred, isUnclean: false }
  if (partition.leader !== NO_LEADER && clean(partition.leader)) {
    return { id: partition.leader, isUnclean: false }
  }
  const next = partition.replicas.find(clean)
  if (next !== undefined) return { id: next, isUnclean: false }
  // An empty ISR is Kafka's: it moved the members to the ELR, each of which has all that was committed.
  const eligible = partition.eligibleLeaderReplicas.find(canLead)
  if (eligible !== undefined) return { id: eligible, isUnclean: false }
  const unclean = aim.isUnclean === true ? partition.replicas.find(canLead) : undefined
  if (unclean !== undefined) return { id: unclean, isUnclean: true }
  return { id: NO_LEADER, isUnclean: false }
}

/** What may change of a partition's state. */
interface Change {
  isr?: number[]
  leader?: number
  leaderRecoveryState?: number
  directories?: string[]
  eligibleLeaderReplicas?: number[]
  lastKnownElr?: number[]
}

/** A PartitionChangeRecord that says nothing but what is given. */
export function partitionChange(
  partition: { topicId: string; partitionId: number },
  change: Change,
) {
  return {
    partitionId: partition.partitionId,
    topicId: partition.topicId,
    isr: change.isr ?? null,
    leader: change.leader ?? -2,
    replicas: null,
    removingReplicas: null,
    addingReplicas: null,
    leaderRecoveryState: change.leaderRecoveryState ?? -1,
    directories: change.directories ?? null,
    eligibleLeaderReplicas: change.eligibleLeaderReplicas ?? null,
    lastKnownElr: change.lastKnownElr ?? null,
  }
}

/** Changes for every partition that `concerns` picks. */
export function changePartitions(
  state: ControllerState,
  concerns: (partition: Partition) => boolean,
  aim: PartitionAim,
): MetadataRecord[] {
  const out: MetadataRecord[] = []
  for (const topic of state.image.topics.values()) {
    for (const partition of topic.partitions) {
      if (partition === undefined || !concerns(partition)) continue
      const record = changePartition(state, partition, aim)
      if (record !== null) out.push(record)
    }
  }
  return out
}
