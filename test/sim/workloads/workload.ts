// What every workload has in common: a client, a place in the run, and the habit of trying again.

import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import type { GroupChecker } from '../checkers/groups.ts'
import type { LogChecker } from '../checkers/log.ts'
import { type SimClient, Unanswered } from '../client.ts'
import { Violation } from '../trace.ts'

/** What a workload is given. */
export interface WorkloadContext {
  readonly client: SimClient
  readonly random: import('../../../src/lib/random.ts').Random
  readonly logs: LogChecker
  readonly groups: GroupChecker
  /** Since the run began. */
  nowMs(): number
  note(line: string): void
  pause(ms: number): Promise<void>
  /** The run asks everybody to come to an end. */
  isEnding(): boolean
  /** How often the power has gone. */
  powerLosses(): number
}

export interface Workload {
  /** Until the run is ending; throws Violation. */
  run(): Promise<void>
}

const RETRY_MS = 40

/** Errors that say "not now": nothing was done, or nobody can tell. */
const RETRIABLE = new Set<number>([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.NOT_CONTROLLER,
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.BROKER_NOT_AVAILABLE,
])

export const isRetriable = (errorCode: number): boolean => RETRIABLE.has(errorCode)

/** An answer that no correct broker gives here. */
export function unexpected(what: string, errorCode: number): never {
  throw new Violation(`${what} was answered ${errorName(errorCode)}`)
}

/** Asks until it is answered; `attempt` says undefined when it wants to be asked again. */
export async function persist<Value>(
  context: WorkloadContext,
  attempt: () => Promise<Value | undefined>,
): Promise<Value> {
  for (;;) {
    try {
      const value = await attempt()
      if (value !== undefined) return value
    } catch (problem) {
      if (!(problem instanceof Unanswered)) throw problem
    }
    await context.pause(RETRY_MS)
  }
}
