// `ottla group reset-offsets`, `delete` and `delete-offsets`.
//
// Invariant: offsets move only with --execute, only while the group has no members, and never outside of what a
// partition holds. Kafka: ConsumerGroupCommand.

import { readFileSync } from 'node:fs'
import {
  alterCommittedOffsets,
  deleteCommittedOffsets,
  deleteGroups,
  describeGroups,
  fetchCommittedOffsets,
} from '../../client/admin_groups.ts'
import { type ListedOffset, listOffsets, type OffsetSpec } from '../../client/admin_topics.ts'
import type { ClientError } from '../../client/client_error.ts'
import type { Cluster } from '../../client/cluster.ts'
import { partitionText, type TopicPartition } from '../../client/per_leader.ts'
import { withCluster } from '../connect.ts'
import type { Output } from '../output/output.ts'
import { CliProblem, EXIT } from '../output/problems.ts'
import type { DeleteGroupOptions, DeleteOffsetsOptions, ResetOptions } from './group.ts'
import { isMissing, selectGroups } from './group_read.ts'
import { counted, errorJson, tellResults } from './results.ts'
import { confirm, hasPattern } from './select.ts'
import { parseTopicSelection } from './values.ts'

/** An offset that moves. */
export interface Move extends TopicPartition {
  readonly from: number | null
  readonly to: number
}

/** Moves offsets, or shows how; the exit code. */
export function resetOffsetsCommand(groupId: string, options: ResetOptions): Promise<number> {
  checkReset(options)
  return withCluster(options, async (cluster, out) => {
    await checkInactive(cluster, groupId)
    const moves =
      options.fromFile === undefined
        ? await movesOf(cluster, out, groupId, options)
        : await movesInFile(cluster, out, groupId, options.fromFile)
    const errors = options.execute === true ? await execute(cluster, groupId, moves) : new Map()
    if (options.export === true) {
      for (const { topic, partition, to } of moves) out.line(csvLine([topic, partition, to]))
      for (const error of errors.values()) out.problem(error.message)
    } else tellMoves(out, groupId, moves, errors, options.execute === true)
    return errors.size > 0 ? EXIT.answer : EXIT.ok
  })
}

function checkReset(options: ResetOptions): void {
  const hasWay =
    options.toEarliest === true ||
    options.toLatest === true ||
    options.toCurrent === true ||
    [options.toOffset, options.toDatetime, options.byDuration, options.shiftBy].some(
      (value) => value !== undefined,
    )
  if (options.fromFile !== undefined) {
    if (options.topic.length === 0 && options.allTopics !== true) return
    throw new CliProblem('--from-file names the partitions itself: leave out --topic')
  }
  if (!hasWay) {
    throw new CliProblem(
      'say where to: --to-earliest, --to-latest, --to-current, --to-offset, --to-datetime, ' +
        '--by-duration, --shift-by or --from-file',
    )
  }
  if (options.topic.length > 0 === (options.allTopics === true)) {
    throw new CliProblem('say which offsets: --topic, or --all-topics')
  }
}

/** A group with members would not notice, and commit over it. */
async function checkInactive(cluster: Cluster, groupId: string): Promise<void> {
  const [group] = await describeGroups(cluster, [groupId])
  if (isMissing(group!)) return
  if (group!.error !== null) throw group!.error
  if (group!.members.length === 0 && ['Empty', 'Dead'].includes(group!.state)) return
  const members = counted(group!.members.length, 'member')
  throw new CliProblem(
    `group '${groupId}' is ${group!.state} and has ${members}; its offsets cannot be moved`,
    EXIT.answer,
    'Stop its consumers first.',
  )
}

