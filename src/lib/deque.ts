// A double-ended queue in a ring buffer, with a maximum. Array.shift moves every element once the
// array is long; this never does.
//
// Invariant: it never holds more than `max` items: pushing beyond it returns false, and the caller
// decides what a full queue means. Capacity is a power of two and grows by doubling up to `max`.

/** A ring-buffer queue that refuses to grow past its maximum. */
export class Deque<T> {
  readonly max: number
  private ring: (T | undefined)[] = new Array(8)
  private head = 0
  private count = 0

  constructor(max: number) {
    if (!(max > 0)) throw new Error(`a queue needs a maximum above zero, not ${max}`)
    this.max = max
  }

  get size(): number {
    return this.count
  }

  get isEmpty(): boolean {
    return this.count === 0
  }

  get isFull(): boolean {
    return this.count >= this.max
  }

  /** Adds at the back; false when the queue is full. */
  push(item: T): boolean {
    if (this.isFull) return false
    if (this.count === this.ring.length) this.grow()
    this.ring[(this.head + this.count) & (this.ring.length - 1)] = item
    this.count++
    return true
  }

  /** Adds at the front; false when the queue is full. */
  unshift(item: T): boolean {
    if (this.isFull) return false
    if (this.count === this.ring.length) this.grow()
    this.head = (this.head - 1) & (this.ring.length - 1)
    this.ring[this.head] = item
    this.count++
    return true
  }

  /** Removes from the front. */
  shift(): T | undefined {
    if (this.count === 0) return undefined
    const item = this.ring[this.head]
    this.ring[this.head] = undefined
    this.head = (this.head + 1) & (this.ring.length - 1)
    this.count--
    return item
  }

  /** Removes from the back. */
  pop(): T | undefined {
    if (this.count === 0) return undefined
    this.count--
    const at = (this.head + this.count) & (this.ring.length - 1)
    const item = this.ring[at]
    this.ring[at] = undefined
    return item
  }

  /** The item at a position counted from the front. */
  at(position: number): T | undefined {
    if (position < 0 || position >= this.count) return undefined
    return this.ring[(this.head + position) & (this.ring.length - 1)]
  }

  clear(): void {
    this.ring = new Array(8)
    this.head = 0
    this.count = 0
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = 0; i < this.count; i++) yield this.at(i) as T
  }

  private grow(): void {
    const next: (T | undefined)[] = new Array(this.ring.length * 2)
    for (let i = 0; i < this.count; i++) next[i] = this.at(i)
    this.ring = next
    this.head = 0
  }
}
