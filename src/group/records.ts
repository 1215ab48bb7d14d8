// The records of classic groups and their offsets, in the versions Kafka 4.3 writes: GroupMetadata 3, OffsetCommit 4,
// and OffsetCommit 1 for a commit that brings its own retention, since only that version has room for it.
//
// Invariant: what is built here is complete, with no field left to a default, so that a record replayed from memory and
// one read back from the log are the same value. Kafka: GroupCoordinatorRecordHelpers, GroupCoordinatorRecordSerde.

import { type Uuid, ZERO_UUID } from '../lib/uuid.ts'
import {
  type CoordinatorRecordOf,
  decodeCoordinatorRecord,
  encodeCoordinatorRecord,
  groupRecords,
  type KeyValue,
} from '../protocol/coordinator_records.ts'
import type { CoordinatorRecord } from '../protocol/dsl.ts'

/** Any record of `__consumer_offsets`; this folder writes GroupMetadata and OffsetCommit. */
export type GroupRecord = CoordinatorRecordOf<typeof groupRecords>
/** What is stored of a classic group. */
export type GroupMetadataValue = NonNullable<
  Extract<GroupRecord, { type: 'GroupMetadata' }>['value']
>
/** What is stored of a commit. */
export type OffsetCommitValue = NonNullable<Extract<GroupRecord, { type: 'OffsetCommit' }>['value']>

const GROUP_METADATA_VERSION = 3
const OFFSET_COMMIT_VERSION = 4
const OFFSET_COMMIT_VERSION_WITH_EXPIRY = 1

/** The group as it is from here on. */
export function groupMetadataRecord(group: string, value: GroupMetadataValue): GroupRecord {
  return { type: 'GroupMetadata', key: { group }, version: GROUP_METADATA_VERSION, value }
}

/** The group is no more. */
export function groupTombstone(group: string): GroupRecord {
  return { type: 'GroupMetadata', key: { group }, version: 0, value: null }
}

/** Which partition of which topic a group has committed. */
export interface OffsetKey {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

/** The fields of a commit that the log keeps. */
export interface Commit {
  readonly offset: bigint
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestamp: bigint
  /** -1 unless the client chose its own retention. */
  readonly expireTimestamp: bigint
  readonly topicId: Uuid
}

/** The group has committed this. Leader epoch and topic id have no place in the version that expires. */
export function offsetCommitRecord(key: OffsetKey, commit: Commit): GroupRecord {
  const hasExpiry = commit.expireTimestamp !== -1n
  const version = hasExpiry ? OFFSET_COMMIT_VERSION_WITH_EXPIRY : OFFSET_COMMIT_VERSION
  const value = hasExpiry ? { ...commit, leaderEpoch: -1, topicId: ZERO_UUID } : { ...commit }
  return { type: 'OffsetCommit', key: { ...key }, version, value }
}

/** The group's commit is no more. */
export function offsetTombstone(key: OffsetKey): GroupRecord {
  return { type: 'OffsetCommit', key: { ...key }, version: 0, value: null }
}

/** Key and value as they go to the log. */
export function encodeGroupRecord(record: GroupRecord): KeyValue {
  const table = groupRecords[record.type] as CoordinatorRecord
  return encodeCoordinatorRecord(table, record.version, record.key, record.value)
}

/** A record read from the log; null for a kind that only newer releases know. */
export function decodeGroupRecord(keyValue: KeyValue): GroupRecord | null {
  return decodeCoordinatorRecord(groupRecords, keyValue)
}
