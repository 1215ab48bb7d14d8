// Racers: several clients that create, grow, delete and write to the same few topics, all at once. None can know what
// will be; what they do is for the rules that look at the node from outside: one image, and a disk that agrees with it.

import { CONFIG_RESOURCE } from '../../../src/metadata/configs.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
} from '../../../src/protocol/messages/topics.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { Unanswered } from '../client.ts'
import { isRetriable, unexpected, type Workload, type WorkloadContext } from './workload.ts'

/** What racing another client may be answered. */
const FAIR = new Set<number>([
  ErrorCode.NONE,
  ErrorCode.TOPIC_ALREADY_EXISTS,
  ErrorCode.INVALID_PARTITIONS,
  ErrorCode.INVALID_REPLICATION_FACTOR,
])

/** One of several clients of the same names. */
export class Racer implements Workload {
  private readonly context: WorkloadContext
  private readonly pauseMsMax: number

  constructor(context: WorkloadContext, options: { pauseMsMax: number }) {
    this.context = context
    this.pauseMsMax = options.pauseMsMax
  }

  async run(): Promise<void> {
    const { context } = this
    while (!context.isEnding()) {
      const name = `raced-${context.random.nextInt(3)}`
      try {
        const errorCode = await this.act(name)
        if (!FAIR.has(errorCode) && !isRetriable(errorCode))
          unexpected(`race for ${name}`, errorCode)
        context.note(`raced ${name}: ${errorCode}`)
      } catch (problem) {
        if (!(problem instanceof Unanswered)) throw problem
      }
      await context.pause(context.random.nextFloat() * this.pauseMsMax)
    }
  }

  private act(name: string): Promise<number> {
    const { random } = this.context
    const choice = random.nextInt(9)
    if (choice < 3) return this.create(name, random.nextInt(1, 5))
    if (choice < 5) return this.delete(name)
    if (choice < 6) return this.grow(name, random.nextInt(2, 6))
    if (choice < 7) return this.configure(name, random.nextInt(1000, 100_000))
    return this.write(name, random.nextInt(4))
  }

  private async configure(name: string, bytes: number): Promise<number> {
    const config = { name: 'max.message.bytes', configOperation: 0, value: String(bytes) }
    const resource = { resourceType: CONFIG_RESOURCE.topic, resourceName: name, configs: [config] }
    const request = { resources: [resource] }
    const { responses } = await this.context.client.ask(IncrementalAlterConfigs, 1, request)
    return responses[0]!.errorCode
  }

  private async create(name: string, numPartitions: number): Promise<number> {
    const topic = { name, numPartitions, replicationFactor: 1 }
    const { topics } = await this.context.client.ask(CreateTopics, 7, { topics: [topic] })
    return topics[0]!.errorCode
  }

  private async delete(name: string): Promise<number> {
    const request = { topics: [{ name }], timeoutMs: 10_000 }
    const { responses } = await this.context.client.ask(DeleteTopics, 6, request)
    return responses[0]!.errorCode
  }

  private async grow(name: string, count: number): Promise<number> {
    const request = { topics: [{ name, count, assignments: null }], timeoutMs: 10_000 }
    const { results } = await this.context.client.ask(CreatePartitions, 3, request)
    return results[0]!.errorCode
  }

  private async write(name: string, index: number): Promise<number> {
    const value = new TextEncoder().encode('raced')
    const records = encodeBatch({ records: [{ value }], timestamp: 1_600_000_000_000 })
    const { responses } = await this.context.client.ask(Produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name, partitionData: [{ index, records }] }],
    })
    return responses[0]!.partitionResponses[0]!.errorCode
  }
}
