// How fast replicas may move between the log directories of this node: what all moves copy together stays below
// `replica.alter.log.dirs.io.max.bytes.per.second`, which changes live.
//
// Invariant: a step is begun only when all that was copied before is paid for, at the rate as it is meanwhile; so moves
// that run beside each other go above it by a step each, and pay for that too.
// Kafka: QuotaType.ALTER_LOG_DIRS_REPLICATION, which stops reading while the rate of some seconds is above the limit.

import type { BrokerConfig } from '../../config/config.ts'
import type { World } from '../../host/world.ts'

const STEP_BYTES_MAX = 1 << 20
const STEP_BYTES_MIN = 16 << 10
const STEPS_PER_SECOND = 8
/** A new rate is noticed after that long. */
const LOOK_AGAIN_MS = 250

/** The pace of all moves of a node together. */
export class MoveRate {
  private readonly world: World
  private readonly config: () => BrokerConfig
  private owedBytes = 0
  private paidUs = 0

  constructor(world: World, config: () => BrokerConfig) {
    this.world = world
    this.config = config
  }

  /** Bytes of a step: small ones where the rate is low. */
  stepBytes(): number {
    const bytes = Math.trunc(this.bytesPerSecond() / STEPS_PER_SECOND)
    return Math.min(STEP_BYTES_MAX, Math.max(STEP_BYTES_MIN, bytes))
  }

  /** A step has brought so many bytes. */
  copied(bytes: number): void {
    this.pay()
    this.owedBytes += bytes
  }

  /** Milliseconds until it is worth asking again; 0: the next step may begin. */
  waitMs(): number {
    this.pay()
    const rate = this.bytesPerSecond()
    if (rate <= 0) return LOOK_AGAIN_MS
    return Math.min(LOOK_AGAIN_MS, Math.ceil((this.owedBytes * 1000) / rate))
  }

  private pay(): void {
    const nowUs = this.world.clock.monotonicUs()
    const paid = ((nowUs - this.paidUs) / 1_000_000) * this.bytesPerSecond()
    this.owedBytes = Math.max(0, this.owedBytes - paid)
    this.paidUs = nowUs
  }

  private bytesPerSecond(): number {
    return this.config().rate('replica.alter.log.dirs.io.max.bytes.per.second')
  }
}
