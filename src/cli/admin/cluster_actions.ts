// `ottla cluster`: who makes it up, its quorum, its features, its disks, and what its brokers speak.
// Kafka: ClusterTool, MetadataQuorumCommand, FeatureCommand, LogDirsCommand, BrokerApiVersionsCommand.

import {
  describeCluster,
  describeFeatures,
  describeLogDirs,
  describeQuorum,
  type QuorumReplica,
} from '../../client/admin_cluster.ts'
import type { Cluster } from '../../client/cluster.ts'
import { apis } from '../../protocol/apis.ts'
import { type ConnectOptions, withCluster } from '../connect.ts'
import type { Json } from '../output/output.ts'
import { EXIT } from '../output/problems.ts'
import type { Cell, Column } from '../output/table.ts'
import { formatBytes, formatTime, printable } from '../output/text.ts'
import type { BrokerOptions, LogDirsOptions } from './cluster.ts'
import { roomOf } from './disk_room.ts'
import { counted, errorJson } from './results.ts'

const right = (title: string): Column => ({ title, align: 'right' })

/** Shows the cluster; the exit code. */
export function describeClusterCommand(options: ConnectOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const { clusterId, controllerId, brokers } = await describeCluster(cluster)
    if (out.isJson) {
      out.json({
        clusterId,
        controller: controllerId < 0 ? null : controllerId,
        brokers: brokers.map(({ nodeId, host, port, rack, isFenced }) => ({
          id: nodeId,
          host,
          port,
          rack,
          isFenced,
        })),
      })
      return undefined
    }
    const facts = `${counted(brokers.length, 'broker')}, controller ${controllerId < 0 ? 'none' : controllerId}`
    out.line(`${out.paint.strong(printable(clusterId ?? 'cluster without an id'))}  ${facts}`)
    const hasRacks = brokers.some(({ rack }) => rack !== null)
    const columns = [
      right('BROKER'),
      { title: 'HOST', shrinkTo: 12 },
      right('PORT'),
      ...(hasRacks ? [{ title: 'RACK' }] : []),
      { title: 'STATE' },
    ]
    const rows = brokers.map(({ nodeId, host, port, rack, isFenced }): Cell[] => [
      nodeId,
      host,
      port,
      ...(hasRacks ? [rack] : []),
      isFenced ? { text: 'fenced', paint: out.paint.warn } : 'active',
    ])
    out.table(columns, rows)
    return undefined
  })
}

/** Shows the quorum; the exit code. */
export function quorumCommand(options: ConnectOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const quorum = await describeQuorum(cluster)
    const { leaderId, leaderEpoch, highWatermark, voters, observers } = quorum
    const end = voters.find(({ replicaId }) => replicaId === leaderId)?.logEndOffset ?? null
    const lagOf = ({ logEndOffset }: QuorumReplica): number | null =>
      end === null || logEndOffset < 0 ? null : Math.max(0, end - logEndOffset)
    if (out.isJson) {
      const orNull = (value: number): number | null => (value < 0 ? null : value)
      const replica = (each: QuorumReplica): Json => ({
        id: each.replicaId,
        directoryId: each.replicaDirectoryId,
        logEndOffset: orNull(each.logEndOffset),
        lag: lagOf(each),
        lastFetchTimestamp: orNull(each.lastFetchTimestamp),
        lastCaughtUpTimestamp: orNull(each.lastCaughtUpTimestamp),
      })
      out.json({
        leader: leaderId,
        leaderEpoch,
        highWatermark,
        voters: voters.map(replica),
        observers: observers.map(replica),
      })
      return undefined
    }
    out.line(`leader ${leaderId} of epoch ${leaderEpoch}, high watermark ${highWatermark}`)
    const row =
      (role: string) =>
      (each: QuorumReplica): Cell[] => [
        each.replicaId,
        each.replicaId === leaderId ? 'leader' : role,
        each.logEndOffset < 0 ? null : each.logEndOffset,
        lagOf(each),
        formatTime(each.lastCaughtUpTimestamp),
      ]
    out.table(
      [right('NODE'), { title: 'ROLE' }, right('LOG END'), right('LAG'), { title: 'CAUGHT UP' }],
      [...voters.map(row('voter')), ...observers.map(row('observer'))],
    )
    return undefined
  })
}

