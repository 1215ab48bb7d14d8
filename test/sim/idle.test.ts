// What a node does while nobody asks anything of it: its timers are all that wakes its thread, so that a timer which
// runs for nothing is found here, whatever the machine. Settings are the defaults, for a topic that has been written.

import { expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import { Trace } from './trace.ts'
import { createTopic, Producer } from './workloads/produce.ts'

const LIMIT_MS = 20_000
const MINUTE_MS = 60_000
/** Until what a start and the last request have left is done. */
const SETTLED_MS = 10_000
/** Heartbeats to the controller 30, disks 12, checkpoints 12 and 1, retention and the cleaner a few: less than one a second. */
const TIMERS_MAX = 65
const TOPIC = { topic: 'written', partitions: 3, pauseMsMax: 0 }

test('sim: a node that nobody asks anything is woken by about one timer a second', async () => {
  const settings = {
    'log.initial.task.delay.ms': 30_000,
    'log.retention.check.interval.ms': 300_000,
  }
  const cluster = new Cluster(
    {
      seed: 1,
      machine: {
        ...{ logDirectories: 1, snapshotBytes: 1 << 20, retentionBytes: 1 << 20 },
        ...{ diskDelayMsMax: 0, bugs: {}, settings },
      },
      network: { delayMsMax: 1, splitOneIn: 1000 },
    },
    new Trace(),
  )
  const { machine, timeline } = cluster
  expect(await cluster.up(LIMIT_MS)).toBe(true)
  const producer = new Producer(cluster.context('producer'), TOPIC)
  cluster.begin({
    run: async () => {
      await createTopic(cluster.context('story'), TOPIC)
      for (let partition = 0; partition < TOPIC.partitions; partition++) {
        await producer.produce(partition, 3)
      }
    },
  })
  expect(await cluster.runUntil(() => cluster.isFinished, LIMIT_MS)).toBe(true)
  const pass = async (ms: number) => {
    const endMs = timeline.nowMs + ms
    await cluster.runUntil(() => timeline.nowMs >= endMs, ms + 1000)
  }
  await pass(SETTLED_MS)
  const before = machine.timersFired
  await pass(MINUTE_MS)
  const fired = machine.timersFired - before
  expect(fired).toBeLessThanOrEqual(TIMERS_MAX)
  // It is there, and tells the controller so.
  expect(fired).toBeGreaterThan(20)
  expect(await cluster.down(LIMIT_MS)).toBe(true)
})
