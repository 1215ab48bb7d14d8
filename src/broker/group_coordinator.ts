// The group coordinator of a broker: the shards of `__consumer_offsets`, which of them a group is on, and what they
// must hear of the cluster. Groups themselves are src/group; their hosting is coordinator.ts.
// Kafka: GroupCoordinatorService, BrokerMetadataPublisher's part of it.

import type { BrokerConfig } from '../config/config.ts'
import { decodeGroupRecord, encodeGroupRecord, type GroupRecord } from '../group/records.ts'
import type { DeletedTopic, GroupReply, GroupRequest } from '../group/requests.ts'
import { groupSettings } from '../group/settings.ts'
import { GroupShard } from '../group/shard.ts'
import type { ShardKind } from '../host/shard_host.ts'
import type { World } from '../host/world.ts'
import type { MetadataDelta, MetadataImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { Coordinator, type CoordinatorOptions } from './coordinator.ts'
import { ClusterView } from './group_cluster.ts'
import { GROUP_TOPIC } from './internal_topics.ts'
import { compileTopicRegex } from './topic_regex.ts'

type Kind = GroupRequest['kind']
type GroupReplies = { readonly [K in Kind]: Extract<GroupReply, { kind: K }> }

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

/** Groups by id, on the shards that this node leads. */
export class GroupCoordinator extends Coordinator<GroupRequest, GroupReplies, GroupRecord> {
  private readonly cluster: ClusterView

  constructor(options: CoordinatorOptions) {
    const { world, config } = options
    const cluster = new ClusterView()
    super(options, {
      topic: GROUP_TOPIC,
      logName: 'groups',
      kind: () => shardKind(world, config, cluster),
      loadBytes: () => config().get('offsets.load.buffer.size'),
      commitTimeoutMs: () => config().get('offsets.commit.timeout.ms'),
    })
    this.cluster = cluster
  }

  override published(delta: MetadataDelta, image: MetadataImage): void {
    super.published(delta, image)
    const names = this.cluster.published(delta, image)
    if (names.size > 0) this.tell({ kind: 'topicsChanged', names })
    const topics: DeletedTopic[] = []
    for (const { before, after, id } of delta.topics) {
      if (before !== undefined && after === undefined) {
        topics.push({ name: before.name, topicId: id })
      }
    }
    if (topics.length > 0) this.tell({ kind: 'topicsDeleted', topics })
  }

  private tell(request: Extract<GroupRequest, { kind: 'topicsChanged' | 'topicsDeleted' }>): void {
    for (const partition of this.led()) void this.askPartition(partition, request)
  }

  /** Kafka: CoordinatorOperationExceptionHelper. */
  protected override spoken(errorCode: number): number {
    return errorCode === ErrorCode.MESSAGE_TOO_LARGE ? ErrorCode.UNKNOWN_SERVER_ERROR : errorCode
  }
}

function shardKind(
  world: World,
  config: () => BrokerConfig,
  cluster: ClusterView,
): ShardKind<GroupRequest, GroupRecord, GroupReply> {
  const settings = groupSettings(config, compileTopicRegex)
  return {
    create: () => new GroupShard(settings, world.random.fork(), cluster),
    codec: { encode: encodeGroupRecord, decode: decodeGroupRecord },
    activation: () => ({ kind: 'activate' }),
    mayWrite: ({ kind }) => !READS.has(kind),
    isRefusable: ({ kind }) => REFUSABLE.has(kind),
  }
}
