// Compacts the logs of a running broker: asks the plane what each compacted log is like, has the filthiest one
// cleaned, and writes down how far. It rests `log.cleaner.backoff.ms` when nothing is due.
//
// Invariants: at most `log.cleaner.threads` logs are cleaned at a time, and none twice; the checkpoint never claims
// more than the plane has answered. Settings are read for every log that is begun, so they change live.
// Kafka: LogCleaner, LogCleanerManager.

import type { BrokerConfig } from '../config/config.ts'
import type { LogDirectories } from '../host/log_directories.ts'
import type { Tickets } from '../host/tickets.ts'
import type { Cancel, World } from '../host/world.ts'
import { CleanableColumn } from '../plane/layout.ts'
import type { DataPlane } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { type CleanableLog, CleanerProgress, filthiest } from '../storage/cleaner.ts'
import type { LocalPartition, Publisher } from './publisher.ts'

/** As many as the plane has threads for. */
const CLEANERS_MAX = 16
const ASKED_AT_ONCE = 16
const DOUBLE_BYTES = 8
/** A rest of nothing would be a busy loop. */
const BACKOFF_MIN_MS = 100

/** A topic's settings about compaction. */
export interface Compaction {
  readonly policy: readonly string[]
  readonly minCleanableRatio: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  readonly deleteRetentionMs: number
}

export interface LogCleanerOptions {
  world: World
  plane: DataPlane
  tickets: Tickets
  publisher: Publisher
  directories: LogDirectories
  /** As of now. */
  config: () => BrokerConfig
  compaction: (topic: string) => Compaction
}

interface Candidate {
  readonly partition: LocalPartition
  readonly log: CleanableLog
  readonly policy: Compaction
}

const nameOf = ({ topic, partition }: LocalPartition): string => `${topic}-${partition}`

/** The cleaner, from start to stop. */
export class LogCleaner {
  private readonly options: LogCleanerOptions
  private readonly progress = new CleanerProgress()
  private readonly cleaning = new Set<string>()
  private cancel: Cancel = () => {}
  private isStopped = false
  private isLooking = false

  constructor(options: LogCleanerOptions) {
    this.options = options
  }

  start(): void {
    if (this.options.config().get('log.cleaner.enable')) this.rest()
  }

  /** No more logs are begun; one that is being cleaned ends with its partition. */
  stop(): void {
    this.isStopped = true
    this.cancel()
  }

  /** How far a log is compacted. */
  cleanedTo(partition: LocalPartition): number {
    const name = nameOf(partition)
    const stored = this.options.directories.cleanerOffset(partition.directory, name)
    return this.progress.firstDirtyOffset(name, partition.topicId, stored)
  }

  /** A copy has taken its place that is compacted only so far. */
  moved(partition: LocalPartition, cleanedTo: number): void {
    this.progress.cleaned(nameOf(partition), partition.topicId, cleanedTo)
  }

  private rest(): void {
    if (this.isStopped) return
    this.cancel()
    const { world, config } = this.options
    const backoffMs = Math.max(config().get('log.cleaner.backoff.ms'), BACKOFF_MIN_MS)
    this.cancel = world.schedule(backoffMs, () => void this.look())
  }

  /** Begins the filthiest log, and looks again while there are threads and something is due. */
  private async look(): Promise<void> {
    if (this.isLooking || this.isStopped) return
    this.isLooking = true
    const candidates = await this.candidates()
    const begun = candidates.length > 0 && this.begin(candidates)
    this.isLooking = false
    if (begun && this.cleaning.size < this.threads()) void this.look()
    else this.rest()
  }

  /** None: nothing is compacted, as in Kafka. */
  private threads(): number {
    return Math.min(CLEANERS_MAX, this.options.config().get('log.cleaner.threads'))
  }

