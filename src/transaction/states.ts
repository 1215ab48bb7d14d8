// The states of a transaction, with their numbers in the log, their names in answers, and the only ways between them.
//
// Invariant: a record is decided only where this table has a way; replay trusts the log.
// Kafka: TransactionState. PrepareEpochFence lives in Kafka's memory alone, and is not needed where a decision is one
// step; Dead is what a tombstone is on its way there.

export type TransactionState =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'
  | 'Dead'

interface StateRow {
  readonly id: number
  /** States it may come from. */
  readonly from: readonly TransactionState[]
  /** Nothing is open: an idle id may be forgotten, and another producer may take it over at once. */
  readonly isSettled: boolean
}

/** Every state, by name. */
export const STATES: Readonly<Record<TransactionState, StateRow>> = {
  Empty: { id: 0, from: ['Empty', 'CompleteCommit', 'CompleteAbort'], isSettled: true },
  Ongoing: {
    id: 1,
    from: ['Empty', 'Ongoing', 'CompleteCommit', 'CompleteAbort'],
    isSettled: false,
  },
  PrepareCommit: { id: 2, from: ['Ongoing'], isSettled: false },
  // From a settled state: an abort of nothing, which bumps the epoch all the same (KIP-890 part 2).
  PrepareAbort: {
    id: 3,
    from: ['Ongoing', 'Empty', 'CompleteCommit', 'CompleteAbort'],
    isSettled: false,
  },
  CompleteCommit: { id: 4, from: ['PrepareCommit'], isSettled: true },
  CompleteAbort: { id: 5, from: ['PrepareAbort'], isSettled: true },
  Dead: { id: 6, from: ['Empty', 'CompleteCommit', 'CompleteAbort'], isSettled: false },
}

const NAMES = new Map(
  Object.entries(STATES).map(([name, { id }]) => [id, name as TransactionState]),
)

/** The state of a number in the log; Dead for numbers that are none. */
export function stateOf(id: number): TransactionState {
  return NAMES.get(id) ?? 'Dead'
}

/** Whether the name is of a state that a filter may ask for. */
export function isStateName(name: string): name is TransactionState {
  return Object.hasOwn(STATES, name)
}

/** Whether a transaction may go from one state to another. */
export function canMove(from: TransactionState, to: TransactionState): boolean {
  return STATES[to].from.includes(from)
}

/** Whether the end is decided, and its markers are not all written. */
export function isEnding({ state }: { readonly state: TransactionState }): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}
