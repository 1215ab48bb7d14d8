// What a group shard is asked and what it answers. The conversations speak the protocol's own structs; requests that
// name several groups are cut up by the caller, since each group lives on the partition its id hashes to, and so are
// topic ids (topic_ids.ts): here every topic has its name, and its id where the caller knows it.

import type { DecodedOf, EncodableOf, RequestOf } from '../protocol/dsl.ts'
import type {
  DescribeGroups,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  SyncGroup,
} from '../protocol/messages/classic_group.ts'
import type { OffsetCommit, OffsetDelete } from '../protocol/messages/offsets.ts'
import type { TxnOffsetCommit } from '../protocol/messages/transaction.ts'
import type { TransactionMarker } from '../protocol/transaction_marker.ts'
import type { TxnCommitRequest } from './commits/transactions.ts'
import type { DescribedConsumerGroup } from './consumer/describe.ts'
import type { HeartbeatRequest, HeartbeatResponse } from './consumer/heartbeat.ts'
import type { FetchedOffsets, OffsetsWanted } from './offsets.ts'

/** The client behind a JoinGroup: its id, and its address the way Java prints one, `/127.0.0.1`. */
export interface Client {
  readonly clientId: string
  readonly clientHost: string
}

/** A topic that was deleted; its id keeps the commits of a successor of the same name. */
export interface DeletedTopic {
  readonly name: string
  readonly topicId: string
}

interface Conversations {
  syncGroup: typeof SyncGroup
  heartbeat: typeof Heartbeat
  leaveGroup: typeof LeaveGroup
  offsetCommit: typeof OffsetCommit
  offsetDelete: typeof OffsetDelete
  listGroups: typeof ListGroups
}

export type JoinRequest = RequestOf<typeof JoinGroup>
export type JoinResponse = EncodableOf<(typeof JoinGroup)['response']>
export type SyncResponse = EncodableOf<(typeof SyncGroup)['response']>
export type DescribedGroup = DecodedOf<(typeof DescribeGroups)['response']>['groups'][number]
/** One line of a DeleteGroups response. */
export interface DeletedGroup {
  readonly groupId: string
  readonly errorCode: number
}

/**
 * What a group shard is asked. `activate` comes first, when the log has been replayed and this node leads;
 * describeGroups and deleteGroups name groups of this shard only, offsetFetch one group.
 */
export type GroupRequest =
  | { readonly kind: 'activate' }
  | {
      readonly kind: 'joinGroup'
      readonly version: number
      readonly request: JoinRequest
      readonly client: Client
    }
  | { readonly kind: 'offsetFetch'; readonly request: OffsetsWanted }
  | {
      readonly kind: 'describeGroups'
      readonly version: number
      readonly groupIds: readonly string[]
    }
  | { readonly kind: 'deleteGroups'; readonly groupIds: readonly string[] }
  | { readonly kind: 'topicsDeleted'; readonly topics: readonly DeletedTopic[] }
  | { readonly kind: 'topicsChanged'; readonly names: ReadonlySet<string> }
  | { readonly kind: 'consumerGroupDescribe'; readonly groupIds: readonly string[] }
  | {
      readonly kind: 'consumerGroupHeartbeat'
      readonly version: number
      readonly request: HeartbeatRequest
      readonly client: Client
    }
  | { readonly kind: 'txnOffsetCommit'; readonly request: TxnCommitRequest }
  | { readonly kind: 'writeMarker'; readonly marker: TransactionMarker }
  | {
      [K in keyof Conversations]: {
        readonly kind: K
        readonly version: number
        readonly request: RequestOf<Conversations[K]>
      }
    }[keyof Conversations]

/** What it answers: the response, or the part of it that is this shard's. */
export type GroupReply =
  | { readonly kind: 'activate' }
  | { readonly kind: 'topicsDeleted' }
  | { readonly kind: 'topicsChanged' }
  | { readonly kind: 'consumerGroupHeartbeat'; readonly response: HeartbeatResponse }
  | {
      readonly kind: 'consumerGroupDescribe'
      readonly groups: readonly DescribedConsumerGroup[]
    }
  | { readonly kind: 'writeMarker' }
  | {
      readonly kind: 'txnOffsetCommit'
      readonly response: EncodableOf<(typeof TxnOffsetCommit)['response']>
    }
  | { readonly kind: 'joinGroup'; readonly response: JoinResponse }
  | { readonly kind: 'offsetFetch'; readonly response: FetchedOffsets }
  | { readonly kind: 'describeGroups'; readonly groups: readonly DescribedGroup[] }
  | { readonly kind: 'deleteGroups'; readonly results: readonly DeletedGroup[] }
  | {
      [K in keyof Conversations]: {
        readonly kind: K
        readonly response: EncodableOf<Conversations[K]['response']>
      }
    }[keyof Conversations]
