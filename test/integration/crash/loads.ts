// Other people's idempotent producers as load that outlives the broker: kafkajs with one batch in flight, and kcat
// (librdkafka) that is fed more than it has sent when the broker is killed.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Producer } from 'kafkajs'
import { kafkajs } from '../clients/kafkajs.ts'
import { textOf } from './idempotent.ts'

/** kafkajs sends numbered records until it is told to finish; a send is repeated by the client itself. */
export class KafkajsLoad {
  readonly topic: string
  readonly partition: number
  readonly refusals: string[] = []
  next = 0
  private readonly producer: Producer
  private isStopping = false
  private isConnected = false
  private running: Promise<void> = Promise.resolve()

  constructor(address: string, topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
    this.producer = kafkajs(address).producer({ idempotent: true, maxInFlightRequests: 1 })
  }

  /** Before the first kill: kafkajs sends again what a lost connection takes, but not its request for a producer id. */
  async connect(): Promise<void> {
    await this.producer.connect()
    this.isConnected = true
  }

  start(): void {
    this.isStopping = false
    this.running = this.run()
  }

  async finish(): Promise<void> {
    this.isStopping = true
    await this.running
  }

  /** Leaves at once, also from a send that will never be answered. */
  async close(): Promise<void> {
    this.isStopping = true
    if (this.isConnected) await this.producer.disconnect()
  }

  private async run(): Promise<void> {
    try {
      while (!this.isStopping) {
        const messages = Array.from({ length: 10 }, (_, i) => ({
          value: textOf('kafkajs', this.next + i),
          partition: this.partition,
        }))
        await this.producer.send({ topic: this.topic, acks: -1, messages })
        this.next += messages.length
      }
    } catch (problem) {
      this.refusals.push(`kafkajs at record ${this.next}: ${problem}`)
    }
  }
}

/** One kcat: fed at once, told to end later; its exit code says whether everything was delivered. */
export class KcatLoad {
  readonly topic: string
  readonly partition: number
  readonly name: string
  next = 0
  private readonly child: ChildProcess
  private readonly exited: Promise<number | null>
  private said = ''

  constructor(address: string, topic: string, partition: number, name: string) {
    this.topic = topic
    this.partition = partition
    this.name = name
    this.child = spawn(
      'kcat',
      // biome-ignore format: an option and its value
      ['-P', '-E', '-b', address, '-t', topic, '-p', String(partition),
        '-X', 'enable.idempotence=true', '-X', 'acks=all', '-X', 'batch.num.messages=20', '-X', 'linger.ms=1',
        '-X', 'reconnect.backoff.ms=10', '-X', 'reconnect.backoff.max.ms=100', '-X', 'retry.backoff.ms=20'],
      { stdio: ['pipe', 'ignore', 'pipe'] },
    )
    this.child.stdin!.on('error', () => {})
    this.child.stderr!.on('data', (bytes) => {
      this.said = (this.said + bytes).slice(-4_000)
    })
    this.exited = new Promise((resolve) => this.child.on('exit', resolve))
  }

  /** Gives it so many more records. */
  feed(count: number): void {
    let lines = ''
    for (let i = 0; i < count; i++) lines += `${textOf(this.name, this.next++)}\n`
    this.child.stdin!.write(lines)
  }

  /** No more input; resolves when all is delivered. */
  async finish(): Promise<void> {
    this.child.stdin!.end()
    const code = await this.exited
    if (code !== 0) throw new Error(`${this.name} ended with ${code}: ${this.said}`)
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }
}
