// The addon as a citizen of the process: what it imports, what it leaves behind, what it refuses.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import {
  createNativePlane,
  loadAddon,
  lockDirectory,
  NativePlane,
} from '../../../src/plane/native.ts'
import type { FactSink } from '../../../src/plane/plane.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const addonPath = join(root, 'build', 'Release', 'ottla.node')
const directories: string[] = []

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-addon-'))
  directories.push(directory)
  return directory
}

/** A sink that ignores what it is not told to hear. */
function sink(some: Partial<FactSink>): FactSink {
  return new Proxy(some, {
    get: (target, name) => Reflect.get(target, name) ?? (() => {}),
  }) as FactSink
}

const descriptors = () => readdirSync('/proc/self/fd').length
const threads = () => readdirSync('/proc/self/task').length

test('addon: imports only Node-API, libc, libm, libstdc++, libgcc and pthread', () => {
  const symbols = execFileSync('nm', ['-D', '--undefined-only', addonPath], { encoding: 'utf8' })
  const names = symbols.split('\n').flatMap((line) => line.trim().split(/\s+/).slice(1, 2))
  expect(names.length).toBeGreaterThan(20)
  const isAllowed = (name: string) =>
    name.startsWith('napi_') || name.includes('@GLIBC') || /@(CXXABI|GCC_)/.test(name)
  const weak = ['__gmon_start__', '_ITM_deregisterTMCloneTable', '_ITM_registerTMCloneTable']
  expect(names.filter((name) => !isAllowed(name) && !weak.includes(name))).toEqual([])
  expect(names.some((name) => /ZSTD|LZ4|snappy|inflate|deflate|SSL|uv_/.test(name))).toBe(false)
})

test('addon: exports only what Node looks for', () => {
  const symbols = execFileSync('nm', ['-D', '--defined-only', addonPath], { encoding: 'utf8' })
  const names = symbols.split('\n').flatMap((line) => line.trim().split(/\s+/).slice(2, 3))
  expect(names.sort()).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1'])
})

test('addon: opened and closed 100 times, no descriptor and no thread is left', async () => {
  const once = async () => {
    const plane = createNativePlane({ nodeId: 1, reactors: 2 })
    plane.listen({ listener: 1, host: '127.0.0.1', port: 0, data: true })
    await plane.close()
  }
  await once()
  const before = { descriptors: descriptors(), threads: threads() }
  for (let round = 0; round < 100; round++) await once()
  expect({ descriptors: descriptors(), threads: threads() }).toEqual(before)
})

test('addon: many planes live in one process', async () => {
  const planes = Array.from({ length: 5 }, () => createNativePlane({ nodeId: 1 }))
  const ports = planes.map((plane) =>
    plane.listen({ listener: 1, host: '127.0.0.1', port: 0, data: true }),
  )
  expect(new Set(ports).size).toBe(5)
  await Promise.all(planes.map((plane) => plane.close()))
})

test('addon: a frame comes up, its answer goes back, the doorbell rings', async () => {
  const plane = createNativePlane({ nodeId: 1, reactors: 2 })
  const port = plane.listen({ listener: 3, host: '127.0.0.1', port: 0, data: true })
  let isInVerb = false
  plane.onDoorbell = () => {
    expect(isInVerb).toBe(false)
    plane.drain(
      sink({
        request(conn, requestId, listener, frame) {
          expect(listener).toBe(3)
          isInVerb = true
          plane.reply(conn, requestId, frame.slice(4, 8))
          isInVerb = false
        },
      }),
    )
  }
  const socket = connect(port, '127.0.0.1')
  const answers: Buffer[] = []
  const all = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      answers.push(bytes)
      if (Buffer.concat(answers).length === 100 * 8) resolve()
    })
  })
  for (let id = 0; id < 100; id++) {
    const frame = Buffer.alloc(4 + 8)
    frame.writeInt32BE(8, 0)
    frame.writeInt16BE(18, 4)
    frame.writeInt32BE(id, 8)
    socket.write(frame)
  }
  await all
  const received = Buffer.concat(answers)
  for (let id = 0; id < 100; id++) expect(received.readInt32BE(id * 8 + 4)).toBe(id)
  socket.destroy()
  await plane.close()
})

test('addon: a large body comes up whole', async () => {
  const plane = createNativePlane({ nodeId: 1 })
  const port = plane.listen({ listener: 1, host: '127.0.0.1', port: 0, data: false })
  const frame = Buffer.alloc(5 << 20, 7)
  const came = new Promise<Uint8Array>((resolve) => {
    plane.onDoorbell = () =>
      plane.drain(sink({ request: (_c, _r, _l, body) => resolve(body.slice()) }))
  })
  const socket = connect(port, '127.0.0.1')
  const length = Buffer.alloc(4)
  length.writeInt32BE(frame.length)
  socket.write(length)
  socket.write(frame)
  expect(Buffer.compare(await came, frame)).toBe(0)
  socket.destroy()
  await plane.close()
})

