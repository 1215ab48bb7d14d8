// Contract: connections: what a plane says of them, what it refuses, and in which order things happen.

import { expect, it } from 'vitest'
import { counterColumn, DisconnectReason } from '../../src/plane/layout.ts'
import { encodeRequestFrame } from '../../src/protocol/headers.ts'
import { batchOf, Client, foreignFrame } from './client.ts'
import { Fetch, Fixture, fetchOf, Produce, produced, produceOf } from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

export function connectionSuite(harness: PlaneHarness): void {
  const open = (options = {}) => Fixture.open(harness, options)
  const closed = (client: Client) => () => client.conn.isClosed

  it('facts: connected names listener and peer, disconnected comes last', async () => {
    const f = await open()
    const client = await f.client()
    await f.under.until(() => f.facts.of('connected').length === 1, 'connected')
    expect(f.facts.last('connected')).toMatchObject({ listener: 1, peerHost: '127.0.0.1' })
    client.conn.close()
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'disconnected')
    expect(f.facts.last('disconnected')).toMatchObject({ reason: DisconnectReason.peer })
    expect(f.plane.counter(counterColumn.connectionsOpen)).toBe(0)
    await f.under.close()
  })

  it('frames: a foreign one comes up whole, in any pieces, and its reply goes back', async () => {
    const f = await open()
    const client = await f.client()
    const frame = foreignFrame(18, 77, 'hello')
    for (const byte of frame) client.conn.send(bytes(byte))
    await f.under.until(() => f.facts.of('request').length === 1, 'a request')
    const fact = f.facts.last('request')!
    expect(fact['frame']).toEqual(frame.slice(4))
    f.plane.reply(fact['conn'] as number, fact['requestId'] as number, bytes(1, 2, 3))
    await f.under.until(() => client.has({} as never) || client.raw.length === 1, 'the reply')
    expect(client.raw[0]).toEqual(bytes(1, 2, 3))
    await f.under.close()
  })

  it.each([
    ['a negative length', bytes(255, 255, 255, 255), DisconnectReason.malformed],
    ['a length under a header', bytes(0, 0, 0, 7), DisconnectReason.malformed],
    ['a length over the limit', bytes(0, 16, 0, 1), DisconnectReason.tooLarge],
  ])('frames: %s closes before the body comes', async (_name, sent, reason) => {
    const f = await open({ requestBytesMax: 1 << 20 })
    const client = await f.client()
    client.conn.send(sent)
    await f.under.until(closed(client), 'the end of the connection')
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'disconnected')
    expect(f.facts.last('disconnected')).toMatchObject({ reason })
    await f.under.close()
  })

  it.each([
    ['Produce 2', 0, 2],
    ['Produce 14', 0, 14],
    ['Fetch 3', 1, 3],
    ['Fetch 19', 1, 19],
  ])('frames: %s is unsupported and closes', async (_name, key, version) => {
    const f = await open()
    const client = await f.client()
    client.conn.send(bytes(0, 0, 0, 10, 0, key, 0, version, 0, 0, 0, 1, 255, 255))
    await f.under.until(closed(client), 'the end of the connection')
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'disconnected')
    expect(f.facts.last('disconnected')).toMatchObject({ reason: DisconnectReason.unsupported })
    expect(f.facts.of('request')).toEqual([])
    await f.under.close()
  })

  it('frames: every cut of a Produce body is malformed, never a hang', async () => {
    const f = await open()
    await f.single()
    const header = { correlationId: 1, clientId: null }
    const whole = encodeRequestFrame(Produce, 9, header, produceOf(batchOf(['a'])))
    for (let cut = 15; cut < whole.length - 2; cut += 7) {
      const client = await f.client()
      const frame = whole.slice(0, cut)
      new DataView(frame.buffer).setInt32(0, cut - 4)
      client.conn.send(frame)
      await f.under.until(closed(client), `the end of the connection, cut at ${cut}`)
    }
    expect((await f.row()).logEndOffset).toBe(0)
    expect(f.plane.counter(counterColumn.framesMalformed)).toBeGreaterThan(5)
    await f.under.close()
  })

  it('listeners: without data, Produce and Fetch come up too', async () => {
    const f = await open()
    const port = f.plane.listen({ listener: 2, host: '127.0.0.1', port: 0, data: false })
    const client = await Client.open(f.under, port)
    client.send(Fetch, 12, fetchOf([]))
    await f.under.until(() => f.facts.of('request').length === 1, 'the Fetch')
    expect(f.facts.last('request')).toMatchObject({ listener: 2 })
    await f.under.close()
  })

  it('listeners: a port in use is EADDRINUSE, a closed one refuses, open connections go on', async () => {
    const f = await open()
    expect(() =>
      f.plane.listen({ listener: 3, host: '127.0.0.1', port: f.port, data: true }),
    ).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    const client = await f.client()
    f.plane.unlisten(1)
    await f.under.quiet()
    await expect(f.under.connect(f.port)).rejects.toThrow()
    client.conn.send(foreignFrame(3, 1))
    await f.under.until(() => f.facts.of('request').length === 1, 'a request on the old connection')
    await f.under.close()
  })

  it('order: pipelined responses leave in the order of their requests', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const sent = [...Array(20).keys()].map((i) =>
      i % 3 === 2
        ? client.send(Fetch, 4 + (i % 14), fetchOf([{}]))
        : client.send(Produce, 3 + (i % 10), produceOf(batchOf([`${i}`]))),
    )
    await f.under.until(() => client.has(sent.at(-1)!), 'all responses')
    expect(sent.every((one) => one.response !== undefined)).toBe(true)
    await f.under.close()
  })

  it('order: a frame for TypeScript is a barrier until its reply', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    client.conn.send(foreignFrame(3, 1))
    const behind = client.send(Produce, 9, produceOf(batchOf(['late'])))
    await f.under.until(() => f.facts.of('request').length === 1, 'the request')
    expect((await f.row()).logEndOffset).toBe(0)
    const { conn, requestId } = f.facts.last('request') as never
    f.plane.reply(conn, requestId, null)
    expect(produced(await client.answer(behind)).baseOffset).toBe(0)
    await f.under.close()
  })

  it('order: a waiting Fetch is no barrier, but responses behind it wait', async () => {
    const f = await open()
    await f.several(2)
    const client = await f.client()
    const waiting = client.send(Fetch, 12, fetchOf([{ partition: 0 }], { maxWaitMs: 60_000 }))
    const behind = client.send(Produce, 9, produceOf(batchOf(['x']), { index: 1 }))
    await f.under.until(() => f.plane.partition(1).logEndOffset === 1, 'the produce behind it')
    await f.under.quiet()
    expect(client.has(behind)).toBe(false)
    const other = await f.client()
    await other.produce(9, produceOf(batchOf(['wake']), { index: 0 }))
    await client.answer(behind)
    expect(waiting.response).toBeDefined()
    await f.under.close()
  })

  it('order: two frames for TypeScript come one at a time', async () => {
    const f = await open()
    const client = await f.client()
    client.conn.send(foreignFrame(3, 1))
    client.conn.send(foreignFrame(3, 2))
    await f.under.until(() => f.facts.of('request').length === 1, 'the first')
    await f.under.quiet()
    expect(f.facts.of('request')).toHaveLength(1)
    const { conn, requestId } = f.facts.last('request') as never
    f.plane.reply(conn, requestId, bytes(9))
    await f.under.until(() => f.facts.of('request').length === 2, 'the second')
    await f.under.close()
  })

  it('hangup: what was replied arrives, then the end, then disconnected with asked', async () => {
    const f = await open()
    const client = await f.client()
    client.conn.send(foreignFrame(3, 1))
    await f.under.until(() => f.facts.of('request').length === 1, 'a request')
    const { conn, requestId } = f.facts.last('request') as never
    f.plane.reply(conn, requestId, bytes(7))
    f.plane.hangup(conn)
    await f.under.until(closed(client), 'the end')
    client.has({} as never)
    expect(client.raw).toEqual([bytes(7)])
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'disconnected')
    expect(f.facts.last('disconnected')).toMatchObject({ reason: DisconnectReason.asked })
    f.plane.reply(conn, requestId, bytes(8))
    await f.under.close()
  })

  it('mute: nothing starts until it is over', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    await f.under.until(() => f.facts.of('connected').length === 1, 'connected')
    f.plane.mute(f.facts.last('connected')!['conn'] as number, 200)
    const sent = client.send(Produce, 9, produceOf(batchOf(['x'])))
    expect((await f.row()).logEndOffset).toBe(0)
    await f.under.later(() => client.has(sent), 'a response when the mute is over')
    await f.under.close()
  })

  it('idle: a connection with nothing to do is closed', async () => {
    const f = await open({ connectionsMaxIdleMs: 300 })
    const client = await f.client()
    await f.under.later(closed(client), 'the end of an idle connection')
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'disconnected')
    expect(f.facts.last('disconnected')).toMatchObject({ reason: DisconnectReason.idle })
    expect(f.plane.counter(counterColumn.connectionsIdleClosed)).toBe(1)
    await f.under.close()
  })

  it('limits: one connection too many is closed and counted, without facts', async () => {
    const f = await open({ connectionsMax: 2 })
    const kept = [await f.client(), await f.client()]
    await f.under.until(() => f.facts.of('connected').length === 2, 'two connections')
    const third = await f.client()
    await f.under.until(closed(third), 'the end of the third')
    expect(f.plane.counter(counterColumn.connectionsRefused)).toBe(1)
    expect(f.facts.of('connected')).toHaveLength(2)
    kept[0]!.conn.close()
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'room')
    const fourth = await f.client()
    await f.under.until(() => f.facts.of('connected').length === 3, 'the fourth')
    expect(fourth.conn.isClosed).toBe(false)
    await f.under.close()
  })

  it('limits: they change while connections are open; an address may have its own', async () => {
    const f = await open()
    const kept = [await f.client(), await f.client()]
    await f.under.until(() => f.facts.of('connected').length === 2, 'two connections')
    const peer = f.facts.last('connected')!['peerHost'] as string
    const limit = (total: number, perAddress: number, own?: number) =>
      f.plane.limit({
        total,
        perAddress,
        byAddress: new Map(own === undefined ? [] : [[peer, own]]),
      })
    const isRefused = async () => {
      const before = f.plane.counter(counterColumn.connectionsRefused)
      const next = await f.client()
      await f.under.until(closed(next), 'its end')
      expect(f.plane.counter(counterColumn.connectionsRefused)).toBe(before + 1)
    }
    const isWelcome = async () => {
      const before = f.facts.of('connected').length
      await f.client()
      await f.under.until(() => f.facts.of('connected').length === before + 1, 'one more')
    }
    limit(100, 1)
    await isRefused()
    limit(100, 1, 3)
    await isWelcome()
    await isRefused()
    limit(100, 100, 0)
    await isRefused()
    limit(3, 100)
    await isRefused()
    limit(4, 100)
    await isWelcome()
    expect(kept.map(({ conn }) => conn.isClosed)).toEqual([false, false])
    await f.under.close()
  })
}
