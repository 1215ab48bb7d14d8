// `ottla topic list` and `describe`.
// What --json writes is in tree/json_shapes.ts. A leader of -1 is none. Kafka: TopicCommand.

import { describeLogDirs } from '../../client/admin_cluster.ts'
import { describeConfigs } from '../../client/admin_configs.ts'
import {
  describeTopics,
  listOffsets,
  type PartitionDescription,
  type TopicDescription,
} from '../../client/admin_topics.ts'
import type { Cluster } from '../../client/cluster.ts'
import { partitionText } from '../../client/per_leader.ts'
import { withCluster } from '../connect.ts'
import type { Json, Output } from '../output/output.ts'
import { EXIT } from '../output/problems.ts'
import type { Cell, Column } from '../output/table.ts'
import { formatBytes, printable } from '../output/text.ts'
import { counted } from './results.ts'
import { selectTopics } from './select.ts'
import type { DescribeTopicOptions, SelectOptions } from './topic.ts'

/** Lists topics; the exit code. */
export function listTopicsCommand(names: string[], options: SelectOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const topics = await selectTopics(cluster, names, options)
    const rows = topics.map(({ name, topicId, isInternal, partitions }) => ({
      name,
      topicId,
      isInternal,
      partitions: partitions.length,
      replicationFactor: Math.max(0, ...partitions.map(({ replicas }) => replicas.length)),
    }))
    if (out.isJson) out.json(rows)
    else {
      const columns: Column[] = [
        { title: 'TOPIC', shrinkTo: 12 },
        { title: 'PARTITIONS', align: 'right' },
        { title: 'REPLICAS', align: 'right' },
      ]
      const cells = rows.map((row) => [row.name, row.partitions, row.replicationFactor])
      out.table(columns, cells, names.length === 0 ? 'There are no topics.' : 'No topic matches.')
    }
    return undefined
  })
}

/** What is known of a partition beyond its metadata. */
interface Extent {
  earliest?: number | null
  latest?: number | null
  size?: number | null
}

/** Describes topics; the exit code. */
export function describeTopicsCommand(
  names: string[],
  options: DescribeTopicOptions,
): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const selected = await selectTopics(cluster, names, options)
    if (selected.length === 0) {
      if (out.isJson) out.json([])
      else out.note(names.length === 0 ? 'There are no topics.' : 'No topic matches.')
      return undefined
    }
    const described = await describeTopics(
      cluster,
      selected.map(({ name }) => name),
    )
    const failed = described.find(({ error }) => error !== null)
    if (failed !== undefined) throw failed.error
    const shown = described
      .map((topic) => ({ ...topic, partitions: shownPartitions(topic, options) }))
      .filter(({ partitions }) => options.problems !== true || partitions.length > 0)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    const configs = await configsOf(cluster, shown)
    const { extents, hasFailed } = await extentsOf(cluster, out, shown, options)
    if (out.isJson) out.json(shown.map((topic) => topicJson(topic, configs, extents)))
    else tellTopics(out, shown, configs, extents, options)
    return hasFailed ? EXIT.answer : EXIT.ok
  })
}

function shownPartitions(
  { partitions }: TopicDescription,
  { problems }: DescribeTopicOptions,
): PartitionDescription[] {
  if (problems !== true) return [...partitions]
  return partitions.filter((partition) => partition.leaderId < 0 || isBehind(partition))
}

function isBehind({ isr, replicas }: PartitionDescription): boolean {
  return isr.length < replicas.length
}

type Configs = ReadonlyMap<string, { [key: string]: Json }>
type Extents = ReadonlyMap<string, Extent>

async function configsOf(cluster: Cluster, topics: readonly TopicDescription[]): Promise<Configs> {
  const described = await describeConfigs(
    cluster,
    topics.map(({ name }) => ({ type: 'topic', name })),
  )
  const entries = described.map(
    ({ resource, entries, error }): [string, { [key: string]: Json }] => {
      if (error !== null) throw error
      const set = entries.filter(({ source }) => source === 'topic')
      return [resource.name, Object.fromEntries(set.map(({ name, value }) => [name, value]))]
    },
  )
  return new Map(entries)
}

