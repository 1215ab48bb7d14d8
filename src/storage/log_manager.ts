// LogManager: when a node looks after its logs, and how much of each is to stay. It says which checkpoints are due and
// leads a round of retention over all logs: so many questions at once, the next when one is answered.
//
// Invariants: time is an argument; a task is due again a whole pace after it was due, and one that was missed is done
// once; a round comes to every log that was there when it began, and never to one twice unless more of it is due.
// Kafka: LogManager (startup's schedule, cleanupLogs), UnifiedLog.deleteOldSegments.

/** What is done at a pace of its own. */
export type Task = 'retention' | 'recoveryPoints' | 'logStarts' | 'highWatermarks'

const TASKS: readonly Task[] = ['retention', 'recoveryPoints', 'logStarts', 'highWatermarks']

/** Milliseconds between two runs of each task. */
export type Paces = Readonly<Record<Task, number>>

/** Kafka takes 0 for an interval, and then never rests; a tenth of a second is often enough. */
const PACE_MIN_MS = 100

/** Says which tasks are due. */
export class LogManager {
  private readonly paces: Paces
  private readonly dueMs: Record<Task, number>

  /** The first round of retention begins `initialDelayMs` after `nowMs`, everything else at its own pace. */
  constructor(paces: Paces, initialDelayMs: number, nowMs: number) {
    this.paces = paces
    this.dueMs = {
      retention: nowMs + initialDelayMs,
      recoveryPoints: nowMs + paces.recoveryPoints,
      logStarts: nowMs + paces.logStarts,
      highWatermarks: nowMs + paces.highWatermarks,
    }
  }

  /** When something is due next. */
  nextDueMs(): number {
    return Math.min(...TASKS.map((task) => this.dueMs[task]))
  }

  /** What is due now, in the order in which it is to be done; it is due again a pace later. */
  take(nowMs: number): Task[] {
    const due = TASKS.filter((task) => this.dueMs[task] <= nowMs)
    for (const task of due) {
      const pace = Math.max(this.paces[task], PACE_MIN_MS)
      const next = this.dueMs[task] + pace
      this.dueMs[task] = next > nowMs ? next : nowMs + pace
    }
    return due
  }
}

/** How much of a log is to stay; -1 is no limit. */
export interface LogLimits {
  readonly retentionMs: number
  readonly retentionBytes: number
}

const NO_LIMITS: LogLimits = { retentionMs: -1, retentionBytes: -1 }

/** A log whose policy does not delete loses only what lies below its start. */
export function limitsOf(policy: readonly string[], configured: LogLimits): LogLimits {
  return policy.includes('delete') ? configured : NO_LIMITS
}

/** False: retention can find nothing in such a log, so nobody need be asked. */
export function isWorthAsking(
  log: { readonly bytes: number; readonly segments: number },
  { retentionMs, retentionBytes }: LogLimits,
): boolean {
  const isLimited = retentionMs >= 0 || retentionBytes >= 0
  return log.segments > 1 || (isLimited && log.bytes > 0)
}

/** The plane's answer about one log. */
export interface RetentionAnswer {
  readonly segments: number
  readonly isMore: boolean
}

/** One round over all logs, named as the caller likes. */
export class RetentionRound<Log> {
  private readonly logs: readonly Log[]
  private readonly inFlightMax: number
  private next = 0
  private inFlight = 0
  private again: Log[] = []
  private deleted = 0

  constructor(logs: readonly Log[], inFlightMax: number) {
    this.logs = logs
    this.inFlightMax = inFlightMax
  }

  /** The log to ask about now; undefined: as many as may be are being asked, or none is left. */
  take(): Log | undefined {
    if (this.inFlight === this.inFlightMax) return undefined
    const log = this.next < this.logs.length ? this.logs[this.next++] : this.again.shift()
    if (log !== undefined) this.inFlight++
    return log
  }

  /** What came of the question; null: it was not asked, or not answered. */
  answered(log: Log, answer: RetentionAnswer | null): void {
    this.inFlight--
    if (answer === null) return
    this.deleted += answer.segments
    // Behind all others: who has most to delete does not hold up the rest.
    if (answer.isMore) this.again.push(log)
  }

  /** Segments deleted so far. */
  get segments(): number {
    return this.deleted
  }

  get isOver(): boolean {
    return this.inFlight === 0 && this.again.length === 0 && this.next === this.logs.length
  }
}
