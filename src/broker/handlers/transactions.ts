// Transactions as producers speak of them: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn; and
// WriteTxnMarkers, which coordinators send, and tools to end a transaction that hangs.
// Kafka: KafkaApis.{handleInitProducerId, handleAddPartitionsToTxn, handleAddOffsetsToTxn, handleTxnOffsetCommit,
// handleEndTxn, handleWriteTxnMarkers} Request. KIP-98, KIP-360, KIP-447, KIP-664, KIP-890.

import { ZERO_UUID } from '../../lib/uuid.ts'
import type { RequestOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  InitProducerId,
  TxnOffsetCommit,
  WriteTxnMarkers,
} from '../../protocol/messages/transaction.ts'
import type { Producer } from '../../transaction/requests.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import { GROUP_TOPIC } from '../internal_topics.ts'
import { writeMarker } from '../markers.ts'
import type { BrokerNode } from '../node.ts'

/** The first version of each api whose clients know PRODUCER_FENCED. */
const FENCED_SINCE = { initProducerId: 4, addPartitions: 2, addOffsets: 2, endTxn: 2 }
/** From this version on it is brokers who ask, for their clients, about several transactional ids at once. */
const SEVERAL_SINCE = 4
/** From this version on a transaction has an epoch of its own, and offsets add themselves. */
const OWN_EPOCHS_SINCE = 5

export function serveTransactions(served: ServedApis, node: BrokerNode): void {
  served
    .serve(InitProducerId, '0-5', initProducerId(node))
    .serve(AddPartitionsToTxn, '0-5', addPartitions(node))
    .serve(AddOffsetsToTxn, '0-4', addOffsets(node))
    .serve(EndTxn, '0-5', endTxn(node))
    .serve(TxnOffsetCommit, '0-5', txnOffsetCommit(node))
    .serve(WriteTxnMarkers, '1-2', writeTxnMarkers(node))
}

/** What clients from before an error's time are told instead. */
function spoken(errorCode: number, version: number, since: number): number {
  const isNew = errorCode === ErrorCode.PRODUCER_FENCED && version < since
  return isNew ? ErrorCode.INVALID_PRODUCER_EPOCH : errorCode
}

// --- InitProducerId

function initProducerId(node: BrokerNode): Handler<typeof InitProducerId> {
  return async (request, { version }) => {
    const { transactionalId, producerId, producerEpoch } = request
    if (transactionalId === '') return refused(ErrorCode.INVALID_REQUEST)
    if ((producerId === -1) !== (producerEpoch === -1)) return refused(ErrorCode.INVALID_REQUEST)
    if (transactionalId === null) {
      const taken = await node.producerIds.take()
      if ('errorCode' in taken) return refused(taken.errorCode)
      return { errorCode: ErrorCode.NONE, producerId: taken.producerId, producerEpoch: 0 }
    }
    const answer = await withFreshId(node, (freshProducerId) =>
      node.transactions.ask<'initProducerId'>(transactionalId, {
        kind: 'initProducerId',
        transactionalId,
        timeoutMs: request.transactionTimeoutMs,
        expected: producerId === -1 ? null : { producerId, producerEpoch },
        freshProducerId,
      }),
    )
    if (answer.errorCode === ErrorCode.NONE && 'producerId' in answer) return answer
    return refused(spoken(answer.errorCode, version, FENCED_SINCE.initProducerId))
  }
}

const refused = (errorCode: number) => ({ errorCode, producerId: -1, producerEpoch: -1 })

/** Asks again with a producer id of the controller's when the shard needs one. */
async function withFreshId<T extends { readonly kind: string }>(
  node: BrokerNode,
  ask: (freshProducerId: number | null) => Promise<T>,
): Promise<Exclude<T, { kind: 'producerIdNeeded' }> | { errorCode: number }> {
  const first = await ask(null)
  if (first.kind !== 'producerIdNeeded') return first as Exclude<T, { kind: 'producerIdNeeded' }>
  const taken = await node.producerIds.take()
  if ('errorCode' in taken) return taken
  const second = await ask(taken.producerId)
  return second as Exclude<T, { kind: 'producerIdNeeded' }>
}

// --- partitions

type Topics = RequestOf<typeof AddPartitionsToTxn>['v3AndBelowTopics']

