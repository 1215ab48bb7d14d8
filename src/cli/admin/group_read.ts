// `ottla group list` and `describe`. A lag is what lies between the committed offset and the end; null where one of
// them is not known. Kafka: ConsumerGroupCommand.

import {
  type CommittedOffset,
  describeGroups,
  fetchCommittedOffsets,
  type GroupDescription,
  type GroupMember,
  listGroups,
} from '../../client/admin_groups.ts'
import { listOffsets } from '../../client/admin_topics.ts'
import type { Cluster } from '../../client/cluster.ts'
import { partitionText, type TopicPartition } from '../../client/per_leader.ts'
import { withCluster } from '../connect.ts'
import type { Json, Output } from '../output/output.ts'
import { EXIT } from '../output/problems.ts'
import type { Cell, Column } from '../output/table.ts'
import { printable } from '../output/text.ts'
import type { DescribeGroupOptions, ListGroupOptions } from './group.ts'
import { counted } from './results.ts'
import { hasPattern, noSuch, selectNames } from './select.ts'
import { formatPartitions } from './values.ts'

/** Lists groups; the exit code. */
export function listGroupsCommand(names: string[], options: ListGroupOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const all = await listGroups(cluster, { states: options.state, types: options.type })
    const ids = all.map(({ groupId }) => groupId)
    const selected = new Set(
      names.length === 0 ? ids : selectNames(names, ids, options.regex === true),
    )
    const groups = all.filter(({ groupId }) => selected.has(groupId))
    if (out.isJson) out.json(groups.map((group) => ({ ...group })))
    else {
      const columns: Column[] = [
        { title: 'GROUP', shrinkTo: 12 },
        { title: 'STATE' },
        { title: 'TYPE' },
        { title: 'PROTOCOL' },
      ]
      const rows = groups.map(({ groupId, state, type, protocolType }) => [
        groupId,
        state || null,
        type || null,
        protocolType || null,
      ])
      out.table(columns, rows, names.length === 0 ? 'There are no groups.' : 'No group matches.')
    }
    return undefined
  })
}

/** The groups that names and patterns select. */
export async function selectGroups(
  cluster: Cluster,
  names: readonly string[],
  isRegex: boolean | undefined,
): Promise<string[]> {
  if (!hasPattern(names, isRegex)) return [...new Set(names)]
  const all = await listGroups(cluster)
  return selectNames(
    names,
    all.map(({ groupId }) => groupId),
    isRegex === true,
  )
}

/** Offsets of a group in one partition. */
interface OffsetRow extends TopicPartition {
  readonly committed: number | null
  readonly earliest: number | null
  readonly latest: number | null
  readonly lag: number | null
  readonly leaderEpoch: number | null
  readonly metadata: string
  readonly member: GroupMember | null
}

/** Describes groups; the exit code. */
export function describeGroupsCommand(
  names: string[],
  options: DescribeGroupOptions,
): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const ids = await selectGroups(cluster, names, options.regex)
    const groups = await describeGroups(cluster, ids)
    const missing = groups.filter(isMissing).map(({ groupId }) => groupId)
    if (missing.length > 0) throw noSuch('group', missing)
    const failed = groups.find(({ error }) => error !== null)
    if (failed !== undefined) throw failed.error
    const withOffsets = out.isJson || options.offsets === true || options.members !== true
    const told: Json[] = []
    let hasFailed = false
    for (const [i, group] of groups.entries()) {
      const rows = withOffsets ? await offsetRows(cluster, out, group) : { rows: [], failed: false }
      hasFailed ||= rows.failed
      if (out.isJson) told.push(groupJson(group, rows.rows))
      else {
        if (i > 0) out.line()
        tellGroup(out, group, rows.rows, options)
      }
    }
    if (out.isJson) out.json(told)
    else if (groups.length === 0) out.note('No group matches.')
    return hasFailed ? EXIT.answer : EXIT.ok
  })
}

/** True where there is no such group: new brokers say so, older ones call it dead. */
export function isMissing({ state, error }: GroupDescription): boolean {
  return error?.code === 'GROUP_ID_NOT_FOUND' || (error === null && state === 'Dead')
}

