// Tells the controller in which directory each replica lies, where the metadata does not say so: a broker with several
// directories chooses itself, and a replica may have been moved.
//
// Invariants: one request is under way at most; what is newest about a partition is what is told; what nobody asks for
// any more (the topic is gone, the metadata says it already) is dropped. Kafka: AssignmentsManager; KIP-858.

import type { ControllerHost } from '../../host/controller_host.ts'
import type { Cancel, World } from '../../host/world.ts'
import { directoryOf } from '../../metadata/directories.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import { ErrorCode } from '../../protocol/errors.ts'

/** Kafka: AssignReplicasToDirsRequest.MAX_ASSIGNMENTS_PER_REQUEST. */
const PER_REQUEST_MAX = 2250
const BACKOFF_MS_MIN = 100
const BACKOFF_MS_MAX = 10_000

interface Assignment {
  readonly topicId: string
  readonly partition: number
  readonly directoryId: string
  readonly told: (() => void) | undefined
}

export interface AssignmentsOptions {
  world: World
  controller: ControllerHost
  image: MetadataImage
  nodeId: number
  brokerEpoch: () => number
}

/** What the controller has yet to hear of where replicas lie. */
export class Assignments {
  private readonly options: AssignmentsOptions
  private readonly ready = new Map<string, Assignment>()
  private isUnderWay = false
  private isStopped = false
  private failures = 0
  private cancel: Cancel = () => {}

  constructor(options: AssignmentsOptions) {
    this.options = options
  }

  /** A replica of ours lies in this directory; `told` runs once the metadata says so. */
  assign(topicId: string, partition: number, directoryId: string, told?: () => void): void {
    this.ready.set(`${topicId}-${partition}`, { topicId, partition, directoryId, told })
    if (!this.isUnderWay && this.failures === 0) this.sendIn(0)
  }

  stop(): void {
    this.isStopped = true
    this.cancel()
  }

  private sendIn(delayMs: number): void {
    this.cancel()
    if (this.isStopped) return
    this.cancel = this.options.world.schedule(delayMs, () => this.send())
  }

  private send(): void {
    const { world, controller, nodeId, brokerEpoch } = this.options
    if (this.isUnderWay) return
    const sent = this.take()
    if (sent.length === 0) return
    this.isUnderWay = true
    const directories = grouped(sent)
    controller
      .submit<'assignReplicasToDirs'>({
        kind: 'assignReplicasToDirs',
        version: 0,
        request: { brokerId: nodeId, brokerEpoch: brokerEpoch(), directories },
      })
      .then(
        ({ response }) => this.answered(sent, response.errorCode ?? ErrorCode.NONE),
        (problem: Error) => {
          world.log.debug(`replicas are not assigned to directories yet: ${problem.message}`)
          this.answered(sent, ErrorCode.NOT_CONTROLLER)
        },
      )
  }

  /** What is to be told now; what the metadata already says, or does not know, needs no telling. */
  private take(): Assignment[] {
    const { image, nodeId } = this.options
    const out: Assignment[] = []
    for (const [key, assignment] of this.ready) {
      if (out.length >= PER_REQUEST_MAX) break
      this.ready.delete(key)
      const partition = image.topics.partition(assignment.topicId, assignment.partition)
      if (!partition?.replicas.includes(nodeId)) continue
      if (directoryOf(partition, nodeId) === assignment.directoryId) assignment.told?.()
      else out.push(assignment)
    }
    return out
  }

  /** An answer comes when it is committed; a partition that was refused is gone, and asked about again it shows. */
  private answered(sent: readonly Assignment[], errorCode: number): void {
    this.isUnderWay = false
    if (errorCode === ErrorCode.NONE) {
      this.failures = 0
      for (const { told } of sent) told?.()
      if (this.ready.size > 0) this.sendIn(0)
      return
    }
    for (const assignment of sent) {
      const key = `${assignment.topicId}-${assignment.partition}`
      if (!this.ready.has(key)) this.ready.set(key, assignment)
    }
    this.sendIn(Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.failures++))
  }
}

function grouped(assignments: readonly Assignment[]) {
  const byDirectory = new Map<string, Map<string, { partitionIndex: number }[]>>()
  for (const { topicId, partition, directoryId } of assignments) {
    const topics = byDirectory.get(directoryId) ?? new Map<string, { partitionIndex: number }[]>()
    byDirectory.set(directoryId, topics)
    const partitions = topics.get(topicId) ?? []
    topics.set(topicId, partitions)
    partitions.push({ partitionIndex: partition })
  }
  return [...byDirectory].map(([id, topics]) => ({
    id,
    topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
  }))
}
