// The group coordinator of a broker: the shards of `__consumer_offsets`, which of them a group is on, and what they
// must hear of the cluster. Groups themselves are src/group; their hosting is src/host/shard_host.ts.
// Kafka: GroupCoordinatorService, BrokerMetadataPublisher's part of it.

import type { BrokerConfig } from '../config/config.ts'
import { decodeGroupRecord, encodeGroupRecord, type GroupRecord } from '../group/records.ts'
import type { DeletedTopic, GroupReply, GroupRequest } from '../group/requests.ts'
import { groupSettings } from '../group/settings.ts'
import { GroupShard } from '../group/shard.ts'
import { ShardHost, type ShardKind, ShardRefused } from '../host/shard_host.ts'
import { Gate } from '../host/shard_loader.ts'
import { partitionOf, ShardRegistry } from '../host/shard_registry.ts'
import type { Tickets } from '../host/tickets.ts'
import type { World } from '../host/world.ts'
import type { MetadataDelta, MetadataImage } from '../metadata/image.ts'
import { decompress } from '../plane/model_codecs.ts'
import type { DataPlane, PartitionConfig, Slot } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { ClusterView } from './group_cluster.ts'
import { GROUP_TOPIC } from './internal_topics.ts'
import type { LocalPartition, Role } from './publisher.ts'
import { compileTopicRegex } from './topic_regex.ts'

export interface GroupCoordinatorOptions {
  readonly world: World
  readonly plane: DataPlane
  readonly tickets: Tickets
  readonly config: () => BrokerConfig
  readonly partitionConfig: (topic: string, image: MetadataImage) => PartitionConfig
}

type Kind = GroupRequest['kind']
type RequestOf<K extends Kind> = Extract<GroupRequest, { kind: K }>
type ReplyOf<K extends Kind> = Extract<GroupReply, { kind: K }>
/** No shard has answered; the error says why. */
export interface Refused {
  readonly kind: 'refused'
  readonly errorCode: number
}

/** Requests that make no records, whatever they find. */
const READS: ReadonlySet<Kind> = new Set([
  'activate',
  'heartbeat',
  'offsetFetch',
  'listGroups',
  'describeGroups',
  'consumerGroupDescribe',
  'topicsChanged',
])
/** Requests whose records are all there is to them. */
const REFUSABLE: ReadonlySet<Kind> = new Set([
  'offsetCommit',
  'txnOffsetCommit',
  'offsetDelete',
  'deleteGroups',
  'topicsDeleted',
])

/** How many shards are read at once; each takes offsets.load.buffer.size bytes and more. */
const LOADS_AT_ONCE = 4

/** Groups by id, on the shards that this node leads. */
export class GroupCoordinator {
  private readonly options: GroupCoordinatorOptions
  private readonly shards: ShardRegistry<GroupRequest, GroupRecord, GroupReply>
  private readonly gate = new Gate(LOADS_AT_ONCE)
  private readonly cluster = new ClusterView()
  private image: MetadataImage | null = null
  private topicConfig: PartitionConfig | null = null

  constructor(options: GroupCoordinatorOptions) {
    this.options = options
    this.shards = new ShardRegistry((partition) => this.host(partition))
  }

  /** After the publisher has taken in a new image. */
  published(delta: MetadataDelta, image: MetadataImage): void {
    this.image = image
    this.tellTopics(this.cluster.published(delta, image))
    if (delta.configs.length > 0) this.topicConfig = null
    const deleted: DeletedTopic[] = []
    for (const { before, after, id } of delta.topics) {
      if (before !== undefined && after === undefined) {
        deleted.push({ name: before.name, topicId: id })
      }
    }
    if (deleted.length === 0) return
    for (const partition of this.shards.led()) {
      void this.askPartition(partition, { kind: 'topicsDeleted', topics: deleted })
    }
  }

  private tellTopics(names: ReadonlySet<string>): void {
    if (names.size === 0) return
    for (const partition of this.shards.led()) {
      void this.askPartition(partition, { kind: 'topicsChanged', names })
    }
  }

  /** The publisher's word on our part in a partition. */
  role({ topic, partition, slot, leaderEpoch }: LocalPartition, role: Role): void {
    if (topic !== GROUP_TOPIC) return
    if (role === 'leads') this.shards.lead(partition, slot, leaderEpoch)
    else this.shards.unload(partition)
  }

  committed(slot: Slot, leaderEpoch: number, highWatermark: number): void {
    this.shards.committed(slot, leaderEpoch, highWatermark)
  }

  stop(): void {
    this.shards.stop()
  }

  /** The partition a group is on; undefined while the topic is not there. */
  partitionOf(groupId: string): number | undefined {
    const count = this.image?.topics.byName(GROUP_TOPIC)?.partitions.length ?? 0
    return count === 0 ? undefined : partitionOf(groupId, count)
  }

  /** Partitions whose groups are here. */
  led(): number[] {
    return this.shards.led()
  }

  /** Asks the shard of a group. */
  ask<K extends Kind>(groupId: string, request: RequestOf<K>): Promise<ReplyOf<K> | Refused> {
    return this.askPartition(this.partitionOf(groupId) ?? -1, request)
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
        return { kind: 'refused', errorCode: spoken(problem.errorCode) }
      },
    )
  }

  private host(partition: number): ShardHost<GroupRequest, GroupRecord, GroupReply> {
    const { world, plane, tickets, config } = this.options
    return new ShardHost({
      world,
      log: world.log.child('groups'),
      plane,
      tickets,
      kind: this.kind(),
      decompress,
      partition,
      gate: this.gate,
      batchBytesMax: () => this.groupTopicConfig().messageBytesMax,
      loadBytes: () => config().get('offsets.load.buffer.size'),
      commitTimeoutMs: () => config().get('offsets.commit.timeout.ms'),
      canCommit: () => this.canCommit(partition),
    })
  }

  private kind(): ShardKind<GroupRequest, GroupRecord, GroupReply> {
    const { world, config } = this.options
    const settings = groupSettings(config, compileTopicRegex)
    return {
      create: () => new GroupShard(settings, world.random.fork(), this.cluster),
      codec: { encode: encodeGroupRecord, decode: decodeGroupRecord },
      activation: () => ({ kind: 'activate' }),
      mayWrite: ({ kind }) => !READS.has(kind),
      isRefusable: ({ kind }) => REFUSABLE.has(kind),
    }
  }

  private groupTopicConfig(): PartitionConfig {
    this.topicConfig ??= this.options.partitionConfig(GROUP_TOPIC, this.image!)
    return this.topicConfig
  }

  /** As the plane's own rule for acks=all: the minimum is never more than there are replicas. */
  private canCommit(partition: number): boolean {
    const row = this.image?.topics.byName(GROUP_TOPIC)?.partitions[partition]
    if (row === undefined) return false
    const { minInsyncReplicas } = this.groupTopicConfig()
    return row.isr.length >= Math.min(minInsyncReplicas, row.replicas.length)
  }
}

/** What clients know to do something about. Kafka: CoordinatorOperationExceptionHelper. */
function spoken(errorCode: number): number {
  return errorCode === ErrorCode.MESSAGE_TOO_LARGE ? ErrorCode.UNKNOWN_SERVER_ERROR : errorCode
}
