// Produce requests: every partition on its own way from check to append to commit; one answer at the end.
// Invariant: a batch is appended at most once, and a request ends exactly once: answered, timed out,
// or dropped with its connection, unless it waits for admission. Batches of one producer and partition keep their order while parked.
// Kafka: KafkaApis.handleProduceRequest, ReplicaManager.appendRecords, DelayedProduce.

import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { encodeResponseFrame } from '../protocol/headers.ts'
import { Produce } from '../protocol/messages/produce_fetch.ts'
import { counterColumn, TopicOperation } from './layout.ts'
import { onlyBatch, type RecordError, type Refusal, transactionalHeader } from './model_batch.ts'
import type { ModelPartition } from './model_partition.ts'
import {
  currentLeader,
  findPartition,
  LeaderEndpoints,
  monotonicMs,
  type RequestContext,
  type RequestOrigin,
} from './model_requests.ts'
import type { Admission } from './model_transactions.ts'
import type { TopicRoute } from './plane.ts'

const ALL_ACKS: readonly number[] = [-1, 0, 1]
/** From this version on topics are named by id. */
const TOPIC_ID_VERSION = 13
/** From this version on answers name the present leader. */
const LEADER_VERSION = 10

type ProduceRequest = RequestOf<typeof Produce>
type ProduceResponse = EncodableOf<(typeof Produce)['response']>

/** One partition of a request. */
interface Entry {
  readonly index: number
  readonly topic: TopicRoute | null
  batch: Uint8Array | null
  /** parked: for a verdict; asking: for its transaction's coordinator; waiting: for replicas. */
  state: 'parked' | 'asking' | 'waiting' | 'done'
  partition: ModelPartition | null
  requiredOffset: number
  errorCode: number
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
  recordErrors: readonly RecordError[]
  errorMessage: string | null
}

interface Pending {
  readonly origin: RequestOrigin
  readonly request: ProduceRequest
  /** As the request has them: by topic, then partition. */
  readonly entries: readonly (readonly Entry[])[]
  readonly deadlineMs: number
}

/** The Produce requests of one plane that are not answered yet, in order of arrival. */
export class ModelProduces {
  readonly #context: RequestContext
  #pending: Pending[] = []

  constructor(context: RequestContext) {
    this.#context = context
  }

  get waiting(): number {
    return this.#pending.length
  }

