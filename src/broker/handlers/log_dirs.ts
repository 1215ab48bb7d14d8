// DescribeLogDirs: what lies in each log directory, and how much room its volume has. KIP-113, KIP-827.

import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeLogDirs } from '../../protocol/messages/cluster.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import type { BrokerNode } from '../node.ts'

export function serveLogDirs(served: ServedApis, node: BrokerNode): void {
  const handler: Handler<typeof DescribeLogDirs> = (request) => {
    const wanted = request.topics === null ? null : wantedOf(request.topics)
    const results = node.directories.list().map(({ path }) => ({
      errorCode: ErrorCode.NONE,
      logDir: path,
      topics: topicsIn(node, path, wanted),
      ...node.directories.space(path),
    }))
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
