// Topics and partitions for the contract suite: one listener, one topic, partitions led by node 1.

import { expect } from 'vitest'
import type { CreatePartition, PartitionConfig, TransactionMarker } from '../../src/plane/plane.ts'
import type { EncodableOf } from '../../src/protocol/dsl.ts'
import { Fetch, Produce } from '../../src/protocol/messages/produce_fetch.ts'
import { Client, type FetchBody, type FetchResult, type ProduceResult } from './client.ts'
import type { Fact, PlaneHarness, PlaneUnderTest } from './harness.ts'

export const TOPIC = 'events'
export const TOPIC_ID = 'J8qXRwI-Qyi2G0guFTiuYw'
export const HANDLE = 11
/** A producer, of transactions and without. */
export const PID = 9
const LAST_TICKET = { value: 1000 }

export const CONFIG: PartitionConfig = {
  segmentBytesMax: 1 << 30,
  segmentMs: 604_800_000,
  segmentIndexBytesMax: 10 << 20,
  indexIntervalBytes: 4096,
  messageBytesMax: 1_048_588,
  minInsyncReplicas: 1,
  compacted: false,
  isLogAppendTime: false,
  timestampBeforeMsMax: Number.MAX_SAFE_INTEGER,
  timestampAfterMsMax: Number.MAX_SAFE_INTEGER,
  preallocate: false,
  flushMessages: Number.MAX_SAFE_INTEGER,
  flushMs: Number.MAX_SAFE_INTEGER,
}

/** The end of a transaction of PID. */
export const END: TransactionMarker = {
  producerId: PID,
  producerEpoch: 0,
  coordinatorEpoch: 3,
  isCommit: true,
  timestampMs: 1_600_000_000_500,
  transactionVersion: 1,
}

export const nextTicket = (): number => ++LAST_TICKET.value

/** A plane with a data listener and partitions of one topic. */
export class Fixture {
  readonly under: PlaneUnderTest
  readonly port: number

  private constructor(under: PlaneUnderTest) {
    this.under = under
    this.port = under.plane.listen({ listener: 1, host: '127.0.0.1', port: 0, data: true })
  }

  static async open(
    harness: PlaneHarness,
    options: Parameters<PlaneHarness['open']>[0] = {},
  ): Promise<Fixture> {
    return new Fixture(await harness.open(options))
  }

  static async on(under: PlaneUnderTest): Promise<Fixture> {
    return new Fixture(under)
  }

  get plane() {
    return this.under.plane
  }

  get facts() {
    return this.under.facts
  }

  client(): Promise<Client> {
    return Client.open(this.under, this.port)
  }

  /** Runs a verb and waits for its answer. */
  async ask(verb: (ticket: number) => void): Promise<Fact> {
    const ticket = nextTicket()
    verb(ticket)
    await this.under.until(() => this.facts.answer(ticket) !== undefined, 'an answer to a verb')
    return this.facts.answer(ticket)!
  }

  /** Creates slot = partition of TOPIC. */
  create(
    slot: number,
    config: Partial<PartitionConfig> = {},
    options: Partial<CreatePartition> = {},
  ): Promise<Fact> {
    return this.ask((ticket) =>
      this.plane.create(
        {
          slot,
          incarnation: 1,
          directory: this.under.directory,
          topic: TOPIC,
          topicId: TOPIC_ID,
          partition: slot,
          config: { ...CONFIG, ...config },
          isCleanShutdown: false,
          recoveryPoint: 0,
          logStartOffset: 0,
          highWatermark: 0,
          isWatched: false,
          isRaft: false,
          ...options,
        },
        ticket,
      ),
    )
  }

  /** Routes TOPIC with these slots, all led by node 1. */
  route(slots: readonly number[], isInternal = false): void {
    this.plane.route({
      handle: HANDLE,
      name: TOPIC,
      topicId: TOPIC_ID,
      isInternal,
      partitions: slots.map((slot) => ({ slot, leaderId: 1, leaderEpoch: 0 })),
    })
  }