async function movesOf(
  cluster: Cluster,
  out: Output,
  groupId: string,
  options: ResetOptions,
): Promise<Move[]> {
  const committed = await committedOf(cluster, groupId)
  const partitions =
    options.allTopics === true
      ? await everyPartition(cluster, [
          ...new Set([...committed.values()].map(({ topic }) => topic)),
        ])
      : await everyPartition(cluster, options.topic)
  const at = (spec: OffsetSpec) =>
    listOffsets(
      cluster,
      partitions.map((item) => ({ ...item, at: spec })),
    )
  const [earliest, latest] = [await at('earliest'), await at('latest')]
  const time = timeOf(options)
  const byTime = time === null ? null : await at(time)
  return partitions.map((item, i): Move => {
    const [begin, end] = [whole(earliest[i]!), whole(latest[i]!)]
    const from = committed.get(partitionText(item))?.offset ?? null
    const wanted = target(item, options, { from, begin, end, found: byTime?.[i] ?? null })
    return { ...item, from, to: bounded(out, item, wanted, begin, end) }
  })
}

function timeOf({ toDatetime, byDuration }: ResetOptions): number | null {
  if (toDatetime !== undefined) return toDatetime
  return byDuration === undefined ? null : Date.now() - byDuration
}

interface Known {
  readonly from: number | null
  readonly begin: number
  readonly end: number
  readonly found: ListedOffset | null
}

function target(item: TopicPartition, options: ResetOptions, known: Known): number {
  const { from, begin, end, found } = known
  if (options.toEarliest === true) return begin
  if (options.toLatest === true) return end
  if (options.toCurrent === true) return from ?? end
  if (options.toOffset !== undefined) return options.toOffset
  if (options.shiftBy !== undefined) {
    if (from !== null) return from + options.shiftBy
    const message = `nothing is committed for ${partitionText(item)}, so there is nothing to shift`
    throw new CliProblem(message, EXIT.answer)
  }
  // A time behind the last record is the end.
  const offset = whole(found!)
  return offset < 0 ? end : offset
}

function whole({ offset, error }: ListedOffset): number {
  if (error !== null) throw error
  return offset
}

function bounded(
  out: Output,
  item: TopicPartition,
  wanted: number,
  begin: number,
  end: number,
): number {
  const to = Math.min(Math.max(wanted, begin), end)
  if (to !== wanted) {
    out.note(`${partitionText(item)} holds ${begin} to ${end}: taking ${to} instead of ${wanted}`)
  }
  return to
}

async function committedOf(cluster: Cluster, groupId: string) {
  const offsets = await fetchCommittedOffsets(cluster, groupId)
  return new Map(
    offsets
      .filter(({ offset, error }) => offset >= 0 && error === null)
      .map((committed) => [partitionText(committed), committed]),
  )
}

/** Partitions of topics, or those named behind a colon. */
async function everyPartition(
  cluster: Cluster,
  selections: readonly string[],
): Promise<TopicPartition[]> {
  const lists = await Promise.all(
    selections.map(async (text) => {
      const { topic, partitions } = parseTopicSelection(text)
      const known = await cluster.topic(topic)
      const chosen = partitions ?? known.partitions.map(({ partition }) => partition)
      return chosen.map((partition) => ({ topic, partition }))
    }),
  )
  return lists.flat()
}

/** Lines of `topic,partition,offset`, or with the group in front. */
export function parseMoves(text: string, groupId: string): (TopicPartition & { to: number })[] {
  const moves: (TopicPartition & { to: number })[] = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const cells = line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'))
    if (cells.length === 4 && cells[0] !== groupId) continue
    const [topic, partition, offset] = cells.slice(-3)
    const isGood =
      (cells.length === 3 || cells.length === 4) &&
      topic !== '' &&
      /^\d{1,9}$/.test(partition ?? '') &&
      /^\d{1,15}$/.test(offset ?? '')
    if (!isGood)
      throw new CliProblem(`line ${i + 1} is not [group,]topic,partition,offset: ${line}`)
    moves.push({ topic: topic!, partition: Number(partition), to: Number(offset) })
  }
  return moves
}