  private async candidates(): Promise<Candidate[]> {
    if (this.cleaning.size >= this.threads()) return []
    const { publisher, compaction } = this.options
    const compacted = publisher
      .openPartitions()
      .map((partition) => ({ partition, policy: compaction(partition.topic) }))
      .filter(
        ({ partition, policy }) => policy.policy.includes('compact') && this.isFree(partition),
      )
    const found: Candidate[] = []
    for (let at = 0; at < compacted.length && !this.isStopped; at += ASKED_AT_ONCE) {
      const some = compacted.slice(at, at + ASKED_AT_ONCE)
      const logs = await Promise.all(some.map((one) => this.ask(one.partition, one.policy)))
      logs.forEach((log, i) => {
        if (log !== null) found.push({ ...some[i]!, log })
      })
    }
    return found
  }

  private isFree(partition: LocalPartition): boolean {
    const name = nameOf(partition)
    const isOne = this.options.plane.partition(partition.slot).segments <= 1
    if (isOne || this.cleaning.has(name)) return false
    return !this.progress.isUncleanable(name, partition.topicId)
  }

  private async ask(partition: LocalPartition, policy: Compaction): Promise<CleanableLog | null> {
    const dirty = this.cleanedTo(partition)
    const answer = await this.options.tickets.read((plane, ticket) =>
      plane.cleanable(partition.slot, dirty, policy.minCompactionLagMs, ticket),
    )
    if (answer.errorCode !== ErrorCode.NONE || answer.bytes.length === 0) return null
    const { buffer, byteOffset, byteLength } = answer.bytes
    const view = new DataView(buffer, byteOffset, byteLength)
    const at = (column: number) => view.getFloat64(column * DOUBLE_BYTES, true)
    return {
      firstDirtyOffset: at(CleanableColumn.firstDirtyOffset),
      cleanBytes: at(CleanableColumn.cleanBytes),
      cleanableBytes: at(CleanableColumn.cleanableBytes),
      earliestDirtyTimestamp: at(CleanableColumn.earliestDirtyTimestamp),
    }
  }

  private begin(candidates: readonly Candidate[]): boolean {
    const { world, tickets, config } = this.options
    const chosen = filthiest(candidates, world.clock.nowMs())
    if (chosen === undefined || this.isStopped || chosen.partition.state !== 'open') return false
    const { partition, log, policy } = chosen
    const now = config()
    const threads = this.threads()
    const rate = now.get('log.cleaner.io.max.bytes.per.second') / threads
    const options = {
      firstDirtyOffset: log.firstDirtyOffset,
      minLagMs: policy.minCompactionLagMs,
      deleteRetentionMs: policy.deleteRetentionMs,
      mapBytes: Math.trunc(now.get('log.cleaner.dedupe.buffer.size') / threads),
      mapLoad: now.get('log.cleaner.io.buffer.load.factor'),
      bufferBytes: Math.trunc(now.get('log.cleaner.io.buffer.size') / threads / 2),
      bytesPerSecond: rate >= Number.MAX_SAFE_INTEGER ? 0 : Math.max(1, Math.trunc(rate)),
    }
    this.cleaning.add(nameOf(partition))
    tickets.call(
      (plane, ticket) => plane.clean(partition.slot, options, ticket),
      ({ errorCode, a, b, c }) =>
        this.ended(partition, errorCode, { next: a, before: b, after: c }),
    )
    return true
  }

  private ended(
    partition: LocalPartition,
    errorCode: number,
    { next, before, after }: { next: number; before: number; after: number },
  ): void {
    const { world, directories, publisher } = this.options
    const name = nameOf(partition)
    this.cleaning.delete(name)
    if (this.isStopped) return
    if (errorCode === ErrorCode.NONE) {
      this.progress.cleaned(name, partition.topicId, next)
      try {
        const open = publisher.openPartitions()
        directories.writeCleanerOffset(partition.directory, open, name, next)
      } catch (problem) {
        world.log.error('cannot write the cleaner checkpoint', { problem: String(problem) })
      }
      world.log.info('compacted a log', { partition: name, upTo: next, before, after })
    } else if (partition.state === 'open' && errorCode === ErrorCode.KAFKA_STORAGE_ERROR) {
      this.progress.failed(name, partition.topicId)
      const { uncleanableCount } = this.progress
      world.log.error('a log cannot be compacted, and is left as it is until the next start', {
        partition: name,
        uncleanableCount,
      })
    } else {
      // It was cut, or its disk has no room now: later.
      return this.rest()
    }
    void this.look()
  }
}
