// `ottla produce`: lines become records. Reading waits while too much is on its way, so a file of any size passes in
// bounded memory. The first line that fails ends it: what came before is sent, the line is named, the exit code tells.
// A signal ends it too, once what was read is written; a second one does not wait.
// Kafka: ConsoleProducer.

import { createReadStream } from 'node:fs'
import { Cluster } from '../../client/cluster.ts'
import { Producer } from '../../client/producer.ts'
import { clientProblem, clusterOptionsOf } from '../connect.ts'
import { Output } from '../output/output.ts'
import { CliProblem, EXIT } from '../output/problems.ts'
import { formatBytes } from '../output/text.ts'
import type { ProduceOptions } from './command.ts'
import { LineError, type LineOptions, recordOfLine } from './input.ts'
import { linesOf } from './lines.ts'
import { codeOfSignal, onSignal } from './signals.ts'

/** Reading waits above this much on its way. */
const BUFFER_BYTES_MAX = 16 << 20

/** Produces until the input ends; the exit code. */
export async function produceCommand(topic: string, options: ProduceOptions): Promise<number> {
  const out = new Output()
  const input = openInput(options.file)
  await using cluster = await Cluster.connect(await clusterOptionsOf(options))
  const producer = new Producer(cluster, {
    acks: options.acks === 'all' ? 'all' : options.acks === '1' ? 1 : 0,
    compression: options.compression,
    isIdempotent: options.acks === 'all' && options.idempotence,
    bufferBytesMax: BUFFER_BYTES_MAX,
  })
  if (options.file === undefined && process.stdin.isTTY === true) {
    out.note('each line is a record; Ctrl-D ends')
  }
  const run = new Run(producer, out, lineOptions(topic, options))
  let code: number = EXIT.ok
  const unwatch = onSignal((signal) => {
    code = codeOfSignal(signal)
    run.stop()
  })
  try {
    await run.produce(input)
  } finally {
    unwatch()
    out.clearProgress()
    // Whoever still writes to us would keep this process waiting.
    if (input === process.stdin) process.stdin.destroy()
  }
  if (options.quiet !== true) out.line(`produced ${records(run.written)} to ${topic}`)
  return code
}

function lineOptions(topic: string, options: ProduceOptions): LineOptions {
  const { keySeparator, headers, partition } = options
  if (keySeparator === '') throw new CliProblem('--key-separator is empty')
  if (keySeparator !== undefined && options.json === true) {
    throw new CliProblem('--key-separator and --json exclude each other: the object has the key')
  }
  return {
    topic,
    isJson: options.json === true,
    isBase64: options.base64 === true,
    isEmptyNull: options.emptyAsNull === true,
    keySeparator: keySeparator === undefined ? null : Buffer.from(keySeparator),
    headers,
    partition,
  }
}

function openInput(file: string | undefined): AsyncIterable<Buffer> {
  return file === undefined || file === '-' ? process.stdin : readFile(file)
}

async function* readFile(file: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(file, { highWaterMark: 1 << 18 })
  } catch (problem) {
    throw new CliProblem(`cannot read ${file}: ${(problem as Error).message}`, EXIT.usage)
  }
}

/** One run: what was read, written, and the first line that failed. */
class Run {
  written = 0
  readonly #producer: Producer
  readonly #out: Output
  readonly #options: LineOptions
  #line = 0
  #bytes = 0
  #failed: { readonly line: number; readonly problem: unknown } | null = null
  #isStopped = false
  #stop: () => void = () => {}
  readonly #stopped = new Promise<void>((resolve) => {
    this.#stop = resolve
  })

  constructor(producer: Producer, out: Output, options: LineOptions) {
    this.#producer = producer
    this.#out = out
    this.#options = options
  }

  /** Reads no more; what was read is still written. */
  stop(): void {
    this.#isStopped = true
    this.#stop()
  }

  /** Raises the problem of the first line that failed. */
  async produce(input: AsyncIterable<Buffer>): Promise<void> {
    const batches = linesOf(input)
    for (;;) {
      const next = batches.next()
      next.catch(() => {}) // nobody waits for it any more when reading was stopped
      const read = await Promise.race([next, this.#stopped])
      if (read === undefined || read.done === true) break
      await this.#sendAll(read.value)
      if (this.#isStopped) break
      this.#out.progress(() => `${records(this.written)} written, ${formatBytes(this.#bytes)} read`)
    }
    await this.#producer.close()
    if (this.#failed !== null) throw this.#explain(this.#failed.line, this.#failed.problem)
  }

  async #sendAll(lines: readonly Buffer[]): Promise<void> {
    for (const line of lines) {
      this.#line++
      this.#bytes += line.length
      this.#send(line)
      if (this.#line % 256 === 0) await this.#producer.room()
      if (this.#isStopped) return
    }
    await this.#producer.room()
  }

  #send(line: Buffer): void {
    const number = this.#line
    try {
      const record = recordOfLine(line, this.#options)
      this.#producer.send(record).then(
        () => {
          this.written++
        },
        (problem) => this.#fail(number, problem),
      )
    } catch (problem) {
      this.#fail(number, problem)
    }
  }

  #fail(line: number, problem: unknown): void {
    if (this.#failed === null || line < this.#failed.line) this.#failed = { line, problem }
    this.stop()
  }

  #explain(line: number, problem: unknown): unknown {
    const written = `${records(this.written)} of ${this.#line} lines written`
    if (problem instanceof LineError) {
      return new CliProblem(`line ${line}: ${problem.message}`, EXIT.usage, written)
    }
    const known = clientProblem(problem)
    if (known === null) return problem
    return new CliProblem(`line ${line}: ${known.message}`, known.code, written)
  }
}

const records = (count: number): string => `${count} record${count === 1 ? '' : 's'}`
