// DescribeLogDirs: what lies in each log directory, how much room its volume has, and whether it takes
// new partitions. One that failed says so and nothing else. KIP-113, KIP-827, KIP-1066.

import { SINCE } from '../../metadata/features.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeLogDirs } from '../../protocol/messages/cluster.ts'
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

function topicsIn(
  node: BrokerNode,
  path: string,
  wanted: ReadonlyMap<string, ReadonlySet<number>> | null,
) {
  const topics = new Map<
    string,
    {
      partitionIndex: number
      partitionSize: number
      offsetLag: number
      isFutureKey: boolean
    }[]
  >()
  for (const { topic, partition, slot, directory, state } of node.publisher.partitions()) {
    if (directory !== path || state !== 'open') continue
    if (wanted !== null && wanted.get(topic)?.has(partition) !== true) continue
    const { bytes } = node.plane.partition(slot)
    const row = {
      partitionIndex: partition,
      partitionSize: bytes,
      offsetLag: 0,
      isFutureKey: false,
    }
    const rows = topics.get(topic)
    if (rows === undefined) topics.set(topic, [row])
    else rows.push(row)
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}
