// What a reader of files finds, one after the other: plain data, printed as JSON as it is or as text by print.ts.

import type { Json } from '../../protocol/json.ts'

/** What a file is, by its name. */
export type FileType =
  | 'segment'
  | 'snapshot'
  | 'offset-index'
  | 'time-index'
  | 'transaction-index'
  | 'producer-snapshot'
  | 'checkpoint'
  | 'text'

/** What is wrong with a file. */
export type ProblemKind =
  | 'torn'
  | 'crc'
  | 'malformed'
  | 'order'
  | 'old-format'
  | 'index'
  | 'unreadable'

export type Fields = { [name: string]: Json }

/** One thing found. `entry` is a line of an index, a checkpoint or a snapshot of producers. */
export type Finding =
  | { readonly kind: 'batch'; readonly fields: Fields }
  | { readonly kind: 'record'; readonly fields: Fields }
  | { readonly kind: 'entry'; readonly fields: Fields }
  | { readonly kind: 'note'; readonly message: string }
  | {
      readonly kind: 'problem'
      readonly problem: ProblemKind
      readonly position: number
      readonly message: string
    }

/** Something wrong at `position`, in bytes from the file's start. */
export function problem(problem: ProblemKind, position: number, message: string): Finding {
  return { kind: 'problem', problem, position, message }
}
