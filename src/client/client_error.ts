// What a client is told when something did not work: what, where, and what to do about it. Every failure of this
// folder is a ClientError, so that a caller prints `message` and branches on `code`; anything else is a bug of ours.
// `code` is an error of the protocol (ErrorName) or one of the few below that happen before a broker answers.
// Kafka: ApiException and its retriable half.

import { errorOf } from '../protocol/errors.ts'

/** Where it happened: the broker's address, and the topic, partition or group it was about. */
export interface ErrorPlace {
  readonly address?: string | undefined
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  readonly group?: string | undefined
  /** What the broker said in its own words. */
  readonly detail?: string | null | undefined
  readonly cause?: unknown
}

/**
 * A request that failed. `code` is Kafka's name of the error, or CONNECTION_FAILED, CONNECTION_CLOSED,
 * REQUEST_TIMED_OUT, MALFORMED_RESPONSE, INVALID_ARGUMENT, NOT_SUPPORTED, CLOSED.
 */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: string
  /** Whether the same request may succeed later. */
  readonly isRetriable: boolean
  readonly address: string | undefined
  readonly topic: string | undefined
  readonly partition: number | undefined
  readonly group: string | undefined

  constructor(code: string, message: string, place: ErrorPlace = {}, isRetriable = false) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause })
    this.code = code
    this.isRetriable = isRetriable
    this.address = place.address
    this.topic = place.topic
    this.partition = place.partition
    this.group = place.group
  }
}

/** What helps against an error that people meet often. */
const ADVICE: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'look at the spelling, or create the topic first',
  TOPIC_AUTHORIZATION_FAILED: 'ask for the right on this topic',
  GROUP_AUTHORIZATION_FAILED: 'ask for the right on this group',
  CLUSTER_AUTHORIZATION_FAILED: 'ask for the right on the cluster',
  MESSAGE_TOO_LARGE: 'raise max.message.bytes of the topic, or send smaller records',
  NOT_ENOUGH_REPLICAS: 'fewer replicas are in sync than min.insync.replicas asks for',
  NON_EMPTY_GROUP: 'stop the members of the group first',
  GROUP_SUBSCRIBED_TO_TOPIC: 'stop the members that read the topic first',
  UNSUPPORTED_VERSION: 'the broker is older or newer than this needs',
}

/** The error that a broker answered with `errorCode`; `subject` says what was asked, such as `topic t`. */
export function answered(errorCode: number, subject: string, place: ErrorPlace = {}): ClientError {
  const { name, retriable, text } = errorOf(errorCode)
  const said = (place.detail || text).replace(/\.$/, '')
  const at = place.address === undefined ? '' : ` at ${place.address}`
  const advice = ADVICE[name]
  const message = `${subject}: ${name}${at}: ${said}${advice === undefined ? '' : `; ${advice}`}`
  return new ClientError(name, message, place, retriable)
}

/** True when `problem` is a ClientError with one of `codes`. */
export function isClientError(problem: unknown, ...codes: string[]): problem is ClientError {
  return problem instanceof ClientError && (codes.length === 0 || codes.includes(problem.code))
}
