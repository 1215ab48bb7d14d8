// DescribeLogDirs: what lies in each log directory, how much room its volume has, and whether it takes
// new partitions. One that failed says so and nothing else. AlterReplicaLogDirs: moves replicas between them.
// KIP-113, KIP-827, KIP-858, KIP-1066.

import { SINCE } from '../../metadata/features.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { AlterReplicaLogDirs, DescribeLogDirs } from '../../protocol/messages/cluster.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import type { BrokerNode } from '../node.ts'

export function serveLogDirs(served: ServedApis, node: BrokerNode): void {
  const handler: Handler<typeof DescribeLogDirs> = (request) => {
    const wanted = request.topics === null ? null : wantedOf(request.topics)
    const isCordoningKnown = (node.image.features.metadataVersion ?? 0) >= SINCE.cordonedLogDirs
    const results = node.directories.list().map(({ path, isCordoned }) => {
      const space = node.directories.space(path)
      if (space === null)
        return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, logDir: path, topics: [] }
      return {
        errorCode: ErrorCode.NONE,
        logDir: path,
        topics: topicsIn(node, path, wanted),
        isCordoned: isCordoned && isCordoningKnown,
        ...space,
      }
    })
    return { errorCode: ErrorCode.NONE, results }
  }
  served.serve(DescribeLogDirs, '1-5', handler)
  const alter: Handler<typeof AlterReplicaLogDirs> = async ({ dirs }) => ({
    throttleTimeMs: 0,
    results: await alterAll(node, dirs),
  })
  served.serve(AlterReplicaLogDirs, '1-2', alter)
}

/** A partition may stand under one directory only; of several, the last one counts, as in Kafka. */
async function alterAll(
  node: BrokerNode,
  dirs: readonly {
    path: string
    topics: readonly { name: string; partitions: readonly number[] }[]
  }[],
) {
  const wanted = new Map<string, Map<number, string>>()
  for (const { path, topics } of dirs) {
    for (const { name, partitions } of topics) {
      const paths = wanted.get(name) ?? new Map<number, string>()
      wanted.set(name, paths)
      for (const partition of partitions) paths.set(partition, path)
    }
  }
  const results = [...wanted].map(async ([topicName, paths]) => ({
    topicName,
    partitions: await Promise.all(
      [...paths].map(async ([partitionIndex, path]) => ({
        partitionIndex,
        errorCode: await alterOne(node, topicName, partitionIndex, path),
      })),
    ),
  }))
  return Promise.all(results)
}

/** The directory is judged first; an older error stands for a replica that is elsewhere. Kafka: ReplicaManager. */
async function alterOne(node: BrokerNode, name: string, index: number, path: string) {
  const directory = node.directories.list().find((one) => one.path === path)
  if (directory === undefined) return ErrorCode.LOG_DIR_NOT_FOUND
  if (directory.failure !== null) return ErrorCode.KAFKA_STORAGE_ERROR
  const partition = node.image.topics.byName(name)?.partitions[index]
  if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  if (node.publisher.isOffline(partition.topicId, index)) return ErrorCode.KAFKA_STORAGE_ERROR
  const local = node.publisher.find(partition.topicId, index)
  return local === undefined ? ErrorCode.REPLICA_NOT_AVAILABLE : node.moves.alter(local, path)
}

/** A topic may stand more than once, with other partitions each time. */
function wantedOf(topics: readonly { topic: string; partitions: readonly number[] }[]) {
  const wanted = new Map<string, Set<number>>()
  for (const { topic, partitions } of topics) {
    const known = wanted.get(topic) ?? new Set()
    wanted.set(topic, known)
    for (const partition of partitions) known.add(partition)
  }
  return wanted
}

interface ReplicaRow {
  partitionIndex: number
  partitionSize: number
  offsetLag: number
  isFutureKey: boolean
}

function topicsIn(
  node: BrokerNode,
  path: string,
  wanted: ReadonlyMap<string, ReadonlySet<number>> | null,
) {
  const topics = new Map<string, ReplicaRow[]>()
  const add = (topic: string, row: ReplicaRow): void => {
    const rows = topics.get(topic)
    if (rows === undefined) topics.set(topic, [row])
    else rows.push(row)
  }
  for (const { topic, partition, slot, directory, state } of node.publisher.partitions()) {
    if (directory !== path || state !== 'open') continue
    if (wanted !== null && wanted.get(topic)?.has(partition) !== true) continue
    const { bytes } = node.plane.partition(slot)
    add(topic, {
      partitionIndex: partition,
      partitionSize: bytes,
      offsetLag: 0,
      isFutureKey: false,
    })
  }
  for (const { topic, partition, directory, bytes, lag } of node.moves.futures()) {
    if (directory !== path) continue
    if (wanted !== null && wanted.get(topic)?.has(partition) !== true) continue
    add(topic, {
      partitionIndex: partition,
      partitionSize: bytes,
      offsetLag: lag,
      isFutureKey: true,
    })
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}
