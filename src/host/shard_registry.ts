// The shards of one internal topic on this node: which partition a key belongs to, and the host of each that we lead.
//
// Driven by what the publisher told the plane about the topic's partitions, and by the plane's facts about their slots.
// Invariant: a slot is of one host at a time; a partition that we do not lead has no host, and is answered
// NOT_COORDINATOR.
// Kafka: GroupCoordinatorService.{onElection,onResignation,partitionFor}, Utils.abs.

import type { Slot } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { ShardHost } from './shard_host.ts'
import { ShardRefused } from './shard_replies.ts'

/** Hosts by partition of one topic. */
export class ShardRegistry<Request, Record, Reply, Effect = never> {
  private readonly create: (partition: number) => ShardHost<Request, Record, Reply, Effect>
  private readonly hosts = new Map<number, ShardHost<Request, Record, Reply, Effect>>()
  private readonly slots = new Map<Slot, number>()
  private isStopped = false

  constructor(create: (partition: number) => ShardHost<Request, Record, Reply, Effect>) {
    this.create = create
  }

  /** This node leads a partition; the plane knows. */
  lead(partition: number, slot: Slot, leaderEpoch: number): void {
    if (this.isStopped) return
    let host = this.hosts.get(partition)
    if (host === undefined) {
      host = this.create(partition)
      this.hosts.set(partition, host)
    }
    for (const [known, of] of this.slots) if (of === partition) this.slots.delete(known)
    this.slots.set(slot, partition)
    host.lead(slot, leaderEpoch)
  }

  /** Another node leads it, or it is deleted. */
  unload(partition: number): void {
    const host = this.hosts.get(partition)
    if (host === undefined) return
    this.hosts.delete(partition)
    for (const [slot, of] of this.slots) if (of === partition) this.slots.delete(slot)
    host.unload()
  }

  /** A fact of the plane; slots of others are not ours to judge. */
  committed(slot: Slot, leaderEpoch: number, highWatermark: number): void {
    const partition = this.slots.get(slot)
    if (partition !== undefined) this.hosts.get(partition)?.committed(leaderEpoch, highWatermark)
  }

  /** Asks the shard of a partition; rejects with ShardRefused. */
  submit(partition: number, request: Request): Promise<Reply> {
    const host = this.hosts.get(partition)
    if (host === undefined) return Promise.reject(new ShardRefused(ErrorCode.NOT_COORDINATOR))
    return host.submit(request)
  }

  /** Whether a partition has its shard here, loaded or not. */
  has(partition: number): boolean {
    return this.hosts.has(partition)
  }

  /** Partitions that this node leads, whether loaded or not, in order. */
  led(): number[] {
    return [...this.hosts.keys()].sort((a, b) => a - b)
  }

  get isLoading(): boolean {
    return [...this.hosts.values()].some((host) => host.isLoading)
  }

  /** Nothing is led any more, whatever is said later. */
  stop(): void {
    this.isStopped = true
    for (const partition of this.led()) this.unload(partition)
  }
}

/** The partition that holds a key: Java's String.hashCode, made positive as Kafka does. */
export function partitionOf(key: string, partitionCount: number): number {
  let hash = 0
  for (let i = 0; i < key.length; i++) hash = (Math.imul(31, hash) + key.charCodeAt(i)) | 0
  return (hash === -2147483648 ? 0 : Math.abs(hash)) % partitionCount
}
