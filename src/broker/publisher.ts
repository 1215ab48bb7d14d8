// Publisher: a new metadata image becomes commands to the data plane. It alone knows slots.
//
// Invariants: a partition is led or followed only once it is open; a topic's route is pushed when all of its local
// partitions are open, so a client that learns of a topic can use it; a slot is reused only after its partition
// was retired, under a new incarnation; what lies in a directory that failed stays where it is, and is said to be
// there: KAFKA_STORAGE_ERROR, not NOT_LEADER_OR_FOLLOWER.
// Kafka: BrokerMetadataPublisher, ReplicaManager.applyDelta, LogManager.getOrCreateLog.

import type { LogDirectories } from '../host/log_directories.ts'
import type { Tickets } from '../host/tickets.ts'
import type { Log } from '../lib/log.ts'
import { CONFIG_RESOURCE } from '../metadata/configs.ts'
import { directoryOf } from '../metadata/directories.ts'
import type { MetadataDelta, MetadataImage } from '../metadata/image.ts'
import type { Partition, Topic, TopicChange } from '../metadata/topics.ts'
import { RetireMode } from '../plane/layout.ts'
import {
  type CreatePartition,
  type DataPlane,
  type PartitionConfig,
  type Slot,
  UNSERVED_SLOT,
} from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { INTERNAL_TOPICS } from './node.ts'
import type { Listener } from './session.ts'

/** A partition that this node holds. */
export interface LocalPartition {
  readonly slot: Slot
  incarnation: number
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  directory: string
  /** `offline`: its directory failed; `failed`: it was not opened, so the plane does not have it. */
  state: 'opening' | 'open' | 'offline' | 'failed' | 'retiring'
  /** It was not opened for a reason that passes. */
  isWaiting: boolean
  /** Its configuration changed while it was being opened. */
  isConfigStale: boolean
  /** The last PartitionRecord's epochs that were told to the plane. */
  leaderEpoch: number
  partitionEpoch: number
}

interface LocalTopic {
  readonly handle: number
  readonly partitions: Map<number, LocalPartition>
  opening: number
}

/** The slots before this one are the metadata log's. */
const FIRST_SLOT = 1

export interface PublisherOptions {
  plane: DataPlane
  tickets: Tickets
  directories: LogDirectories
  nodeId: number
  listeners: readonly Listener[]
  partitionConfig: (topic: string, image: MetadataImage) => PartitionConfig
  /** A partition could not be opened, with the system's error. True: it passes, and `openWaiting` is called later. */
  notOpened: (directory: string, errno: number) => boolean
  /** A partition is open in `directory`; the metadata says that it is in `assignedId`. */
  onOpened?: (partition: LocalPartition, assignedId: string) => void
  /** Our part in a partition has changed, and the plane knows. */
  onRole?: (partition: LocalPartition, role: Role) => void
  log: Log
}

/** What this node is to a partition that it holds; `gone` when it holds it no more. */
export type Role = 'leads' | 'follows' | 'gone'

const nameOf = ({ topic, partition }: LocalPartition): string => `${topic}-${partition}`

/** Where the plane finds a partition: its slot, -2 when it is here and cannot be served, -1 when it is not here. */
function slotOf(local: LocalPartition | undefined): Slot {
  if (local?.state === 'open' || local?.state === 'offline') return local.slot
  return local?.state === 'failed' ? UNSERVED_SLOT : -1
}

/** Keeps the plane as the image says. */
export class Publisher {
  private readonly options: PublisherOptions
  private readonly topics = new Map<string, LocalTopic>()
  private readonly freeSlots: Slot[] = []
  private nextSlot = FIRST_SLOT
  private nextHandle = 1
  private incarnations = 0
  private image: MetadataImage | null = null
  /** The first image holds partitions that are not new. */
  private isFirst = true
  private opening = 0
  /** Partitions by name whose files are going, and who waits for the name. */
  private readonly leaving = new Map<string, (() => void)[]>()
  private waiters: (() => void)[] = []

