// A transactional producer as clients are: it takes its id, writes, ends, asks again when it hears nothing, bumps its epoch when it
// lost track, and begins anew when it is fenced. What it sends may arrive when it has long given up on it.

import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import type { TransactionReply } from '../../../src/transaction/requests.ts'
import type { Batch } from './partition.ts'
import { type Attempt, PARTITIONS, type Process, type World } from './world.ts'

const { NONE, CONCURRENT_TRANSACTIONS, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED } = ErrorCode

interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** `lost`: sent, and nobody knows what became of it. */
type Written = 'taken' | 'lost' | 'fenced'

/** One program. */
export class Client {
  readonly transactionalId: string
  private readonly world: World
  /** 2: an epoch for each transaction, and a Produce that adds its partition. */
  private readonly version: number
  private identity: Identity | null = null
  private sequences: number[] = []

  constructor(world: World, transactionalId: string, version: number) {
    this.world = world
    this.transactionalId = transactionalId
    this.version = version
  }

  *live(): Process {
    let expected: Identity | null = null
    for (;;) {
      const isFenced: boolean = !(yield* this.init(expected))
      // Somebody else has the id: it stops, as a program does that is told so.
      if (isFenced) return
      const why: 'fenced' | 'lost' | 'unknown' = yield* this.work()
      if (why === 'fenced') this.world.fenced++
      if (this.world.isEnding || why === 'fenced') return
      expected = why === 'lost' ? this.identity : null
    }
  }

  private *work(): Generator<void, 'fenced' | 'lost' | 'unknown', void> {
    const { world } = this
    while (!world.isEnding) {
      yield
      const name = `${this.transactionalId}-${world.attempts.size}`
      const attempt: Attempt = { written: new Map(), outcome: 'abort' }
      world.attempts.set(name, attempt)
      let hasLost = false
      for (let number = world.random.nextInt(1, 5); number > 0 && !hasLost; number--) {
        const partition = world.random.nextInt(PARTITIONS)
        const written = yield* this.write(partition, attempt, `${name}#${number}`)
        if (written === 'fenced') return 'fenced'
        hasLost = written === 'lost'
      }
      const isCommit = !hasLost && world.random.ratio(3, 4)
      const errorCode = yield* this.end(isCommit, attempt)
      if (errorCode === PRODUCER_FENCED) return 'fenced'
      if (errorCode === INVALID_PRODUCER_ID_MAPPING) return 'unknown'
      // Sequences are not to be trusted: the next epoch begins at 0, by the end itself or by asking.
      if (hasLost && this.version < 2) return 'lost'
    }
    return 'unknown'
  }

  private *init(expected: Identity | null): Generator<void, boolean, void> {
    for (;;) {
      yield
      const request = {
        kind: 'initProducerId',
        transactionalId: this.transactionalId,
        timeoutMs: 60_000,
        expected,
        freshProducerId: null as number | null,
      } as const
      let reply = this.world.ask(request)
      if (reply?.kind === 'producerIdNeeded') {
        reply = this.world.ask({ ...request, freshProducerId: this.world.bench.freshId() })
      }
      if (reply === null) continue
      const told = reply as Extract<TransactionReply, { kind: 'initProducerId' }>
      if (told.errorCode === NONE) {
        this.take(told)
        return true
      }
      if (told.errorCode === CONCURRENT_TRANSACTIONS) continue
      if (told.errorCode === PRODUCER_FENCED) return false
      throw new Error(`InitProducerId: ${errorName(told.errorCode)}`)
    }
  }

  private take({ producerId, producerEpoch }: Identity): void {
    const { identity } = this
    if (identity?.producerId !== producerId || identity.producerEpoch !== producerEpoch) {
      this.sequences = Array.from({ length: PARTITIONS }, () => 0)
    }
    this.identity = { producerId, producerEpoch }
  }

