// Who has been heard from, and when: soft state, lost with the controller and rebuilt generously, for a new
// controller gives every registered broker a full session.
// Kafka: BrokerHeartbeatManager, BrokerHeartbeatTracker.

interface Contact {
  atMs: number
  metadataOffset: number
}

/** Last contacts of brokers. */
export class BrokerLiveness {
  private readonly contacts = new Map<number, Contact>()
  private readonly sessionTimeoutMs: number

  constructor(sessionTimeoutMs: number) {
    this.sessionTimeoutMs = sessionTimeoutMs
  }

  touch(brokerId: number, nowMs: number, metadataOffset: number): void {
    this.contacts.set(brokerId, { atMs: nowMs, metadataOffset })
  }

  forget(brokerId: number): void {
    this.contacts.delete(brokerId)
  }

  /** Whether the broker's session still stands. */
  isAlive(brokerId: number, nowMs: number): boolean {
    const contact = this.contacts.get(brokerId)
    return contact !== undefined && nowMs - contact.atMs < this.sessionTimeoutMs
  }

  /** When the first session ends, or null when nobody has one. */
  nextExpiryMs(): number | null {
    let first: number | null = null
    for (const { atMs } of this.contacts.values()) {
      if (first === null || atMs < first) first = atMs
    }
    return first === null ? null : first + this.sessionTimeoutMs
  }

  /** The smallest metadata offset that live brokers have reported, for controlled shutdown. */
  lowestMetadataOffset(nowMs: number): number {
    let lowest = Number.MAX_SAFE_INTEGER
    for (const [id, { metadataOffset }] of this.contacts) {
      if (this.isAlive(id, nowMs)) lowest = Math.min(lowest, metadataOffset)
    }
    return lowest
  }

  /** Brokers whose session is over. */
  expired(nowMs: number): number[] {
    return [...this.contacts.keys()].filter((id) => !this.isAlive(id, nowMs))
  }
}
