// A consumer: reads every partition of a topic from its beginning and follows its end, and remembers what it saw.
// A record that was readable stays where it is, unless the power went before anybody synced it.

import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { Fetch } from '../../../src/protocol/messages/produce_fetch.ts'
import { batchesOf, isBatchIntact, recordsOf } from '../../../src/protocol/record_batch.ts'
import { Violation } from '../trace.ts'
import { createTopic, type ProducerOptions } from './produce.ts'
import {
  isRetriable,
  persist,
  unexpected,
  type Workload,
  type WorkloadContext,
} from './workload.ts'

const EARLIEST = -2n

/** One consumer of one topic. */
export class Consumer implements Workload {
  read = 0
  private readonly context: WorkloadContext
  private readonly options: ProducerOptions
  private readonly positions: number[]
  private powerLosses = 0

  constructor(context: WorkloadContext, options: ProducerOptions) {
    this.context = context
    this.options = options
    this.positions = Array.from({ length: options.partitions }, () => 0)
  }

  async run(): Promise<void> {
    const { context, options } = this
    await createTopic(context, options)
    while (!context.isEnding()) await this.poll()
    // Once more, to the end of what is there.
    for (let rounds = 0; rounds < 3; rounds++) await this.poll()
  }

  private async poll(): Promise<void> {
    const { context, options, positions } = this
    // What was seen and then lost with the power is read again.
    if (this.powerLosses !== context.powerLosses()) {
      this.powerLosses = context.powerLosses()
      positions.fill(0)
    }
    const partitions = positions.map((fetchOffset, partition) => ({
      partition,
      fetchOffset,
      partitionMaxBytes: context.random.pick([1, 200, 4096]),
    }))
    await persist(context, async () => {
      const { responses, errorCode } = await context.client.ask(Fetch, 11, {
        replicaId: -1,
        maxWaitMs: 100,
        minBytes: 1,
        maxBytes: 1 << 20,
        topics: [{ topic: options.topic, partitions }],
      })
      if (errorCode !== ErrorCode.NONE) unexpected('Fetch', errorCode)
      // The power may have gone and come back while this answer was on its way.
      if (this.powerLosses !== context.powerLosses()) return true
      for (const answer of responses[0]?.partitions ?? []) {
        if (answer.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && (options.keptBytes ?? 0) > 0) {
          await this.reset(answer.partitionIndex)
        } else this.take(answer)
      }
      return true
    })
  }

  /** What was to be read next is gone: goes on where the log starts now. */
  private async reset(partition: number): Promise<void> {
    const { context, options } = this
    const { topics } = await context.client.ask(ListOffsets, 7, {
      replicaId: -1,
      topics: [
        { name: options.topic, partitions: [{ partitionIndex: partition, timestamp: EARLIEST }] },
      ],
    })
    const { errorCode, offset } = topics[0]!.partitions[0]!
    if (errorCode !== ErrorCode.NONE) return
    this.positions[partition] = Number(offset)
  }

  private take(answer: {
    partitionIndex: number
    errorCode: number
    highWatermark: number
    records: Uint8Array | null
  }): void {
    const { partitionIndex: partition, errorCode, records } = answer
    if (errorCode !== ErrorCode.NONE) {
      if (isRetriable(errorCode)) return
      return unexpected(`Fetch from ${partition} at ${this.positions[partition]}`, errorCode)
    }
    const decoder = new TextDecoder()
    for (const batch of batchesOf(records ?? new Uint8Array(0), true)) {
      if (!isBatchIntact(records!, batch)) {
        throw new Violation(`a torn batch was served, at offset ${batch.baseOffset}`)
      }
      for (const { offset, value } of recordsOf(records!, batch)) {
        if (offset < this.positions[partition]!) continue
        if (offset >= answer.highWatermark) {
          throw new Violation(`offset ${offset} was served above ${answer.highWatermark}`)
        }
        this.context.logs.seen(this.options.topic, partition, offset, decoder.decode(value!))
        this.positions[partition] = offset + 1
        this.read++
      }
    }
  }
}
