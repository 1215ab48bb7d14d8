// Consumer groups of KIP-848: joining, moving partitions, leaving, static members, fencing, what they read, offsets.
// The bench reads the log back, whole and compacted, after every decision.

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { GROUP } from './bench.ts'
import { Consumer848, ConsumerBench, settle } from './kip848.ts'

const sizes = (...consumers: Consumer848[]) => consumers.map(({ owned }) => owned.size)

describe('group: consumer', () => {
  it('group: consumer: the first member gets everything with its first heartbeat', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const a = new Consumer848(bench, 'a')
    expect(a.beat()).toBe(ErrorCode.NONE)
    expect([a.epoch, a.owned.size]).toEqual([2, 4])
    expect(bench.consumers!.state).toBe('Stable')
    expect(bench.records.map(({ type }) => type)).toEqual([
      'ConsumerGroupMemberMetadata',
      'ConsumerGroupMetadata',
      'ConsumerGroupTargetAssignmentMember',
      'ConsumerGroupTargetAssignmentMetadata',
      'ConsumerGroupCurrentMemberAssignment',
    ])
  })

  it('group: consumer: a partition is given up before another gets it', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const a = new Consumer848(bench, 'a')
    const b = new Consumer848(bench, 'b')
    a.beat()
    b.beat()
    expect([b.epoch, b.owned.size, bench.consumers!.state]).toEqual([3, 0, 'Reconciling'])
    a.beat()
    expect([a.epoch, a.owned.size]).toEqual([2, 2])
    b.beat()
    expect(b.owned.size).toBe(0)
    a.beat()
    expect(a.epoch).toBe(3)
    b.beat()
    expect([b.owned.size, bench.consumers!.state]).toEqual([2, 'Stable'])
  })

  it('group: consumer: who does not give up in time is out', () => {
    const bench = new ConsumerBench({ orders: 2 })
    const a = new Consumer848(bench, 'a')
    const b = new Consumer848(bench, 'b')
    a.beat()
    b.beat()
    const { memberId, epoch } = a
    bench.beat({ memberId, memberEpoch: epoch })
    for (let at = 0; at < 29; at++) {
      bench.advance(1000)
      bench.beat({ memberId, memberEpoch: epoch })
      b.beat()
    }
    expect(bench.consumers!.member('a')).toBeDefined()
    bench.advance(1000)
    expect(bench.consumers!.member('a')).toBeUndefined()
    settle([b])
    expect(b.owned.size).toBe(2)
    expect(a.beat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('group: consumer: silence ends a session, and the group goes on without', () => {
    const bench = new ConsumerBench({ orders: 2 })
    const a = new Consumer848(bench, 'a')
    const b = new Consumer848(bench, 'b')
    settle([a, b])
    bench.advance(44_000)
    b.beat()
    bench.advance(1001)
    expect([...bench.consumers!.members.keys()]).toEqual(['b'])
    settle([b])
    expect(b.owned.size).toBe(2)
  })

  it('group: consumer: a member that leaves frees its partitions at once', () => {
    const bench = new ConsumerBench({ orders: 2 })
    const a = new Consumer848(bench, 'a')
    const b = new Consumer848(bench, 'b')
    settle([a, b])
    expect(a.leave()).toBe(ErrorCode.NONE)
    b.beat()
    expect(b.owned.size).toBe(2)
    expect(b.leave()).toBe(ErrorCode.NONE)
    expect(bench.consumers!.state).toBe('Empty')
    expect(b.leave()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('group: consumer: a static member comes back to what it had', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const a = new Consumer848(bench, 'a', ['orders'], 'one')
    const b = new Consumer848(bench, 'b')
    settle([a, b])
    const had = [...a.owned].sort()
    const { groupEpoch } = bench.consumers!
    const again = new Consumer848(bench, 'a2', ['orders'], 'one')
    expect(again.beat()).toBe(ErrorCode.UNRELEASED_INSTANCE_ID)
    expect(a.leave(-2)).toBe(ErrorCode.NONE)
    b.beat()
    expect(b.owned.size).toBe(2)
    expect(again.beat()).toBe(ErrorCode.NONE)
    expect([...again.owned].sort()).toEqual(had)
    expect(bench.consumers!.groupEpoch).toBe(groupEpoch)
    a.epoch = 2
    expect(a.beat()).toBe(ErrorCode.FENCED_INSTANCE_ID)
  })

  it('group: consumer: a static member that stays away is out when its session ends', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const a = new Consumer848(bench, 'a', ['orders'], 'one')
    a.beat()
    a.leave(-2)
    bench.advance(45_001)
    expect(bench.consumers!.size).toBe(0)
  })

  it('group: consumer: epochs that are not the present one are fenced, but for a lost answer', () => {
    const bench = new ConsumerBench({ orders: 4, bills: 2 })
    const a = new Consumer848(bench, 'a')
    a.beat()
    const before = a.epoch
    a.subscribe(['orders', 'bills'])
    a.beat()
    expect(a.epoch).toBe(before + 1)
    const said = { memberId: 'a', topicPartitions: [] }
    expect(bench.beat({ ...said, memberEpoch: before }).errorCode ?? 0).toBe(ErrorCode.NONE)
    const { errorCode } = bench.beat({ memberId: 'a', memberEpoch: before })
    expect(errorCode).toBe(ErrorCode.FENCED_MEMBER_EPOCH)
    const ahead = bench.beat({ ...said, memberEpoch: a.epoch + 1 })
    expect(ahead.errorCode).toBe(ErrorCode.FENCED_MEMBER_EPOCH)
    const unknown = bench.beat({ memberId: 'x', memberEpoch: 1 })
    expect(unknown.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    const nowhere = bench.beat({ groupId: 'none', memberId: 'x', memberEpoch: 1 })
    expect(nowhere.errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
  })

  it('group: consumer: requests that say nonsense are refused', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const join = {
      memberId: 'a',
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['orders'],
      topicPartitions: [],
    }
    const invalid = ErrorCode.INVALID_REQUEST
    expect(bench.beat({ ...join, memberId: '' }).errorCode).toBe(invalid)
    expect(bench.beat({ ...join, groupId: '' }).errorCode).toBe(invalid)
    expect(bench.beat({ ...join, instanceId: '' }).errorCode).toBe(invalid)
    expect(bench.beat({ ...join, rackId: '' }).errorCode).toBe(invalid)
    expect(bench.beat({ ...join, rebalanceTimeoutMs: -1 }).errorCode).toBe(invalid)
    expect(bench.beat({ ...join, topicPartitions: null }).errorCode).toBe(invalid)
    expect(bench.beat({ ...join, subscribedTopicNames: null }).errorCode).toBe(invalid)
    expect(bench.beat({ ...join, memberEpoch: -2 }).errorCode).toBe(invalid)
    expect(bench.beat({ ...join, memberEpoch: -3 }).errorCode).toBe(invalid)
    const assignor = bench.beat({ ...join, serverAssignor: 'best' })
    expect(assignor.errorCode).toBe(ErrorCode.UNSUPPORTED_ASSIGNOR)
    expect(bench.consumers).toBeUndefined()
    const old = bench.beat({ ...join, memberId: '' }, 0)
    expect([old.errorCode ?? 0, old.memberId!.length]).toEqual([ErrorCode.NONE, 22])
  })

  it('group: consumer: a full group takes nobody in', () => {
    const bench = new ConsumerBench({ orders: 4 }, { membersMax: 1 })
    const a = new Consumer848(bench, 'a')
    a.beat()
    expect(new Consumer848(bench, 'b').beat()).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
    expect(a.beat()).toBe(ErrorCode.NONE)
  })

  it('group: consumer: topics that come, grow and go are noticed with the next heartbeat', () => {
    const bench = new ConsumerBench({ orders: 2 })
    const a = new Consumer848(bench, 'a', ['orders', 'bills'])
    a.beat()
    expect(a.owned.size).toBe(2)
    bench.topics.set('orders', 3)
    bench.change('orders')
    settle([a])
    expect(a.owned.size).toBe(3)
    bench.topics.set('bills', 2)
    bench.change('bills')
    settle([a])
    expect(a.owned.size).toBe(5)
    bench.topics.delete('orders')
    bench.change('orders')
    settle([a])
    expect(a.owned.size).toBe(2)
    const { groupEpoch } = bench.consumers!
    bench.change('others')
    settle([a])
    expect(bench.consumers!.groupEpoch).toBe(groupEpoch)
  })

  it('group: consumer: the group that asks most gets its assignor', () => {
    const bench = new ConsumerBench({ orders: 4, bills: 4 })
    const a = new Consumer848(bench, 'a', ['orders', 'bills'])
    const b = new Consumer848(bench, 'b', ['orders', 'bills'])
    a.assignor = 'range'
    b.assignor = 'range'
    settle([a, b])
    expect(bench.describe().assignorName).toBe('range')
    expect([...a.owned].map((each) => each.slice(-1)).sort()).toEqual(['0', '0', '1', '1'])
  })

  it('group: consumer: assignments wait for their interval, members do not', () => {
    const bench = new ConsumerBench(
      { orders: 4 },
      { assignmentIntervalMs: { value: 1000, min: 0, max: 5000 } },
    )
    const a = new Consumer848(bench, 'a')
    const b = new Consumer848(bench, 'b')
    a.beat()
    expect(b.beat()).toBe(ErrorCode.NONE)
    expect([b.epoch, b.owned.size, bench.consumers!.state]).toEqual([2, 0, 'Assigning'])
    bench.advance(1000)
    settle([a, b])
    expect(sizes(a, b)).toEqual([2, 2])
    bench.topics.configs.set(GROUP, new Map([['consumer.assignment.interval.ms', '9000']]))
    b.leave()
    bench.advance(4999)
    a.beat()
    expect(a.owned.size).toBe(2)
    bench.advance(1)
    a.beat()
    expect(a.owned.size).toBe(4)
  })

  it('group: consumer: a group has its own timings, within the limits of the broker', () => {
    const bench = new ConsumerBench({ orders: 1 })
    const config = new Map([
      ['consumer.session.timeout.ms', '50000'],
      ['consumer.heartbeat.interval.ms', '99000'],
    ])
    bench.topics.configs.set(GROUP, config)
    const said = { rebalanceTimeoutMs: 1000, subscribedTopicNames: ['orders'], topicPartitions: [] }
    expect(bench.beat({ memberId: 'a', ...said }).heartbeatIntervalMs).toBe(15_000)
    bench.advance(49_999)
    expect(bench.consumers!.size).toBe(1)
    bench.advance(1)
    expect(bench.consumers!.size).toBe(0)
  })

  it('group: consumer: patterns are matched after the heartbeat, and again when topics come', () => {
    const bench = new ConsumerBench({ orders: 2, 'orders-eu': 2, bills: 2 })
    const a = new Consumer848(bench, 'a', null)
    a.regex = 'orders.*'
    a.beat()
    expect([a.epoch, a.owned.size]).toEqual([1, 0])
    bench.advance(0)
    settle([a])
    expect(a.owned.size).toBe(4)
    bench.topics.set('orders-us', 1)
    a.beat()
    bench.advance(10_001)
    a.beat()
    bench.advance(0)
    settle([a])
    expect(a.owned.size).toBe(5)
    const b = new Consumer848(bench, 'b', null)
    b.regex = 'orders(?!x)'
    expect(b.beat()).toBe(ErrorCode.INVALID_REGULAR_EXPRESSION)
    a.leave()
    expect(bench.consumers!.regexes.size).toBe(0)
  })

  it('group: consumer: patterns are matched again at their pace', () => {
    const bench = new ConsumerBench({ orders: 2 }, { regexRefreshIntervalMs: 30_000 })
    const a = new Consumer848(bench, 'a', null)
    a.regex = '.*'
    a.beat()
    bench.advance(0)
    const matchedMs = () => bench.consumers!.regexes.get('.*')!.timestampMs
    const firstMs = matchedMs()
    bench.advance(30_000)
    a.beat()
    bench.advance(0)
    expect(matchedMs()).toBe(firstMs)
    bench.advance(1)
    a.beat()
    bench.advance(0)
    expect(matchedMs()).toBe(firstMs + 30_001)
  })

  it('group: consumer: members commit in their epoch, or for what they have had long enough', () => {
    const bench = new ConsumerBench({ orders: 2 })
    const a = new Consumer848(bench, 'a')
    const b = new Consumer848(bench, 'b')
    settle([a, b])
    const own = Number([...a.owned][0]!.split(':')[1])
    const topicId = bench.topics.topic('orders')!.id
    const commit = (memberId: string, epoch: number, partition: number, version = 9) =>
      bench.commit(
        {},
        {
          memberId,
          generationIdOrMemberEpoch: epoch,
          version,
          topics: [
            {
              name: 'orders',
              topicId,
              partitions: [
                {
                  partitionIndex: partition,
                  committedOffset: 7n,
                  committedLeaderEpoch: 0,
                  committedMetadata: '',
                },
              ],
            },
          ],
        },
      )[0]
    expect(commit('a', a.epoch, own)).toBe(ErrorCode.NONE)
    expect(commit('a', a.epoch - 1, own)).toBe(ErrorCode.NONE)
    expect(commit('a', a.epoch - 1, 1 - own)).toBe(ErrorCode.STALE_MEMBER_EPOCH)
    expect(commit('a', a.epoch + 1, own)).toBe(ErrorCode.STALE_MEMBER_EPOCH)
    expect(commit('a', a.epoch, own, 8)).toBe(ErrorCode.UNSUPPORTED_VERSION)
    expect(commit('x', 1, own)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(commit('', -1, own)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    const fetch = (memberId: string | null, memberEpoch: number) =>
      bench.ask<'offsetFetch'>({
        kind: 'offsetFetch',
        request: { groupId: GROUP, memberId, memberEpoch, topics: null, requireStable: false },
      }).response.errorCode
    expect(fetch('a', a.epoch)).toBe(ErrorCode.NONE)
    expect(fetch('a', a.epoch - 1)).toBe(ErrorCode.STALE_MEMBER_EPOCH)
    expect(fetch('x', 1)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(fetch(null, -1)).toBe(ErrorCode.NONE)
    a.leave()
    b.leave()
    expect(commit('', -1, own)).toBe(ErrorCode.NONE)
    expect(bench.fetch()).toEqual([`orders:${own}=7`])
  })

  it('group: consumer: an empty group can be deleted, or become a classic one, and the other way round', () => {
    const bench = new ConsumerBench({ orders: 2 })
    const a = new Consumer848(bench, 'a')
    a.beat()
    const remove = () =>
      bench.ask<'deleteGroups'>({ kind: 'deleteGroups', groupIds: [GROUP] }).results[0]!.errorCode
    expect(remove()).toBe(ErrorCode.NON_EMPTY_GROUP)
    expect(bench.joinReply(bench.sendJoin()).errorCode).not.toBe(ErrorCode.NONE)
    a.leave()
    const { ticket } = bench.sendJoinTwice()
    expect(bench.consumers).toBeUndefined()
    bench.advance(3000)
    const { memberId } = bench.joinReply(ticket)
    bench.leave([{ memberId: memberId! }])
    expect(a.beat()).toBe(ErrorCode.NONE)
    expect([bench.group, a.owned.size]).toEqual([undefined, 2])
    a.leave()
    expect(remove()).toBe(ErrorCode.NONE)
    expect(bench.shard.truth.consumerGroups.size).toBe(0)
    expect(bench.shard.truth.groups.size).toBe(0)
  })

  it('group: consumer: a shard that moves knows the same group, with whole sessions', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const a = new Consumer848(bench, 'a')
    const b = new Consumer848(bench, 'b')
    settle([a, b])
    const described = bench.describe()
    bench.advance(40_000)
    bench.reload()
    expect(bench.describe()).toEqual(described)
    bench.advance(44_999)
    expect(bench.consumers!.size).toBe(2)
    bench.advance(1)
    expect(bench.consumers!.size).toBe(0)
  })

  it('group: consumer: operators see type, state, epochs and members', () => {
    const bench = new ConsumerBench({ orders: 2 })
    const a = new Consumer848(bench, 'a')
    a.beat()
    const list = (typesFilter: string[], statesFilter: string[] = []) =>
      bench.ask<'listGroups'>({
        kind: 'listGroups',
        version: 5,
        request: { statesFilter, typesFilter },
      }).response.groups!
    const listed = {
      groupId: GROUP,
      protocolType: 'consumer',
      groupState: 'Stable',
      groupType: 'consumer',
    }
    expect(list([])).toEqual([listed])
    expect(list(['Consumer'], ['STABLE'])).toEqual([listed])
    expect(list(['classic'])).toEqual([])
    const described = bench.describe()
    expect(described).toMatchObject({ groupState: 'Stable', groupEpoch: 2, assignmentEpoch: 2 })
    expect(described.members[0]!.assignment.topicPartitions).toEqual([
      { topicId: bench.topics.topic('orders')!.id, topicName: 'orders', partitions: [0, 1] },
    ])
    expect(bench.describe('none')).toMatchObject({
      errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
      errorMessage: 'Group none not found.',
    })
    const classic = { kind: 'describeGroups', version: 6, groupIds: [GROUP] } as const
    const [answer] = bench.ask<'describeGroups'>(classic).groups
    expect(answer!.errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
    expect(answer!.errorMessage).toContain('not a classic group')
  })
})
