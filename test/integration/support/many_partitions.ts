// Many topics on one broker: created, listed, written to once in each partition, asked where they end. What
// `scale.slow.ts` and `bench/storage/partitions.ts` time. Raises an error when an answer is not what it should be.

import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { describeTopics } from './admin.ts'
import { eventually } from './eventually.ts'
import { batchOf } from './harness.ts'
import { RawClient } from './raw_client.ts'

const TOPICS_PER_REQUEST = 50
const SERVED_WITHIN_MS = 300_000

/** So many topics of so many partitions each. */
export class ManyPartitions {
  private readonly names: readonly string[]
  private readonly partitions: readonly number[]

  constructor(topics: number, partitions: number) {
    this.names = Array.from({ length: topics }, (_, i) => `topic-${i}`)
    this.partitions = Array.from({ length: partitions }, (_, index) => index)
  }

  /** Groups of names, as many as one request carries. */
  private *groups(): Generator<string[]> {
    for (let at = 0; at < this.names.length; at += TOPICS_PER_REQUEST) {
      yield this.names.slice(at, at + TOPICS_PER_REQUEST)
    }
  }

  async create(client: RawClient): Promise<void> {
    const numPartitions = this.partitions.length
    for (const group of this.groups()) {
      const { topics } = await client.ask(CreateTopics, 7, {
        topics: group.map((name) => ({ name, numPartitions, replicationFactor: 1 })),
        timeoutMs: 60_000,
      })
      for (const { name, errorCode } of topics) hold(errorCode === ErrorCode.NONE, `${name} made`)
    }
  }

  async list(address: string): Promise<void> {
    const topics = await describeTopics(address)
    hold(topics.length === this.names.length, 'every topic listed')
    const isWhole = topics.every(({ partitions }) => partitions === this.partitions.length)
    hold(isWhole, 'every topic with its partitions')
  }

  /** One record in each partition. */
  async produce(client: RawClient): Promise<void> {
    const records = batchOf(['one record'])
    for (const group of this.groups()) {
      const { responses } = await client.ask(Produce, 9, {
        acks: -1,
        timeoutMs: 60_000,
        topicData: group.map((name) => ({
          name,
          partitionData: this.partitions.map((index) => ({ index, records })),
        })),
      })
      const answers = responses.flatMap(({ partitionResponses }) => partitionResponses)
      hold(
        answers.every(({ errorCode }) => errorCode === ErrorCode.NONE),
        'every record written',
      )
    }
  }

  /** Every partition answers, and ends where it should. */
  async expectEnds(address: string, end: number): Promise<void> {
    const client = await RawClient.open(address)
    for (const group of this.groups()) {
      const ends = await eventually(() => this.endsOf(client, group), SERVED_WITHIN_MS)
      hold(
        ends.every((offset) => offset === end),
        `every partition ends at ${end}`,
      )
    }
    client.close()
  }

  /** Undefined while some of them are not served. */
  private async endsOf(client: RawClient, names: string[]): Promise<number[] | undefined> {
    const { topics } = await client.ask(ListOffsets, 7, {
      replicaId: -1,
      topics: names.map((name) => ({
        name,
        partitions: this.partitions.map((partitionIndex) => ({ partitionIndex, timestamp: -1n })),
      })),
    })
    const ends = topics.flatMap((topic) => topic.partitions)
    const isReady = ends.every(({ errorCode }) => errorCode === ErrorCode.NONE)
    return isReady ? ends.map(({ offset }) => Number(offset)) : undefined
  }
}

function hold(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`)
}