  constructor(options: PublisherOptions) {
    this.options = options
  }

  /** Every partition that this node holds, whatever its state. */
  *partitions(): Generator<LocalPartition> {
    for (const topic of this.topics.values()) yield* topic.partitions.values()
  }

  /** Those of them that can be used. */
  openPartitions(): LocalPartition[] {
    return [...this.partitions()].filter(({ state }) => state === 'open')
  }

  /** An open partition of ours, or undefined. */
  find(topicId: string, partition: number): LocalPartition | undefined {
    const local = this.topics.get(topicId)?.partitions.get(partition)
    return local?.state === 'open' ? local : undefined
  }

  /** Whether it is ours, whatever its state. */
  holds(topicId: string, partition: number): boolean {
    return this.topics.get(topicId)?.partitions.has(partition) === true
  }

  /** Whether a partition of ours cannot be served, because of its directory or its files. */
  isOffline(topicId: string, partition: number): boolean {
    const state = this.topics.get(topicId)?.partitions.get(partition)?.state
    return state === 'offline' || state === 'failed'
  }

  /** A directory failed, and the plane knows: who leads there, leads no more. */
  directoryFailed(directory: string): void {
    let count = 0
    for (const local of this.partitions()) {
      if (local.directory !== directory || local.state !== 'open') continue
      local.state = 'offline'
      count++
      this.options.onRole?.(local, 'gone')
    }
    if (count > 0)
      this.options.log.error('partitions are offline', { directory, partitions: count })
  }

  /** Resolves when every partition that is being opened is open or has failed. */
  settled(): Promise<void> {
    if (this.opening === 0) return Promise.resolve()
    return new Promise((resolve) => this.waiters.push(resolve))
  }

  publish(delta: MetadataDelta, image: MetadataImage): void {
    this.isFirst = this.image === null
    if (this.isFirst) this.setAsideStrays(image)
    this.image = image
    if (delta.brokers.size > 0) this.publishBrokers(image)
    for (const change of delta.topics) this.publishTopic(change)
    this.publishConfigs(delta)
  }

  /** The first image holds everything committed before this start: a partition it does not know was deleted. */
  private setAsideStrays(image: MetadataImage): void {
    const { directories, nodeId, log } = this.options
    const strays = directories.setAsideStrays((topic, index) => {
      const partition = image.topics.byName(topic)?.partitions[index]
      if (!partition?.replicas.includes(nodeId)) return undefined
      return { topicId: partition.topicId, directoryId: directoryOf(partition, nodeId) }
    })
    for (const stray of strays) log.warn('the metadata does not know a partition here', stray)
    directories.settleFutures((topicId, index) => {
      const partition = image.topics.partition(topicId, index)
      const topic = image.topics.byId(topicId)?.name
      if (topic === undefined || !partition?.replicas.includes(nodeId)) return undefined
      return { topic, directoryId: directoryOf(partition, nodeId) }
    })
  }

  /** How a copy of a partition is opened, in a slot of its own that is the caller's until `releaseSlot`. */
  copyOf(local: LocalPartition, directory: string, name: string): CreatePartition {
    return {
      slot: this.freeSlots.pop() ?? this.nextSlot++,
      incarnation: ++this.incarnations,
      directory,
      name,
      topic: local.topic,
      topicId: local.topicId,
      partition: local.partition,
      config: this.options.partitionConfig(local.topic, this.image!),
      isCleanShutdown: false,
      recoveryPoint: 0,
      logStartOffset: 0,
      highWatermark: 0,
      isWatched: false,
      isRaft: false,
    }
  }

  releaseSlot(slot: Slot): void {
    this.freeSlots.push(slot)
  }

