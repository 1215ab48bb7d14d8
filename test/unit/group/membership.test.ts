// Joining, leaving, heartbeats and timeouts of classic groups: requests in, replies and records out.

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { GROUP, GroupBench, range, subscription, text } from './bench.ts'

const protocol = (name: string) => ({ name, metadata: subscription(['orders']) })

describe('group: join', () => {
  it('group: join: version 4 and later hands out an id first, in the form of Kafka', () => {
    const bench = new GroupBench()
    const reply = bench.joinReply(bench.sendJoin({ clientId: 'app' }))
    expect(reply.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED)
    expect(reply.memberId).toMatch(/^app-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/)
  })

  it('group: join: a new group is stored empty before anyone is in it', () => {
    const bench = new GroupBench()
    bench.sendJoin()
    expect(bench.records).toMatchObject([
      {
        type: 'GroupMetadata',
        version: 3,
        key: { group: GROUP },
        value: { protocolType: '', generation: 0, protocol: null, leader: null, members: [] },
      },
    ])
  })

  it('group: join: before version 4 a member is taken in at once', () => {
    const bench = new GroupBench()
    const ticket = bench.sendJoin({ version: 3 })
    expect(bench.isAnswered(ticket)).toBe(false)
    bench.advance(3000)
    expect(bench.joinReply(ticket)).toMatchObject({ errorCode: 0, generationId: 1 })
    const refused = bench.joinReply(bench.sendJoin({ version: 3, memberId: 'stranger' }))
    expect(refused.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('group: join: version 0 has its session timeout for both', () => {
    const bench = new GroupBench()
    bench.sendJoin({ version: 0, sessionTimeoutMs: 12_000, rebalanceTimeoutMs: -1 })
    expect(bench.group!.rebalanceTimeoutMs).toBe(12_000)
  })

  it.each([
    ['a session that is too short', { sessionTimeoutMs: 5999 }, 'INVALID_SESSION_TIMEOUT'],
    ['a session that is too long', { sessionTimeoutMs: 1_800_001 }, 'INVALID_SESSION_TIMEOUT'],
    ['no group id', { group: '' }, 'INVALID_GROUP_ID'],
    ['an id in a group that is not there', { memberId: 'x' }, 'UNKNOWN_MEMBER_ID'],
    ['no protocols', { protocols: [] }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['no protocol type', { protocolType: '' }, 'INCONSISTENT_GROUP_PROTOCOL'],
  ] as const)('group: join: %s is refused', (_, options, error) => {
    const bench = new GroupBench()
    const { errorCode } = bench.joinReply(bench.sendJoin(options))
    expect(errorCode).toBe(ErrorCode[error])
  })

  it('group: join: a protocol or type that others do not share is refused', () => {
    const bench = new GroupBench()
    bench.stableGroup([{}])
    const other = bench.sendJoin({ protocols: [protocol('sticky')] })
    const connect = bench.sendJoin({ protocolType: 'connect' })
    for (const ticket of [other, connect]) {
      expect(bench.joinReply(ticket).errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    }
  })

  it('group: join: the protocol most members prefer is taken, among those all speak', () => {
    const bench = new GroupBench()
    const lists = [
      ['sticky', 'range', 'mine'],
      ['range', 'sticky'],
      ['range', 'sticky'],
    ]
    const tickets = lists.map(
      (names) => bench.sendJoinTwice({ protocols: names.map(protocol) }).ticket,
    )
    bench.advance(9000)
    expect(bench.joinReply(tickets[0]!).protocolName).toBe('range')
    expect(bench.joinReply(tickets[0]!).members).toHaveLength(3)
    expect(bench.joinReply(tickets[1]!).members).toEqual([])
  })

  it('group: join: the first members are waited for, longer while they come, never past their timeout', () => {
    const bench = new GroupBench()
    const first = bench.sendJoin({ version: 3, rebalanceTimeoutMs: 7000 })
    bench.advance(2000)
    bench.sendJoin({ version: 3, rebalanceTimeoutMs: 7000 })
    bench.advance(3000)
    expect(bench.isAnswered(first)).toBe(false)
    bench.sendJoin({ version: 3, rebalanceTimeoutMs: 7000 })
    bench.advance(1999)
    expect(bench.isAnswered(first)).toBe(false)
    bench.advance(1)
    expect(bench.joinReply(first).members).toHaveLength(3)
  })

  it('group: join: group.max.size is kept, and the last to rejoin go first', () => {
    const bench = new GroupBench({ membersMax: 2 })
    const [leader, other] = bench.stableGroup([{}, {}])
    const refused = bench.joinReply(bench.sendJoin())
    expect(refused).toMatchObject({ errorCode: ErrorCode.GROUP_MAX_SIZE_REACHED, memberId: '' })
    const rejoined = bench.sendJoin({ memberId: leader! })
    bench.sendJoin({ memberId: other! })
    expect(bench.joinReply(rejoined)).toMatchObject({ errorCode: 0, generationId: 2 })
  })

  it('group: join: a group loaded above the limit is rebalanced down to it', () => {
    const bench = new GroupBench({ membersMax: 3 })
    const ids = bench.stableGroup([{}, {}, {}])
    Object.assign(bench.settings, { membersMax: 2 })
    bench.reload()
    expect(ids.map((id) => bench.heartbeat(id, 1))).toEqual([27, 27, 27])
    const tickets = ids.map((memberId) => bench.sendJoin({ memberId }))
    expect(tickets.map((ticket) => bench.joinReply(ticket).errorCode)).toEqual([0, 0, 81])
  })

  it('group: join: a follower that repeats itself hears the generation it is in', () => {
    const bench = new GroupBench()
    const [leader, follower] = bench.stableGroup([{}, {}])
    const reply = bench.joinReply(bench.sendJoin({ memberId: follower! }))
    expect(reply).toMatchObject({ generationId: 1, leader, members: [] })
    expect(bench.group!.state).toBe('Stable')
  })

  it('group: join: a leader that joins again, or a follower with news, starts a rebalance', () => {
    const bench = new GroupBench()
    const [leader, follower] = bench.stableGroup([{}, {}])
    bench.sendJoin({ memberId: leader! })
    expect(bench.heartbeat(follower!, 1)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    bench.sendJoin({ memberId: follower! })
    bench.sendSync(leader!, 2)
    bench.sendJoin({ memberId: follower!, protocols: range('orders', 'bills') })
    expect(bench.heartbeat(leader!, 2)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })

  it('group: join: a second JoinGroup of a member answers the first, so nothing is open for ever', () => {
    const bench = new GroupBench()
    const { memberId, ticket } = bench.sendJoinTwice()
    const again = bench.sendJoin({ memberId })
    expect(bench.joinReply(ticket).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    bench.advance(3000)
    expect(bench.joinReply(again)).toMatchObject({ errorCode: 0, generationId: 1, memberId })
  })

  it('group: join: protocols named twice count once', () => {
    const bench = new GroupBench()
    const twice = [...range('orders'), ...range('orders')]
    bench.stableGroup([{ protocols: twice }, {}])
    expect(bench.group).toMatchObject({ state: 'Stable', protocolName: 'range', size: 2 })
  })

  it('group: join: a dynamic member that does not rejoin in time is out', () => {
    const bench = new GroupBench()
    const [leader, lazy] = bench.stableGroup([
      { sessionTimeoutMs: 90_000 },
      { sessionTimeoutMs: 90_000 },
    ])
    const ticket = bench.sendJoin({ memberId: leader!, sessionTimeoutMs: 90_000 })
    bench.advance(59_999)
    expect(bench.isAnswered(ticket)).toBe(false)
    bench.advance(1)
    expect(bench.joinReply(ticket).members).toHaveLength(1)
    expect(bench.heartbeat(lazy!, 1)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('group: join: a new member that waits for ever is told to start over', () => {
    const bench = new GroupBench()
    const long = { sessionTimeoutMs: 1_800_000, rebalanceTimeoutMs: 1_800_000 }
    const [first] = bench.stableGroup([long])
    const { ticket } = bench.sendJoinTwice(long)
    bench.advance(5 * 60_000)
    expect(bench.joinReply(ticket).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    bench.sendJoin({ memberId: first!, ...long })
    expect(bench.group).toMatchObject({ state: 'CompletingRebalance', size: 1 })
  })
})

describe('group: static members', () => {
  const one = { instance: 'one', version: 9 }
  const two = { instance: 'two', version: 9 }

  it('group: static members: a restart keeps the assignment and disturbs nobody', () => {
    const bench = new GroupBench()
    const [leader] = bench.stableGroup([one, two])
    const old = bench.group!.staticMemberId('two')!
    const reply = bench.joinReply(bench.sendJoin(two))
    expect(reply).toMatchObject({ errorCode: 0, generationId: 1, leader, members: [] })
    expect(reply.memberId).toMatch(/^two-/)
    expect(bench.records).toHaveLength(1)
    const sync = bench.sendSync(reply.memberId!, 1, {}, { groupInstanceId: 'two' })
    expect(text(bench.syncReply(sync).assignment)).toBe('part 1')
    expect(bench.heartbeat(leader!, 1, 'one')).toBe(0)
    expect(bench.heartbeat(old, 1, 'two')).toBe(ErrorCode.FENCED_INSTANCE_ID)
  })

  it('group: static members: a leader that is back skips its assignment from version 9 on', () => {
    const bench = new GroupBench()
    bench.stableGroup([one, two])
    const reply = bench.joinReply(bench.sendJoin(one))
    expect(reply).toMatchObject({ skipAssignment: true, leader: reply.memberId })
    expect(reply.members).toHaveLength(2)
  })

  it('group: static members: before version 9 a leader that is back hears it does not lead', () => {
    const bench = new GroupBench()
    const [leader] = bench.stableGroup([one, two])
    const reply = bench.joinReply(bench.sendJoin({ ...one, version: 8 }))
    expect(reply).toMatchObject({ skipAssignment: false, leader, members: [] })
    expect(reply.memberId).not.toBe(leader)
  })

  it('group: static members: a restart that changes the protocol is a rebalance', () => {
    const bench = new GroupBench()
    const both = [...range('orders'), protocol('sticky')]
    bench.stableGroup([{ ...one, protocols: both }])
    const ticket = bench.sendJoin({ ...one, protocols: [protocol('sticky')] })
    expect(bench.joinReply(ticket)).toMatchObject({ generationId: 2, protocolName: 'sticky' })
  })

  it('group: static members: whoever waits with the old id is fenced', () => {
    const bench = new GroupBench()
    const first = bench.sendJoin(one)
    const second = bench.sendJoin(one)
    expect(bench.joinReply(first).errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
    bench.advance(6000)
    expect(bench.joinReply(second)).toMatchObject({ errorCode: 0, generationId: 1 })
  })

  it('group: static members: coming back while the leader assigns starts anew', () => {
    const bench = new GroupBench()
    const tickets = [one, two].map((options) => bench.sendJoin(options))
    bench.advance(6000)
    const [a, b] = tickets.map((ticket) => bench.joinReply(ticket).memberId!)
    const waiting = bench.sendSync(b!, 1, {}, { groupInstanceId: 'two' })
    const again = bench.sendJoin(two)
    expect(bench.syncReply(waiting).errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
    bench.sendJoin({ ...one, memberId: a! })
    expect(bench.joinReply(again).generationId).toBe(2)
  })

  it('group: static members: they keep their place past a rebalance, until their session ends', () => {
    const bench = new GroupBench()
    const long = { sessionTimeoutMs: 200_000, rebalanceTimeoutMs: 20_000 }
    const [leader] = bench.stableGroup([
      { ...one, ...long },
      { ...two, ...long },
    ])
    const ticket = bench.sendJoin({ ...one, ...long, memberId: leader! })
    bench.advance(20_000)
    expect(bench.joinReply(ticket).members).toHaveLength(2)
  })

  it('group: static members: an unknown instance and a wrong id are told apart', () => {
    const bench = new GroupBench()
    const [id] = bench.stableGroup([one])
    expect(bench.joinReply(bench.sendJoin({ memberId: id!, instance: 'x' })).errorCode).toBe(25)
    expect(bench.joinReply(bench.sendJoin({ memberId: 'x', instance: 'one' })).errorCode).toBe(82)
  })
})

describe('group: sync', () => {
  it('group: sync: the leader is stored before anyone is told; the forgotten have nothing', () => {
    const bench = new GroupBench()
    const tickets = [bench.sendJoinTwice(), bench.sendJoinTwice()].map(({ ticket }) => ticket)
    bench.advance(6000)
    const [leader, other] = tickets.map((ticket) => bench.joinReply(ticket).memberId!)
    const waiting = bench.sendSync(other!, 1)
    expect(bench.isAnswered(waiting)).toBe(false)
    bench.sendSync(leader!, 1, { [leader!]: 'all', nobody: 'some' })
    expect(bench.records).toMatchObject([
      { value: { generation: 1, protocol: 'range', leader, protocolType: 'consumer' } },
    ])
    const { members } = bench.shard.truth.groups.get(GROUP)!
    expect(members.map(({ assignment }) => text(assignment))).toEqual(['all', ''])
    expect(bench.syncReply(waiting)).toMatchObject({ errorCode: 0, protocolName: 'range' })
  })

  it('group: sync: a stable member gets its assignment as often as it asks', () => {
    const bench = new GroupBench()
    const [leader, other] = bench.stableGroup([{}, {}])
    for (const [id, part] of [
      [leader, 'part 0'],
      [other, 'part 1'],
      [other, 'part 1'],
    ]) {
      expect(text(bench.syncReply(bench.sendSync(id!, 1)).assignment)).toBe(part)
    }
  })

  it.each([
    ['another generation', { generationId: 2 }, 'ILLEGAL_GENERATION'],
    ['an unknown member', { memberId: 'x' }, 'UNKNOWN_MEMBER_ID'],
    ['another protocol', { protocolName: 'sticky' }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['another type', { protocolType: 'connect' }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['no protocol from version 5 on', { protocolName: null }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['another group', { groupId: 'x' }, 'UNKNOWN_MEMBER_ID'],
    ['no group id', { groupId: '' }, 'INVALID_GROUP_ID'],
  ] as const)('group: sync: %s is refused', (_, fields, error) => {
    const bench = new GroupBench()
    const [leader] = bench.stableGroup([{}])
    const { errorCode } = bench.syncReply(bench.sendSync(leader!, 1, {}, fields))
    expect(errorCode).toBe(ErrorCode[error])
  })

  it('group: sync: before version 5 nothing need be named', () => {
    const bench = new GroupBench()
    const [leader] = bench.stableGroup([{}])
    const unnamed = { version: 4, protocolName: null, protocolType: null }
    expect(bench.syncReply(bench.sendSync(leader!, 1, {}, unnamed)).errorCode).toBe(0)
  })

  it('group: sync: whoever does not ask within the rebalance timeout is out', () => {
    const bench = new GroupBench()
    const long = { sessionTimeoutMs: 90_000 }
    const tickets = [bench.sendJoinTwice(long), bench.sendJoinTwice(long)].map(
      (each) => each.ticket,
    )
    bench.advance(6000)
    const [leader, other] = tickets.map((ticket) => bench.joinReply(ticket).memberId!)
    const waiting = bench.sendSync(other!, 1)
    bench.advance(60_000)
    expect(bench.syncReply(waiting).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(bench.heartbeat(leader!, 1)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    bench.sendJoin({ memberId: other!, ...long })
    expect(bench.group).toMatchObject({ generationId: 2, leaderId: other })
  })
})

describe('group: heartbeat and leave', () => {
  it('group: heartbeat: a silent member is out, and the others rebalance', () => {
    const bench = new GroupBench()
    const [leader, silent] = bench.stableGroup([{}, {}])
    bench.advance(6000)
    expect(bench.heartbeat(leader!, 1)).toBe(0)
    bench.advance(6000)
    expect(bench.heartbeat(leader!, 1)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(bench.heartbeat(silent!, 1)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('group: heartbeat: another generation, member or group is refused', () => {
    const bench = new GroupBench()
    const [leader] = bench.stableGroup([{}])
    expect(bench.heartbeat(leader!, 0)).toBe(ErrorCode.ILLEGAL_GENERATION)
    expect(bench.heartbeat('x', 1)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    const request = { groupId: 'x', generationId: 1, memberId: leader!, groupInstanceId: null }
    const { response } = bench.ask<'heartbeat'>({ kind: 'heartbeat', version: 4, request })
    expect(response.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('group: heartbeat: members that wait for us are not silent', () => {
    const bench = new GroupBench()
    const [leader, other] = bench.stableGroup([{}, { sessionTimeoutMs: 50_000 }])
    const ticket = bench.sendJoin({ memberId: leader! })
    bench.advance(40_000)
    bench.sendJoin({ memberId: other!, sessionTimeoutMs: 50_000 })
    expect(bench.joinReply(ticket)).toMatchObject({ errorCode: 0, generationId: 2, leader })
  })

  it('group: leave: the last member leaves an empty group, stored', () => {
    const bench = new GroupBench()
    const [leader] = bench.stableGroup([{}])
    expect(bench.leave([{ memberId: leader! }])).toMatchObject({
      errorCode: 0,
      members: [{ memberId: leader, errorCode: 0 }],
    })
    expect(bench.records).toMatchObject([
      { value: { generation: 2, protocol: null, protocolType: 'consumer', members: [] } },
    ])
    expect(bench.group!.state).toBe('Empty')
  })

  it('group: leave: a batch answers for each, by id, by instance, or neither', () => {
    const bench = new GroupBench()
    bench.stableGroup([{ instance: 'one' }, { instance: 'two' }, {}])
    const { members } = bench.leave([
      { memberId: '', groupInstanceId: 'one' },
      { memberId: 'wrong', groupInstanceId: 'two' },
      { memberId: 'x' },
      { memberId: '' },
    ])
    expect(members!.map(({ errorCode }) => errorCode)).toEqual([0, 82, 25, 25])
    expect(bench.group).toMatchObject({ size: 2, state: 'PreparingRebalance' })
  })

  it('group: leave: before version 3 there is one member and one error', () => {
    const bench = new GroupBench()
    const [leader] = bench.stableGroup([{}])
    const leave = (memberId: string) =>
      bench.ask<'leaveGroup'>({
        kind: 'leaveGroup',
        version: 2,
        request: { groupId: GROUP, memberId, members: [] },
      }).response
    expect(leave('x')).toEqual({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID })
    expect(leave(leader!)).toEqual({ errorCode: 0 })
    expect(bench.leave([{ memberId: 'x' }], 'nowhere').members![0]!.errorCode).toBe(25)
  })

  it('group: leave: an id that was handed out and not used may leave, too', () => {
    const bench = new GroupBench()
    const { memberId } = bench.joinReply(bench.sendJoin())
    expect(bench.leave([{ memberId: memberId! }]).members![0]!.errorCode).toBe(0)
    expect(bench.joinReply(bench.sendJoin({ memberId: memberId! })).errorCode).toBe(25)
  })

  it('group: leave: a member waited for that leaves ends the join phase', () => {
    const bench = new GroupBench()
    const [leader, other] = bench.stableGroup([{}, {}])
    const ticket = bench.sendJoin({ memberId: leader! })
    bench.leave([{ memberId: other! }])
    expect(bench.joinReply(ticket)).toMatchObject({ errorCode: 0, generationId: 2 })
  })
})

describe('group: loading', () => {
  it('group: loading: members go on where they were, with a full session', () => {
    const bench = new GroupBench()
    const [leader, other] = bench.stableGroup([{}, {}])
    bench.advance(9000)
    bench.reload()
    bench.advance(9000)
    expect([bench.heartbeat(leader!, 1), bench.heartbeat(other!, 1)]).toEqual([0, 0])
    expect(text(bench.syncReply(bench.sendSync(other!, 1)).assignment)).toBe('part 1')
    bench.advance(10_001)
    expect(bench.heartbeat(other!, 1)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('group: loading: whoever waits when the shard goes is sent elsewhere', () => {
    const bench = new GroupBench()
    const { ticket } = bench.sendJoinTwice()
    const old = bench.sendJoin({ group: 'older', version: 3 })
    bench.reload()
    for (const each of [ticket, old]) {
      expect(bench.joinReply(each).errorCode).toBe(ErrorCode.NOT_COORDINATOR)
    }
  })

  it('group: loading: every waiting SyncGroup is sent elsewhere', () => {
    const bench = new GroupBench()
    const tickets = [bench.sendJoinTwice(), bench.sendJoinTwice()].map(({ ticket }) => ticket)
    bench.advance(6000)
    const waiting = bench.sendSync(bench.joinReply(tickets[1]!).memberId!, 1)
    bench.reload()
    expect(bench.syncReply(waiting).errorCode).toBe(ErrorCode.NOT_COORDINATOR)
  })
})
