// A register under concurrent writers and readers: whoever asks is told the last value that was acknowledged before the
// question, or one whose writing was not over. The order of events is all the time it knows.

/** A value on its way. `end` is infinite until it is certain that the write is not under way any more. */
export interface Write {
  readonly value: number
  readonly begin: number
  end: number
  /** It was acknowledged; others may have come to pass, or not. */
  isCertain: boolean
}

/** One register; a value of null means that there is none. */
export class Register {
  private now = 0
  private writes: Write[] = []

  /** Somebody sends a value. */
  writing(value: number): Write {
    const write = { value, begin: ++this.now, end: Number.POSITIVE_INFINITY, isCertain: false }
    this.writes.push(write)
    return write
  }

  written(write: Write): void {
    write.end = ++this.now
    write.isCertain = true
    // What was over before this began explains nothing any more, and questions that are open began later than it did.
    if (this.writes.length > 100) this.prune()
  }

  /** It never came to pass. */
  refused(write: Write): void {
    this.writes = this.writes.filter((other) => other !== write)
  }

  /** What is under way has come to pass by now, or never will: its process has died. */
  cut(): void {
    this.now++
    for (const write of this.writes) write.end = Math.min(write.end, this.now)
  }

  /** Somebody asks; what is given back belongs to the answer. */
  asking(): number {
    return ++this.now
  }

  /** Whether this answer, given now to a question of that moment, can be. */
  explains(value: number | null, askedAt: number): boolean {
    const before = this.writes.filter(({ end, isCertain }) => isCertain && end <= askedAt)
    if (value === null) return before.length === 0
    const isOver = (end: number) => before.some(({ begin }) => begin > end)
    return this.writes.some((write) => write.value === value && !isOver(write.end))
  }

  /** From now on it holds this, whatever was. */
  reset(value: number | null): void {
    this.writes = []
    if (value !== null) this.written(this.writing(value))
  }

  /** What there may be, for a message. */
  get candidates(): string {
    const last = this.writes.filter(({ isCertain }) => isCertain).at(-1)
    const open = this.writes.filter(({ isCertain }) => !isCertain).map(({ value }) => value)
    return `${last?.value ?? 'none'} was acknowledged last, ${open.join(', ') || 'nothing'} is open`
  }

  private prune(): void {
    const certain = this.writes.filter(({ isCertain }) => isCertain)
    const horizon = certain.at(-50)?.begin ?? 0
    this.writes = this.writes.filter(({ end }) => end >= horizon)
  }
}