  private *write(
    partition: number,
    attempt: Attempt,
    value: string,
  ): Generator<void, Written, void> {
    if (this.version < 2) {
      const errorCode = yield* this.add(partition)
      if (errorCode !== NONE) return 'fenced'
    }
    const batch = { ...this.identity!, sequence: this.sequences[partition]!, value }
    let heard: number | null = null
    const hear = (errorCode: number) => {
      heard = errorCode
    }
    this.world.spawn(this.deliver(partition, batch, hear))
    // Patience is short at times: then the batch arrives when it arrives.
    for (let patience = this.world.random.pick([5, 400, 400]); patience > 0; patience--) {
      yield
      if (heard === null) continue
      if (heard !== NONE) return 'fenced'
      this.sequences[partition]!++
      const [, number] = value.split('#')
      attempt.written.set(partition, [...(attempt.written.get(partition) ?? []), number!])
      return 'taken'
    }
    return 'lost'
  }

  /** A batch on its way, sent again by the connection until it is answered for good. */
  private *deliver(partition: number, batch: Batch, hear: (errorCode: number) => void): Process {
    const target = this.world.partitions[partition]!
    for (;;) {
      yield
      const question = target.question(batch)
      if (question !== null) {
        const reply = yield* this.enter(partition, batch)
        if (reply === null || reply === CONCURRENT_TRANSACTIONS) continue
        if (reply !== NONE) return hear(reply)
      }
      yield
      const errorCode = target.append(batch, question)
      if (errorCode !== ErrorCode.NOT_ENOUGH_REPLICAS) return hear(errorCode)
    }
  }

  /** The partition's leader asks: is it in the transaction, or may it be? */
  private *enter(
    partition: number,
    { producerId, producerEpoch }: Batch,
  ): Generator<void, number | null, void> {
    yield
    return this.ask(partition, { producerId, producerEpoch }, this.version < 2)
  }

  private ask(partition: number, identity: Identity, verifyOnly: boolean): number | null {
    const reply = this.world.ask({
      kind: 'addPartitions',
      producer: { transactionalId: this.transactionalId, ...identity },
      topics: [{ topic: 't', partitionIds: [partition] }],
      verifyOnly,
      transactionVersion: this.version,
    })
    if (reply?.kind !== 'addPartitions') return null
    return reply.errors[0]?.partitions[0]?.errorCode ?? reply.errorCode
  }

  private *add(partition: number): Generator<void, number, void> {
    for (;;) {
      yield
      const errorCode = this.ask(partition, this.identity!, false)
      if (errorCode !== null && errorCode !== CONCURRENT_TRANSACTIONS) return errorCode
    }
  }

  private *end(isCommit: boolean, attempt: Attempt): Generator<void, number, void> {
    const request = {
      kind: 'endTransaction',
      producer: { transactionalId: this.transactionalId, ...this.identity! },
      isCommit,
      transactionVersion: this.version,
      freshProducerId: null as number | null,
    } as const
    for (;;) {
      yield
      if (isCommit) attempt.outcome = 'maybe'
      let reply = this.world.ask(request)
      if (reply?.kind === 'producerIdNeeded') {
        reply = this.world.ask({ ...request, freshProducerId: this.world.bench.freshId() })
      }
      if (reply === null) continue
      const told = reply as Extract<TransactionReply, { kind: 'endTransaction' }>
      if (told.errorCode === CONCURRENT_TRANSACTIONS) continue
      if (told.errorCode === NONE) {
        attempt.outcome = isCommit ? 'commit' : 'abort'
        if (this.version >= 2) this.take(told)
      } else if (told.errorCode === ErrorCode.INVALID_TXN_STATE) {
        // An abort of nothing, by an old client: there is nothing to abort. A commit of what the server aborted: too late.
        if (isCommit !== this.version >= 2) throw new Error(`EndTxn: INVALID_TXN_STATE`)
        attempt.outcome = 'abort'
        if (isCommit) return yield* this.end(false, attempt)
      }
      return told.errorCode
    }
  }
}
