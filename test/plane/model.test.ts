// What only the model has: its disk and how it crashes, planes that dial each other, the doorbell's promise,
// and the codecs it opens batches with.

import { zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/lib/clock.ts'
import { Random } from '../../src/lib/random.ts'
import { LookupKind } from '../../src/plane/layout.ts'
import { ModelPlane } from '../../src/plane/model.ts'
import { decompress } from '../../src/plane/model_codecs.ts'
import { ModelDisk } from '../../src/plane/model_disk.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { batchOf } from './client.ts'
import { Fixture, produced, produceOf } from './fixture.ts'
import { Facts } from './harness.ts'
import { modelHarness } from './harness_model.ts'
import { LoopbackNetwork } from './loopback.ts'

const EIO = 5

/** Tasks in order, run by hand. */
class Tasks {
  #queue: (() => void)[] = []
  readonly schedule = (task: () => void): void => {
    this.#queue.push(task)
  }
  run(): void {
    while (this.#queue.length > 0) this.#queue.shift()!()
  }
}

function planeOn(disk: ModelDisk, tasks = new Tasks()) {
  const clock = new ManualClock()
  const plane = new ModelPlane({
    nodeId: 1,
    clock,
    disk,
    random: new Random(1),
    schedule: tasks.schedule,
  })
  const facts = new Facts()
  plane.onDoorbell = () => plane.drain(facts)
  return { plane, facts, tasks }
}

describe('plane: model: disk', () => {
  async function written(batches: number, flushedAfter: number) {
    const f = await Fixture.open(modelHarness)
    await f.single()
    const client = await f.client()
    for (let i = 0; i < batches; i++) {
      await client.produce(9, produceOf(batchOf([`${i}`])))
      if (i + 1 === flushedAfter) await f.ask((ticket) => f.plane.flush(0, ticket))
    }
    return { f, disk: (f.plane as ModelPlane).disk, plane: f.plane as ModelPlane }
  }

  it('kill: nothing is lost', async () => {
    const { f } = await written(5, 0)
    const g = await Fixture.on(await f.under.restart({ isClean: false }))
    expect(await g.create(0)).toMatchObject({ b: 5, c: 0 })
  })

  it('power: what was flushed stays, of the rest a prefix, and the torn bytes are told', async () => {
    const ends = new Set<number>()
    let torn = 0
    for (let seed = 0; seed < 40; seed++) {
      const { f, disk, plane } = await written(6, 3)
      plane.crash()
      disk.crash(new Random(seed))
      const g = await Fixture.on(await f.under.restart({ isClean: false }))
      const done = await g.create(0)
      ends.add(done['b'] as number)
      torn += Number((done['c'] as number) > 0)
    }
    expect([...ends].sort()).toEqual([3, 4, 5, 6])
    expect(torn).toBeGreaterThan(0)
  })

  it('power: an epoch in which nothing stayed is forgotten', async () => {
    const disk = new ModelDisk()
    const first = await Fixture.open(modelHarness)
    await first.single()
    await first.ask((ticket) => first.plane.append(0, 0, batchOf(['a']), ticket))
    await first.ask((ticket) => first.plane.flush(0, ticket))
    first.plane.lead({ slot: 0, leaderEpoch: 7, partitionEpoch: 0, replicas: [1], isr: [1] })
    const g = await Fixture.on(await first.under.restart({ isClean: false }))
    await g.create(0)
    const end = await g.ask((ticket) => g.plane.lookup(0, LookupKind.epochEnd, 7, ticket))
    expect(end).toMatchObject({ a: -1, b: -1 })
    expect(disk.logs()).toEqual([])
  })

  it('failure: the directory goes offline once, and says so to everyone', async () => {
    const f = await Fixture.open(modelHarness)
    await f.several(2)
    const client = await f.client()
    const { disk } = f.plane as ModelPlane
    disk.fail(f.under.directory, EIO)
    const code = async (index: number) =>
      produced(await client.produce(9, produceOf(batchOf(['a']), { index }))).errorCode
    expect(await code(0)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(await code(1)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    expect(f.facts.of('directoryFailed')).toEqual([
      { kind: 'directoryFailed', directory: f.under.directory, errno: EIO },
    ])
    expect((await f.row(1)).isOffline).toBe(true)
  })
})

describe('plane: model: network', () => {
  const frame = Uint8Array.of(0, 99, 0, 1, 0, 0, 0, 5, 1, 2, 3)

  function pair() {
    const tasks = new Tasks()
    const network = new LoopbackNetwork(tasks.schedule)
    const make = (nodeId: number) => {
      const plane = new ModelPlane({
        nodeId,
        clock: new ManualClock(),
        random: new Random(nodeId),
        schedule: tasks.schedule,
        network,
      })
      const facts = new Facts()
      plane.onDoorbell = () => plane.drain(facts)
      return { plane, facts }
    }
    return { tasks, one: make(1), two: make(2) }
  }

  it('dial: a request goes over, its reply comes back as a response', () => {
    const { tasks, one, two } = pair()
    const port = two.plane.listen({ listener: 4, host: '', port: 0, data: false })
    const conn = one.plane.dial('two', port)
    one.plane.send(conn, frame)
    tasks.run()
    expect(one.facts.of('dialled')).toEqual([{ kind: 'dialled', conn, errno: 0 }])
    const request = two.facts.last('request')!
    expect(request).toMatchObject({ listener: 4, frame })
    two.plane.reply(request['conn'] as number, request['requestId'] as number, frame.slice(4))
    tasks.run()
    expect(one.facts.last('response')).toMatchObject({ conn, frame: frame.slice(4) })
    two.plane.hangup(request['conn'] as number)
    tasks.run()
    expect(one.facts.last('disconnected')).toMatchObject({ conn })
  })

  it('dial: nobody there', () => {
    const { tasks, one } = pair()
    const conn = one.plane.dial('two', 1)
    tasks.run()
    expect(one.facts.of('dialled')).toEqual([{ kind: 'dialled', conn, errno: 111 }])
  })

  it('dial: hung up before it stands', () => {
    const { tasks, one, two } = pair()
    const port = two.plane.listen({ listener: 4, host: '', port: 0, data: false })
    const conn = one.plane.dial('two', port)
    one.plane.hangup(conn)
    tasks.run()
    expect(one.facts.of('dialled')).toEqual([{ kind: 'dialled', conn, errno: 125 }])
    expect(one.facts.of('disconnected')).toEqual([])
  })

  it('crash: the other side sees the connection end', () => {
    const { tasks, one, two } = pair()
    const port = two.plane.listen({ listener: 4, host: '', port: 0, data: false })
    const conn = one.plane.dial('two', port)
    tasks.run()
    two.plane.crash()
    tasks.run()
    expect(one.facts.last('disconnected')).toMatchObject({ conn })
    one.plane.dial('two', port)
    tasks.run()
    expect(one.facts.last('dialled')).toMatchObject({ errno: 111 })
  })
})

describe('plane: model: doorbell', () => {
  it('rings once per edge, never inside a verb or a drain', () => {
    const { plane, tasks } = planeOn(new ModelDisk())
    let rings = 0
    let isInside = false
    plane.onDoorbell = () => {
      expect(isInside).toBe(false)
      rings++
    }
    isInside = true
    for (let ticket = 0; ticket < 5; ticket++) plane.flush(9, ticket)
    isInside = false
    tasks.run()
    expect(rings).toBe(1)
    const facts = new Facts()
    facts.done = () => {
      isInside = true
      plane.flush(9, 100)
      isInside = false
    }
    expect(plane.drain(facts)).toBe(5)
    expect(rings).toBe(1)
    tasks.run()
    expect(rings).toBe(2)
    expect(plane.drain(new Facts())).toBe(5)
    expect(plane.drain(new Facts())).toBe(0)
  })
})

describe('plane: model: codecs', () => {
  const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

  it('snappy: literals and copies, bare and in blocks', () => {
    // "abcabcabcabc": three literal bytes, then nine from three bytes back.
    const block = hex('0c0861626315' + '03')
    expect(text(decompress('snappy', block))).toBe('abcabcabcabc')
    const xerial = hex('82534e415050590000000001000000010000000' + '7' + '0c086162631503')
    expect(text(decompress('snappy', xerial))).toBe('abcabcabcabc')
  })

  it('lz4: a frame with a compressed and a stored block', () => {
    // Token 0x35: three literals, a match of nine at distance three; then a stored block "xy"; end mark.
    const frame = hex(
      '04224d186040820' + '7000000' + '356162630300' + '00' + '02000080' + '7879' + '00000000',
    )
    expect(text(decompress('lz4', frame))).toBe('abcabcabcabcxy')
  })

  it('zstd', () => {
    expect(text(decompress('zstd', zstdCompressSync(Buffer.from('hello'))))).toBe('hello')
  })

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s: nonsense is refused', (codec) => {
    for (let seed = 0; seed < 50; seed++) {
      const bytes = new Random(seed).bytes(1 + (seed % 40))
      expect(() => {
        decompress(codec, bytes)
        // Snappy has no checksum: some nonsense is a text.
        if (codec === 'snappy') throw new Error('a text')
      }).toThrow()
    }
  })
})
