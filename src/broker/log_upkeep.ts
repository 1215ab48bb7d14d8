// Looks after the logs of a running broker at the log manager's word: rounds of retention and the checkpoints.
//
// A round asks the plane about a few logs at a time, so that neither the reactors nor this thread are held up by
// thousands. When it has deleted something, where logs start now is written down before the files leave the disk.
// Kafka: LogManager.cleanupLogs, checkpointLogRecoveryOffsets, checkpointLogStartOffsets;
// ReplicaManager.checkpointHighWatermarks.

import type { BrokerConfig } from '../config/config.ts'
import type { retentionOf } from '../config/topic_config.ts'
import type { Tickets } from '../host/tickets.ts'
import type { Cancel, World } from '../host/world.ts'
import type { DataPlane } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { isWorthAsking, LogManager, limitsOf, RetentionRound } from '../storage/log_manager.ts'
import type { Checkpoints } from './directories/checkpoints.ts'
import type { LocalPartition, Publisher } from './publisher.ts'

const IN_FLIGHT_MAX = 16
/** Logs that are looked at in one turn of the event loop. */
const LOOKED_AT_MAX = 200

export interface LogUpkeepOptions {
  world: World
  plane: DataPlane
  tickets: Tickets
  publisher: Publisher
  checkpoints: Checkpoints
  /** At start. */
  config: BrokerConfig
  /** What retains a topic's records now. */
  retention: (topic: string) => ReturnType<typeof retentionOf>
}

/** Retention and checkpoints, from start to stop. */
export class LogUpkeep {
  private readonly options: LogUpkeepOptions
  private manager: LogManager | null = null
  /** That are not over, by directory: one that hangs holds up no other. */
  private readonly rounds = new Map<string, RetentionRound<LocalPartition>>()
  private cancel: Cancel = () => {}
  private isStopped = false

  constructor(options: LogUpkeepOptions) {
    this.options = options
  }

  start(): void {
    const { world, config } = this.options
    this.manager = new LogManager(
      {
        retention: config.get('log.retention.check.interval.ms'),
        recoveryPoints: config.get('log.flush.offset.checkpoint.interval.ms'),
        logStarts: config.get('log.flush.start.offset.checkpoint.interval.ms'),
        highWatermarks: config.get('replica.high.watermark.checkpoint.interval.ms'),
      },
      config.get('log.initial.task.delay.ms'),
      this.nowMs(),
    )
    this.wait()
    world.log.debug('logs are looked after')
  }

  /** No more rounds, no more timers; what the plane was asked may still happen. */
  stop(): void {
    this.isStopped = true
    this.cancel()
  }

  /** Time that nobody sets back. */
  private nowMs(): number {
    return Math.floor(this.options.world.clock.monotonicUs() / 1000)
  }

  private wait(): void {
    const delayMs = Math.max(0, this.manager!.nextDueMs() - this.nowMs())
    this.cancel = this.options.world.schedule(delayMs, () => this.tick())
  }

  private tick(): void {
    for (const task of this.manager!.take(this.nowMs())) {
      if (task !== 'retention') this.options.checkpoints.write([task])
      else this.startRounds()
    }
    this.wait()
  }

  private startRounds(): void {
    const logs = Map.groupBy(this.options.publisher.openPartitions(), ({ directory }) => directory)
    for (const [directory, within] of logs) {
      // One that is not over is the one that was due.
      if (this.rounds.has(directory)) continue
      this.rounds.set(directory, new RetentionRound(within, IN_FLIGHT_MAX))
      this.goOn(directory)
    }
  }

  private goOn(directory: string): void {
    const round = this.rounds.get(directory)
    if (round === undefined || this.isStopped) return
    for (let looked = 0; looked < LOOKED_AT_MAX; looked++) {
      const log = round.take()
      if (log === undefined) return this.rest(directory, round)
      this.ask(directory, round, log)
    }
    this.options.world.schedule(0, () => this.goOn(directory))
  }

  private rest(directory: string, round: RetentionRound<LocalPartition>): void {
    if (!round.isOver) return
    this.rounds.delete(directory)
    const { segments } = round
    if (segments === 0) return
    this.options.world.log.info('retention deleted segments', { directory, segments })
    void this.options.checkpoints.logStarts(directory)
  }

  private ask(directory: string, round: RetentionRound<LocalPartition>, log: LocalPartition): void {
    const { plane, tickets, retention } = this.options
    const { policy, ...configured } = retention(log.topic)
    const limits = limitsOf(policy, configured)
    if (log.state !== 'open' || !isWorthAsking(plane.partition(log.slot), limits)) {
      return round.answered(log, null)
    }
    tickets.call(
      (_, ticket) => plane.retain(log.slot, limits, ticket),
      ({ errorCode, b: segments, c }) => {
        const isDone = errorCode === ErrorCode.NONE
        round.answered(log, isDone ? { segments, isMore: c === 1 } : null)
        this.goOn(directory)
      },
    )
  }
}
