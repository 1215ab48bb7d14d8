// Incremental fetch sessions: what a client fetched last time need not be said again, and what did not
// change need not be answered. The cache is bounded; a more valuable session may push out a lesser one.
// Invariant: a session's epoch is the one its next request must carry; a response changes a session only
// while that is still the request's successor. Kafka: FetchSession, FetchSessionCache. KIP-227.

import type { Random } from '../lib/random.ts'
import { ErrorCode } from '../protocol/errors.ts'

/** A session unused for so long may be evicted by anyone. */
const EVICTION_MS = 120_000
const EPOCH_MAX = 0x7fffffff
const FULL_EPOCHS: readonly number[] = [0, -1]
const FINAL_EPOCH = -1

/** A partition of a Fetch: where, and what is asked of it. */
export interface FetchTarget {
  /** Topic name below version 13, topic id from 13 on. */
  readonly topic: string
  readonly partition: number
  readonly fetchOffset: number
  readonly partitionMaxBytes: number
  readonly currentLeaderEpoch: number
  readonly lastFetchedEpoch: number
  readonly logStartOffset: number
}

/** What of a partition's answer decides whether an incremental response carries it. */
export interface FetchOutcome {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly recordBytes: number
  readonly isDiverging: boolean
}

interface Cached {
  target: FetchTarget
  highWatermark: number
  logStartOffset: number
}

interface Session {
  readonly id: number
  readonly isPrivileged: boolean
  readonly usesTopicIds: boolean
  readonly createdMs: number
  readonly partitions: Map<string, Cached>
  lastUsedMs: number
  epoch: number
  /** As of its last request: eviction compares by it. */
  size: number
}

/** How one Fetch relates to sessions. */
export type FetchContext =
  | { readonly kind: 'error'; readonly errorCode: number }
  | { readonly kind: 'sessionless'; readonly targets: readonly FetchTarget[] }
  | { readonly kind: 'full'; readonly targets: readonly FetchTarget[] }
  | {
      readonly kind: 'incremental'
      readonly session: Session
      readonly epoch: number
      readonly targets: readonly FetchTarget[]
    }

export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly usesTopicIds: boolean
  readonly targets: readonly FetchTarget[]
  readonly forgotten: readonly { readonly topic: string; readonly partition: number }[]
}

/** The answer's session id and error, and which partitions it leaves out. */
export interface SessionAnswer {
  readonly sessionId: number
  readonly errorCode: number
  readonly isIncluded: (key: string) => boolean
}

/** Names a partition inside a session. */
export const targetKey = (target: { topic: string; partition: number }): string =>
  `${target.topic}/${target.partition}`

const nextEpoch = (epoch: number): number => (epoch === EPOCH_MAX ? 1 : epoch + 1)
const ALL = (): boolean => true

/** The sessions of one plane. */
export class ModelSessions {
  readonly #sessions = new Map<number, Session>()
  readonly #sessionsMax: number
  readonly #random: Random
  evictions = 0

