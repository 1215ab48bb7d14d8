// Storms on the control plane during a fixed-rate load: if the tail moves, the control plane is in the data path's way.
// The storm's own client shares the machine's cores with the generator; it is paced, so that every arm gets the same.

import { ErrorCode } from '../../src/protocol/errors.ts'
import {
  FindCoordinator,
  JoinGroup,
  LeaveGroup,
  SyncGroup,
} from '../../src/protocol/messages/classic_group.ts'
import { Metadata } from '../../src/protocol/messages/metadata.ts'
import { OffsetCommit } from '../../src/protocol/messages/offsets.ts'
import { CreateTopics, DeleteTopics } from '../../src/protocol/messages/topics.ts'
import { eventually } from '../../test/integration/support/eventually.ts'
import { RawClient } from '../../test/integration/support/raw_client.ts'
import type { Storm } from './workloads.ts'

/** One request of a storm after another; a refusal is counted. */
interface Blow {
  /** What has to be there before. */
  prepare(): Promise<void>
  strike(): Promise<boolean>
}

const EVERY_MS: Record<Storm, number> = { topics: 50, rebalances: 20, commits: 1, metadata: 2 }

/** What was asked during a storm, and how much of it was refused. */
export interface StormCount {
  readonly asked: number
  readonly refused: number
}

class Topics implements Blow {
  private readonly client: RawClient
  private number = 0

  constructor(client: RawClient) {
    this.client = client
  }

  async prepare(): Promise<void> {}

  async strike(): Promise<boolean> {
    const name = `storm-${process.pid}-${this.number++}`
    const made = await this.client.ask(CreateTopics, 7, {
      topics: [{ name, numPartitions: 4, replicationFactor: 1 }],
      timeoutMs: 30_000,
    })
    const gone = await this.client.ask(DeleteTopics, 6, { topics: [{ name }], timeoutMs: 30_000 })
    return (
      made.topics[0]!.errorCode === ErrorCode.NONE &&
      gone.responses[0]!.errorCode === ErrorCode.NONE
    )
  }
}

class MetadataFlood implements Blow {
  private readonly client: RawClient

  constructor(client: RawClient) {
    this.client = client
  }

  async prepare(): Promise<void> {}

  async strike(): Promise<boolean> {
    await this.client.ask(Metadata, 12, { topics: null })
    return true
  }
}

/** A group's coordinator is there from the first group on. */
async function awaitCoordinator(client: RawClient, group: string): Promise<void> {
  await eventually(async () => {
    const found = await client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: [group] })
    return found.coordinators[0]!.errorCode === ErrorCode.NONE || undefined
  })
}

class Commits implements Blow {
  private readonly client: RawClient
  private readonly topic = `storm-commits-${process.pid}-${Date.now()}`
  private offset = 0n

  constructor(client: RawClient) {
    this.client = client
  }

  async prepare(): Promise<void> {
    await this.client.ask(CreateTopics, 7, {
      topics: [{ name: this.topic, numPartitions: 1, replicationFactor: 1 }],
      timeoutMs: 30_000,
    })
    await awaitCoordinator(this.client, this.topic)
    await eventually(async () => (await this.strike()) || undefined)
  }

  async strike(): Promise<boolean> {
    const partition = { partitionIndex: 0, committedOffset: this.offset++, committedMetadata: '' }
    const { topics } = await this.client.ask(OffsetCommit, 8, {
      groupId: this.topic,
      topics: [{ name: this.topic, partitions: [partition] }],
    })
    return topics[0]!.partitions[0]!.errorCode === ErrorCode.NONE
  }
}

/** A member that joins a group of its own, takes its assignment and leaves, again and again. */
class Rebalances implements Blow {
  private readonly client: RawClient
  private readonly groupId = `storm-${process.pid}-${Date.now()}`

  constructor(client: RawClient) {
    this.client = client
  }

  async prepare(): Promise<void> {
    await awaitCoordinator(this.client, this.groupId)
    await eventually(async () => (await this.strike()) || undefined)
  }

  async strike(): Promise<boolean> {
    const { client, groupId } = this
    const join = (memberId: string) =>
      client.ask(JoinGroup, 9, {
        groupId,
        memberId,
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 30_000,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: new Uint8Array() }],
      })
    const named = await join('')
    const { errorCode, memberId, generationId } = await join(named.memberId)
    if (errorCode !== ErrorCode.NONE) return false
    const assignments = [{ memberId, assignment: new Uint8Array() }]
    const member = { groupId, generationId, memberId }
    const types = { protocolType: 'consumer', protocolName: 'range' }
    const synced = await client.ask(SyncGroup, 5, { ...member, ...types, assignments })
    const left = await client.ask(LeaveGroup, 4, { groupId, members: [{ memberId }] })
    return synced.errorCode === ErrorCode.NONE && left.errorCode === ErrorCode.NONE
  }
}

function blowOf(storm: Storm, client: RawClient): Blow {
  switch (storm) {
    case 'topics':
      return new Topics(client)
    case 'metadata':
      return new MetadataFlood(client)
    case 'commits':
      return new Commits(client)
    case 'rebalances':
      return new Rebalances(client)
  }
}

/** Blows until the work is over, one request at a time; the work begins when the storm is ready to. */
export async function during<T>(
  storm: Storm,
  address: string,
  work: () => Promise<T>,
): Promise<[T, StormCount]> {
  const client = await RawClient.open(address)
  const blow = blowOf(storm, client)
  let asked = 0
  let refused = 0
  let isOver = false
  await blow.prepare()
  const ended = work().finally(() => {
    isOver = true
  })
  const blowing = (async () => {
    const fromMs = performance.now()
    while (!isOver) {
      const dueMs = fromMs + asked * EVERY_MS[storm]
      const waitMs = dueMs - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      asked++
      if (!(await blow.strike())) refused++
    }
  })()
  try {
    const [result] = await Promise.all([ended, blowing])
    return [result, { asked, refused }]
  } finally {
    client.close()
  }
}
