// Commits of transactions that have not ended, beside those of none: of two for one partition the later one in the log counts.

import { expect, test } from 'vitest'
import { offsetCommitRecord, offsetTombstone } from '../../../src/group/records.ts'
import { GroupTruth } from '../../../src/group/truth.ts'
import { ZERO_UUID } from '../../../src/lib/uuid.ts'

const KEY = { group: 'g', topic: 't', partition: 0 }

const commit = (offset: bigint) =>
  offsetCommitRecord(KEY, {
    offset,
    leaderEpoch: -1,
    metadata: '',
    commitTimestamp: 1n,
    expireTimestamp: -1n,
    topicId: ZERO_UUID,
  })

const committed = (truth: GroupTruth) => truth.offset('g', 't', 0)?.offset

test('a pending commit counts from the commit of its transaction on, and not at all after its abort', () => {
  const truth = new GroupTruth()
  truth.replay(commit(1n), 0)
  truth.hold(commit(5n), 1, 77)
  expect(committed(truth)).toBe(1n)
  expect(truth.pending.has('g', 't', 0)).toBe(true)
  truth.endTransaction(77, false)
  expect([committed(truth), truth.pending.has('g', 't', 0)]).toEqual([1n, false])
  truth.hold(commit(6n), 3, 77)
  truth.endTransaction(77, true)
  expect(committed(truth)).toBe(6n)
})

test('a commit of no transaction that came after the pending one stays', () => {
  const truth = new GroupTruth()
  truth.hold(commit(5n), 1, 77)
  truth.replay(commit(9n), 2)
  truth.endTransaction(77, true)
  expect(committed(truth)).toBe(9n)
})

test('of two transactions the later commit counts, in whichever order they end', () => {
  for (const order of [
    [77, 78],
    [78, 77],
  ]) {
    const truth = new GroupTruth()
    truth.hold(commit(5n), 1, 77)
    truth.hold(commit(8n), 2, 78)
    for (const producerId of order) truth.endTransaction(producerId, true)
    expect(committed(truth)).toBe(8n)
  }
})

test('a tombstone takes what is pending with it', () => {
  const truth = new GroupTruth()
  truth.hold(commit(5n), 1, 77)
  truth.replay(offsetTombstone(KEY), 2)
  truth.endTransaction(77, true)
  expect(committed(truth)).toBeUndefined()
  expect([...truth.pending.groups()]).toEqual([])
})
