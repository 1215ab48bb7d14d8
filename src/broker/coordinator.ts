// What every coordinator of a broker has in common: an internal topic whose partitions are shards, the key that says which
// shard answers, and the settings its shards are hosted with. What a shard decides is in src/group and src/transaction; how
// one is hosted, in src/host/shard_host.ts.
//
// Invariant: a shard is hosted for the partitions of the topic that this node leads, and for no others. Kafka:
// CoordinatorRuntime, and what GroupCoordinatorService and TransactionCoordinator do alike.

import type { BrokerConfig } from '../config/config.ts'
import { ShardHost, type ShardKind } from '../host/shard_host.ts'
import { Gate } from '../host/shard_loader.ts'
import { partitionOf, ShardRegistry } from '../host/shard_registry.ts'
import { ShardRefused } from '../host/shard_replies.ts'
import type { Tickets } from '../host/tickets.ts'
import type { World } from '../host/world.ts'
import type { MetadataDelta, MetadataImage } from '../metadata/image.ts'
import { decompress } from '../plane/model_codecs.ts'
import type { DataPlane, PartitionConfig, Slot } from '../plane/plane.ts'
import type { LocalPartition, Role } from './publisher.ts'

/** What a coordinator takes of its node. */
export interface CoordinatorOptions {
  readonly world: World
  readonly plane: DataPlane
  readonly tickets: Tickets
  readonly config: () => BrokerConfig
  readonly partitionConfig: (topic: string, image: MetadataImage) => PartitionConfig
}

/** No shard has answered; the error says why. */
export interface Refused {
  readonly kind: 'refused'
  readonly errorCode: number
}

/** How the shards of one topic are hosted. */
export interface Hosting<Request, Record, Reply, Effect> {
  readonly topic: string
  /** What they are called in the log of the process. */
  readonly logName: string
  readonly kind: () => ShardKind<Request, Record, Reply, Effect>
  /** Bytes read at once while a shard is loaded. */
  readonly loadBytes: () => number
  readonly commitTimeoutMs: () => number
  readonly onEffect?: (effect: Effect) => void
}

/** How many shards are read at once; each takes `loadBytes` and more. */
const LOADS_AT_ONCE = 4

/** The shards of one internal topic; `Replies` says what each kind of request is answered with. */
export abstract class Coordinator<
  Request extends { readonly kind: string },
  Replies extends { readonly [K in Request['kind']]: unknown },
  Record,
  Effect = never,
> {
  protected image: MetadataImage | null = null
  private readonly node: CoordinatorOptions
  private readonly hosting: Hosting<Request, Record, Replies[Request['kind']], Effect>
  private readonly shards: ShardRegistry<Request, Record, Replies[Request['kind']], Effect>
  private readonly gate = new Gate(LOADS_AT_ONCE)
  private topicConfig: PartitionConfig | null = null

  constructor(
    node: CoordinatorOptions,
    hosting: Hosting<Request, Record, Replies[Request['kind']], Effect>,
  ) {
    this.node = node
    this.hosting = hosting
    this.shards = new ShardRegistry((partition) => this.host(partition))
  }

  /** After the publisher has taken in a new image. */
  published(delta: MetadataDelta, image: MetadataImage): void {
    this.image = image
    if (delta.configs.length > 0) this.topicConfig = null
  }

  /** The publisher's word on our part in a partition, of whatever topic. */
  role({ topic, partition, slot, leaderEpoch }: LocalPartition, role: Role): void {
    if (topic !== this.hosting.topic) return
    if (role === 'leads') this.shards.lead(partition, slot, leaderEpoch)
    else this.shards.unload(partition)
  }

  committed(slot: Slot, leaderEpoch: number, highWatermark: number): void {
    this.shards.committed(slot, leaderEpoch, highWatermark)
  }

  stop(): void {
    this.shards.stop()
  }

  /** The partition a key is on; undefined while the topic is not there. */
  partitionOf(key: string): number | undefined {
    const count = this.image?.topics.byName(this.hosting.topic)?.partitions.length ?? 0
    return count === 0 ? undefined : partitionOf(key, count)
  }

  /** Whether the shard of a partition is here, loaded or not: a new partition takes a moment to open. */
  isHosted(partition: number): boolean {
    return this.shards.has(partition)
  }

  /** Partitions whose shards are here. */
  led(): number[] {
    return this.shards.led()
  }

  /** Asks the shard of a key. */
  ask<K extends Request['kind']>(
    key: string,
    request: Extract<Request, { kind: K }>,
  ): Promise<Replies[K] | Refused> {
    return this.askPartition(this.partitionOf(key) ?? -1, request)
  }

  /** Asks one shard. */
  askPartition<K extends Request['kind']>(
    partition: number,
    request: Extract<Request, { kind: K }>,
  ): Promise<Replies[K] | Refused> {
    return this.shards.submit(partition, request).then(
      (reply) => reply as Replies[K],
      (problem: unknown) => {
        if (!(problem instanceof ShardRefused)) throw problem
        return { kind: 'refused', errorCode: this.spoken(problem.errorCode) }
      },
    )
  }

  /** What clients know to do something about. */
  protected spoken(errorCode: number): number {
    return errorCode
  }

  private host(partition: number): ShardHost<Request, Record, Replies[Request['kind']], Effect> {
    const { world, plane, tickets } = this.node
    const { logName, kind, loadBytes, commitTimeoutMs, onEffect } = this.hosting
    return new ShardHost({
      world,
      log: world.log.child(logName),
      plane,
      tickets,
      kind: kind(),
      decompress,
      partition,
      gate: this.gate,
      batchBytesMax: () => this.ownTopic().messageBytesMax,
      loadBytes,
      commitTimeoutMs,
      canCommit: () => this.canCommit(partition),
      ...(onEffect === undefined ? {} : { onEffect }),
    })
  }

  private ownTopic(): PartitionConfig {
    this.topicConfig ??= this.node.partitionConfig(this.hosting.topic, this.image!)
    return this.topicConfig
  }

  /** As the plane's own rule for acks=all: the minimum is never more than there are replicas. */
  private canCommit(partition: number): boolean {
    const row = this.image?.topics.byName(this.hosting.topic)?.partitions[partition]
    if (row === undefined) return false
    return row.isr.length >= Math.min(this.ownTopic().minInsyncReplicas, row.replicas.length)
  }
}