  /**
   * Takes an open partition out of service while its files change places: `drained` runs when nothing is written to it
   * any more, `closed` when nobody has it open. Then it is opened where it is; resolves with that.
   */
  async reopen(
    local: LocalPartition,
    drained: () => Promise<void>,
    closed: () => void,
  ): Promise<void> {
    const topic = this.topics.get(local.topicId)
    const partition = this.image?.topics.partition(local.topicId, local.partition)
    if (topic === undefined || partition === undefined || local.state !== 'open') return
    const { plane, tickets, onRole, log } = this.options
    local.state = 'opening'
    topic.opening++
    this.opening++
    onRole?.(local, 'gone')
    plane.follow(local.slot, local.leaderEpoch, -1)
    await tickets.run((_, ticket) => plane.flush(local.slot, ticket))
    await drained()
    // It flushes again, and says what became of everything.
    const { errorCode } = await tickets.run((_, ticket) =>
      plane.retire(local.slot, RetireMode.close, ticket),
    )
    if ((local.state as LocalPartition['state']) !== 'opening') {
      // Its topic was deleted meanwhile.
      topic.opening--
      this.opening--
      this.release(local, false)
      return this.settle()
    }
    closed()
    local.incarnation = ++this.incarnations
    local.leaderEpoch = -1
    local.partitionEpoch = -1
    const isInOrder = errorCode === ErrorCode.NONE
    if (!isInOrder) {
      const what = { topic: local.topic, partition: local.partition, errorCode }
      log.warn('a partition could not be closed in order and is recovered', what)
    }
    this.create(topic, local, partition, false, isInOrder)
    await this.settled()
  }

  /** Tries those again that there was no room for. */
  openWaiting(): void {
    for (const topic of this.topics.values()) {
      for (const local of topic.partitions.values()) {
        const partition = this.image?.topics.partition(local.topicId, local.partition)
        if (local.state !== 'failed' || !local.isWaiting || partition === undefined) continue
        local.state = 'opening'
        local.incarnation = ++this.incarnations
        topic.opening++
        this.opening++
        this.create(topic, local, partition, false)
      }
    }
  }

  private settle(): void {
    if (this.opening === 0) for (const resolve of this.waiters.splice(0)) resolve()
  }

  private publishBrokers(image: MetadataImage): void {
    for (const listener of this.options.listeners) {
      if (listener.isController) continue
      const endpoints = []
      for (const broker of image.brokers.values()) {
        const endpoint = broker.endPoints.find(({ name }) => name === listener.name)
        if (broker.fenced || endpoint === undefined) continue
        const { host, port } = endpoint
        endpoints.push({ id: broker.brokerId, host, port, rack: broker.rack })
      }
      this.options.plane.brokers(listener.number, endpoints)
    }
  }

  private publishTopic(change: TopicChange): void {
    const { after } = change
    if (after === undefined) return this.removeTopic(change.id)
    const topic = this.localTopic(change.id)
    for (const index of change.partitions) {
      const partition = after.partitions[index]
      if (partition !== undefined) this.publishPartition(topic, after, partition)
    }
    if (topic.opening === 0) this.route(change.id)
  }

  private publishPartition(topic: LocalTopic, { name }: Topic, partition: Partition): void {
    const local = topic.partitions.get(partition.partitionId)
    const isReplica = partition.replicas.includes(this.options.nodeId)
    if (!isReplica) {
      if (local !== undefined) this.retire(topic, local)
    } else if (local === undefined) this.open(topic, name, partition)
    else if (local.state === 'open') this.apply(local, partition)
  }

  private open(topic: LocalTopic, name: string, partition: Partition): void {
    const local: LocalPartition = {
      slot: this.freeSlots.pop() ?? this.nextSlot++,
      incarnation: ++this.incarnations,
      topic: name,
      topicId: partition.topicId,
      partition: partition.partitionId,
      directory: '',
      state: 'opening',
      isWaiting: false,
      isConfigStale: false,
      leaderEpoch: -1,
      partitionEpoch: -1,
    }
    topic.partitions.set(local.partition, local)
    topic.opening++
    this.opening++
    this.create(topic, local, partition, !this.isFirst)
  }