  start(origin: RequestOrigin, request: ProduceRequest): void {
    const deadlineMs = monotonicMs(this.#context.clock) + Math.max(0, request.timeoutMs)
    const entries = request.topicData.map((topicData) => {
      const topic = this.#topicOf(origin, topicData)
      return topicData.partitionData.map((data) => this.#admit(origin, request, topic, data))
    })
    const pending = { origin, request, entries, deadlineMs }
    this.#pending.push(pending)
    this.#release()
  }

  #topicOf(origin: RequestOrigin, named: { name: string; topicId: string }): TopicRoute | null {
    const { routes } = this.#context
    const byId = origin.apiVersion >= TOPIC_ID_VERSION
    return (byId ? routes.byId(named.topicId) : routes.byName(named.name)) ?? null
  }

  /** Everything that can be said without the partition. */
  #admit(
    origin: RequestOrigin,
    request: ProduceRequest,
    topic: TopicRoute | null,
    data: { index: number; records: Uint8Array | null },
  ): Entry {
    const entry = newEntry(data.index, topic)
    if (topic === null) {
      const byId = origin.apiVersion >= TOPIC_ID_VERSION
      return end(entry, byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    }
    if (topic.partitions[data.index] === undefined) {
      return end(entry, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    }
    entry.batch = data.records
    this.#judge(entry, origin, request)
    return entry
  }

  /** Asks for the verdict, then checks what does not depend on the partition's state. */
  #judge(entry: Entry, origin: RequestOrigin, request: ProduceRequest): void {
    const { principal } = origin
    const handle = entry.topic!.handle
    const verdict = this.#context.routes.verdict(principal, handle, TopicOperation.write)
    entry.state = 'parked'
    if (verdict === 'ask') {
      this.#context.verdictNeeded(principal, handle, TopicOperation.write)
      return
    }
    if (verdict === 'denied') {
      end(entry, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
      return
    }
    const checked = onlyBatch(entry.batch, origin.apiVersion)
    if ('refusal' in checked) {
      end(entry, checked.refusal.errorCode)
    } else if (namelessError(checked.ok, request.transactionalId) !== ErrorCode.NONE) {
      end(entry, namelessError(checked.ok, request.transactionalId))
    } else if (!ALL_ACKS.includes(request.acks)) {
      end(entry, ErrorCode.INVALID_REQUIRED_ACKS)
    } else if (entry.topic!.isInternal === true && !origin.isAdminClient) {
      end(entry, ErrorCode.INVALID_TOPIC_EXCEPTION)
    }
  }

  /** A verdict was pushed: parked batches go on, oldest first. */
  released(principal: number, handle: number): void {
    for (const pending of this.#pending) {
      if (pending.origin.principal !== principal) continue
      for (const entry of pending.entries.flat()) {
        if (entry.state === 'parked' && entry.topic?.handle === handle) {
          this.#judge(entry, pending.origin, pending.request)
        }
      }
    }
    this.#release()
  }

  /** Appends what may be appended, in order of arrival, then looks who is done. */
  #release(): void {
    const behind = new Set<string>()
    for (const pending of this.#pending) {
      for (const entry of pending.entries.flat()) {
        if (entry.state !== 'parked') continue
        const key = producerKey(entry)
        const { verdict } = this.#verdictOf(pending, entry)
        const isHeld = verdict === 'ask' || (key !== null && behind.has(key))
        if (!isHeld) this.#append(pending, entry)
        else if (key !== null) behind.add(key)
      }
    }
    this.settle()
  }

  #verdictOf(pending: Pending, entry: Entry): { verdict: string } {
    const { routes } = this.#context
    const handle = entry.topic!.handle
    return { verdict: routes.verdict(pending.origin.principal, handle, TopicOperation.write) }
  }

  #append(pending: Pending, entry: Entry): void {
    const checked = onlyBatch(entry.batch, pending.origin.apiVersion)
    const found = findPartition(this.#context, entry.topic!, entry.index)
    if ('refusal' in checked || !('partition' in found)) {
      const missing = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      end(entry, 'errorCode' in found ? found.errorCode : missing)
      return
    }
    const { partition } = found
    const full = partition.refuseFull(checked.ok)
    if (full !== null) {
      refuse(entry, full, partition)
      return
    }
    if (this.#mustAsk(partition, checked.ok)) {
      this.#ask(pending, entry, partition, checked.ok)
      return
    }
    this.#appendAdmitted(pending, entry, partition, checked.ok)
  }

