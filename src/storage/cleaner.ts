// Which log is compacted next: the one with the largest share of bytes that nobody has compacted, or one that holds
// something too old. Pure: what logs are like comes in, the choice goes out.
//
// Invariant: a log whose compaction failed is not chosen again until it is forgotten or the node starts anew.
// Kafka: LogCleanerManager.grabFilthiestCompactedLog, LogToClean, markPartitionUncleanable (KIP-354).

/** One compacted log, as the plane describes it. */
export interface CleanableLog {
  readonly firstDirtyOffset: number
  readonly cleanBytes: number
  readonly cleanableBytes: number
  /** -1: no record that nobody has compacted is in a rolled segment. */
  readonly earliestDirtyTimestamp: number
}

/** The topic's settings that decide when. */
export interface CleanPolicy {
  readonly minCleanableRatio: number
  readonly maxCompactionLagMs: number
}

/** What share of the log would be looked at for the first time. */
export function dirtyRatio({ cleanBytes, cleanableBytes }: CleanableLog): number {
  const total = cleanBytes + cleanableBytes
  return total === 0 ? 0 : cleanableBytes / total
}

/** Whether a log is to be compacted now. */
export function isDue(log: CleanableLog, policy: CleanPolicy, nowMs: number): boolean {
  if (log.cleanableBytes === 0) return false
  const isOverdue =
    log.earliestDirtyTimestamp >= 0 &&
    log.earliestDirtyTimestamp < nowMs - policy.maxCompactionLagMs
  return isOverdue || dirtyRatio(log) > policy.minCleanableRatio
}

/** The filthiest of those that are due. */
export function filthiest<T extends { readonly log: CleanableLog; readonly policy: CleanPolicy }>(
  candidates: readonly T[],
  nowMs: number,
): T | undefined {
  let best: T | undefined
  for (const candidate of candidates) {
    if (!isDue(candidate.log, candidate.policy, nowMs)) continue
    if (best === undefined || dirtyRatio(candidate.log) > dirtyRatio(best.log)) best = candidate
  }
  return best
}

/** How far each log is compacted, and which logs cannot be. Names are `<topic>-<partition>`. */
export class CleanerProgress {
  private readonly dirty = new Map<string, { topicId: string; offset: number }>()
  private readonly uncleanable = new Map<string, string>()

  /** Where a log's dirty section begins; `stored` is what a checkpoint of an earlier life says. */
  firstDirtyOffset(name: string, topicId: string, stored: number): number {
    const known = this.dirty.get(name)
    if (known === undefined) return stored
    return known.topicId === topicId ? known.offset : 0
  }

  cleaned(name: string, topicId: string, offset: number): void {
    this.dirty.set(name, { topicId, offset })
  }

  failed(name: string, topicId: string): void {
    this.uncleanable.set(name, topicId)
  }

  /** Kafka: the gauge uncleanable-partitions-count. */
  get uncleanableCount(): number {
    return this.uncleanable.size
  }

  isUncleanable(name: string, topicId: string): boolean {
    return this.uncleanable.get(name) === topicId
  }
}