  /** A namesake whose files are still going is waited for: both would be in one directory. */
  private create(
    topic: LocalTopic,
    local: LocalPartition,
    partition: Partition,
    isNew: boolean,
    isInOrder = true,
  ): void {
    const { plane, tickets, nodeId, partitionConfig } = this.options
    const waiting = this.leaving.get(nameOf(local))
    if (waiting !== undefined) {
      waiting.push(() => this.create(topic, local, partition, isNew, isInOrder))
      return
    }
    if (local.state !== 'opening') return this.neverOpened(topic, local)
    const { directories } = this.options
    // Where a first try may have left something.
    const assigned = local.isWaiting
      ? directories.idOf(local.directory)
      : directoryOf(partition, nodeId)
    const place = directories.place(local.topic, local.partition, assigned, isNew)
    if (place === null) return this.opened(topic, local, ErrorCode.KAFKA_STORAGE_ERROR, 0)
    local.directory = place.directory
    local.isConfigStale = false
    const options = {
      slot: local.slot,
      incarnation: local.incarnation,
      directory: place.directory,
      topic: local.topic,
      topicId: local.topicId,
      partition: local.partition,
      config: partitionConfig(local.topic, this.image!),
      isCleanShutdown: place.isCleanShutdown && !local.isWaiting && isInOrder,
      recoveryPoint: place.recoveryPoint,
      logStartOffset: place.logStartOffset,
      highWatermark: place.highWatermark,
      isWatched: local.topic.startsWith('__'),
      isRaft: false,
    }
    tickets.call(
      (_, ticket) => plane.create(options, ticket),
      ({ errorCode, c }) => this.opened(topic, local, errorCode, c),
    )
  }

  /** Deleted while it waited for its namesake: there is nothing to undo. */
  private neverOpened(topic: LocalTopic, local: LocalPartition): void {
    topic.opening--
    this.opening--
    this.freeSlots.push(local.slot)
    if (this.opening === 0) for (const resolve of this.waiters.splice(0)) resolve()
  }

  private opened(topic: LocalTopic, local: LocalPartition, errorCode: number, cut: number): void {
    const { log, directories, nodeId, notOpened, onOpened } = this.options
    const what = { topic: local.topic, partition: local.partition }
    const isOpen = errorCode === 0
    if (isOpen && cut > 0) log.warn('recovery cut a torn tail', { ...what, bytes: cut })
    topic.opening--
    this.opening--
    if (!isOpen) {
      const why = local.directory === '' ? 'its directory has failed' : `errno ${cut}`
      if (!local.isWaiting) log.error('a partition is not opened', { ...what, errorCode, why })
      local.isWaiting = local.directory !== '' && notOpened(local.directory, cut)
    } else if (local.isWaiting) {
      log.info('a partition is open after all', what)
      local.isWaiting = false
    }
    if (local.state === 'opening') {
      const isLost = !directories.online().some(({ path }) => path === local.directory)
      local.state = !isOpen ? 'failed' : isLost ? 'offline' : 'open'
      const partition = this.image?.topics.partition(local.topicId, local.partition)
      if (local.state === 'open' && local.isConfigStale) this.configure(local)
      if (local.state === 'open' && partition !== undefined) {
        this.apply(local, partition)
        onOpened?.(local, directoryOf(partition, nodeId))
      }
      if (topic.opening === 0) this.route(local.topicId)
    } else this.release(local, isOpen)
    if (this.opening === 0) for (const resolve of this.waiters.splice(0)) resolve()
  }

