// `ottla topic create`, `alter`, `delete` and `delete-records`. Each tells what became of every topic, so that one
// refusal does not hide what was done. Kafka: TopicCommand, DeleteRecordsCommand.

import { readFileSync } from 'node:fs'
import {
  createPartitions,
  createTopics,
  deleteRecords,
  deleteTopics,
  listOffsets,
} from '../../client/admin_topics.ts'
import type { ClientError } from '../../client/client_error.ts'
import type { Cluster } from '../../client/cluster.ts'
import { partitionText, type TopicPartition } from '../../client/per_leader.ts'
import { withCluster } from '../connect.ts'
import { CliProblem, EXIT } from '../output/problems.ts'
import { counted, type Result, tellResults } from './results.ts'
import { confirm, hasPattern, selectTopics } from './select.ts'
import type {
  AlterTopicOptions,
  CreateTopicOptions,
  DeleteRecordsOptions,
  DeleteTopicOptions,
} from './topic.ts'
import { parsePairs } from './values.ts'

const DRY = 'dry run: '

/** Creates topics; the exit code. */
export function createTopicsCommand(names: string[], options: CreateTopicOptions): Promise<number> {
  const configs = parsePairs(options.config)
  const assignments =
    options.assignment === undefined ? undefined : parseAssignment(options.assignment)
  return withCluster(options, async (cluster, out) => {
    const topics = names.map((name) => ({
      name,
      numPartitions: options.partitions,
      replicationFactor: options.replicationFactor,
      assignments,
      configs,
    }))
    const change = { validateOnly: options.dryRun, timeoutMs: options.timeout }
    const created = await createTopics(cluster, topics, change)
    const results = created.map((topic): Result => {
      const { name, topicId, numPartitions, replicationFactor, error } = topic
      const fields = { name, topicId, partitions: numPartitions, replicationFactor }
      if (error?.code === 'TOPIC_ALREADY_EXISTS' && options.ifNotExists === true) {
        return { done: `topic ${name} exists`, fields: { ...fields, created: false }, error: null }
      }
      const counts =
        numPartitions < 0
          ? ''
          : ` with ${counted(numPartitions, 'partition')}, ${counted(replicationFactor, 'replica')}`
      const done = `${options.dryRun === true ? `${DRY}would create` : 'created'} topic ${name}${counts}`
      const wasCreated = error === null && options.dryRun !== true
      return { done, fields: { ...fields, created: wasCreated }, error }
    })
    return tellResults(out, results)
  })
}

/** `1:2,2:3` as the brokers of each partition. */
function parseAssignment(text: string): number[][] {
  return text.split(',').map((partition) => {
    const brokers = partition.split(':')
    if (brokers.every((broker) => /^\d{1,9}$/.test(broker))) return brokers.map(Number)
    throw new CliProblem(`--assignment takes brokers of each partition, as in 1:2,2:3, not ${text}`)
  })
}

/** Adds partitions; the exit code. */
export function alterTopicsCommand(names: string[], options: AlterTopicOptions): Promise<number> {
  const assignments =
    options.assignment === undefined ? undefined : parseAssignment(options.assignment)
  return withCluster(options, async (cluster, out) => {
    const topics = names.map((name) => ({ name, count: options.partitions, assignments }))
    const results = await createPartitions(cluster, topics, {
      validateOnly: options.dryRun,
      timeoutMs: options.timeout,
    })
    const verb = options.dryRun === true ? `${DRY}topic` : 'topic'
    const has = options.dryRun === true ? 'would have' : 'has'
    return tellResults(
      out,
      results.map(({ name, error }) => ({
        done: `${verb} ${name} ${has} ${counted(options.partitions, 'partition')}`,
        fields: { name, partitions: options.partitions },
        error,
      })),
    )
  })
}

/** Deletes topics; the exit code. */
export function deleteTopicsCommand(names: string[], options: DeleteTopicOptions): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    let doomed = names
    if (hasPattern(names, options.regex)) {
      doomed = (await selectTopics(cluster, names, options)).map(({ name }) => name)
      if (doomed.length === 0) {
        if (out.isJson) out.json([])
        else out.note('No topic matches.')
        return undefined
      }
      if (options.dryRun !== true) {
        const question = `Delete ${counted(doomed.length, 'topic')}: ${doomed.join(', ')}?`
        await confirm(question, options.yes)
      }
    }
    if (options.dryRun === true) return await dryDelete(cluster, doomed)
    const deleted = await deleteTopics(cluster, doomed, { timeoutMs: options.timeout })
    return tellResults(out, deleted.map(resultOf))

    async function dryDelete(of: Cluster, topics: readonly string[]): Promise<number> {
      const found = await of.refresh(topics)
      const missing = found.filter(({ errorCode }) => errorCode !== 0).map(({ name }) => name)
      if (missing.length > 0 && options.ifExists !== true) await selectTopics(of, missing, {})
      const there = topics.filter((name) => !missing.includes(name))
      const results = there.map((name) => ({
        done: `${DRY}would delete topic ${name}`,
        fields: { name, deleted: false },
        error: null,
      }))
      return tellResults(out, results)
    }

    function resultOf({ name, error }: { name: string; error: ClientError | null }): Result {
      if (error?.code === 'UNKNOWN_TOPIC_OR_PARTITION' && options.ifExists === true) {
        return { done: `there is no topic ${name}`, fields: { name, deleted: false }, error: null }
      }
      return { done: `deleted topic ${name}`, fields: { name, deleted: error === null }, error }
    }
  })
}