test('addon: bad arguments are TypeErrors that say which and what', async () => {
  const addon = loadAddon() as unknown as Record<string, (...all: unknown[]) => unknown>
  expect(() => addon['open']!({ nodeId: -1 }, () => {})).toThrow(/open: nodeId must be an integer/)
  expect(() => addon['open']!({ nodeId: 1, transport: 'x' }, () => {})).toThrow(/transport/)
  expect(() => addon['open']!({ nodeId: 1 }, 5)).toThrow(/doorbell must be a function/)
  expect(() => addon['listen']!(12345, 1, '', 0, true)).toThrow(/plane must be an open plane/)
  // It asks about a descriptor, and a plane's number may be one.
  expect(() => addon['isAbandoned']!({})).toThrow(/descriptor/)
  const plane = addon['open']!({ nodeId: 1 }, () => {}) as number
  for (const [name, verb] of Object.entries(addon)) {
    if (['isAbandoned', 'open', 'join', 'close', 'isClosed', 'rings', 'counters'].includes(name))
      continue
    expect(() => verb(plane), name).toThrow(TypeError)
    expect(() => verb(plane, {}, [], 'x', Number.NaN, null), name).toThrow(TypeError)
    expect(() => verb(plane, Number.POSITIVE_INFINITY, -1, 1.5, {}, 0), name).toThrow(TypeError)
  }
  addon['join']!(plane)
  expect(() => addon['isClosed']!(plane)).toThrow(TypeError)
})

test('addon: errors of the system have their names', async () => {
  const plane = new NativePlane({ nodeId: 1 })
  const options = { listener: 1, host: '127.0.0.1', port: 0, data: true }
  const port = plane.listen(options)
  expect(() => plane.listen({ ...options, port })).toThrow(
    expect.objectContaining({ name: 'PlaneError', code: 'EADDRINUSE' }),
  )
  expect(() => plane.listen({ ...options, host: 'no address' })).toThrow(
    expect.objectContaining({ name: 'PlaneError' }),
  )
  await plane.close()
  expect(plane.drain(sink({}))).toBe(0)
  await plane.close()
})

test('addon: a directory is locked once, and again after its release', () => {
  const directory = temporary()
  const lock = lockDirectory(directory)
  expect(lock).not.toBeNull()
  expect(lockDirectory(directory)).toBeNull()
  lock!.release()
  const again = lockDirectory(directory)
  expect(again).not.toBeNull()
  again!.release()
  expect(() => lockDirectory(join(directory, 'missing'))).toThrow(/ENOENT/)
})

test('addon: a worker that ends under load stops its threads', async () => {
  const module = new URL('../../../src/plane/native.ts', import.meta.url).href
  const before = threads()
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(
      `import(${JSON.stringify(module)}).then(({ createNativePlane }) => {
         const { parentPort } = require('node:worker_threads')
         const plane = createNativePlane({ nodeId: 1, reactors: 3 })
         const sink = new Proxy({}, { get: (_, name) => name === 'request'
           ? (conn, id, _l, frame) => plane.reply(conn, id, frame) : () => {} })
         plane.onDoorbell = () => plane.drain(sink)
         setInterval(() => {}, 1000)
         parentPort.postMessage(plane.listen({ listener: 1, host: '127.0.0.1', port: 0, data: false }))
       })`,
      { eval: true },
    )
    const port = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    const frame = Buffer.alloc(1004)
    frame.writeInt32BE(1000)
    const sockets = Array.from({ length: 5 }, () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.on('data', () => socket.write(frame))
      socket.write(frame)
      return socket
    })
    await new Promise((resolve) => sockets[0]!.once('data', resolve))
    await worker.terminate()
    for (const socket of sockets) socket.destroy()
  }
  expect(threads()).toBeLessThanOrEqual(before + 1)
})

test('addon: a plane alone does not keep the process, one that is left open ends with it', () => {
  const module = new URL('../../../src/plane/native.ts', import.meta.url).href
  const script = `import { createNativePlane } from ${JSON.stringify(module)}
    const plane = createNativePlane({ nodeId: 1 })
    plane.listen({ listener: 1, host: '127.0.0.1', port: 0, data: true })`
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  expect(run.stderr).toBe('')
  expect(run.status).toBe(0)
})

test('addon: a simulated plane repeats itself, byte for byte', () => {
  const run = (seed: number) => {
    const plane = new NativePlane({ nodeId: 1, reactors: 2, simulation: { seed } })
    const port = plane.listen({ listener: 1, host: '127.0.0.1', port: 0, data: false })
    plane.onDoorbell = () => {}
    const facts = sink({ request: (conn, id, _l, frame) => plane.reply(conn, id, frame) })
    const clients = Array.from({ length: 10 }, () => plane.world.connect(port))
    const frame = Buffer.alloc(104)
    frame.writeInt32BE(100)
    for (let step = 0; step < 50; step++) {
      for (const client of clients) plane.world.send(client, frame)
      plane.world.step(1000)
      plane.drain(facts)
      for (const client of clients) plane.world.receive(client)
    }
    const trace = plane.world.trace()
    void plane.close({ isClean: false })
    return trace
  }
  expect(run(1)).toBe(run(1))
})
