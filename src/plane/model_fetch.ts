// Fetch requests: read what is there, wait for what is asked, answer through the session.
// Invariants: nobody but a follower sees a record at or above the high watermark; a response holds whole
// batches; a wake-up reads again and never counts as a follower's progress.
// Kafka: KafkaApis.handleFetchRequest, ReplicaManager.fetchMessages and readFromLog, DelayedFetch.

import { ZERO_UUID } from '../lib/uuid.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { encodeResponseFrame } from '../protocol/headers.ts'
import { Fetch } from '../protocol/messages/produce_fetch.ts'
import { counterColumn, TopicOperation } from './layout.ts'
import type { ModelPartition } from './model_partition.ts'
import {
  currentLeader,
  findPartition,
  LeaderEndpoints,
  monotonicMs,
  type RequestContext,
  type RequestOrigin,
} from './model_requests.ts'
import {
  type FetchContext,
  type FetchOutcome,
  type FetchTarget,
  type ModelSessions,
  targetKey,
} from './model_sessions.ts'
import type { TopicRoute } from './plane.ts'

const TOPIC_ID_VERSION = 13
const LEADER_VERSION = 16
const DIVERGING_VERSION = 12
/** Consumers from this version on may read from followers (KIP-392). */
const ANY_REPLICA_VERSION = 11
/** Clients below it do not know KAFKA_STORAGE_ERROR. */
const STORAGE_ERROR_VERSION = 6
const READ_COMMITTED = 1
const NOTHING = new Uint8Array(0)

type FetchRequest = RequestOf<typeof Fetch>
type FetchResponse = EncodableOf<(typeof Fetch)['response']>

/** One partition's answer. */
interface Read extends FetchOutcome {
  readonly target: FetchTarget
  readonly topic: TopicRoute | null
  readonly lastStableOffset: number
  readonly records: Uint8Array
  readonly divergingEpoch: { readonly epoch: number; readonly endOffset: number } | null
  /** Null: not asked for. */
  readonly aborted: readonly { producerId: number; firstOffset: number }[] | null
  /** Towards min bytes, once it has waited. */
  readonly countedBytes: number
  /** Kafka finds these before it reads: they do not end a wait, and come last. */
  readonly isUnknown: boolean
  /** Data lies ahead of it in an older segment than its bound. */
  readonly isBehind: boolean
}

interface Pending {
  readonly origin: RequestOrigin
  readonly request: FetchRequest
  readonly replicaId: number
  readonly brokerEpoch: number
  readonly context: FetchContext
  readonly deadlineMs: number
  /** Nothing was read yet: a verdict is missing. */
  isParked: boolean
  /** Topics (by handle) it may not read: judged once, when it starts. */
  readonly denied: Set<number>
}

/** The Fetch requests of one plane that are not answered yet, in order of arrival. */
export class ModelFetches {
  readonly #context: RequestContext
  readonly #sessions: ModelSessions
  readonly #fetchBytesMax: number
  #pending: Pending[] = []

  constructor(context: RequestContext, sessions: ModelSessions, fetchBytesMax: number) {
    this.#context = context
    this.#sessions = sessions
    this.#fetchBytesMax = fetchBytesMax
  }

  get waiting(): number {
    return this.#pending.length
  }

