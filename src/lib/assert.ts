// Assertions: always on, in production too. A failed assertion is a bug in this program, never a
// fact about the world: bytes from outside raise MalformedFrame, disks and peers are inputs.
// The thrown AssertionFailed is not meant to be caught; it ends the process (DESIGN §9).

/** A bug in this program. Nothing but the crash handler catches it. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed'
}

/** Stops the program when `condition` does not hold. */
export function assert(condition: unknown, message = 'assertion failed'): asserts condition {
  if (!condition) throw new AssertionFailed(message)
}

/** Marks a place no execution can reach; with a value of type `never` it proves a switch complete. */
export function unreachable(what: string | never = 'unreachable'): never {
  throw new AssertionFailed(`unreachable: ${String(what)}`)
}

/** Asserts that `consequent` holds whenever `antecedent` does. */
export function implies(antecedent: unknown, consequent: unknown, message: string): void {
  if (antecedent && !consequent) throw new AssertionFailed(message)
}