  #mustAsk(partition: ModelPartition, batch: Uint8Array): boolean {
    if (partition.isOffline || !partition.isLeader) return false
    if (partition.unadmitted(batch) !== null) return true
    const header = transactionalHeader(batch)
    return header !== null && this.#asking(partition, header.producerId).length > 0
  }

  #ask(pending: Pending, entry: Entry, partition: ModelPartition, batch: Uint8Array): void {
    const header = transactionalHeader(batch)!
    entry.state = 'asking'
    entry.partition = partition
    entry.batch = batch
    const admission = partition.transactions.wait(header)
    if (admission !== null) this.#put(pending, partition, admission)
  }

  #put(pending: Pending, partition: ModelPartition, admission: Admission): void {
    this.#context.admissionNeeded(partition, admission, {
      apiVersion: pending.origin.apiVersion,
      transactionalId: pending.request.transactionalId ?? '',
    })
  }

  /** Batches of a producer that wait for its coordinator, in order of arrival. */
  #asking(
    partition: ModelPartition,
    producerId: number,
  ): { pending: Pending; entry: Entry; epoch: number }[] {
    const found: { pending: Pending; entry: Entry; epoch: number }[] = []
    for (const pending of this.#pending) {
      for (const entry of pending.entries.flat()) {
        if (entry.state !== 'asking' || entry.partition !== partition) continue
        const header = transactionalHeader(entry.batch!)!
        if (header.producerId !== producerId) continue
        found.push({ pending, entry, epoch: header.producerEpoch })
      }
    }
    return found
  }

  /** The coordinator has answered. */
  admitted(partition: ModelPartition, ask: number, errorCode: number): void {
    const producerId = partition.transactions.answered(ask)
    if (producerId === undefined) return
    const released = this.#asking(partition, producerId)
    for (const { entry } of released) entry.state = 'parked'
    for (const { pending, entry, epoch } of released) {
      if (epoch !== released[0]!.epoch) this.#append(pending, entry)
      else if (errorCode !== ErrorCode.NONE) end(entry, errorCode)
      else this.#appendAdmitted(pending, entry, partition, entry.batch!)
    }
    this.settle()
  }

  /** A marker was written: who waits is asked about anew, or is fenced. */
  marked(partition: ModelPartition, producerId: number, markerEpoch: number): void {
    const waiting = this.#asking(partition, producerId)
    const next = waiting.find(({ epoch }) => epoch >= markerEpoch)
    const { transactions } = partition
    const admission = transactions.ended(producerId, markerEpoch, next?.epoch ?? null)
    for (const { entry, epoch } of waiting) {
      if (epoch < markerEpoch) end(entry, ErrorCode.INVALID_PRODUCER_EPOCH)
    }
    if (admission !== null) this.#put(next!.pending, partition, admission)
    this.settle()
  }

  #appendAdmitted(
    pending: Pending,
    entry: Entry,
    partition: ModelPartition,
    batch: Uint8Array,
  ): void {
    const { acks } = pending.request
    const result = partition.produce(batch, acks)
    entry.batch = null
    if ('refusal' in result) {
      refuse(entry, result.refusal, partition)
      return
    }
    const { appended } = result
    entry.partition = partition
    entry.baseOffset = appended.baseOffset
    entry.logAppendTimeMs = appended.logAppendTimeMs
    entry.logStartOffset = partition.log.logStartOffset
    entry.requiredOffset = appended.lastOffset + 1
    entry.state = acks === -1 ? 'waiting' : 'done'
    this.#context.count(counterColumn.produceBytes, appended.bytes)
    this.#context.count(counterColumn.produceRecords, appended.records)
  }

  /** Looks at everyone who waits; answers those with nothing left to wait for. */
  settle(): void {
    for (const pending of this.#pending) {
      for (const entry of pending.entries.flat()) {
        if (entry.state === 'asking') this.#lookAtAsking(entry)
        if (entry.state !== 'waiting') continue
        const outcome = entry.partition!.produceOutcome(entry.requiredOffset)
        if (outcome === null) continue
        entry.errorCode = outcome
        entry.state = 'done'
      }
    }
    this.#answerDone()
  }

  #lookAtAsking(entry: Entry): void {
    const { isOffline, isLeader, isRetired } = entry.partition!
    if (isOffline) end(entry, ErrorCode.KAFKA_STORAGE_ERROR)
    else if (isRetired || !isLeader) end(entry, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  /** Deadlines that have passed. */
  expire(nowMs: number): void {
    for (const pending of this.#pending) {
      if (pending.deadlineMs > nowMs) continue
      for (const entry of pending.entries.flat()) {
        if (entry.state === 'done') continue
        const wasAsking = entry.state === 'asking'
        entry.errorCode = ErrorCode.REQUEST_TIMED_OUT
        entry.state = 'done'
        if (wasAsking) this.#unask(entry)
      }
    }
    this.#answerDone()
  }

  /** Whoever comes next asks again. */
  #unask({ partition, batch }: Entry): void {
    const { producerId } = transactionalHeader(batch!)!
    if (this.#asking(partition!, producerId).length === 0) {
      partition!.transactions.unask(producerId)
    }
  }

  nextDeadlineMs(): number {
    return Math.min(...this.#pending.map((pending) => pending.deadlineMs))
  }

  #answerDone(): void {
    // What waits for its transaction's coordinator goes on without its client.
    const isDone = ({ origin, entries }: Pending): boolean =>
      entries
        .flat()
        .every(({ state }) => state === 'done' || (origin.isGone() && state !== 'asking'))
    const done = this.#pending.filter(isDone)
    if (done.length === 0) return
    this.#pending = this.#pending.filter((pending) => !done.includes(pending))
    for (const pending of done) if (!pending.origin.isGone()) this.#answer(pending)
  }

  #answer(pending: Pending): void {
    const { origin, request } = pending
    const failed = pending.entries.flat().filter((entry) => entry.errorCode !== ErrorCode.NONE)
    this.#context.count(counterColumn.produceRejected, failed.length)
    if (request.acks !== 0) {
      const { apiVersion, correlationId } = origin
      origin.respond(
        encodeResponseFrame(Produce, apiVersion, correlationId, this.#response(pending)),
      )
    } else if (failed.length > 0) {
      origin.fail()
    } else {
      origin.finish()
    }
  }

  #response(pending: Pending): ProduceResponse {
    const { origin, request } = pending
    const endpoints = new LeaderEndpoints(this.#context, origin.listener)
    const responses = request.topicData.map((topicData, i) => ({
      name: topicData.name,
      topicId: topicData.topicId,
      partitionResponses: pending.entries[i]!.map((entry) => {
        const common = {
          index: entry.index,
          errorCode: entry.errorCode,
          baseOffset: entry.baseOffset,
          logAppendTimeMs: entry.logAppendTimeMs,
          logStartOffset: entry.logStartOffset,
          recordErrors: entry.recordErrors,
          errorMessage: entry.errorMessage,
        }
        const asksElsewhere = entry.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER
        if (!asksElsewhere || origin.apiVersion < LEADER_VERSION) return common
        const leader = currentLeader(this.#context, entry.topic!, entry.index)
        endpoints.add(leader.leaderId)
        return { ...common, currentLeader: leader }
      }),
    }))
    return origin.apiVersion < LEADER_VERSION
      ? { responses }
      : { responses, nodeEndpoints: endpoints.list() }
  }
}

