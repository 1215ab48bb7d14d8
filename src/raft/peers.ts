// Connections to other nodes, one outstanding request each: who may be asked now, and whose answer
// is still expected.
//
// Invariant: at most one request per destination is in flight; after a failure the destination rests
// for the retry backoff, after the request timeout it is free again and a late answer is ignored.
// Kafka: RequestManager.

interface Peer {
  requestId: number | null
  sentAtMs: number
  backoffUntilMs: number
}

/** A request that an answer may still come for: to whom, and what it was about. */
export interface Sent {
  readonly id: number
  readonly context: string
}

/** The state of every destination that was ever asked. */
export class Peers {
  private readonly byId = new Map<number, Peer>()
  private readonly sent = new Map<number, Sent>()
  private readonly requestTimeoutMs: number
  private readonly retryBackoffMs: number
  private nextRequestId = 1

  constructor(requestTimeoutMs: number, retryBackoffMs: number) {
    this.requestTimeoutMs = requestTimeoutMs
    // Never zero: a peer that refuses at once would be asked for ever at the same moment.
    this.retryBackoffMs = Math.max(1, retryBackoffMs)
  }

  /** When a destination may be asked: `nowMs` or before means now. */
  readyAtMs(id: number): number {
    const peer = this.byId.get(id)
    if (peer === undefined) return -Infinity
    if (peer.requestId !== null) return peer.sentAtMs + this.requestTimeoutMs
    return peer.backoffUntilMs
  }

  /** Whether the last request to a destination failed or is overdue. */
  isTroubled(id: number, nowMs: number): boolean {
    const peer = this.byId.get(id)
    if (peer === undefined) return false
    if (peer.requestId !== null) return nowMs >= peer.sentAtMs + this.requestTimeoutMs
    return peer.backoffUntilMs > nowMs
  }

  /** Whether any request is in flight and not overdue. */
  hasInFlight(nowMs: number): boolean {
    for (const peer of this.byId.values()) {
      if (peer.requestId !== null && nowMs < peer.sentAtMs + this.requestTimeoutMs) return true
    }
    return false
  }

  /** Marks a request as sent and gives its number. */
  onSent(id: number, nowMs: number, context: string): number {
    const late = this.byId.get(id)?.requestId
    if (late !== null && late !== undefined) this.sent.delete(late)
    const requestId = this.nextRequestId++
    this.byId.set(id, { requestId, sentAtMs: nowMs, backoffUntilMs: -Infinity })
    this.sent.set(requestId, { id, context })
    return requestId
  }

  /** Whose answer this is, or undefined when nobody waits for it any more. */
  onAnswered(requestId: number): Sent | undefined {
    const sent = this.sent.get(requestId)
    if (sent === undefined) return undefined
    this.sent.delete(requestId)
    this.byId.get(sent.id)!.requestId = null
    return sent
  }

  /** Lets a destination rest. */
  backOff(id: number, nowMs: number): void {
    const peer = this.byId.get(id)
    if (peer !== undefined) peer.backoffUntilMs = nowMs + this.retryBackoffMs
  }

  /** Forgets everything: a new epoch begins, and no answer to an old one is expected. */
  reset(): void {
    this.byId.clear()
    this.sent.clear()
  }
}
