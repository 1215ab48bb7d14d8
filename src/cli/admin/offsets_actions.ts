// `ottla offsets`: where partitions begin and end, or the offset of a time. A partition that cannot be asked is told
// beside the others. Kafka: GetOffsetShell.

import { type ListedOffset, listOffsets } from '../../client/admin_topics.ts'
import type { Cluster } from '../../client/cluster.ts'
import type { TopicPartition } from '../../client/per_leader.ts'
import { withCluster } from '../connect.ts'
import type { Output } from '../output/output.ts'
import { EXIT } from '../output/problems.ts'
import type { Cell, Column } from '../output/table.ts'
import { formatTime } from '../output/text.ts'
import type { OffsetsOptions } from './offsets.ts'
import { errorJson } from './results.ts'
import { selectTopics } from './select.ts'
import { type OffsetAt, parseTopicSelection } from './values.ts'

/** Shows offsets; the exit code. */
export function offsetsCommand(names: string[], options: OffsetsOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const partitions = await partitionsOf(cluster, names, options)
    const ask = (at: OffsetAt) =>
      listOffsets(
        cluster,
        partitions.map((item) => ({ ...item, at })),
        { isolation: options.readCommitted === true ? 'read_committed' : 'read_uncommitted' },
      )
    if (options.at !== undefined) return tellFound(out, await ask(options.at))
    return tellExtents(out, await ask('earliest'), await ask('latest'))
  })
}

async function partitionsOf(
  cluster: Cluster,
  names: readonly string[],
  options: OffsetsOptions,
): Promise<TopicPartition[]> {
  const selections = names.map((name) =>
    options.regex === true ? { topic: name, partitions: null } : parseTopicSelection(name),
  )
  const wanted = new Map(selections.map(({ topic, partitions }) => [topic, partitions]))
  const topics = await selectTopics(cluster, [...wanted.keys()], options)
  return topics.flatMap(({ name, partitions }) => {
    const named = wanted.get(name) ?? options.partitions
    const chosen = named ?? partitions.map(({ partition }) => partition)
    return chosen.map((partition) => ({ topic: name, partition }))
  })
}

const NOTHING = 'There are no partitions.'

function tellExtents(
  out: Output,
  earliest: readonly ListedOffset[],
  latest: readonly ListedOffset[],
): number {
  const errors = earliest.map(({ error }, i) => error ?? latest[i]!.error)
  if (out.isJson) {
    out.json(
      earliest.map(({ topic, partition, offset }, i) => ({
        topic,
        partition,
        earliest: errors[i] === null ? offset : null,
        latest: errors[i] === null ? latest[i]!.offset : null,
        error: errorJson(errors[i]!),
      })),
    )
  } else {
    const columns: Column[] = [
      { title: 'TOPIC', shrinkTo: 12 },
      { title: 'PARTITION', align: 'right' },
      { title: 'EARLIEST', align: 'right' },
      { title: 'LATEST', align: 'right' },
      { title: 'OFFSETS', align: 'right' },
    ]
    const rows = earliest.map(({ topic, partition, offset }, i): Cell[] => {
      if (errors[i] !== null) return [topic, partition, null, null, null]
      const end = latest[i]!.offset
      return [topic, partition, offset, end, end - offset]
    })
    out.table(columns, rows, NOTHING)
  }
  return tellErrors(out, errors)
}

function tellFound(out: Output, found: readonly ListedOffset[]): number {
  const orNull = (value: number): number | null => (value < 0 ? null : value)
  if (out.isJson) {
    out.json(
      found.map(({ topic, partition, offset, timestamp, leaderEpoch, error }) => ({
        topic,
        partition,
        offset: orNull(offset),
        timestamp: orNull(timestamp),
        leaderEpoch: orNull(leaderEpoch),
        error: errorJson(error),
      })),
    )
  } else {
    const columns: Column[] = [
      { title: 'TOPIC', shrinkTo: 12 },
      { title: 'PARTITION', align: 'right' },
      { title: 'OFFSET', align: 'right' },
      { title: 'EPOCH', align: 'right' },
      { title: 'TIMESTAMP' },
    ]
    const rows = found.map(({ topic, partition, offset, timestamp, leaderEpoch }): Cell[] => [
      topic,
      partition,
      orNull(offset),
      orNull(leaderEpoch),
      formatTime(timestamp),
    ])
    out.table(columns, rows, NOTHING)
  }
  return tellErrors(
    out,
    found.map(({ error }) => error),
  )
}

function tellErrors(out: Output, errors: readonly ListedOffset['error'][]): number {
  const failed = errors.filter((error) => error !== null)
  for (const error of failed) out.problem(error.message)
  return failed.length > 0 ? EXIT.answer : EXIT.ok
}