function addPartitions(node: BrokerNode): Handler<typeof AddPartitionsToTxn> {
  return async (request, { version }) => {
    if (version < SEVERAL_SINCE) {
      const producer = {
        transactionalId: request.v3AndBelowTransactionalId,
        producerId: request.v3AndBelowProducerId,
        producerEpoch: request.v3AndBelowProducerEpoch,
      }
      const topics = request.v3AndBelowTopics
      return { resultsByTopicV3AndBelow: await enrol(node, producer, topics, false, version) }
    }
    const resultsByTransaction = await Promise.all(
      request.transactions.map(async ({ topics, verifyOnly, ...producer }) => ({
        transactionalId: producer.transactionalId,
        topicResults: await enrol(node, producer, topics, verifyOnly, version),
      })),
    )
    return { resultsByTransaction }
  }
}

async function enrol(
  node: BrokerNode,
  producer: Producer,
  topics: Topics,
  verifyOnly: boolean,
  version: number,
) {
  const exists = (name: string, partition: number) =>
    node.image.topics.byName(name)?.partitions[partition] !== undefined
  const isWhole = topics.every(({ name, partitions }) => partitions.every((p) => exists(name, p)))
  const { UNKNOWN_TOPIC_OR_PARTITION, OPERATION_NOT_ATTEMPTED } = ErrorCode
  if (!isWhole) {
    return results(topics, (name, partition) =>
      exists(name, partition) ? OPERATION_NOT_ATTEMPTED : UNKNOWN_TOPIC_OR_PARTITION,
    )
  }
  const { transactionalId, producerId, producerEpoch } = producer
  if (transactionalId === '') return results(topics, () => ErrorCode.INVALID_REQUEST)
  const reply = await node.transactions.ask<'addPartitions'>(transactionalId, {
    kind: 'addPartitions',
    producer: { transactionalId, producerId, producerEpoch },
    topics: topics.map(({ name, partitions }) => ({ topic: name, partitionIds: partitions })),
    verifyOnly,
    transactionVersion: version >= SEVERAL_SINCE ? 2 : 0,
  })
  const single = new Map<string, number>()
  for (const { topic, partitions } of reply.kind === 'refused' ? [] : reply.errors) {
    for (const { partition, errorCode } of partitions)
      single.set(`${topic} ${partition}`, errorCode)
  }
  const common = spoken(reply.errorCode, version, FENCED_SINCE.addPartitions)
  return results(topics, (name, partition) => single.get(`${name} ${partition}`) ?? common)
}

function results(topics: Topics, errorOf: (name: string, partition: number) => number) {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: errorOf(name, partitionIndex),
    })),
  }))
}

// --- offsets

/** The partition of `__consumer_offsets` that a group is on; the topic is made when it is not there. */
async function groupPartition(node: BrokerNode, groupId: string): Promise<number | undefined> {
  if (node.image.topics.byName(GROUP_TOPIC) === undefined) {
    await node.autoTopics.create(GROUP_TOPIC)
    await node.publisher.settled()
  }
  return node.groups.partitionOf(groupId)
}

function addOffsets(node: BrokerNode): Handler<typeof AddOffsetsToTxn> {
  return async ({ groupId, ...producer }, { version }) => {
    const { transactionalId, producerId, producerEpoch } = producer
    if (transactionalId === '') return { errorCode: ErrorCode.INVALID_REQUEST }
    const partition = await groupPartition(node, groupId)
    if (partition === undefined) return { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE }
    const { errorCode } = await node.transactions.ask<'addPartitions'>(transactionalId, {
      kind: 'addPartitions',
      producer: { transactionalId, producerId, producerEpoch },
      topics: [{ topic: GROUP_TOPIC, partitionIds: [partition] }],
      verifyOnly: false,
      transactionVersion: 0,
    })
    return { errorCode: spoken(errorCode, version, FENCED_SINCE.addOffsets) }
  }
}

