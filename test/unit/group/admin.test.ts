// What operators see of groups, and how they delete them.

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { GROUP, GroupBench, text } from './bench.ts'

function list(bench: GroupBench, statesFilter: string[] = [], typesFilter: string[] = []) {
  const request = { statesFilter, typesFilter }
  return bench.ask<'listGroups'>({ kind: 'listGroups', version: 5, request }).response.groups!
}

function describeGroup(bench: GroupBench, groupId = GROUP, version = 6) {
  const reply = bench.ask<'describeGroups'>({
    kind: 'describeGroups',
    version,
    groupIds: [groupId],
  })
  return reply.groups[0]!
}

function remove(bench: GroupBench, ...groupIds: string[]) {
  const { results } = bench.ask<'deleteGroups'>({ kind: 'deleteGroups', groupIds })
  return results.map(({ errorCode }) => errorCode)
}

describe('group: admin', () => {
  it('group: admin: list filters by state and type, whatever the case', () => {
    const bench = new GroupBench()
    bench.stableGroup([{}])
    bench.commit({ orders: 1 }, { groupId: 'simple' })
    expect(list(bench)).toEqual([
      { groupId: GROUP, protocolType: 'consumer', groupState: 'Stable', groupType: 'classic' },
      { groupId: 'simple', protocolType: '', groupState: 'Empty', groupType: 'classic' },
    ])
    const ids = (states: string[], types: string[] = []) =>
      list(bench, states, types).map(({ groupId }) => groupId)
    expect(ids(['stable'])).toEqual([GROUP])
    expect(ids(['EMPTY', ' Dead '])).toEqual(['simple'])
    expect(ids([], ['Classic'])).toHaveLength(2)
    expect(ids([], ['consumer'])).toEqual([])
  })

  it('group: admin: describe shows subscriptions only of a stable group', () => {
    const bench = new GroupBench()
    const [memberId] = bench.stableGroup([{ clientId: 'app' }])
    const stable = describeGroup(bench)
    expect(stable).toMatchObject({
      errorCode: 0,
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolData: 'range',
      members: [{ memberId, clientId: 'app', clientHost: '/127.0.0.1', groupInstanceId: null }],
    })
    expect(stable.members[0]!.memberMetadata.length).toBeGreaterThan(0)
    expect(text(stable.members[0]!.memberAssignment)).toBe('part 0')
    bench.sendJoinTwice()
    const rebalancing = describeGroup(bench)
    expect(rebalancing).toMatchObject({ groupState: 'PreparingRebalance', protocolData: '' })
    expect(rebalancing.members[0]!.memberMetadata).toHaveLength(0)
  })

  it('group: admin: describe of a group that is not there is dead, and an error from version 6 on', () => {
    const bench = new GroupBench()
    expect(describeGroup(bench, 'x', 5)).toMatchObject({ errorCode: 0, groupState: 'Dead' })
    expect(describeGroup(bench, 'x', 6)).toMatchObject({
      errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
      errorMessage: 'Group x not found.',
      groupState: 'Dead',
    })
  })

  it('group: admin: delete takes an empty group with its offsets, and nothing else', () => {
    const bench = new GroupBench()
    bench.stableGroup([{}])
    bench.commit({ 'orders:0': 1, 'orders:1': 2 }, { groupId: 'simple' })
    expect(remove(bench, GROUP, 'x', 'simple', 'simple')).toEqual([
      ErrorCode.NON_EMPTY_GROUP,
      ErrorCode.GROUP_ID_NOT_FOUND,
      0,
      0,
    ])
    expect(bench.records.map(({ type, value }) => [type, value])).toEqual([
      ['OffsetCommit', null],
      ['OffsetCommit', null],
      ['GroupMetadata', null],
    ])
    expect(list(bench)).toHaveLength(1)
    bench.reload()
    expect(list(bench)).toHaveLength(1)
  })

  it('group: admin: an id that was handed out dies with its group', () => {
    const bench = new GroupBench()
    const { memberId } = bench.joinReply(bench.sendJoin())
    expect(remove(bench, GROUP)).toEqual([0])
    expect(bench.joinReply(bench.sendJoin({ memberId: memberId! })).errorCode).toBe(25)
    bench.advance(60_000)
    expect(bench.shard.groups.size).toBe(0)
  })
})
