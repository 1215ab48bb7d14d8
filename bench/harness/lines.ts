// Rows on disk, a line of JSON each, written as soon as they are known, so that a run that was stopped goes on where it
// was. The first line says what the rows depend on; whoever opens it gives that again, and another one is another file.

import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** The rows of one file. */
export class Lines<Row> {
  readonly path: string
  readonly rows: Row[] = []

  private constructor(path: string) {
    this.path = path
  }

  /** Opens or begins it; a last line that was cut short is not there. */
  static open<Row>(path: string, header: object): Lines<Row> {
    const lines = new Lines<Row>(path)
    mkdirSync(dirname(path), { recursive: true })
    if (!existsSync(path)) appendFileSync(path, `${JSON.stringify(header)}\n`)
    const whole = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    writeFileSync(path, whole.map((line) => `${line}\n`).join(''))
    for (const line of whole.slice(1)) lines.rows.push(JSON.parse(line) as Row)
    return lines
  }

  add(row: Row): void {
    this.rows.push(row)
    appendFileSync(this.path, `${JSON.stringify(row)}\n`)
  }
}