function txnOffsetCommit(node: BrokerNode): Handler<typeof TxnOffsetCommit> {
  return async (request, { version }) => {
    const { groupId } = request
    const answer = (errorOf: (name: string, partition: number) => number) => ({
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: errorOf(name, partitionIndex),
        })),
      })),
    })
    const exists = (name: string, index: number) =>
      node.image.topics.byName(name)?.partitions[index] !== undefined
    const known = request.topics
      .map((topic) => ({
        ...topic,
        topicId: node.image.topics.byName(topic.name)?.id ?? ZERO_UUID,
        partitions: topic.partitions.filter((one) => exists(topic.name, one.partitionIndex)),
      }))
      .filter(({ partitions }) => partitions.length > 0)
    const { UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode
    if (known.length === 0) return answer(() => UNKNOWN_TOPIC_OR_PARTITION)
    const entered = await enterOffsets(node, request, version)
    const all = (errorCode: number) =>
      answer((name, index) => (exists(name, index) ? errorCode : UNKNOWN_TOPIC_OR_PARTITION))
    if (entered !== ErrorCode.NONE) return all(entered)
    const reply = await node.groups.ask<'txnOffsetCommit'>(groupId, {
      kind: 'txnOffsetCommit',
      request: { ...request, topics: known },
    })
    if (reply.kind === 'refused') return all(commitError(reply.errorCode, version))
    const judged = new Map<string, number>()
    for (const { name = '', partitions = [] } of reply.response.topics ?? []) {
      for (const { partitionIndex, errorCode } of partitions) {
        judged.set(`${name} ${partitionIndex}`, errorCode ?? ErrorCode.NONE)
      }
    }
    return answer((name, index) => judged.get(`${name} ${index}`) ?? UNKNOWN_TOPIC_OR_PARTITION)
  }
}

/** The offsets of a group are a partition of the transaction like any other. */
async function enterOffsets(
  node: BrokerNode,
  request: RequestOf<typeof TxnOffsetCommit>,
  version: number,
): Promise<number> {
  if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
  const partition = await groupPartition(node, request.groupId)
  if (partition === undefined) return commitError(ErrorCode.COORDINATOR_NOT_AVAILABLE, version)
  const where = { topic: GROUP_TOPIC, partition }
  const verifyOnly = version < OWN_EPOCHS_SINCE
  return commitError(await node.transactions.enter(request, where, verifyOnly), version)
}

/** From this version on clients know that a coordinator loads, and that a transaction is to be aborted. */
const LOADING_SINCE = 2
const ABORTABLE_SINCE = 4

function commitError(errorCode: number, version: number): number {
  switch (errorCode) {
    case ErrorCode.PRODUCER_FENCED:
      return ErrorCode.INVALID_PRODUCER_EPOCH
    case ErrorCode.TRANSACTION_ABORTABLE:
      return version < ABORTABLE_SINCE ? ErrorCode.INVALID_TXN_STATE : errorCode
    case ErrorCode.CONCURRENT_TRANSACTIONS:
      return version < OWN_EPOCHS_SINCE ? ErrorCode.COORDINATOR_NOT_AVAILABLE : errorCode
    case ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
      return version < LOADING_SINCE ? ErrorCode.COORDINATOR_NOT_AVAILABLE : errorCode
    default:
      return errorCode
  }
}

// --- the end

function endTxn(node: BrokerNode): Handler<typeof EndTxn> {
  return async ({ transactionalId, producerId, producerEpoch, committed }, { version }) => {
    if (transactionalId === '') return { errorCode: ErrorCode.INVALID_REQUEST }
    const answer = await withFreshId(node, (freshProducerId) =>
      node.transactions.ask<'endTransaction'>(transactionalId, {
        kind: 'endTransaction',
        producer: { transactionalId, producerId, producerEpoch },
        isCommit: committed,
        transactionVersion: version >= OWN_EPOCHS_SINCE ? 2 : 0,
        freshProducerId,
      }),
    )
    if (answer.errorCode === ErrorCode.NONE && 'producerId' in answer) return answer
    return { errorCode: spoken(answer.errorCode, version, FENCED_SINCE.endTxn) }
  }
}

function writeTxnMarkers(node: BrokerNode): Handler<typeof WriteTxnMarkers> {
  return async (request) => {
    const markers = request.markers.map(async (marker) => {
      const { producerId, producerEpoch, coordinatorEpoch, transactionResult } = marker
      const written = {
        producerId,
        producerEpoch,
        coordinatorEpoch,
        isCommit: transactionResult,
        timestampMs: node.world.clock.nowMs(),
        transactionVersion: marker.transactionVersion,
      }
      const topics = marker.topics.map(async ({ name, partitionIndexes }) => ({
        name,
        partitions: await Promise.all(
          partitionIndexes.map(async (partitionIndex) => {
            const known = node.image.topics.byName(name)?.partitions[partitionIndex]
            const where = { topic: name, partition: partitionIndex }
            const errorCode =
              known === undefined
                ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                : await writeMarker(node, where, written)
            return { partitionIndex, errorCode }
          }),
        ),
      }))
      return { producerId, topics: await Promise.all(topics) }
    })
    return { markers: await Promise.all(markers) }
  }
}
