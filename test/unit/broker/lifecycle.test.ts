// A broker's life, under a clock that stands still: when it beats, and when it gives up.

import { expect, test } from 'vitest'
import { Lifecycle } from '../../../src/broker/lifecycle.ts'
import { parseConfig } from '../../../src/config/parse.ts'
import type { ControllerHost } from '../../../src/host/controller_host.ts'
import type { World } from '../../../src/host/world.ts'
import { ManualClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { MetadataImage } from '../../../src/metadata/image.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'

/** Runs what was scheduled when time passes it. */
class Timeline {
  readonly clock = new ManualClock()
  private readonly due: { atMs: number; run: () => void }[] = []

  schedule(delayMs: number, run: () => void) {
    const entry = { atMs: this.clock.nowMs() + delayMs, run }
    this.due.push(entry)
    return () => {
      const at = this.due.indexOf(entry)
      if (at >= 0) this.due.splice(at, 1)
    }
  }

  async advance(ms: number): Promise<void> {
    const end = this.clock.nowMs() + ms
    for (;;) {
      for (let turn = 0; turn < 10; turn++) await Promise.resolve()
      this.due.sort((a, b) => a.atMs - b.atMs)
      const next = this.due[0]
      if (next === undefined || next.atMs > end) break
      this.due.shift()
      this.clock.advance(next.atMs - this.clock.nowMs())
      next.run()
    }
    this.clock.advance(end - this.clock.nowMs())
  }
}

function life(registrationError: number, settings: Record<string, number> = {}) {
  const timeline = new Timeline()
  const asked: { kind: string; atMs: number; request: { offlineLogDirs?: string[] } }[] = []
  const directories = [{ id: 'one', failure: null as string | null, isCordoned: false }]
  const ended: string[] = []
  const answer = { heartbeat: ErrorCode.NONE as number }
  const controller = {
    submit: async ({ kind, request }: { kind: string; request: object }) => {
      asked.push({ kind, atMs: timeline.clock.nowMs(), request })
      return kind === 'registerBroker'
        ? { response: { errorCode: registrationError, brokerEpoch: 5 } }
        : { response: { errorCode: answer.heartbeat, isFenced: false, shouldShutDown: false } }
    },
  } as unknown as ControllerHost
  const { config } = parseConfig({
    options: {
      'process.roles': 'broker,controller',
      'node.id': 1,
      listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
      'controller.listener.names': 'CONTROLLER',
      'controller.quorum.bootstrap.servers': '127.0.0.1:9093',
      'log.dirs': '/data',
      ...settings,
    },
  })
  const world = {
    clock: timeline.clock,
    log: silentLog,
    schedule: (delayMs: number, run: () => void) => timeline.schedule(delayMs, run),
  } as unknown as World
  const registration = {
    brokerId: 1,
    clusterId: 'c',
    incarnationId: 'i',
    listeners: [],
    features: [],
    rack: null,
    previousBrokerEpoch: -1,
  }
  const lifecycle = new Lifecycle(
    world,
    controller,
    registration,
    config,
    new MetadataImage(),
    { list: () => directories },
    (problem) => ended.push(problem.message),
  )
  return { timeline, asked, lifecycle, directories, ended, answer }
}

test('integration: config: heartbeats follow their interval', async () => {
  const { timeline, asked, lifecycle } = life(ErrorCode.NONE, {
    'broker.heartbeat.interval.ms': 500,
  })
  await lifecycle.register()
  const ready = lifecycle.ready()
  await timeline.advance(100)
  await ready
  asked.length = 0
  await timeline.advance(5000)
  expect(asked.filter(({ kind }) => kind === 'heartbeat')).toHaveLength(10)
  lifecycle.stop()
  asked.length = 0
  await timeline.advance(5000)
  expect(asked).toEqual([])
})

test('integration: config: registration is given up', async () => {
  const { timeline, asked, lifecycle } = life(ErrorCode.DUPLICATE_BROKER_REGISTRATION, {
    'initial.broker.registration.timeout.ms': 3000,
  })
  const outcome = lifecycle.register().then(
    () => 'registered',
    (problem: Error) => problem.message,
  )
  await timeline.advance(10_000)
  expect(await outcome).toContain('DUPLICATE_BROKER_REGISTRATION')
  expect(asked.length).toBeGreaterThan(5)
  expect(asked.at(-1)!.atMs - asked[0]!.atMs).toBeLessThan(3500)
})

test('broker: lifecycle: what changes while a heartbeat is on its way is told at once, not at the next interval', async () => {
  const { timeline, asked, lifecycle } = life(ErrorCode.NONE)
  await lifecycle.register()
  expect(asked.map(({ kind }) => kind)).toEqual(['registerBroker', 'heartbeat'])
  const ready = lifecycle.ready()
  await timeline.advance(0)
  await ready
  expect(asked.map(({ kind }) => kind)).toEqual(['registerBroker', 'heartbeat', 'heartbeat'])
  lifecycle.stop()
})

test('broker: lifecycle: a failed directory is told at once and in every beat', async () => {
  const { timeline, asked, lifecycle, directories, ended } = life(ErrorCode.NONE)
  await lifecycle.register()
  await timeline.advance(5)
  asked.length = 0
  directories[0]!.failure = 'EIO'
  const failedMs = timeline.clock.nowMs()
  lifecycle.directoryFailed('one')
  await timeline.advance(60_000)
  expect(asked[0]!.atMs).toBe(failedMs)
  expect(asked.every(({ request }) => request.offlineLogDirs?.[0] === 'one')).toBe(true)
  expect(ended).toEqual([])
  lifecycle.stop()
})

test('integration: config: a node whose failed directory nobody hears of ends in time', async () => {
  const { timeline, lifecycle, directories, ended, answer } = life(ErrorCode.NONE, {
    'log.dir.failure.timeout.ms': 4000,
  })
  await lifecycle.register()
  await timeline.advance(5)
  answer.heartbeat = ErrorCode.NOT_CONTROLLER
  directories[0]!.failure = 'EIO'
  lifecycle.directoryFailed('one')
  await timeline.advance(3900)
  expect(ended).toEqual([])
  await timeline.advance(200)
  expect(ended).toEqual(['the controller does not hear of a failed log directory'])
  lifecycle.stop()
})
