// The transaction coordinator of a broker: the shards of `__transaction_state`, the markers they owe, and what the data
// plane asks before it takes a batch of a transaction. Transactions themselves are src/transaction.
//
// Invariant: a marker is owed until every partition has it; what was decided is read from the shard again before each round,
// and only when it is committed, so a shard that was lost in between owes nothing to nobody. Rounds of one transactional id
// follow each other. Kafka: TransactionCoordinator, TransactionMarkerChannelManager, AddPartitionsToTxnManager.

import type { BrokerConfig } from '../config/config.ts'
import { ShardHost, type ShardKind, ShardRefused } from '../host/shard_host.ts'
import { Gate } from '../host/shard_loader.ts'
import { partitionOf, ShardRegistry } from '../host/shard_registry.ts'
import type { Tickets } from '../host/tickets.ts'
import type { World } from '../host/world.ts'
import type { MetadataDelta, MetadataImage } from '../metadata/image.ts'
import { decompress } from '../plane/model_codecs.ts'
import type { AdmissionNeeded, DataPlane, PartitionConfig, Slot } from '../plane/plane.ts'
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
import type { GroupCoordinator } from './group_coordinator.ts'
import { TRANSACTION_TOPIC } from './internal_topics.ts'
import { admissionError, type TopicPartition, writeMarker } from './markers.ts'
import type { LocalPartition, Publisher, Role } from './publisher.ts'

export interface TransactionCoordinatorOptions {
  readonly world: World
  readonly plane: DataPlane
  readonly tickets: Tickets
  readonly publisher: () => Publisher
  readonly groups: GroupCoordinator
  readonly config: () => BrokerConfig
  readonly partitionConfig: (topic: string, image: MetadataImage) => PartitionConfig
}

type Kind = TransactionRequest['kind']
type RequestOf<K extends Kind> = Extract<TransactionRequest, { kind: K }>
/** The answer to a request; one that makes use of a producer id may ask for it first. */
type ReplyOf<K extends Kind> = Extract<
  TransactionReply,
  { kind: K extends 'initProducerId' | 'endTransaction' ? K | 'producerIdNeeded' : K }
>
/** No shard has answered; the error says why. */
export interface Refused {
  readonly kind: 'refused'
  readonly errorCode: number
}

const READS: ReadonlySet<Kind> = new Set(['activate', 'owedMarkers', 'describe', 'list'])
/** How many shards are read at once. */
const LOADS_AT_ONCE = 4
/** Markers that could not be written are tried again after this. */
const RETRY_MARKERS_MS = 100
/** From this version on a Produce adds its partitions to the transaction. */
const ADDS_SINCE = 12

/** Transactional ids, on the shards that this node leads. */
export class TransactionCoordinator {
  private readonly options: TransactionCoordinatorOptions
  private readonly shards: ShardRegistry<
    TransactionRequest,
    TransactionRecord,
    TransactionReply,
    MarkersOwed
  >
  private readonly gate = new Gate(LOADS_AT_ONCE)
  /** Partitions that this node leads, of every topic. */
  private readonly led = new Map<Slot, LocalPartition>()
  private readonly epochs = new Map<number, number>()
  /** Ids whose markers are being written; true: more became due meanwhile. */
  private readonly settling = new Map<string, boolean>()
  private image: MetadataImage | null = null
  private topicConfig: PartitionConfig | null = null
  private isStopped = false

  constructor(options: TransactionCoordinatorOptions) {
    this.options = options
    this.shards = new ShardRegistry((partition) => this.host(partition))
  }

  /** After the publisher has taken in a new image. */
  published(delta: MetadataDelta, image: MetadataImage): void {
    this.image = image
    if (delta.configs.length > 0) this.topicConfig = null
  }

  /** The publisher's word on our part in a partition, of whatever topic. */
  role(local: LocalPartition, role: Role): void {
    if (role === 'leads') this.led.set(local.slot, local)
    else this.led.delete(local.slot)
    if (local.topic !== TRANSACTION_TOPIC) return
    if (role === 'leads') {
      this.epochs.set(local.partition, local.leaderEpoch)
      this.shards.lead(local.partition, local.slot, local.leaderEpoch)
    } else this.shards.unload(local.partition)
  }

