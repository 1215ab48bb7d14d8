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
  const asked: { kind: string; atMs: number }[] = []
  const controller = {
    submit: async ({ kind }: { kind: string }) => {
      asked.push({ kind, atMs: timeline.clock.nowMs() })
      return kind === 'registerBroker'
        ? { response: { errorCode: registrationError, brokerEpoch: 5 } }
        : { response: { errorCode: ErrorCode.NONE, isFenced: false, shouldShutDown: false } }
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
    logDirs: [],
    previousBrokerEpoch: -1,
  }
  const lifecycle = new Lifecycle(world, controller, registration, config, new MetadataImage())
  return { timeline, asked, lifecycle }
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
