// ListOffsets and OffsetForLeaderEpoch: where a timestamp, the beginning, the end or an epoch lies in a log.
// Times below zero are questions: -1 latest, -2 earliest, -3 offset of the largest timestamp, -4 earliest local,
// -5 latest tiered, -6 earliest pending upload. Nothing is tiered here, so -5 and -6 answer -1.
// Kafka: KafkaApis.handleListOffsetRequest, Partition.fetchOffsetForTimestamp, KIP-79, KIP-320, KIP-405, KIP-1023.

import { LookupKind } from '../../plane/layout.ts'
import type { EncodableOf, RequestOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { ListOffsets, OffsetForLeaderEpoch } from '../../protocol/messages/offsets.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import { type BrokerNode, findLeader } from '../node.ts'
import type { LocalPartition } from '../publisher.ts'

type Topics = NonNullable<EncodableOf<(typeof ListOffsets)['response']>['topics']>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type PartitionAnswer = Mutable<NonNullable<Topics[number]['partitions']>[number]>
type PartitionQuestion = RequestOf<typeof ListOffsets>['topics'][number]['partitions'][number]

const LATEST = -1n
const EARLIEST = -2n
const MAX_TIMESTAMP = -3n
const EARLIEST_LOCAL = -4n
const LATEST_TIERED = -5n
const EARLIEST_PENDING_UPLOAD = -6n
/** The first version that may ask each question. */
const SINCE: ReadonlyMap<bigint, number> = new Map([
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])
/** The first version whose answers carry a leader epoch. */
const EPOCHS_SINCE = 4
const READ_COMMITTED = 1
/** Times above what a number holds exactly are all the same: later than anything. */
const LATEST_TIME = BigInt(Number.MAX_SAFE_INTEGER)
const CONSUMER = -1

export function serveOffsets(served: ServedApis, node: BrokerNode): void {
  served.serve(ListOffsets, '1-11', listOffsets(node))
  served.serve(OffsetForLeaderEpoch, '2-4', offsetForLeaderEpoch(node))
}

function listOffsets(node: BrokerNode): Handler<typeof ListOffsets> {
  return async (request, { version }) => {
    const topics = [...questionsOf(request)].map(async ([name, questions]) => ({
      name,
      partitions: await Promise.all(
        [...questions.values()].map(({ question, isRepeated }) =>
          isRepeated
            ? refused(question, ErrorCode.INVALID_REQUEST)
            : listOne(node, name, question, request, version),
        ),
      ),
    }))
    const answered = await Promise.all(topics)
    if (version < EPOCHS_SINCE) {
      for (const { partitions } of answered)
        for (const answer of partitions) delete answer.leaderEpoch
    }
    return { topics: answered }
  }
}

type Questions = Map<number, { question: PartitionQuestion; isRepeated: boolean }>

/** Each topic and each partition once, whatever the request repeats. */
function questionsOf(request: RequestOf<typeof ListOffsets>): Map<string, Questions> {
  const byTopic = new Map<string, Questions>()
  for (const { name, partitions } of request.topics) {
    const questions: Questions = byTopic.get(name) ?? new Map()
    if (partitions.length > 0) byTopic.set(name, questions)
    for (const question of partitions) {
      const isRepeated = questions.has(question.partitionIndex)
      questions.set(question.partitionIndex, { question, isRepeated })
    }
  }
  return byTopic
}

const refused = ({ partitionIndex }: PartitionQuestion, errorCode: number): PartitionAnswer => ({
  partitionIndex,
  errorCode,
})

async function listOne(
  node: BrokerNode,
  name: string,
  question: PartitionQuestion,
  request: RequestOf<typeof ListOffsets>,
  version: number,
): Promise<PartitionAnswer> {
  const { partitionIndex, timestamp, currentLeaderEpoch } = question
  if (
    timestamp < 0n &&
    (timestamp < EARLIEST_PENDING_UPLOAD || version < (SINCE.get(timestamp) ?? 0))
  ) {
    return refused(question, ErrorCode.UNSUPPORTED_VERSION)
  }
  const topic = node.image.topics.byName(name)
  const found = findLeader(node, topic, partitionIndex, currentLeaderEpoch)
  if ('errorCode' in found) return refused(question, found.errorCode)
  const { local, partition } = found
  const row = node.plane.partition(local.slot)
  const bound = boundOf(row, request.replicaId, request.isolationLevel)
  const leaderEpoch = partition.leaderEpoch
  switch (timestamp) {
    case LATEST:
      return { partitionIndex, offset: bound, leaderEpoch }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return earliest(node, local, partitionIndex, row.logStartOffset, leaderEpoch)
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return { partitionIndex }
    default:
      return byTimestamp(node, local, question, bound)
  }
}

function boundOf(
  row: { highWatermark: number; lastStableOffset: number; logEndOffset: number },
  replicaId: number,
  isolationLevel: number,
): number {
  if (replicaId !== CONSUMER) return row.logEndOffset
  return isolationLevel === READ_COMMITTED ? row.lastStableOffset : row.highWatermark
}

/**
 * The log start with its epoch: the first whose records end above it, or the present one where there is none yet.
 * Epochs are few, and all but always it is the first or the last that is asked for.
 */
async function earliest(
  node: BrokerNode,
  local: LocalPartition,
  partitionIndex: number,
  offset: number,
  leaderEpoch: number,
): Promise<PartitionAnswer> {
  let low = 0
  let high = leaderEpoch
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const { a, errorCode } = await node.tickets.run((plane, ticket) =>
      plane.lookup(local.slot, LookupKind.epochEnd, middle, ticket),
    )
    if (errorCode !== ErrorCode.NONE) return { partitionIndex, offset, leaderEpoch: -1 }
    if (a > offset) high = middle
    else low = middle + 1
  }
  return { partitionIndex, offset, leaderEpoch: low }
}

async function byTimestamp(
  node: BrokerNode,
  local: LocalPartition,
  question: PartitionQuestion,
  bound: number,
): Promise<PartitionAnswer> {
  const { partitionIndex, timestamp } = question
  const isMax = timestamp === MAX_TIMESTAMP
  const kind = isMax ? LookupKind.maxTimestamp : LookupKind.timestamp
  const argument = isMax ? 0 : timestamp > LATEST_TIME ? Number(LATEST_TIME) : Number(timestamp)
  const { errorCode, a, b, c } = await node.tickets.run((plane, ticket) =>
    plane.lookup(local.slot, kind, argument, ticket),
  )
  if (errorCode !== ErrorCode.NONE) return refused(question, errorCode)
  // What is not committed yet does not exist for a consumer.
  if (a < 0 || a >= bound) return { partitionIndex }
  return { partitionIndex, timestamp: BigInt(b), offset: a, leaderEpoch: c }
}

function offsetForLeaderEpoch(node: BrokerNode): Handler<typeof OffsetForLeaderEpoch> {
  return async (request) => {
    const topics = request.topics.map(async ({ topic, partitions }) => ({
      topic,
      partitions: await Promise.all(
        partitions.map(async ({ partition, currentLeaderEpoch, leaderEpoch }) => {
          const known = node.image.topics.byName(topic)
          const found = findLeader(node, known, partition, currentLeaderEpoch)
          if ('errorCode' in found) return { partition, errorCode: found.errorCode }
          const { errorCode, a, b } = await node.tickets.run((plane, ticket) =>
            plane.lookup(found.local.slot, LookupKind.epochEnd, leaderEpoch, ticket),
          )
          return { partition, errorCode, endOffset: a, leaderEpoch: b }
        }),
      ),
    }))
    return { topics: await Promise.all(topics) }
  }
}
