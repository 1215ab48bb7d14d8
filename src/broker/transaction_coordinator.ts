// The transaction coordinator of a broker: the shards of `__transaction_state`, the markers they owe, and what the data
// plane asks before it takes a batch of a transaction. Transactions themselves are src/transaction.
//
// Invariant: a marker is owed until every partition has it; what was decided is read from the shard again before each round,
// and only when it is committed, so a shard that was lost in between owes nothing to nobody. Rounds of one transactional id
// follow each other. Kafka: TransactionCoordinator, TransactionMarkerChannelManager, AddPartitionsToTxnManager.

import type { BrokerConfig } from '../config/config.ts'
import type { ShardKind } from '../host/shard_host.ts'
import type { AdmissionNeeded, Slot } from '../plane/plane.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import {
  decodeTransactionRecord,
  encodeTransactionRecord,
  type TransactionRecord,
} from '../transaction/records.ts'
import type {
  MarkersOwed,
  OwedMarkers,
  TransactionReply,
  TransactionRequest,
} from '../transaction/requests.ts'
import { transactionSettings } from '../transaction/settings.ts'
import { TransactionShard } from '../transaction/shard.ts'
import { Coordinator, type CoordinatorOptions } from './coordinator.ts'
import type { GroupCoordinator } from './group_coordinator.ts'
import { TRANSACTION_TOPIC } from './internal_topics.ts'
import { admissionError, type TopicPartition, writeMarker } from './markers.ts'
import type { LocalPartition, Publisher, Role } from './publisher.ts'

export interface TransactionCoordinatorOptions extends CoordinatorOptions {
  readonly publisher: () => Publisher
  readonly groups: GroupCoordinator
}

type Kind = TransactionRequest['kind']
/** The answer to a request; one that makes use of a producer id may ask for it first. */
type TransactionReplies = {
  readonly [K in Kind]: Extract<
    TransactionReply,
    { kind: K extends 'initProducerId' | 'endTransaction' ? K | 'producerIdNeeded' : K }
  >
}

const READS: ReadonlySet<Kind> = new Set(['activate', 'owedMarkers', 'describe', 'list'])
/** Markers that could not be written are tried again after this. */
const RETRY_MARKERS_MS = 100
/** From this version on a Produce adds its partitions to the transaction. */
const ADDS_SINCE = 12

/** Transactional ids, on the shards that this node leads. */
export class TransactionCoordinator extends Coordinator<
  TransactionRequest,
  TransactionReplies,
  TransactionRecord,
  MarkersOwed
