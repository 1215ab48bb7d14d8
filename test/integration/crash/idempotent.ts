// An idempotent producer that outlives its broker: five batches in flight per partition, numbered records, and after
// a lost connection everything unacknowledged again, in order, with the sequences it had (KIP-98's client side).

import { ErrorCode, errorName, errorOf } from '../../../src/protocol/errors.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { InitProducerId } from '../../../src/protocol/messages/transaction.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { pause } from '../support/eventually.ts'
import { produceBody } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

const IN_FLIGHT_MAX = 5

interface Batch {
  first: number
  count: number
  bytes: Uint8Array
}

/** What was acknowledged: records `first` to `first + count - 1` from an offset on. */
export interface Acknowledged {
  first: number
  count: number
  baseOffset: number
}

/** One topic's partition: records are numbered, and so are their sequences. */
export class Lane {
  readonly topic: string
  readonly partition: number
  readonly unacknowledged: Batch[] = []
  readonly acknowledged: Acknowledged[] = []
  next = 0
  /** A batch of this connection failed: those after it fail with it and mean nothing. */
  isBroken = false

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }
}

/** The value of a numbered record: it can be told from every other, and its bytes follow from its name. */
export function textOf(writer: string, number: number): string {
  const start = `${writer}:${number}:`
  return start + 'x'.repeat((number * 7919) % 700)
}

export class IdempotentProducer {
  readonly name: string
  readonly lanes: Lane[]
  producerId = -1
  /** Sends that the broker refused for good; none is expected. */
  readonly refusals: string[] = []
  private epoch = 0
  private readonly address: string
  private readonly random: () => number
  private isStopping = false
  private running: Promise<void> = Promise.resolve()
  private heard: () => void = () => {}
  private total = 0

  constructor(name: string, address: string, lanes: Lane[], random: () => number) {
    this.name = name
    this.address = address
    this.lanes = lanes
    this.random = random
  }

  /** Records acknowledged so far. */
  get count(): number {
    return this.total
  }

  start(): void {
    this.isStopping = false
    this.running = this.run()
  }

  /** Resolves when so many more records are acknowledged. */
  async acknowledges(more: number): Promise<void> {
    const until = this.total + more
    while (this.total < until && this.refusals.length === 0) {
      await new Promise<void>((resolve) => {
        this.heard = resolve
      })
    }
  }

  /** Sends nothing new and resolves when everything is acknowledged. */
  async finish(): Promise<void> {
    this.isStopping = true
    await this.running
  }

  /** Gives up what is unacknowledged: the broker is going for good. */
  abandon(): void {
    this.isStopping = true
    for (const lane of this.lanes) lane.unacknowledged.length = 0
  }

  private get isDone(): boolean {
    const isIdle = this.lanes.every(({ unacknowledged }) => unacknowledged.length === 0)
    return this.refusals.length > 0 || (this.isStopping && isIdle)
  }

  private async run(): Promise<void> {
    while (!this.isDone) {
      try {
        const client = await RawClient.open(this.address)
        await this.converse(client)
        client.close()
      } catch {
        await pause(10) // nobody listens yet
      }
    }
  }

  private async converse(client: RawClient): Promise<void> {
    if (this.producerId < 0) {
      const answer = await client.ask(InitProducerId, 4, {
        transactionalId: null,
        transactionTimeoutMs: 60_000,
      })
      if (answer.errorCode !== ErrorCode.NONE) throw new Error(errorName(answer.errorCode))
      this.producerId = answer.producerId
      this.epoch = answer.producerEpoch
    }
    const ends = this.lanes.map((lane) => this.drive(client, lane))
    await Promise.race([Promise.all(ends), client.ended()])
    client.close()
    await Promise.all(ends)
  }

  /** Keeps one partition busy until the connection ends or all is said. */
  private async drive(client: RawClient, lane: Lane): Promise<void> {
    lane.isBroken = false
    const pending: Promise<boolean>[] = lane.unacknowledged.map((batch) =>
      this.send(client, lane, batch),
    )
    for (;;) {
      while (pending.length < IN_FLIGHT_MAX && !this.isStopping) {
        const batch = this.make(lane)
        lane.unacknowledged.push(batch)
        pending.push(this.send(client, lane, batch))
      }
      const first = pending.shift()
      if (first === undefined) return
      if (await first) continue
      client.close()
      await Promise.all(pending)
      return
    }
  }

  private make(lane: Lane): Batch {
    const first = lane.next
    const count = 1 + Math.floor(this.random() * 20)
    lane.next += count
    const records = Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(this.name),
      value: Buffer.from(textOf(this.name, first + i)),
    }))
    const bytes = encodeBatch({
      records,
      timestamp: Date.now(),
      producerId: this.producerId,
      producerEpoch: this.epoch,
      baseSequence: first,
    })
    return { first, count, bytes }
  }

  /** True when acknowledged; false when it must be sent again over a new connection. */
  private async send(client: RawClient, lane: Lane, batch: Batch): Promise<boolean> {
    try {
      const body = produceBody(lane.topic, lane.partition, batch.bytes)
      const { responses } = await client.ask(Produce, 9, body)
      const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
      if (errorCode === ErrorCode.NONE) {
        const oldest = lane.unacknowledged.shift()
        if (oldest !== batch) this.refuse(lane, batch, 'answered out of order')
        lane.acknowledged.push({ first: batch.first, count: batch.count, baseOffset })
        this.total += batch.count
        this.heard()
        return true
      }
      const isWeather = errorOf(errorCode).retriable && errorCode !== ErrorCode.KAFKA_STORAGE_ERROR
      if (!lane.isBroken && !isWeather) this.refuse(lane, batch, errorName(errorCode))
      lane.isBroken = true
      await pause(10)
      return false
    } catch {
      return false // the connection ended
    }
  }

  private refuse(lane: Lane, batch: Batch, why: string): void {
    this.refusals.push(`${lane.topic}-${lane.partition} at record ${batch.first}: ${why}`)
    this.heard()
  }
}