  start(origin: RequestOrigin, request: FetchRequest): void {
    const usesTopicIds = origin.apiVersion >= TOPIC_ID_VERSION
    const { replicaId, replicaState } = request
    const context = this.#sessions.open(
      {
        sessionId: request.sessionId,
        sessionEpoch: request.sessionEpoch,
        usesTopicIds,
        targets: targetsOf(request, usesTopicIds),
        forgotten: request.forgottenTopicsData.flatMap((topic) =>
          topic.partitions.map((partition) => ({
            topic: usesTopicIds ? topic.topicId : topic.topic,
            partition,
          })),
        ),
      },
      monotonicMs(this.#context.clock),
    )
    for (const waiting of [...this.#pending]) {
      if (!waiting.isParked && isSuperseded(waiting.context)) this.#answer(waiting, [])
    }
    const pending: Pending = {
      origin,
      request,
      replicaId: origin.apiVersion >= 15 ? replicaState.replicaId : replicaId,
      brokerEpoch: replicaState.replicaEpoch,
      context,
      deadlineMs: monotonicMs(this.#context.clock) + Math.max(0, request.maxWaitMs),
      isParked: true,
      denied: new Set(),
    }
    this.#pending.push(pending)
    this.#unpark(pending)
  }

  /** A verdict was pushed. */
  released(): void {
    for (const pending of [...this.#pending]) if (pending.isParked) this.#unpark(pending)
  }

  #unpark(pending: Pending): void {
    if (isSuperseded(pending.context)) return this.#answer(pending, [])
    if (this.#asksVerdicts(pending)) return
    pending.isParked = false
    const reads = this.#readAll(pending, true)
    const minBytes = this.#minBytes(pending)
    const bytes = reads.reduce((sum, read) => sum + read.recordBytes, 0)
    if (bytes >= minBytes || isReady(pending, reads, minBytes)) this.#answer(pending, reads)
  }

  #asksVerdicts(pending: Pending): boolean {
    if (pending.context.kind === 'error') return false
    let asks = false
    pending.denied.clear()
    const { principal } = pending.origin
    for (const target of pending.context.targets) {
      const topic = this.#topicOf(pending, target)
      if (topic === null) continue
      const verdict = this.#context.routes.verdict(principal, topic.handle, TopicOperation.read)
      if (verdict === 'denied') pending.denied.add(topic.handle)
      if (verdict !== 'ask') continue
      this.#context.verdictNeeded(principal, topic.handle, TopicOperation.read)
      asks = true
    }
    return asks
  }

  /** Looks again at those that wait. */
  settle(): void {
    for (const pending of [...this.#pending]) {
      if (pending.origin.isGone()) this.#drop(pending)
      else if (!pending.isParked) this.#look(pending)
    }
  }

  #look(pending: Pending): void {
    const reads = this.#readAll(pending, false)
    if (isReady(pending, reads, this.#minBytes(pending))) this.#answer(pending, reads)
  }

  expire(nowMs: number): void {
    for (const pending of [...this.#pending]) {
      if (!pending.isParked && pending.deadlineMs <= nowMs) {
        this.#answer(pending, this.#readAll(pending, false))
      }
    }
  }

  nextDeadlineMs(): number {
    const waiting = this.#pending.filter((pending) => !pending.isParked)
    return Math.min(...waiting.map((pending) => pending.deadlineMs))
  }

  #drop(pending: Pending): void {
    this.#pending = this.#pending.filter((other) => other !== pending)
  }

  #minBytes(pending: Pending): number {
    return Math.min(pending.request.minBytes, this.#maxBytes(pending))
  }

  #maxBytes(pending: Pending): number {
    return Math.min(pending.request.maxBytes, this.#fetchBytesMax)
  }

  #topicOf(pending: Pending, target: FetchTarget): TopicRoute | null {
    const { routes } = this.#context
    const byId = pending.origin.apiVersion >= TOPIC_ID_VERSION
    return (byId ? routes.byId(target.topic) : routes.byName(target.topic)) ?? null
  }

  #readAll(pending: Pending, isArrival: boolean): Read[] {
    if (pending.context.kind === 'error') return []
    let bytesLeft = this.#maxBytes(pending)
    let atLeastOne = true
    const reads: Read[] = []
    const unknown: Read[] = []
    for (const target of pending.context.targets) {
      const read = this.#read(pending, target, { bytesLeft, atLeastOne, isArrival })
      if (read.recordBytes > 0) atLeastOne = false
      bytesLeft = Math.max(0, bytesLeft - read.recordBytes)
      if (read.isUnknown) unknown.push(read)
      else reads.push(read)
    }
    return [...reads, ...unknown]
  }

  #read(pending: Pending, target: FetchTarget, limits: Limits): Read {
    const topic = this.#topicOf(pending, target)
    const { apiVersion } = pending.origin
    if (topic === null) {
      const byId = apiVersion >= TOPIC_ID_VERSION
      const errorCode = byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      return failed(target, null, errorCode, true)
    }
    if (pending.denied.has(topic.handle)) {
      return failed(target, topic, ErrorCode.TOPIC_AUTHORIZATION_FAILED, true)
    }
    const found = findPartition(this.#context, topic, target.partition)
    if ('errorCode' in found) {
      const isUnknown = found.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      return failed(target, topic, this.#knownError(pending, found.errorCode), isUnknown)
    }
    const { partition } = found
    const errorCode = this.#refusal(pending, target, partition)
    if (errorCode !== ErrorCode.NONE) return failed(target, topic, errorCode, false)
    const read = readLog(pending, target, topic, partition, limits)
    const isFollower = pending.replicaId >= 0
    const isSound = read.errorCode === ErrorCode.NONE && !read.isDiverging
    if (isFollower && limits.isArrival && isSound) {
      partition.followerFetched(pending.replicaId, target.fetchOffset, pending.brokerEpoch)
    }
    return read
  }

  /** Old clients do not know what a failed directory is. */
  #knownError({ origin }: Pending, errorCode: number): number {
    const isNew = errorCode === ErrorCode.KAFKA_STORAGE_ERROR
    const isKnown = !isNew || origin.apiVersion >= STORAGE_ERROR_VERSION
    return isKnown ? errorCode : ErrorCode.NOT_LEADER_OR_FOLLOWER
  }

  #refusal(pending: Pending, target: FetchTarget, partition: ModelPartition): number {
    const { apiVersion } = pending.origin
    const isFollower = pending.replicaId >= 0
    if (partition.isOffline) return this.#knownError(pending, ErrorCode.KAFKA_STORAGE_ERROR)
    const epochError = partition.checkEpoch(target.currentLeaderEpoch)
    if (epochError !== ErrorCode.NONE) return epochError
    const needsLeader = isFollower || apiVersion < ANY_REPLICA_VERSION
    if (needsLeader && !partition.isLeader) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (!isFollower) return ErrorCode.NONE
    const { replicaId, brokerEpoch } = pending
    return partition.checkReplica(replicaId, target.currentLeaderEpoch, brokerEpoch)
  }

  #answer(pending: Pending, reads: readonly Read[]): void {
    this.#drop(pending)
    const { origin } = pending
    const outcomes = new Map(reads.map((read) => [targetKey(read.target), read]))
    const answer = this.#sessions.answer(
      pending.context,
      outcomes,
      { isFollower: pending.replicaId >= 0, usesTopicIds: origin.apiVersion >= TOPIC_ID_VERSION },
      monotonicMs(this.#context.clock),
    )
    const isFailed = answer.errorCode !== ErrorCode.NONE
    const included = isFailed
      ? []
      : reads.filter((read) => answer.isIncluded(targetKey(read.target)))
    const sent = included.reduce((sum, read) => sum + read.recordBytes, 0)
    const refused = included.filter((read) => read.errorCode !== ErrorCode.NONE)
    this.#context.count(counterColumn.fetchBytes, sent)
    this.#context.count(counterColumn.fetchRejected, refused.length)
    const endpoints = new LeaderEndpoints(this.#context, origin.listener)
    const response: FetchResponse = {
      errorCode: answer.errorCode,
      sessionId: answer.sessionId,
      responses: this.#byTopic(origin, included, endpoints),
    }
    const body =
      origin.apiVersion < LEADER_VERSION
        ? response
        : { ...response, nodeEndpoints: endpoints.list() }
    origin.respond(encodeResponseFrame(Fetch, origin.apiVersion, origin.correlationId, body))
  }

  /** Neighbours of one topic share its entry. */
  #byTopic(origin: RequestOrigin, reads: readonly Read[], endpoints: LeaderEndpoints) {
    const byId = origin.apiVersion >= TOPIC_ID_VERSION
    const topics: { name: string; partitions: ReturnType<typeof partitionData>[] }[] = []
    for (const read of reads) {
      const name = read.target.topic
      if (topics.at(-1)?.name !== name) topics.push({ name, partitions: [] })
      topics.at(-1)!.partitions.push(this.#partitionData(origin, read, endpoints))
    }
    return topics.map(({ name, partitions }) => ({
      topic: byId ? '' : name,
      topicId: byId ? name : ZERO_UUID,
      partitions,
    }))
  }

  #partitionData(origin: RequestOrigin, read: Read, endpoints: LeaderEndpoints) {
    const data = partitionData(read, origin.apiVersion)
    const asksElsewhere =
      read.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER ||
      read.errorCode === ErrorCode.FENCED_LEADER_EPOCH
    if (!asksElsewhere || origin.apiVersion < LEADER_VERSION) return data
    const leader = currentLeader(this.#context, read.topic!, read.target.partition)
    endpoints.add(leader.leaderId)
    return { ...data, currentLeader: leader }
  }
}

interface Limits {
  readonly bytesLeft: number
  readonly atLeastOne: boolean
  readonly isArrival: boolean
}

function targetsOf(request: FetchRequest, usesTopicIds: boolean): FetchTarget[] {
  return request.topics.flatMap((topic) =>
    topic.partitions.map((partition) => ({
      topic: usesTopicIds ? topic.topicId : topic.topic,
      partition: partition.partition,
      fetchOffset: partition.fetchOffset,
      partitionMaxBytes: partition.partitionMaxBytes,
      currentLeaderEpoch: partition.currentLeaderEpoch,
      lastFetchedEpoch: partition.lastFetchedEpoch,
      logStartOffset: partition.logStartOffset,
    })),
  )
}

/** Its session has gone on without it. */
const isSuperseded = (context: FetchContext): boolean =>
  context.kind === 'incremental' && context.session.epoch !== context.epoch

/** Each partition counts what lies ready by itself, up to its own limit. Kafka: DelayedFetch.tryComplete. */
function isReady(pending: Pending, reads: readonly Read[], minBytes: number): boolean {
  const known = reads.filter((read) => !read.isUnknown)
  if (pending.request.maxWaitMs <= 0 || known.length === 0) return true
  const ends = (read: Read): boolean =>
    read.errorCode !== ErrorCode.NONE || read.isDiverging || read.isBehind
  if (known.some(ends)) return true
  return known.reduce((sum, read) => sum + read.countedBytes, 0) >= minBytes
}

function readLog(
  pending: Pending,
  target: FetchTarget,
  topic: TopicRoute,
  partition: ModelPartition,
  limits: Limits,
): Read {
  const { log, highWatermark, lastStableOffset } = partition
  const { fetchOffset } = target
  const isCommitted = pending.request.isolationLevel === READ_COMMITTED
  const bound =
    pending.replicaId >= 0 ? log.logEndOffset : isCommitted ? lastStableOffset : highWatermark
  const divergence = divergenceOf(target, partition)
  if (divergence === 'unknown' || fetchOffset < log.logStartOffset) {
    return failed(target, topic, ErrorCode.OFFSET_OUT_OF_RANGE, false)
  }
  const base = {
    target,
    topic,
    errorCode: ErrorCode.NONE,
    highWatermark,
    lastStableOffset,
    logStartOffset: log.logStartOffset,
    isUnknown: false,
  }
  if (divergence !== null) {
    const nothing = {
      records: NOTHING,
      recordBytes: 0,
      countedBytes: 0,
      aborted: null,
      isBehind: false,
    }
    return { ...base, ...nothing, divergingEpoch: divergence, isDiverging: true }
  }
  if (fetchOffset > log.logEndOffset) {
    return failed(target, topic, ErrorCode.OFFSET_OUT_OF_RANGE, false)
  }
  const bytesMax = Math.min(target.partitionMaxBytes, limits.bytesLeft)
  const skipsHeaders = pending.replicaId < 0
  const records = log.read(fetchOffset, bound, bytesMax, limits.atLeastOne, skipsHeaders)
  const readable = log.readableBytes(fetchOffset, bound, skipsHeaders)
  const isAsked = pending.replicaId < 0 && isCommitted
  const overlapping = records.length > 0 ? log.aborted(fetchOffset, lastStableOffset) : []
  const aborted = isAsked ? overlapping : null
  // A bound where a segment begins is the end of the one before.
  const isBehind = fetchOffset < bound && log.segmentOf(fetchOffset) < log.segmentOf(bound - 1)
  return {
    ...base,
    records,
    recordBytes: records.length,
    countedBytes: Math.max(0, Math.min(target.partitionMaxBytes, readable)),
    aborted,
    isBehind,
    divergingEpoch: null,
    isDiverging: false,
  }
}

/** Null: the histories agree up to the fetch offset. */
function divergenceOf(
  target: FetchTarget,
  partition: ModelPartition,
): { epoch: number; endOffset: number } | 'unknown' | null {
  if (target.lastFetchedEpoch < 0) return null
  const end = partition.log.epochEnd(target.lastFetchedEpoch)
  if (end.epoch < 0) return 'unknown'
  const diverges = end.epoch < target.lastFetchedEpoch || end.endOffset < target.fetchOffset
  return diverges ? end : null
}

function failed(
  target: FetchTarget,
  topic: TopicRoute | null,
  errorCode: number,
  isUnknown: boolean,
): Read {
  return {
    target,
    topic,
    errorCode,
    isUnknown,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    records: NOTHING,
    recordBytes: 0,
    countedBytes: 0,
    divergingEpoch: null,
    isDiverging: false,
    aborted: isUnknown ? [] : null,
    isBehind: false,
  }
}

function partitionData(read: Read, version: number) {
  const data = {
    partitionIndex: read.target.partition,
    errorCode: read.errorCode,
    highWatermark: read.highWatermark,
    lastStableOffset: read.lastStableOffset,
    logStartOffset: read.logStartOffset,
    abortedTransactions: read.aborted,
    records: read.records,
  }
  // A session may be asked in an older version than the one that named its last fetched epochs.
  const isTold = read.divergingEpoch !== null && version >= DIVERGING_VERSION
  return isTold ? { ...data, divergingEpoch: read.divergingEpoch! } : data
}