/** Deletes the oldest records; the exit code. */
export function deleteRecordsCommand(
  topic: string | undefined,
  options: DeleteRecordsOptions,
): Promise<number> {
  checkDeleteRecords(topic, options)
  return withCluster(options, async (cluster, out) => {
    const cuts =
      options.fromFile === undefined
        ? await cutsOf(cluster, topic!, options)
        : cutsInFile(options.fromFile)
    if (options.dryRun === true) {
      const ends = await listOffsets(
        cluster,
        cuts.map((cut) => ({ ...cut, at: 'latest' })),
      )
      const results = cuts.map(({ topic, partition, offset }, i): Result => {
        const lowWatermark = offset < 0 ? ends[i]!.offset : offset
        const fields = { topic, partition, lowWatermark }
        const done = `${DRY}${partitionText({ topic, partition })} would begin at ${lowWatermark}`
        return { done, fields, error: ends[i]!.error }
      })
      return tellResults(out, results)
    }
    const deleted = await deleteRecords(cluster, cuts, { timeoutMs: options.timeout })
    return tellResults(
      out,
      deleted.map(({ topic, partition, lowWatermark, error }) => ({
        done: `${partitionText({ topic, partition })} begins at ${lowWatermark}`,
        fields: { topic, partition, lowWatermark },
        error,
      })),
    )
  })
}

function checkDeleteRecords(topic: string | undefined, options: DeleteRecordsOptions): void {
  const ways = [
    options.beforeOffset !== undefined,
    options.beforeTime !== undefined,
    options.all === true,
    options.fromFile !== undefined,
  ]
  if (ways.filter(Boolean).length !== 1) {
    throw new CliProblem(
      'say how far to delete: one of --before-offset, --before-time, --all or --from-file',
    )
  }
  if ((topic === undefined) !== (options.fromFile !== undefined)) {
    throw new CliProblem('say a topic, or --from-file, which names topics itself')
  }
}

/** A partition and the first offset that stays; -1 is its end. */
interface Cut extends TopicPartition {
  readonly offset: number
}

async function cutsOf(
  cluster: Cluster,
  topic: string,
  { partitions, beforeOffset, beforeTime }: DeleteRecordsOptions,
): Promise<Cut[]> {
  const known = await cluster.topic(topic)
  const chosen = partitions ?? known.partitions.map(({ partition }) => partition)
  if (beforeTime === undefined) {
    return chosen.map((partition) => ({ topic, partition, offset: beforeOffset ?? -1 }))
  }
  // The first record that is as young stays; where there is none, all go.
  const found = await listOffsets(
    cluster,
    chosen.map((partition) => ({ topic, partition, at: beforeTime })),
  )
  return found.map(({ partition, offset, error }) => {
    if (error !== null) throw error
    return { topic, partition, offset }
  })
}

function cutsInFile(path: string): Cut[] {
  const wrong = (why: string) =>
    new CliProblem(
      `${path}: ${why}`,
      EXIT.usage,
      'It looks like {"partitions":[{"topic":"words","partition":0,"offset":10}],"version":1}.',
    )
  let json: { partitions?: unknown }
  try {
    json = JSON.parse(readFileSync(path, 'utf8')) as { partitions?: unknown }
  } catch (problem) {
    throw wrong((problem as Error).message)
  }
  const { partitions } = json ?? {}
  if (!Array.isArray(partitions) || partitions.length === 0) throw wrong('it names no partitions')
  return (partitions as Partial<Cut>[]).map(({ topic, partition, offset }) => {
    const isWhole =
      typeof topic === 'string' && Number.isInteger(partition) && Number.isSafeInteger(offset)
    if (!isWhole) throw wrong('each partition has a topic, a partition and an offset')
    return { topic: topic!, partition: partition!, offset: offset! }
  })
}
