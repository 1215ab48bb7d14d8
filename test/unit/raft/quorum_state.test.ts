// The quorum-state file: both versions, as Kafka writes them, and what must be refused.
import { describe, expect, test } from 'vitest'
import {
  CorruptQuorumState,
  decodeQuorumState,
  encodeQuorumState,
} from '../../../src/raft/quorum_state.ts'

const directoryId = 'J8aAPcfLQt2bqs1JT_rMgQ'

describe('raft: quorum-state', () => {
  test('raft: quorum-state: version 1 as Kafka writes it', () => {
    const state = { epoch: 2, leaderId: null, votedKey: { id: 1, directoryId } }
    const content = encodeQuorumState(state, 1, [1])
    expect(content).toBe(
      `{"leaderId":-1,"leaderEpoch":2,"votedId":1,"votedDirectoryId":"${directoryId}","data_version":1}`,
    )
    expect(decodeQuorumState(content)).toEqual(state)
  })

  test('raft: quorum-state: version 0 as Kafka writes it', () => {
    const state = { epoch: 2, leaderId: 1, votedKey: null }
    const content = encodeQuorumState(state, 0, [1, 2])
    expect(content).toBe(
      '{"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,' +
        '"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}',
    )
    expect(decodeQuorumState(content)).toEqual(state)
    expect(decodeQuorumState(encodeQuorumState(state, 0, []))).toEqual(state)
  })

  test('raft: quorum-state: a vote without a directory stays without one', () => {
    const state = { epoch: 9, leaderId: 4, votedKey: { id: 3, directoryId: null } }
    expect(decodeQuorumState(encodeQuorumState(state, 1, []))).toEqual(state)
  })

  test('raft: quorum-state: torn, foreign or newer content is refused', () => {
    const good = encodeQuorumState({ epoch: 2, leaderId: 1, votedKey: null }, 1, [])
    const bad = ['', '{}', '[]', '"x"', good.replace('_version":1', '_version":2'), `${good}}`]
    for (let end = 0; end < good.length; end++) bad.push(good.slice(0, end))
    bad.push(good.replace('"leaderEpoch":2,', ''), good.replace(':2,', ':"2",'))
    for (const content of bad) {
      expect(() => decodeQuorumState(content), content).toThrow(CorruptQuorumState)
    }
  })
})
