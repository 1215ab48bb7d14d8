// Keyed deadlines. One TimerQueue per machine or host; arming a key again moves its deadline.
//
// Invariant: timers fire in the order of (deadline, moment of arming), never in the order of a hash,
// so the same inputs always fire in the same order. A binary heap holds the entries; a moved or
// cancelled entry stays in the heap as a stale one and is dropped when it surfaces, and the heap is
// rebuilt when stale entries outnumber live ones, so a timer that is moved forever costs nothing.

interface Entry<Key> {
  key: Key
  deadlineMs: number
  sequence: number
}

/** Deadlines by key; fires by (deadline, insertion). */
export class TimerQueue<Key> {
  private readonly live = new Map<Key, Entry<Key>>()
  private heap: Entry<Key>[] = []
  private sequence = 0

  /** How many keys are armed. */
  get size(): number {
    return this.live.size
  }

  /** Arms or moves a key. */
  arm(key: Key, deadlineMs: number): void {
    const entry = { key, deadlineMs, sequence: this.sequence++ }
    this.live.set(key, entry)
    this.push(entry)
    if (this.heap.length > 64 && this.heap.length > 2 * this.live.size) this.rebuild()
  }

  /** Disarms a key; says whether it was armed. */
  cancel(key: Key): boolean {
    return this.live.delete(key)
  }

  /** Arms, moves, or (with null) cancels: the shape decisions speak in. */
  set(key: Key, deadlineMs: number | null): void {
    if (deadlineMs === null) this.cancel(key)
    else this.arm(key, deadlineMs)
  }

  /** The deadline of a key, or undefined when it is not armed. */
  deadlineOf(key: Key): number | undefined {
    return this.live.get(key)?.deadlineMs
  }

  /** The earliest deadline, or undefined when nothing is armed. */
  nextDeadlineMs(): number | undefined {
    this.dropStale()
    return this.heap[0]?.deadlineMs
  }

  /** Removes and returns the first key that is due at `nowMs`, or undefined. */
  pop(nowMs: number): Key | undefined {
    this.dropStale()
    const first = this.heap[0]
    if (first === undefined || first.deadlineMs > nowMs) return undefined
    this.removeFirst()
    this.live.delete(first.key)
    return first.key
  }

  /** Disarms everything. */
  clear(): void {
    this.live.clear()
    this.heap = []
  }

  private dropStale(): void {
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (this.live.get(first.key) === first) return
      this.removeFirst()
    }
  }

  private rebuild(): void {
    this.heap = [...this.live.values()].sort((x, y) => (before(x, y) ? -1 : 1))
  }

  private push(entry: Entry<Key>): void {
    const heap = this.heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(entry, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  private removeFirst(): void {
    const heap = this.heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function before<Key>(x: Entry<Key>, y: Entry<Key>): boolean {
  return x.deadlineMs < y.deadlineMs || (x.deadlineMs === y.deadlineMs && x.sequence < y.sequence)
}
