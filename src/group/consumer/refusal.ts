// An error as an answer: the code clients act on, and words for people. Decisions of consumer groups pass it on until
// somebody replies with it. Kafka: ApiException and its subclasses.

import type { ErrorCode } from '../../protocol/errors.ts'

/** Why a request is not granted. */
export interface Refusal {
  readonly errorCode: ErrorCode
  readonly errorMessage: string
}

export function refusal(errorCode: ErrorCode, errorMessage: string): Refusal {
  return { errorCode, errorMessage }
}

/** Tells a refusal from whatever was asked for. */
export function isRefusal<T extends object>(found: T | Refusal): found is Refusal {
  return 'errorCode' in found && 'errorMessage' in found
}