async function movesInFile(
  cluster: Cluster,
  out: Output,
  groupId: string,
  path: string,
): Promise<Move[]> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (problem) {
    throw new CliProblem(`cannot read ${path}: ${(problem as Error).message}`)
  }
  const wanted = parseMoves(text, groupId)
  if (wanted.length === 0) throw new CliProblem(`${path} has no offsets of group '${groupId}'`)
  const at = (spec: OffsetSpec) =>
    listOffsets(
      cluster,
      wanted.map(({ topic, partition }) => ({ topic, partition, at: spec })),
    )
  const [earliest, latest] = [await at('earliest'), await at('latest')]
  const committed = await committedOf(cluster, groupId)
  return wanted.map(({ topic, partition, to }, i) => {
    const item = { topic, partition }
    const from = committed.get(partitionText(item))?.offset ?? null
    return { ...item, from, to: bounded(out, item, to, whole(earliest[i]!), whole(latest[i]!)) }
  })
}

async function execute(
  cluster: Cluster,
  groupId: string,
  moves: readonly Move[],
): Promise<Map<string, ClientError>> {
  if (moves.length === 0) return new Map()
  const offsets = moves.map(({ topic, partition, to }) => ({ topic, partition, offset: to }))
  const results = await alterCommittedOffsets(cluster, groupId, offsets)
  return new Map(
    results.flatMap((item) => (item.error === null ? [] : [[partitionText(item), item.error]])),
  )
}

function csvLine(cells: readonly (string | number)[]): string {
  return cells.join(',')
}

function tellMoves(
  out: Output,
  groupId: string,
  moves: readonly Move[],
  errors: ReadonlyMap<string, ClientError>,
  isExecuted: boolean,
): void {
  if (out.isJson) {
    out.json(
      moves.map((move) => {
        const error = errors.get(partitionText(move)) ?? null
        const executed = isExecuted && error === null
        return { groupId, ...move, executed, error: errorJson(error) }
      }),
    )
    return
  }
  out.table(
    [
      { title: 'TOPIC', shrinkTo: 12 },
      { title: 'PARTITION', align: 'right' },
      { title: 'FROM', align: 'right' },
      { title: 'TO', align: 'right' },
    ],
    moves.map(({ topic, partition, from, to }) => [topic, partition, from, to]),
    'There is nothing to move.',
  )
  for (const error of errors.values()) out.problem(error.message)
  if (!isExecuted && moves.length > 0) out.note('Nothing was moved; --execute does it.')
}

/** Deletes groups; the exit code. */
export function deleteGroupsCommand(names: string[], options: DeleteGroupOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const doomed = await selectGroups(cluster, names, options.regex)
    if (doomed.length === 0) {
      if (out.isJson) out.json([])
      else out.note('No group matches.')
      return undefined
    }
    if (options.dryRun === true) {
      const results = doomed.map((name) => ({
        done: `dry run: would delete group ${name}`,
        fields: { name, deleted: false },
        error: null,
      }))
      return tellResults(out, results)
    }
    if (hasPattern(names, options.regex)) {
      const question = `Delete ${counted(doomed.length, 'group')}: ${doomed.join(', ')}?`
      await confirm(question, options.yes)
    }
    const deleted = await deleteGroups(cluster, doomed)
    return tellResults(
      out,
      deleted.map(({ name, error }) => ({
        done: `deleted group ${name}`,
        fields: { name, deleted: error === null },
        error,
      })),
    )
  })
}

/** Forgets committed offsets; the exit code. */
export function deleteOffsetsCommand(
  groupId: string,
  options: DeleteOffsetsOptions,
): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const committed = await committedOf(cluster, groupId)
    const partitions = options.topic.flatMap((text) => {
      const selection = parseTopicSelection(text)
      if (selection.partitions !== null) {
        return selection.partitions.map((partition) => ({ topic: selection.topic, partition }))
      }
      const known = [...committed.values()].filter(({ topic }) => topic === selection.topic)
      if (known.length > 0) return known.map(({ topic, partition }) => ({ topic, partition }))
      const message = `group '${groupId}' has committed nothing for topic '${selection.topic}'`
      throw new CliProblem(message, EXIT.answer)
    })
    const results = await deleteCommittedOffsets(cluster, groupId, partitions)
    return tellResults(
      out,
      results.map(({ topic, partition, error }) => ({
        done: `forgot the offset of ${partitionText({ topic, partition })}`,
        fields: { groupId, topic, partition },
        error,
      })),
    )
  })
}
