// Groups that change their protocol with members in them, both ways (KIP-848): who is in stays in, with what it has, and
// no partition has two owners on the way.

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ClassicConsumer, classicGroup, subscribed } from './classic_consumer.ts'
import { Consumer848, ConsumerBench } from './kip848.ts'

function around(bench: ConsumerBench, a: ClassicConsumer, b: Consumer848): void {
  for (let round = 0; round < 8; round++) {
    a.live()
    b.beat()
    const numbers = [...b.owned].map((each) => Number(each.split(':')[1]))
    const both = [...a.owned, ...numbers]
    expect(new Set(both).size, `round ${round}: ${both}`).toBe(both.length)
    bench.advance(500)
  }
}

describe('group: migration', () => {
  it('group: migration: a classic group goes on as a consumer group when one joins it', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const a = classicGroup(bench)
    const b = new Consumer848(bench, 'b')
    expect(b.beat()).toBe(ErrorCode.NONE)
    expect([bench.group, bench.consumers!.size]).toEqual([undefined, 2])
    expect([b.epoch, b.owned.size]).toEqual([2, 0])
    around(bench, a, b)
    expect([a.owned.length, b.owned.size]).toEqual([2, 2])
    expect(bench.describe().members.map(({ memberType }) => memberType)).toEqual([0, 1])
    expect(bench.consumers!.state).toBe('Stable')
  })

  it('group: migration: the group is classic again when the last of the new protocol goes', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const a = classicGroup(bench)
    const b = new Consumer848(bench, 'b')
    around(bench, a, b)
    expect(b.leave()).toBe(ErrorCode.NONE)
    expect([bench.consumers, bench.group!.state]).toEqual([undefined, 'PreparingRebalance'])
    expect(a.beat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(a.join()).toBe(ErrorCode.NONE)
    expect(bench.group!.generationId).toBe(a.generation)
    expect(bench.shard.truth.consumerGroups.size).toBe(0)
  })

  it('group: migration: a static member may change its protocol, both ways, and keeps its place', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const a = classicGroup(bench, 'one')
    const b = new Consumer848(bench, 'b', ['orders'], 'one')
    expect(b.beat()).toBe(ErrorCode.NONE)
    expect([bench.consumers!.size, b.owned.size]).toEqual([1, 4])
    expect(a.beat()).toBe(ErrorCode.FENCED_INSTANCE_ID)
    const again = new ClassicConsumer(bench, 'one')
    expect(again.join()).toBe(ErrorCode.NONE)
    expect([bench.consumers, bench.group!.size]).toEqual([undefined, 1])
    expect(again.sync()).toBe(ErrorCode.NONE)
    expect(again.owned).toEqual([0, 1, 2, 3])
    expect(b.beat()).not.toBe(ErrorCode.NONE)
  })

  it('group: migration: classic consumers may join a consumer group, and are called back', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const b = new Consumer848(bench, 'b')
    b.beat()
    const a = new ClassicConsumer(bench)
    expect(a.join()).toBe(ErrorCode.NONE)
    expect(a.sync()).toBe(ErrorCode.NONE)
    expect(a.owned).toEqual([])
    around(bench, a, b)
    expect([a.owned.length, b.owned.size]).toEqual([2, 2])
    const other = bench.sendJoin({ protocolType: 'connect', version: 3 })
    expect(bench.joinReply(other).errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    const stranger = bench.heartbeat('b', b.epoch)
    expect(stranger).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(bench.leave([{ memberId: a.memberId }]).members![0]!.errorCode).toBe(ErrorCode.NONE)
    expect(bench.consumers!.size).toBe(1)
  })

  it('group: migration: who is called back and does not join, or does not sync, is out', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const b = new Consumer848(bench, 'b')
    b.beat()
    const a = new ClassicConsumer(bench)
    a.join()
    for (let at = 0; at < 61; at++) {
      a.beat()
      b.beat()
      bench.advance(1000)
    }
    expect(bench.consumers!.member(a.memberId)).toBeUndefined()
    a.memberId = ''
    a.join()
    a.sync()
    for (let at = 0; at < 62; at++) {
      a.beat()
      b.beat()
      bench.advance(1000)
    }
    expect(bench.consumers!.member(a.memberId)).toBeUndefined()
  })

  it('group: migration: policy decides', () => {
    const migration = { mayUpgrade: false, mayDowngrade: false }
    const bench = new ConsumerBench({ orders: 4 }, { migration })
    classicGroup(bench)
    expect(new Consumer848(bench, 'b').beat()).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
    expect(bench.group!.state).toBe('Stable')
    const other = new ConsumerBench({ orders: 4 }, { migration })
    new Consumer848(other, 'b').beat()
    const a = new ClassicConsumer(other)
    expect(a.join()).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  })

  it('group: migration: who waits in a rebalance is told to join again', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const ticket = bench.sendJoin({ version: 3, protocols: subscribed(['orders']) })
    expect(bench.isAnswered(ticket)).toBe(false)
    expect(new Consumer848(bench, 'b').beat()).toBe(ErrorCode.NONE)
    expect(bench.joinReply(ticket).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(bench.consumers!.size).toBe(2)
  })

  it('group: migration: a group of another type, or of bytes nobody can read, stays classic', () => {
    const bench = new ConsumerBench({ orders: 4 })
    const join = (protocolType: string, metadata: Uint8Array) =>
      bench.sendJoin({ version: 3, protocolType, protocols: [{ name: 'p', metadata }] })
    join('connect', new Uint8Array(2))
    expect(new Consumer848(bench, 'b').beat()).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
    const other = new ConsumerBench({ orders: 4 })
    const broken = [{ name: 'p', metadata: new Uint8Array([0, 1, 2]) }]
    other.sendJoin({ version: 3, protocols: broken })
    expect(new Consumer848(other, 'b').beat()).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
    expect(other.group!.state).toBe('PreparingRebalance')
  })
})