  /** Tells the plane who leads, when that is news. */
  private apply(local: LocalPartition, partition: Partition): void {
    const { plane, nodeId, onRole } = this.options
    const { leaderEpoch, partitionEpoch, leader, replicas, isr } = partition
    const isNewEpoch = leaderEpoch !== local.leaderEpoch
    if (!isNewEpoch && partitionEpoch === local.partitionEpoch) return
    local.leaderEpoch = leaderEpoch
    local.partitionEpoch = partitionEpoch
    if (leader !== nodeId) plane.follow(local.slot, leaderEpoch, leader)
    else if (isNewEpoch) {
      plane.lead({ slot: local.slot, leaderEpoch, partitionEpoch, replicas, isr })
    } else plane.isr(local.slot, leaderEpoch, partitionEpoch, isr)
    if (isNewEpoch) onRole?.(local, leader === nodeId ? 'leads' : 'follows')
  }

  private route(topicId: string): void {
    const topic = this.image?.topics.byId(topicId)
    const local = this.topics.get(topicId)
    if (topic === undefined || local === undefined) return
    const partitions = []
    for (const partition of topic.partitions) {
      const held = partition && local.partitions.get(partition.partitionId)
      partitions.push({
        slot: slotOf(held),
        leaderId: partition?.leader ?? -1,
        leaderEpoch: partition?.leaderEpoch ?? -1,
      })
    }
    const { handle } = local
    const isInternal = INTERNAL_TOPICS.has(topic.name)
    this.options.plane.route({ handle, name: topic.name, topicId, isInternal, partitions })
  }

  private removeTopic(topicId: string): void {
    const topic = this.topics.get(topicId)
    if (topic === undefined) return
    this.options.plane.forget(topic.handle)
    for (const local of [...topic.partitions.values()]) this.retire(topic, local)
    this.topics.delete(topicId)
  }

  private retire(topic: LocalTopic, local: LocalPartition): void {
    topic.partitions.delete(local.partition)
    const before = local.state
    local.state = 'retiring'
    this.options.onRole?.(local, 'gone')
    const name = nameOf(local)
    if (!this.leaving.has(name)) this.leaving.set(name, [])
    // One that is still opening is released when that is over.
    if (before !== 'opening') this.release(local, before !== 'failed')
  }

  /** Deletes the files: the plane's work, or ours where it does not have the partition. */
  private release(local: LocalPartition, isInPlane: boolean): void {
    const { plane, tickets, directories } = this.options
    if (!isInPlane) {
      directories.discard(local.topic, local.partition, local.directory, local.topicId)
      void directories.removeLeftovers()
      return this.released(local)
    }
    tickets.call(
      (_, ticket) => plane.retire(local.slot, RetireMode.delete, ticket),
      () => this.released(local),
    )
  }

  private released(local: LocalPartition): void {
    this.options.directories.forget(local.topic, local.partition, local.directory)
    this.freeSlots.push(local.slot)
    const waiting = this.leaving.get(nameOf(local)) ?? []
    this.leaving.delete(nameOf(local))
    for (const create of waiting) create()
  }

  private publishConfigs(delta: MetadataDelta): void {
    const topics = new Set<string>()
    let isEvery = false
    for (const { before, after } of delta.configs) {
      const resource = after ?? before!
      if (resource.type === CONFIG_RESOURCE.topic) topics.add(resource.name)
      if (resource.type === CONFIG_RESOURCE.broker) isEvery = true
    }
    if (topics.size === 0 && !isEvery) return
    for (const local of this.partitions()) {
      if (!isEvery && !topics.has(local.topic)) continue
      if (local.state === 'open') this.configure(local)
      else local.isConfigStale = true
    }
  }

  private configure({ slot, topic }: LocalPartition): void {
    const { plane, partitionConfig } = this.options
    plane.configure(slot, partitionConfig(topic, this.image!))
  }

  private localTopic(topicId: string): LocalTopic {
    const known = this.topics.get(topicId)
    if (known !== undefined) return known
    const topic = { handle: this.nextHandle++, partitions: new Map(), opening: 0 }
    this.topics.set(topicId, topic)
    return topic
  }
}