  committed(slot: Slot, leaderEpoch: number, highWatermark: number): void {
    this.shards.committed(slot, leaderEpoch, highWatermark)
  }

  stop(): void {
    this.isStopped = true
    this.shards.stop()
  }

  /** The partition a transactional id is on; undefined while the topic is not there. */
  partitionOf(transactionalId: string): number | undefined {
    const count = this.image?.topics.byName(TRANSACTION_TOPIC)?.partitions.length ?? 0
    return count === 0 ? undefined : partitionOf(transactionalId, count)
  }

  /** Partitions whose transactional ids are here. */
  ledPartitions(): number[] {
    return this.shards.led()
  }

  /** Asks the shard of a transactional id. */
  ask<K extends Kind>(
    transactionalId: string,
    request: RequestOf<K>,
  ): Promise<ReplyOf<K> | Refused> {
    return this.askPartition(this.partitionOf(transactionalId) ?? -1, request)
  }

  /** Asks one shard. */
  askPartition<K extends Kind>(
    partition: number,
    request: RequestOf<K>,
  ): Promise<ReplyOf<K> | Refused> {
    return this.shards.submit(partition, request).then(
      (reply) => reply as ReplyOf<K>,
      (problem: unknown) => {
        if (!(problem instanceof ShardRefused)) throw problem
        return { kind: 'refused', errorCode: problem.errorCode }
      },
    )
  }

  // --- admission

  /** A fact of the plane: may this producer begin its transaction in the partition? */
  admissionNeeded(slot: Slot, admission: AdmissionNeeded): void {
    void this.judge(slot, admission).then((errorCode) =>
      this.options.plane.admit(slot, admission.ask, errorCode),
    )
  }

  private async judge(slot: Slot, admission: AdmissionNeeded): Promise<number> {
    const local = this.led.get(slot)
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
      })
      const single = reply.kind === 'refused' ? undefined : reply.errors[0]?.partitions[0]
      const errorCode = single?.errorCode ?? reply.errorCode
      const isBusy = errorCode === ErrorCode.CONCURRENT_TRANSACTIONS && !verifyOnly
      if (!isBusy || leftMs < backoffMs || this.isStopped) return errorCode
      leftMs -= backoffMs
      await this.pause(backoffMs)
    }
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

  // --- hosting

  private host(partition: number) {
    const { world, plane, tickets, config } = this.options
    return new ShardHost({
      world,
      log: world.log.child('transactions'),
      plane,
      tickets,
      kind: this.kind(),
      decompress,
      partition,
      gate: this.gate,
      batchBytesMax: () => this.config().messageBytesMax,
      loadBytes: () => config().get('transaction.state.log.load.buffer.size'),
      commitTimeoutMs: () => config().get('request.timeout.ms'),
      canCommit: () => this.canCommit(partition),
      onEffect: (effect: MarkersOwed) => this.markersOwed(effect),
    })
  }

  private kind(): ShardKind<TransactionRequest, TransactionRecord, TransactionReply, MarkersOwed> {
    const { config } = this.options
    return {
      create: () => new TransactionShard(transactionSettings(config(), () => this.serverVersion())),
      codec: { encode: encodeTransactionRecord, decode: decodeTransactionRecord },
      activation: () => ({ kind: 'activate' }),
      mayWrite: ({ kind }) => !READS.has(kind),
      isRefusable: () => true,
    }
  }

  /** The finalized level of transaction.version. */
  serverVersion(): number {
    return this.image?.features.level('transaction.version') ?? 0
  }

  private config(): PartitionConfig {
    this.topicConfig ??= this.options.partitionConfig(TRANSACTION_TOPIC, this.image!)
    return this.topicConfig
  }

  /** As the plane's own rule for acks=all: the minimum is never more than there are replicas. */
  private canCommit(partition: number): boolean {
    const row = this.image?.topics.byName(TRANSACTION_TOPIC)?.partitions[partition]
    if (row === undefined) return false
    return row.isr.length >= Math.min(this.config().minInsyncReplicas, row.replicas.length)
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
