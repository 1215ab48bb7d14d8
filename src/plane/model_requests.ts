// What Produce and Fetch share: who asks, how an answer leaves, where a topic's partition is, and what a
// client is told of the present leader. Kafka: KafkaApis.getCurrentLeader; KIP-951.

import type { Clock } from '../lib/clock.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { ModelPartition } from './model_partition.ts'
import type { ModelRoutes } from './model_routes.ts'
import type { Admission } from './model_transactions.ts'
import { type BrokerEndpoint, type TopicRoute, UNSERVED_SLOT } from './plane.ts'

/** A request on its connection; exactly one of the three ends it, at any time. */
export interface RequestOrigin {
  readonly apiVersion: number
  readonly correlationId: number
  readonly listener: number
  readonly principal: number
  /** The client says that it is Kafka's admin client. */
  readonly isAdminClient: boolean
  /** Frame with its length. */
  respond(frame: Uint8Array): void
  /** acks=0: nothing is owed. */
  finish(): void
  /** acks=0 went wrong. */
  fail(): void
  readonly isGone: () => boolean
}

/** What requests need of the plane. */
export interface RequestContext {
  readonly clock: Clock
  readonly routes: ModelRoutes
  readonly partition: (slot: number) => ModelPartition | undefined
  readonly count: (column: number, by: number) => void
  readonly verdictNeeded: (principal: number, topicHandle: number, operation: number) => void
  readonly admissionNeeded: (
    partition: ModelPartition,
    admission: Admission,
    of: { apiVersion: number; transactionalId: string },
  ) => void
}

/** A partition as a request names it. */
export type Found =
  | { readonly errorCode: number; readonly topic: TopicRoute | null }
  | { readonly partition: ModelPartition; readonly topic: TopicRoute }

/** Where a routed topic's partition is. */
export function findPartition(context: RequestContext, topic: TopicRoute, index: number): Found {
  const route = topic.partitions[index]
  if (route === undefined) return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, topic }
  const partition = route.slot < 0 ? undefined : context.partition(route.slot)
  const { KAFKA_STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER } = ErrorCode
  if (partition === undefined) {
    const isUnserved = route.slot === UNSERVED_SLOT
    return { errorCode: isUnserved ? KAFKA_STORAGE_ERROR : NOT_LEADER_OR_FOLLOWER, topic }
  }
  return { partition, topic }
}

/** Who leads a partition, for a client that asked the wrong node. */
export function currentLeader(
  context: RequestContext,
  topic: TopicRoute,
  index: number,
): { leaderId: number; leaderEpoch: number } {
  const route = topic.partitions[index]
  const local = route === undefined ? undefined : context.partition(route.slot)
  if (local !== undefined) return { leaderId: local.leaderId, leaderEpoch: local.leaderEpoch }
  return { leaderId: route?.leaderId ?? -1, leaderEpoch: route?.leaderEpoch ?? -1 }
}

/** Endpoints of the leaders named in one response, each once. */
export class LeaderEndpoints {
  readonly #found = new Map<number, BrokerEndpoint>()
  readonly #context: RequestContext
  readonly #listener: number

  constructor(context: RequestContext, listener: number) {
    this.#context = context
    this.#listener = listener
  }

  add(leaderId: number): void {
    const endpoint = this.#context.routes.endpoint(this.#listener, leaderId)
    if (endpoint !== undefined) this.#found.set(leaderId, endpoint)
  }

  list(): { nodeId: number; host: string; port: number; rack: string | null }[] {
    return [...this.#found.values()].map(({ id, host, port, rack }) => ({
      nodeId: id,
      host,
      port,
      rack,
    }))
  }
}

/** Milliseconds that only move forward: deadlines are kept in them. */
export const monotonicMs = (clock: Clock): number => Math.floor(clock.monotonicUs() / 1000)
