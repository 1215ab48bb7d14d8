// The content of the quorum-state file: the term, who leads it, and whom this node voted for.
//
// Invariant: what encode writes, Kafka's FileQuorumStateStore reads, and the other way round. One
// line of JSON; version 0 for a static quorum (kraft.version 0) lists the voters, version 1 adds the
// directory id of the candidate voted for. Fields stand in the order in which Kafka writes them.
// Kafka: QuorumStateData, FileQuorumStateStore, ElectionState.

import { NO_DIRECTORY, type ReplicaKey } from './voters.ts'

/** What must survive a crash so that no term ever has two leaders. */
export interface ElectionState {
  epoch: number
  leaderId: number | null
  /** The candidate this node granted its vote in this epoch, if any. */
  votedKey: ReplicaKey | null
}

/** The state of a node that has taken part in nothing yet. */
export const INITIAL_ELECTION_STATE: ElectionState = Object.freeze({
  epoch: 0,
  leaderId: null,
  votedKey: null,
})

/** A quorum-state file that cannot be trusted; it stops the start. */
export class CorruptQuorumState extends Error {
  readonly code = 'CORRUPT_QUORUM_STATE'
}

/** The file's content; `voterIds` is used by version 0 only. */
export function encodeQuorumState(
  state: ElectionState,
  version: 0 | 1,
  voterIds: readonly number[],
): string {
  const leaderId = state.leaderId ?? -1
  const votedId = state.votedKey?.id ?? -1
  if (version === 0) {
    return JSON.stringify({
      clusterId: '',
      leaderId,
      leaderEpoch: state.epoch,
      votedId,
      appliedOffset: 0,
      currentVoters: voterIds.map((voterId) => ({ voterId })),
      data_version: 0,
    })
  }
  return JSON.stringify({
    leaderId,
    leaderEpoch: state.epoch,
    votedId,
    votedDirectoryId: state.votedKey?.directoryId ?? NO_DIRECTORY,
    data_version: 1,
  })
}

/** Reads either version; throws CorruptQuorumState on anything else. */
export function decodeQuorumState(content: string): ElectionState {
  const fields = parseObject(content)
  const version = fields['data_version']
  if (version !== 0 && version !== 1) {
    throw new CorruptQuorumState(`data_version ${String(version)} is neither 0 nor 1`)
  }
  const epoch = wholeNumber(fields, 'leaderEpoch')
  const leaderId = wholeNumber(fields, 'leaderId')
  const votedId = wholeNumber(fields, 'votedId')
  const directory = version === 1 ? fields['votedDirectoryId'] : NO_DIRECTORY
  if (typeof directory !== 'string') throw new CorruptQuorumState('votedDirectoryId is missing')
  const directoryId = directory === NO_DIRECTORY ? null : directory
  return {
    epoch,
    leaderId: leaderId < 0 ? null : leaderId,
    votedKey: votedId < 0 ? null : { id: votedId, directoryId },
  }
}

/** One flat object of whole numbers, plain strings and the list of voters: what Kafka writes. */
const VALUE = String.raw`(-?\d{1,15}|"[\w+/=-]*"|null|\[(\{"voterId":\d{1,10}\},?)*\])`
const FLAT = new RegExp(String.raw`^\{("\w+":${VALUE}(,"\w+":${VALUE})*)\}$`)

function parseObject(content: string): Record<string, unknown> {
  // Kafka reads the first line only; a torn or empty file must not look like epoch 0.
  const line = content.split('\n', 1)[0]!.replaceAll(/\s/g, '').replaceAll(',]', ']')
  if (!FLAT.test(line)) throw new CorruptQuorumState('not one line of JSON as Kafka writes it')
  return JSON.parse(line) as Record<string, unknown>
}

function wholeNumber(fields: Record<string, unknown>, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < -1) {
    throw new CorruptQuorumState(`${name} is missing or not a whole number`)
  }
  return value
}
