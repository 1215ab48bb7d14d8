// What a family of records has touched since the image was last published.
//
// Invariant: for each key the value kept is the one that readers saw at the last publish, however
// often it changed since; a key that came back to the same object still counts as touched. This is
// what lets one mutable image serve cheap deltas: nothing is copied but what changed.

/** A key's value at the last publish and now; undefined means absent. */
export interface Change<Value> {
  before: Value | undefined
  after: Value | undefined
}

/** Remembers the published value of every key that is touched. */
export class Changes<Key, Value> {
  private touched = new Map<Key, Value | undefined>()

  /** Must be called before each change with the value the key has at that moment. */
  note(key: Key, before: Value | undefined): void {
    if (!this.touched.has(key)) this.touched.set(key, before)
  }

  has(key: Key): boolean {
    return this.touched.has(key)
  }

  /** Hands out the changes since the last call and starts anew. */
  take(now: (key: Key) => Value | undefined): Map<Key, Change<Value>> {
    const out = new Map<Key, Change<Value>>()
    for (const [key, before] of this.touched) out.set(key, { before, after: now(key) })
    this.touched = new Map()
    return out
  }
}
