// The trace of a run: what happened, line by line, and a fingerprint of all of it.
// Two runs of one seed must have equal fingerprints, or the simulation is not one (DESIGN §12). Only the last
// lines are kept unless all are asked for: a long run has millions.

const KEPT_LINES = 400
const FNV_PRIME = 0x01000193

/** A rule was broken; the message says which. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** Lines of one run. */
export class Trace {
  count = 0
  private hash = 0x811c9dc5
  private lines: string[] = []
  private readonly limit: number
  private readonly print: ((line: string) => void) | null

  constructor(options: { keepAll?: boolean; print?: (line: string) => void } = {}) {
    this.limit = options.keepAll === true ? Number.POSITIVE_INFINITY : KEPT_LINES
    this.print = options.print ?? null
  }

  add(line: string): void {
    this.count++
    for (let at = 0; at < line.length; at++) {
      this.hash = Math.imul(this.hash ^ line.charCodeAt(at), FNV_PRIME)
    }
    this.hash = Math.imul(this.hash ^ 10, FNV_PRIME)
    this.lines.push(line)
    if (this.lines.length >= 2 * this.limit) this.lines = this.lines.slice(-this.limit)
    this.print?.(line)
  }

  /** The last lines, oldest first. */
  tail(count = KEPT_LINES): readonly string[] {
    return this.lines.slice(-count)
  }

  /** Equal when every line was. */
  get fingerprint(): string {
    return `${this.count}:${(this.hash >>> 0).toString(16).padStart(8, '0')}`
  }
}