  /** One partition, led at epoch 0 with an ISR of these replicas. */
  async single(
    config: Partial<PartitionConfig> = {},
    replicas: readonly number[] = [1],
    options: Partial<CreatePartition> = {},
  ): Promise<void> {
    await this.create(0, config, options)
    this.plane.lead({ slot: 0, leaderEpoch: 0, partitionEpoch: 0, replicas, isr: replicas })
    this.route([0])
  }

  /** Two or more partitions, each alone. */
  async several(count: number, config: Partial<PartitionConfig> = {}): Promise<void> {
    const slots = [...Array(count).keys()]
    for (const slot of slots) {
      await this.create(slot, config)
      this.plane.lead({ slot, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] })
    }
    this.route(slots)
  }

  /** Partition 0 in the directory of the harness, partition 1 in another one, which is any that is there: its path. */
  async inTwoDirectories(): Promise<string> {
    const other = `${this.under.directory}/${TOPIC}-0`
    for (const slot of [0, 1]) {
      await this.create(slot, {}, slot === 1 ? { directory: other } : {})
      this.plane.lead({ slot, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] })
    }
    this.route([0, 1])
    return other
  }

  /** The row, once everything under way is done. */
  async row(slot = 0) {
    await this.under.quiet()
    return this.plane.partition(slot)
  }
}

type ProduceBody = EncodableOf<(typeof Produce)['request']>

/** A Produce of one batch to one partition. */
export function produceOf(
  records: Uint8Array | null,
  options: { acks?: number; timeoutMs?: number; index?: number; transactionalId?: string } = {},
): ProduceBody {
  const { acks = -1, timeoutMs = 30_000, index = 0, transactionalId = null } = options
  const partitionData = [{ index, records }]
  return {
    transactionalId,
    acks,
    timeoutMs,
    topicData: [{ name: TOPIC, topicId: TOPIC_ID, partitionData }],
  }
}

/** The only partition of a Produce response. */
export function produced(response: ProduceResult) {
  expect(response.responses).toHaveLength(1)
  expect(response.responses[0]!.partitionResponses).toHaveLength(1)
  return response.responses[0]!.partitionResponses[0]!
}

export interface FetchPartitionOptions {
  partition?: number
  fetchOffset?: number
  currentLeaderEpoch?: number
  lastFetchedEpoch?: number
  partitionMaxBytes?: number
}

/** A Fetch of some partitions of TOPIC that does not wait. */
export function fetchOf(
  partitions: readonly FetchPartitionOptions[],
  rest: Partial<FetchBody> & { minBytes?: number; maxWaitMs?: number } = {},
): FetchBody {
  return {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 50 << 20,
    topics:
      partitions.length === 0
        ? []
        : [
            {
              topic: TOPIC,
              topicId: TOPIC_ID,
              partitions: partitions.map((partition) => ({
                partition: 0,
                fetchOffset: 0,
                partitionMaxBytes: 1 << 20,
                ...partition,
              })),
            },
          ],
    ...rest,
  }
}

/** Every partition of a Fetch response, in order. */
export const fetchedAll = (response: FetchResult) =>
  response.responses.flatMap((topic) => topic.partitions)

/** The only partition of a Fetch response. */
export function fetched(response: FetchResult) {
  const all = fetchedAll(response)
  expect(all).toHaveLength(1)
  return all[0]!
}

/** A follower's Fetch, as a broker of this id sends it at this version. */
export function followerFetch(
  version: number,
  replicaId: number,
  fetchOffset: number,
  options: FetchPartitionOptions & { replicaEpoch?: number; maxWaitMs?: number } = {},
): FetchBody {
  const { replicaEpoch = 1, maxWaitMs = 0, ...partition } = options
  const who = version < 15 ? { replicaId } : { replicaState: { replicaId, replicaEpoch } }
  return fetchOf([{ fetchOffset, ...partition }], { maxWaitMs, ...who })
}

export { Fetch, Produce }
