// Where commands write: results on stdout, remarks and progress on stderr. Tables or JSON, never both.
//
// Invariant: stdout holds the result alone, so that it can be piped; a reader that goes away (`| head`) ends the
// process quietly. Progress is shown only where stderr is a terminal, and leaves nothing behind.

import { formatJson, type Json } from '../../protocol/json.ts'
import { EXIT } from './problems.ts'
import { type Cell, type Column, formatTable } from './table.ts'
import { type Paint, paintFor, printable } from './text.ts'

export type { Json } from '../../protocol/json.ts'

/** What a command says, and how. */
export class Output {
  readonly isJson: boolean
  readonly paint: Paint
  readonly #width: number | null
  #hasProgress = false
  #shownAtMs = 0

  constructor(options: { json?: boolean | undefined } = {}) {
    const { stdout, stderr } = process
    this.isJson = options.json === true
    this.paint = paintFor(stdout.isTTY === true)
    this.#width = stdout.isTTY === true && stdout.columns > 0 ? stdout.columns : null
    quietWhenNobodyReads(stdout)
    quietWhenNobodyReads(stderr)
  }

  /** A table; with no rows, the remark on stderr. */
  table(columns: readonly Column[], rows: readonly (readonly Cell[])[], whenEmpty = ''): void {
    this.clearProgress()
    if (rows.length === 0) {
      if (whenEmpty !== '') this.note(whenEmpty)
      return
    }
    const lines = formatTable(columns, rows, { width: this.#width, paint: this.paint })
    process.stdout.write(`${lines.join('\n')}\n`)
  }

  /** One line on stdout; the caller has made it printable. */
  line(text = ''): void {
    this.clearProgress()
    process.stdout.write(`${text}\n`)
  }

  /** One JSON value on a line of its own. */
  json(value: Json): void {
    this.clearProgress()
    process.stdout.write(`${formatJson(value)}\n`)
  }

  /** Text as it is; resolves when there is room for more. */
  async write(text: string): Promise<void> {
    this.clearProgress()
    if (process.stdout.write(text)) return
    await new Promise<void>((resolve) => process.stdout.once('drain', () => resolve()))
  }

  /** A remark on stderr: not part of the result. */
  note(text: string): void {
    this.clearProgress()
    process.stderr.write(`${printable(text)}\n`)
  }

  /** A problem on stderr that does not end the command. */
  problem(text: string): void {
    this.note(`ottla: ${text}`)
  }

  /** Shows how far a long task is, at most ten times a second, on a terminal only. */
  progress(text: () => string): void {
    if (process.stderr.isTTY !== true) return
    const now = performance.now()
    if (now - this.#shownAtMs < 100) return
    this.#shownAtMs = now
    this.#hasProgress = true
    process.stderr.write(`\r\x1b[K${printable(text())}`)
  }

  /** Takes the line of progress away. */
  clearProgress(): void {
    if (!this.#hasProgress) return
    this.#hasProgress = false
    process.stderr.write('\r\x1b[K')
  }
}

const watched = new WeakSet<NodeJS.WriteStream>()

function quietWhenNobodyReads(stream: NodeJS.WriteStream): void {
  if (watched.has(stream)) return
  watched.add(stream)
  stream.on('error', (problem: NodeJS.ErrnoException) => {
    if (problem.code === 'EPIPE') process.exit(EXIT.ok)
    throw problem
  })
}

/** Bytes as JSON: text where they are UTF-8, else `{"base64": …}`; null stays null. */
export function bytesToJson(bytes: Uint8Array | null): Json {
  if (bytes === null) return null
  return textOfBytes(bytes) ?? { base64: Buffer.from(bytes).toString('base64') }
}

/** Bytes for people: quoted text where they are UTF-8, else hexadecimal; null as null. */
export function bytesToText(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const text = textOfBytes(bytes)
  return text === null ? `0x${Buffer.from(bytes).toString('hex')}` : printable(JSON.stringify(text))
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOfBytes(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null // not UTF-8
  }
}