  constructor(sessionsMax: number, random: Random) {
    this.#sessionsMax = sessionsMax
    this.#random = random
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Reads a request's session fields; incremental ones move their session on. */
  open(request: SessionRequest, nowMs: number): FetchContext {
    const { sessionId, sessionEpoch, targets } = request
    if (FULL_EPOCHS.includes(sessionEpoch)) {
      this.#sessions.delete(sessionId)
      return {
        kind: sessionEpoch === FINAL_EPOCH ? 'sessionless' : 'full',
        targets: unique(targets),
      }
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) {
      return { kind: 'error', errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND }
    }
    if (session.epoch !== sessionEpoch) {
      return { kind: 'error', errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH }
    }
    if (session.usesTopicIds !== request.usesTopicIds) {
      return { kind: 'error', errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR }
    }
    for (const target of targets) {
      const cached = session.partitions.get(targetKey(target))
      if (cached !== undefined) cached.target = target
      else session.partitions.set(targetKey(target), newCached(target))
    }
    for (const forgotten of request.forgotten) session.partitions.delete(targetKey(forgotten))
    if (session.partitions.size === 0) {
      this.#sessions.delete(sessionId)
      return { kind: 'sessionless', targets: unique(targets) }
    }
    session.lastUsedMs = nowMs
    session.size = session.partitions.size
    session.epoch = nextEpoch(session.epoch)
    const all = [...session.partitions.values()].map((cached) => cached.target)
    return { kind: 'incremental', session, epoch: session.epoch, targets: all }
  }

  /** Settles a request's session once its partitions have answers. */
  answer(
    context: FetchContext,
    outcomes: ReadonlyMap<string, FetchOutcome>,
    request: { isFollower: boolean; usesTopicIds: boolean },
    nowMs: number,
  ): SessionAnswer {
    if (context.kind === 'error') {
      return { sessionId: 0, errorCode: context.errorCode, isIncluded: ALL }
    }
    if (context.kind === 'sessionless') {
      return { sessionId: 0, errorCode: ErrorCode.NONE, isIncluded: ALL }
    }
    if (context.kind === 'full') {
      const sessionId = this.#create(context.targets, outcomes, request, nowMs)
      return { sessionId, errorCode: ErrorCode.NONE, isIncluded: ALL }
    }
    const { session, epoch } = context
    if (session.epoch !== epoch) {
      const errorCode = ErrorCode.INVALID_FETCH_SESSION_EPOCH
      return { sessionId: session.id, errorCode, isIncluded: ALL }
    }
    const included = new Set<string>()
    for (const [key, outcome] of outcomes) {
      const cached = session.partitions.get(key)
      if (cached === undefined || !update(cached, outcome)) continue
      included.add(key)
      if (outcome.recordBytes > 0) {
        // Those that brought data go last, so that nobody starves behind them next time.
        session.partitions.delete(key)
        session.partitions.set(key, cached)
      }
    }
    const isIncluded = (key: string) => included.has(key)
    return { sessionId: session.id, errorCode: ErrorCode.NONE, isIncluded }
  }

  #create(
    targets: readonly FetchTarget[],
    outcomes: ReadonlyMap<string, FetchOutcome>,
    request: { isFollower: boolean; usesTopicIds: boolean },
    nowMs: number,
  ): number {
    const hasRoom = this.#sessions.size < this.#sessionsMax
    if (!hasRoom && !this.#evict(request.isFollower, outcomes.size, nowMs)) return 0
    const partitions = new Map<string, Cached>()
    const byKey = new Map(targets.map((target) => [targetKey(target), target]))
    for (const [key, outcome] of outcomes) {
      const { highWatermark, logStartOffset } = outcome
      partitions.set(key, { target: byKey.get(key)!, highWatermark, logStartOffset })
    }
    let id = 0
    while (id === 0 || this.#sessions.has(id)) id = this.#random.nextInt(1, EPOCH_MAX)
    this.#sessions.set(id, {
      id,
      isPrivileged: request.isFollower,
      usesTopicIds: request.usesTopicIds,
      createdMs: nowMs,
      partitions,
      lastUsedMs: nowMs,
      epoch: 1,
      size: partitions.size,
    })
    return id
  }

  #evict(isPrivileged: boolean, size: number, nowMs: number): boolean {
    const sessions = [...this.#sessions.values()]
    const oldest = least(sessions, (x, y) => x.lastUsedMs - y.lastUsedMs || x.id - y.id)
    if (oldest === undefined) return false
    if (nowMs - oldest.lastUsedMs > EVICTION_MS) return this.#drop(oldest)
    const candidates = sessions.filter((session) => {
      const isSettled = nowMs - session.createdMs > EVICTION_MS
      return isSettled || (isPrivileged && !session.isPrivileged)
    })
    const found = least(candidates, byValue)
    if (found === undefined) return false
    if (byValue({ isPrivileged, size, id: 0 }, found) < 0) return false
    return this.#drop(found)
  }

  #drop(session: Session): true {
    this.#sessions.delete(session.id)
    this.evictions++
    return true
  }
}

type Value = Pick<Session, 'isPrivileged' | 'size' | 'id'>

function byValue(x: Value, y: Value): number {
  return Number(x.isPrivileged) - Number(y.isPrivileged) || x.size - y.size || x.id - y.id
}

function least<T>(list: readonly T[], compare: (x: T, y: T) => number): T | undefined {
  let found = list[0]
  for (const item of list) if (compare(item, found!) < 0) found = item
  return found
}

/** A partition named twice keeps its first place and its last word, as in Kafka's linked map. */
function unique(targets: readonly FetchTarget[]): FetchTarget[] {
  return [...new Map(targets.map((target) => [targetKey(target), target])).values()]
}

const newCached = (target: FetchTarget): Cached => ({
  target,
  highWatermark: -1,
  logStartOffset: -1,
})

/** True when the incremental response must carry this partition; remembers what it will say. */
function update(cached: Cached, outcome: FetchOutcome): boolean {
  const isFailed = outcome.errorCode !== ErrorCode.NONE
  const hasMoved =
    cached.highWatermark !== outcome.highWatermark ||
    cached.logStartOffset !== outcome.logStartOffset
  cached.highWatermark = isFailed ? -1 : outcome.highWatermark
  cached.logStartOffset = outcome.logStartOffset
  return outcome.recordBytes > 0 || hasMoved || isFailed || outcome.isDiverging
}