async function extentsOf(
  cluster: Cluster,
  out: Output,
  topics: readonly TopicDescription[],
  { offsets, size }: DescribeTopicOptions,
): Promise<{ extents: Extents; hasFailed: boolean }> {
  const all = topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => ({ ...partition, topic: name })),
  )
  const extents = new Map<string, Extent>(all.map((item) => [partitionText(item), {}]))
  let hasFailed = false
  if (offsets === true) {
    for (const at of ['earliest', 'latest'] as const) {
      const found = await listOffsets(
        cluster,
        all.map(({ topic, partition }) => ({ topic, partition, at })),
      )
      for (const item of found) {
        if (item.error !== null) {
          if (at === 'latest') out.problem(item.error.message)
          hasFailed = true
        }
        extents.get(partitionText(item))![at] = item.error === null ? item.offset : null
      }
    }
  }
  if (size === true) {
    const leaders = new Map(all.map((item) => [partitionText(item), item.leaderId]))
    for (const directory of await describeLogDirs(cluster, { partitions: all })) {
      if (directory.error !== null) {
        out.problem(directory.error.message)
        hasFailed = true
      }
      for (const replica of directory.replicas) {
        const key = partitionText(replica)
        if (replica.isFuture || leaders.get(key) !== directory.brokerId) continue
        extents.get(key)!.size = replica.sizeInBytes
      }
    }
    for (const extent of extents.values()) extent.size ??= null
  }
  return { extents, hasFailed }
}

function topicJson(topic: TopicDescription, configs: Configs, extents: Extents): Json {
  const { name, topicId, isInternal, partitions } = topic
  return {
    name,
    topicId,
    isInternal,
    configs: configs.get(name) ?? {},
    partitions: partitions.map((each) => ({
      partition: each.partition,
      leader: each.leaderId,
      leaderEpoch: each.leaderEpoch,
      replicas: [...each.replicas],
      isr: [...each.isr],
      offlineReplicas: [...each.offlineReplicas],
      eligibleLeaderReplicas: copied(each.eligibleLeaderReplicas),
      lastKnownElr: copied(each.lastKnownElr),
      ...extents.get(partitionText({ topic: name, partition: each.partition })),
    })),
  }
}

function copied(list: readonly number[] | null): Json {
  return list === null ? null : [...list]
}

function tellTopics(
  out: Output,
  topics: readonly TopicDescription[],
  configs: Configs,
  extents: Extents,
  options: DescribeTopicOptions,
): void {
  topics.forEach((topic, i) => {
    const { name, topicId, partitions, isInternal } = topic
    const replicas = Math.max(0, ...partitions.map((each) => each.replicas.length))
    const facts = [counted(partitions.length, 'partition'), counted(replicas, 'replica'), topicId]
    if (isInternal) facts.push('internal')
    if (i > 0) out.line()
    out.line(`${out.paint.strong(printable(name))}  ${facts.join(', ')}`)
    for (const [key, value] of Object.entries(configs.get(name) ?? {})) {
      out.line(`  ${printable(`${key}=${value}`)}`)
    }
    out.table(...partitionTable(out, topic, extents, options))
  })
  if (topics.length === 0) out.note('Every partition has a leader and all its replicas in sync.')
}

function partitionTable(
  out: Output,
  { name, partitions }: TopicDescription,
  extents: Extents,
  { offsets, size }: DescribeTopicOptions,
): [Column[], Cell[][]] {
  const right = (title: string): Column => ({ title, align: 'right' })
  const hasElr = partitions.some((each) => (each.eligibleLeaderReplicas ?? []).length > 0)
  const columns: Column[] = [
    right('PARTITION'),
    right('LEADER'),
    right('EPOCH'),
    { title: 'REPLICAS', shrinkTo: 10 },
    { title: 'ISR', shrinkTo: 10 },
    ...(hasElr ? [{ title: 'ELR', shrinkTo: 10 }] : []),
    ...(offsets === true ? [right('EARLIEST'), right('LATEST'), right('OFFSETS')] : []),
    ...(size === true ? [right('SIZE')] : []),
  ]
  const rows = partitions.map((each): Cell[] => {
    const extent = extents.get(partitionText({ topic: name, partition: each.partition })) ?? {}
    const { earliest = null, latest = null } = extent
    const isr = each.isr.join(',')
    return [
      each.partition,
      each.leaderId < 0 ? { text: 'none', paint: out.paint.bad } : each.leaderId,
      each.leaderEpoch,
      each.replicas.join(','),
      isBehind(each) ? { text: isr, paint: out.paint.warn } : isr,
      ...(hasElr ? [(each.eligibleLeaderReplicas ?? []).join(',')] : []),
      ...(offsets === true
        ? [earliest, latest, earliest === null || latest === null ? null : latest - earliest]
        : []),
      ...(size === true ? [typeof extent.size === 'number' ? formatBytes(extent.size) : null] : []),
    ]
  })
  return [columns, rows]
}