/** Shows feature levels; the exit code. */
export function featuresCommand(options: ConnectOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const { epoch, features } = await describeFeatures(cluster)
    const sorted = [...features].sort((a, b) => (a.feature < b.feature ? -1 : 1))
    if (out.isJson) {
      const rows = sorted.map(({ feature, finalized, supportedMin, supportedMax }) => ({
        feature,
        finalized,
        supportedMin,
        supportedMax,
      }))
      out.json({ epoch, features: rows })
      return undefined
    }
    const rows = sorted.map(({ feature, finalized, supportedMin, supportedMax }) => [
      feature,
      finalized ?? 0,
      `${supportedMin} to ${supportedMax}`,
    ])
    out.table([{ title: 'FEATURE' }, right('LEVEL'), { title: 'SUPPORTED' }], rows)
    return undefined
  })
}

/** Shows log directories; the exit code. */
export function logDirsCommand(options: LogDirsOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const directories = await describeLogDirs(cluster, ofBroker(options))
    const rooms = await roomOf(cluster, directories)
    const sized = directories.map((directory, i) => ({
      ...directory,
      room: rooms[i]!,
      size: directory.replicas.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0),
      replicas: [...directory.replicas].sort((a, b) =>
        a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition,
      ),
    }))
    const orNull = (value: number): number | null => (value < 0 ? null : value)
    if (out.isJson) {
      out.json(
        sized.map(({ brokerId, path, totalBytes, usableBytes, room, size, replicas, error }) => ({
          broker: brokerId,
          path,
          totalBytes: orNull(totalBytes),
          usableBytes: orNull(usableBytes),
          room: room?.state ?? null,
          size,
          replicas: replicas.map(({ topic, partition, sizeInBytes, offsetLag, isFuture }) => ({
            topic,
            partition,
            size: sizeInBytes,
            offsetLag,
            isFuture,
          })),
          error: errorJson(error),
        })),
      )
    } else {
      const bytes = (value: number): string | null => (value < 0 ? null : formatBytes(value))
      const columns = [
        right('BROKER'),
        { title: 'DIRECTORY', shrinkTo: 16 },
        right('REPLICAS'),
        right('SIZE'),
        right('FREE'),
        right('TOTAL'),
      ]
      const rows = sized.map((each): Cell[] => [
        each.brokerId,
        each.error === null ? each.path : { text: each.path, paint: out.paint.bad },
        each.replicas.length,
        formatBytes(each.size),
        each.room?.state === 'full'
          ? { text: formatBytes(each.usableBytes), paint: out.paint.bad }
          : bytes(each.usableBytes),
        bytes(each.totalBytes),
      ])
      out.table(columns, rows)
      if (options.replicas === true) {
        out.line()
        const cells = sized.flatMap(({ brokerId, replicas }) =>
          replicas.map((each): Cell[] => [
            brokerId,
            each.topic,
            each.partition,
            formatBytes(each.sizeInBytes),
            each.offsetLag,
            each.isFuture ? 'future' : '',
          ]),
        )
        const titles = [
          right('BROKER'),
          { title: 'TOPIC', shrinkTo: 12 },
          right('PARTITION'),
          right('SIZE'),
          right('LAG'),
          { title: '' },
        ]
        out.table(titles, cells, 'There are no replicas.')
      }
    }
    for (const room of rooms) if (room?.remark) out.problem(room.remark)
    const failed = directories.filter(({ error }) => error !== null)
    for (const { error } of failed) out.problem(error!.message)
    return failed.length > 0 ? EXIT.answer : EXIT.ok
  })
}

function ofBroker({ broker }: BrokerOptions): { brokers?: number[] } {
  return broker === undefined ? {} : { brokers: [broker] }
}

/** Shows what brokers speak; the exit code. */
export function apiVersionsCommand(options: BrokerOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const spoken = await versionsOf(cluster, options)
    if (out.isJson) {
      out.json(spoken.map(({ broker, address, list }) => ({ broker, address, apis: list })))
      return undefined
    }
    spoken.forEach(({ broker, address, list }, i) => {
      if (i > 0) out.line()
      out.line(`${out.paint.strong(`broker ${broker}`)}  ${printable(address)}`)
      out.table(
        [right('KEY'), { title: 'API' }, right('MIN'), right('MAX')],
        list.map(({ key, name, min, max }) => [key, name ?? '(unknown)', min, max]),
      )
    })
    return undefined
  })
}

async function versionsOf(cluster: Cluster, { broker }: BrokerOptions) {
  await cluster.refresh()
  const brokers = broker === undefined ? cluster.brokers.map(({ nodeId }) => nodeId) : [broker]
  return await Promise.all(
    brokers.map(async (node) => {
      const { versions, address } = await cluster.connection({ node })
      const list = [...versions]
        .map(([key, { min, max }]) => ({ key, name: apis.get(key)?.name ?? null, min, max }))
        .sort((a, b) => a.key - b.key)
      return { broker: node, address, list }
    }),
  )
}
