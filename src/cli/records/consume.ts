// `ottla consume`: prints records as they come. It ends behind --max records, at the end (-e), on SIGINT or SIGTERM, or
// when nobody reads any more (`| head`): always by leaving the group and with code 0. A second signal ends it at once.
//
// Invariant: on every orderly end what is committed was written; what a closed pipe swallowed is not committed.
// Kafka: ConsoleConsumer.

import { Cluster } from '../../client/cluster.ts'
import { Consumer } from '../../client/consumer.ts'
import { isAbandoned } from '../../plane/native.ts'
import { clusterOptionsOf } from '../connect.ts'
import { CliProblem, EXIT } from '../output/problems.ts'
import type { ConsumeOptions } from './command.ts'
import { customFormat, jsonFormat, type RecordFormat, valueFormat } from './format.ts'
import { onSignal } from './signals.ts'

/** What is gathered before it is written, when records come faster than they are printed. */
const WRITE_BYTES = 64 << 10
/** How often a silent consumer looks whether anybody reads. */
const LOOK_MS = 250

/** Consumes until there is a reason to end; the exit code. */
export async function consumeCommand(
  topics: readonly string[],
  options: ConsumeOptions,
): Promise<number> {
  const format = formatOf(options)
  const {
    partition,
    from,
    max = Number.POSITIVE_INFINITY,
    group,
    untilEnd,
    readCommitted,
  } = options
  await using cluster = await Cluster.connect(await clusterOptionsOf(options))
  const consumer = new Consumer(cluster, {
    ...(partition.length === 0
      ? { topics }
      : {
          partitions: topics.flatMap((topic) =>
            [...new Set(partition)].map((number) => ({ topic, partition: number })),
          ),
        }),
    from,
    ...(untilEnd === true ? { until: 'end' } : {}),
    ...(group === undefined ? {} : { groupId: group }),
    isolation: readCommitted === true ? 'read_committed' : 'read_uncommitted',
  })
  const printer = new Printer(() => void consumer.close({ isCommitted: false }))
  const unwatch = onSignal(() => void printer.flush().then(() => consumer.close()))
  try {
    if (max > 0) await print(consumer, printer, format, max)
    await printer.flush()
  } finally {
    unwatch()
    printer.close()
  }
  return EXIT.ok
}

async function print(
  consumer: Consumer,
  printer: Printer,
  format: RecordFormat,
  max: number,
): Promise<void> {
  let count = 0
  for await (const record of consumer) {
    format(record, printer.pieces)
    if (++count >= max) {
      await printer.flush()
      return
    }
    if (printer.isFull()) await printer.flush()
    if (printer.isBroken) return
  }
}

function formatOf({ format, json }: ConsumeOptions): RecordFormat {
  if (format !== undefined && json === true) {
    throw new CliProblem('--format and --json exclude each other')
  }
  if (json === true) return jsonFormat
  return format === undefined ? valueFormat : customFormat(format)
}

/** Standard output: gathers while the loop is busy, writes when it turns, and notices when nobody reads. */
class Printer {
  readonly pieces: Uint8Array[] = []
  isBroken = false
  #isTurning = false
  #counted = 0
  #bytes = 0
  /** Until the system has taken what was written. */
  #drained: Promise<void> | null = null
  #resume: () => void = () => {}
  readonly #onBroken: () => void
  readonly #watch: NodeJS.Timeout

  constructor(onBroken: () => void) {
    this.#onBroken = onBroken
    process.stdout.on('error', (problem: NodeJS.ErrnoException) => {
      if (problem.code !== 'EPIPE') throw problem
      this.#break()
    })
    // A reader may end while nothing comes: who has no more to write would not hear of it.
    this.#watch = setInterval(() => {
      if (isAbandoned(process.stdout.fd)) this.#break()
    }, LOOK_MS)
  }

  /** Nothing is written any more. */
  close(): void {
    clearInterval(this.#watch)
  }

  /** Call after each record: true when what is gathered should be written now. */
  isFull(): boolean {
    for (; this.#counted < this.pieces.length; this.#counted++) {
      this.#bytes += this.pieces[this.#counted]!.length
    }
    if (this.#bytes >= WRITE_BYTES) return true
    if (this.#isTurning || this.pieces.length === 0) return false
    this.#isTurning = true
    setImmediate(() => {
      this.#isTurning = false
      void this.flush()
    })
    return false
  }

  /** Writes what is gathered; resolves when there is room for more. */
  async flush(): Promise<void> {
    if (this.pieces.length === 0 || this.isBroken) return
    const bytes = Buffer.concat(this.pieces.splice(0))
    this.#counted = 0
    this.#bytes = 0
    const hasRoom = process.stdout.write(bytes)
    if (!hasRoom && this.#drained === null) {
      this.#drained = new Promise((resolve) => {
        this.#resume = resolve
        process.stdout.once('drain', () => this.#goOn())
      })
    }
    await this.#drained
  }

  #goOn(): void {
    this.#drained = null
    this.#resume()
  }

  #break(): void {
    if (this.isBroken) return
    this.isBroken = true
    this.#goOn()
    this.#onBroken()
  }
}
