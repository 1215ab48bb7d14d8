// Exit codes, and problems that are told in words. Light on purpose: every command loads this file, so it knows
// nothing of brokers or clients.

/** What the process ends with, for scripts; docs/HACKING.md has the table. */
export const EXIT = Object.freeze({
  ok: 0,
  /** A bug, or a disk that failed under a running broker. */
  internal: 1,
  /** The command line or the configuration: nothing was touched. */
  usage: 2,
  /** A data directory: not formatted, locked, of another cluster, newer than we understand. */
  directory: 3,
  /** The start was refused: a port is taken, or what the metadata holds is not enforced here. */
  refused: 4,
  /** The cluster said no, wholly or to a part of what was asked. */
  answer: 5,
  /** The cluster cannot be reached, or did not answer in time. */
  unreachable: 6,
  /** A file is damaged: torn, or a checksum does not match. */
  damaged: 7,
})

/** A problem with words and an exit code: what happened, and in `hint` what to do. */
export class CliProblem extends Error {
  override readonly name = 'CliProblem'
  readonly code: number
  readonly hint: string | null

  constructor(message: string, code: number = EXIT.usage, hint: string | null = null) {
    super(message)
    this.code = code
    this.hint = hint
  }
}

/** What a command leaves behind for the process: its exit code. */
export interface Outcome {
  code: number
}