/** A transaction has a name and a producer: else nobody could say that it is open. */
function namelessError(batch: Uint8Array, transactionalId: string | null): number {
  const header = transactionalHeader(batch)
  if (header === null) return ErrorCode.NONE
  if (transactionalId === null) return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  return header.producerId < 0 ? ErrorCode.INVALID_TXN_STATE : ErrorCode.NONE
}

function newEntry(index: number, topic: TopicRoute | null): Entry {
  return {
    index,
    topic,
    batch: null,
    state: 'done',
    partition: null,
    requiredOffset: 0,
    errorCode: ErrorCode.NONE,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: [],
    errorMessage: null,
  }
}

function end(entry: Entry, errorCode: number): Entry {
  entry.errorCode = errorCode
  entry.state = 'done'
  entry.batch = null
  return entry
}

function refuse(entry: Entry, refusal: Refusal, partition: ModelPartition): void {
  end(entry, refusal.errorCode)
  if (refusal.hasLogStart) entry.logStartOffset = partition.log.logStartOffset
  entry.recordErrors = refusal.recordErrors ?? []
  entry.errorMessage = refusal.errorMessage ?? null
}

/** Who must keep their order: one producer's batches for one partition. Null: nobody knows. */
function producerKey(entry: Entry): string | null {
  const batch = entry.batch
  if (batch === null || batch.length < 61) return null
  const id = new DataView(batch.buffer, batch.byteOffset, batch.length).getBigInt64(43)
  return id < 0n ? null : `${entry.topic!.topicId}/${entry.index}/${id}`
}