> {
  private readonly options: TransactionCoordinatorOptions
  /** Partitions that this node leads, of every topic. */
  private readonly bySlot = new Map<Slot, LocalPartition>()
  private readonly epochs = new Map<number, number>()
  /** Ids whose markers are being written; true: more became due meanwhile. */
  private readonly settling = new Map<string, boolean>()
  /** Who waits for the end of an id's last transaction. */
  private readonly waiting = new Map<string, Set<() => void>>()
  private isStopped = false

  constructor(options: TransactionCoordinatorOptions) {
    const { config } = options
    super(options, {
      topic: TRANSACTION_TOPIC,
      logName: 'transactions',
      kind: () => shardKind(config, () => this.serverVersion()),
      loadBytes: () => config().get('transaction.state.log.load.buffer.size'),
      commitTimeoutMs: () => config().get('request.timeout.ms'),
      onEffect: (effect) => this.markersOwed(effect),
    })
    this.options = options
  }

  override role(local: LocalPartition, role: Role): void {
    const { topic, partition, slot, leaderEpoch } = local
    if (role === 'leads') this.bySlot.set(slot, local)
    else this.bySlot.delete(slot)
    if (topic === TRANSACTION_TOPIC && role === 'leads') this.epochs.set(partition, leaderEpoch)
    super.role(local, role)
  }

  override stop(): void {
    this.isStopped = true
    super.stop()
  }

  /** The finalized level of transaction.version. */
  serverVersion(): number {
    return this.image?.features.level('transaction.version') ?? 0
  }

  // --- admission

  /** A fact of the plane: may this producer begin its transaction in the partition? */
  admissionNeeded(slot: Slot, admission: AdmissionNeeded): void {
    void this.judge(slot, admission).then((errorCode) =>
      this.options.plane.admit(slot, admission.ask, errorCode),
    )
  }

  private async judge(slot: Slot, admission: AdmissionNeeded): Promise<number> {
    const local = this.bySlot.get(slot)
    if (local === undefined) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    const { topic, partition } = local
    const { apiVersion, transactionalId } = admission
    if (transactionalId === '') return ErrorCode.INVALID_REQUEST
    const config = this.options.config()
    const verifyOnly = apiVersion < ADDS_SINCE
    if (verifyOnly && !config.get('transaction.partition.verification.enable')) {
      return ErrorCode.NONE
    }
    const errorCode = await this.enter(admission, { topic, partition }, verifyOnly)
    return admissionError(errorCode, apiVersion)
  }

  /**
   * Adds a partition to a producer's transaction, or only says whether it is in it. While the last transaction is still
   * being ended, an addition is tried again for a moment, so that the client need not.
   */
  async enter(
    producer: { transactionalId: string; producerId: number; producerEpoch: number },
    { topic, partition }: TopicPartition,
    verifyOnly: boolean,
  ): Promise<number> {
    const config = this.options.config()
    const backoffMs = config.get('add.partitions.to.txn.retry.backoff.ms')
    let leftMs = config.get('add.partitions.to.txn.retry.backoff.max.ms')
    const { transactionalId, producerId, producerEpoch } = producer
    for (;;) {
      const reply = await this.ask<'addPartitions'>(transactionalId, {
        kind: 'addPartitions',
        producer: { transactionalId, producerId, producerEpoch },
        topics: [{ topic, partitionIds: [partition] }],
        verifyOnly,
        transactionVersion: verifyOnly ? 0 : 2,
      })
      const single = reply.kind === 'refused' ? undefined : reply.errors[0]?.partitions[0]
      const errorCode = single?.errorCode ?? reply.errorCode
      const isBusy = errorCode === ErrorCode.CONCURRENT_TRANSACTIONS && !verifyOnly
      if (!isBusy || leftMs < backoffMs || this.isStopped) return errorCode
      leftMs -= backoffMs
      await this.restUntilSettled(transactionalId, backoffMs)
    }
  }

  /** At most so long; here no client has to wait out the whole of it. */
  private restUntilSettled(transactionalId: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.waiting.get(transactionalId) ?? new Set()
      this.waiting.set(transactionalId, waiting.add(resolve))
      this.options.world.schedule(ms, () => {
        waiting.delete(resolve)
        resolve()
      })
    })
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.options.world.schedule(ms, resolve)
    })
  }

  // --- markers

  private markersOwed({ transactionalId }: MarkersOwed): void {
    if (this.settling.has(transactionalId)) this.settling.set(transactionalId, true)
    else void this.settle(transactionalId)
  }

  private async settle(transactionalId: string): Promise<void> {
    do {
      this.settling.set(transactionalId, false)
      while (!(await this.round(transactionalId))) await this.pause(RETRY_MARKERS_MS)
    } while (this.settling.get(transactionalId) === true)
    this.settling.delete(transactionalId)
    const waiting = this.waiting.get(transactionalId) ?? []
    this.waiting.delete(transactionalId)
    for (const goOn of waiting) goOn()
  }

  /** False: something is left to be done, later. */
  private async round(transactionalId: string): Promise<boolean> {
    if (this.isStopped) return true
    const partition = this.partitionOf(transactionalId) ?? -1
    const owed = await this.askPartition<'owedMarkers'>(partition, {
      kind: 'owedMarkers',
      transactionalId,
    })
    // Whoever loads the shard next is told what it owes.
    if (owed.kind === 'refused') return owed.errorCode === ErrorCode.NOT_COORDINATOR
    if (owed.markers === null) return true
    if (!(await this.writeMarkers(owed.markers, this.epochs.get(partition) ?? 0))) return false
    const { producerId, producerEpoch } = owed.markers
    const done = await this.askPartition<'markersWritten'>(partition, {
      kind: 'markersWritten',
      producer: { transactionalId, producerId, producerEpoch },
    })
    return done.kind !== 'refused' || done.errorCode === ErrorCode.NOT_COORDINATOR
  }

  private async writeMarkers(owed: OwedMarkers, coordinatorEpoch: number): Promise<boolean> {
    const { transactionalId, producerId, producerEpoch, isCommit, transactionVersion } = owed
    let left = owed.partitions.flatMap(({ topic, partitionIds }) =>
      partitionIds.map((partition) => ({ topic, partition })),
    )
    const { world, publisher, groups, tickets } = this.options
    for (;;) {
      const timestampMs = world.clock.nowMs()
      const marker = { producerId, producerEpoch, coordinatorEpoch, isCommit, timestampMs }
      const within = { image: this.image!, publisher: publisher(), groups, tickets }
      const errors = await Promise.all(
        left.map((where) => writeMarker(within, where, { ...marker, transactionVersion })),
      )
      left = left.filter((where, i) => {
        const errorCode = errors[i]!
        if (!isFinal(errorCode)) return true
        if (errorCode !== ErrorCode.NONE) {
          const error = errorName(errorCode)
          world.log.warn('a marker is not wanted any more', { transactionalId, ...where, error })
        }
        return false
      })
      if (left.length === 0) return true
      if (this.isStopped) return false
      await this.pause(RETRY_MARKERS_MS)
      if ((await this.isStillOwed(owed)) === false) return true
    }
  }

  /** The shard may have gone, and another node may have written them. */
  private async isStillOwed({ transactionalId, producerEpoch }: OwedMarkers): Promise<boolean> {
    const owed = await this.ask<'owedMarkers'>(transactionalId, {
      kind: 'owedMarkers',
      transactionalId,
    })
    if (owed.kind === 'refused') return owed.errorCode !== ErrorCode.NOT_COORDINATOR
    return owed.markers?.producerEpoch === producerEpoch
  }
}

function shardKind(
  config: () => BrokerConfig,
  serverVersion: () => number,
): ShardKind<TransactionRequest, TransactionRecord, TransactionReply, MarkersOwed> {
  return {
    create: () => new TransactionShard(transactionSettings(config(), serverVersion)),
    codec: { encode: encodeTransactionRecord, decode: decodeTransactionRecord },
    activation: () => ({ kind: 'activate' }),
    mayWrite: ({ kind }) => !READS.has(kind),
    isRefusable: () => true,
  }
}

/** Written, or somebody newer speaks for the producer: not to be tried again. */
function isFinal(errorCode: number): boolean {
  return (
    errorCode === ErrorCode.NONE ||
    errorCode === ErrorCode.INVALID_PRODUCER_EPOCH ||
    errorCode === ErrorCode.TRANSACTION_COORDINATOR_FENCED
  )
}