async function offsetRows(
  cluster: Cluster,
  out: Output,
  group: GroupDescription,
): Promise<{ rows: OffsetRow[]; failed: boolean }> {
  const committed = new Map<string, CommittedOffset>()
  for (const offset of await fetchCommittedOffsets(cluster, group.groupId)) {
    if (offset.offset >= 0 || offset.error !== null) committed.set(partitionText(offset), offset)
  }
  const members = new Map<string, GroupMember>()
  const partitions = new Map<string, TopicPartition>()
  for (const [key, { topic, partition }] of committed) partitions.set(key, { topic, partition })
  for (const member of group.members) {
    for (const item of member.assignment) {
      members.set(partitionText(item), member)
      partitions.set(partitionText(item), item)
    }
  }
  const items = [...partitions.values()].sort((a, b) =>
    a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition,
  )
  const [earliest, latest] = await Promise.all(
    (['earliest', 'latest'] as const).map((at) =>
      listOffsets(
        cluster,
        items.map((item) => ({ ...item, at })),
      ),
    ),
  )
  let failed = false
  const rows = items.map((item, i): OffsetRow => {
    const key = partitionText(item)
    const found = committed.get(key)
    const error = found?.error ?? latest![i]!.error
    if (error !== null && error !== undefined) {
      out.problem(error.message)
      failed = true
    }
    const at = found === undefined || found.error !== null ? null : found.offset
    const end = latest![i]!.error === null ? latest![i]!.offset : null
    return {
      ...item,
      committed: at,
      earliest: earliest![i]!.error === null ? earliest![i]!.offset : null,
      latest: end,
      lag: at === null || end === null ? null : Math.max(0, end - at),
      leaderEpoch: found === undefined || found.leaderEpoch < 0 ? null : found.leaderEpoch,
      metadata: found?.metadata ?? '',
      member: members.get(key) ?? null,
    }
  })
  return { rows, failed }
}

function groupJson(group: GroupDescription, rows: readonly OffsetRow[]): Json {
  const { groupId, type, state, protocolType, protocol, coordinator, members } = group
  return {
    groupId,
    type,
    state,
    protocolType,
    protocol,
    coordinator,
    members: members.map((member) => ({
      ...member,
      assignment: member.assignment.map(({ topic, partition }) => ({ topic, partition })),
    })),
    offsets: rows.map(({ member, ...row }) => ({ ...row, memberId: member?.memberId ?? null })),
  }
}

function tellGroup(
  out: Output,
  group: GroupDescription,
  rows: readonly OffsetRow[],
  options: DescribeGroupOptions,
): void {
  const { groupId, type, state, protocol, coordinator, members } = group
  const facts = [
    state || 'state unknown',
    type,
    ...(protocol === '' ? [] : [protocol]),
    counted(members.length, 'member'),
    `coordinator ${coordinator}`,
  ]
  const lags = rows.flatMap(({ lag }) => (lag === null ? [] : [lag]))
  if (lags.length > 0) facts.push(`lag ${lags.reduce((sum, lag) => sum + lag, 0)}`)
  out.line(`${out.paint.strong(printable(groupId))}  ${printable(facts.join(', '))}`)
  if (options.members === true) tellMembers(out, members)
  if (options.offsets === true || options.members !== true) tellOffsets(out, rows)
}

function tellMembers(out: Output, members: readonly GroupMember[]): void {
  const columns: Column[] = [
    { title: 'MEMBER', shrinkTo: 12 },
    { title: 'INSTANCE', shrinkTo: 8 },
    { title: 'CLIENT', shrinkTo: 8 },
    { title: 'HOST', shrinkTo: 9 },
    { title: 'ASSIGNED', shrinkTo: 20 },
  ]
  const rows = members.map((member) => [
    member.memberId,
    member.groupInstanceId,
    member.clientId,
    member.clientHost,
    assigned(member.assignment),
  ])
  out.table(columns, rows, 'The group has no members.')
}

/** `words:0-2,5 orders:3`, as selections are typed. */
function assigned(assignment: readonly TopicPartition[]): string {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of assignment) {
    topics.set(topic, [...(topics.get(topic) ?? []), partition])
  }
  return [...topics].map(([topic, list]) => `${topic}:${formatPartitions(list)}`).join(' ')
}

function tellOffsets(out: Output, rows: readonly OffsetRow[]): void {
  const hasMembers = rows.some(({ member }) => member !== null)
  const columns: Column[] = [
    { title: 'TOPIC', shrinkTo: 12 },
    { title: 'PARTITION', align: 'right' },
    { title: 'COMMITTED', align: 'right' },
    { title: 'LATEST', align: 'right' },
    { title: 'LAG', align: 'right' },
    ...(hasMembers
      ? [
          { title: 'MEMBER', shrinkTo: 12 },
          { title: 'CLIENT', shrinkTo: 8 },
          { title: 'HOST', shrinkTo: 9 },
        ]
      : []),
  ]
  const cells = rows.map((row): Cell[] => [
    row.topic,
    row.partition,
    row.committed,
    row.latest,
    row.lag !== null && row.lag > 0 ? { text: String(row.lag), paint: out.paint.warn } : row.lag,
    ...(hasMembers
      ? [row.member?.memberId ?? null, row.member?.clientId ?? null, row.member?.clientHost ?? null]
      : []),
  ])
  out.table(columns, cells, 'The group has committed nothing.')
}
