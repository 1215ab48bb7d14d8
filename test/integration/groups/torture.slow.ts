// Rebalance torture: twenty members of five client libraries in one group over 64 partitions, joining, leaving and dying
// by a seed while a producer writes sequence numbers. Nothing is lost, nothing is skipped after a committed offset, no
// partition is owned twice in a generation. Then the same while the coordinator is killed and started again, with
// cooperative and static members of the libraries that have such, with the group protocol of KIP-848 of those that speak it,
// and with members of both protocols in one group, which changes its own with them.
//
// TORTURE_MINUTES (10), TORTURE_SEED (the clock), TORTURE_BROKER=kafka: the same of Apache Kafka, to know what clients do.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatKafka, Kafka, writeProperties } from '../../oracle/kafka/kafka.ts'
import { installConfluent } from '../clients/confluent.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { freePorts } from '../support/commands.ts'
import { pause } from '../support/eventually.ts'
import type { Library, Style } from './torture/herd.ts'
import { PARTITIONS, type Summary, Torture, type TortureOptions } from './torture/run.ts'
import { Witness } from './torture/witness.ts'

const MINUTES = Number(process.env['TORTURE_MINUTES'] ?? 10)
const SEED = Number(process.env['TORTURE_SEED'] ?? Date.now() % 1_000_000)
const IS_KAFKA = process.env['TORTURE_BROKER'] === 'kafka'
const TIMEOUT_MS = MINUTES * 60_000 + 900_000
const PLACE = { groupId: 'tortured', topic: 'sequences' }

/** A broker that can be killed and come back. */
interface Broker {
  readonly address: string
  kill(): Promise<void>
  start(): Promise<void>
}

/** Runs `use` with a broker that tells clients to come to `port`, where the witness is. */
async function withBroker(port: number, use: (broker: Broker) => Promise<Summary>) {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-torture-'))
  const own = await freePorts()
  const controller = `CONTROLLER://127.0.0.1:${own + 1}`
  const advertised = `PLAINTEXT://127.0.0.1:${port},${controller}`
  const config = {
    'advertised.listeners': advertised,
    'group.min.session.timeout.ms': 1000,
    'group.consumer.min.session.timeout.ms': 1000,
    'group.consumer.session.timeout.ms': 6000,
    'group.consumer.min.heartbeat.interval.ms': 400,
    'group.consumer.heartbeat.interval.ms': 400,
  }
  const file = writeProperties({ directory, port: own, config })
  await formatKafka(file, 'MkU3OEVBNTcwNTJENDM2Qk')
  try {
    if (IS_KAFKA) {
      let kafka = await Kafka.start(file, own)
      try {
        return await use({
          address: kafka.address,
          kill: () => kafka.kill(),
          start: async () => {
            kafka = await Kafka.start(file, own)
          },
        })
      } finally {
        await kafka.kill()
      }
    }
    await using broker = await BrokerProcess.start({ directory, port: own, file })
    return await use(broker)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Kind {
  readonly style?: Style
  readonly libraries?: readonly Library[]
  readonly isStatic?: boolean
  readonly disturb?: (broker: Broker) => NonNullable<TortureOptions['disturb']>
}

async function torture({ style = 'eager', disturb, ...rest }: Kind = {}): Promise<Summary> {
  await installConfluent()
  const port = await freePorts()
  return await withBroker(port, async (broker) => {
    const { address } = broker
    const target = Number(address.split(':')[1])
    await using witness = await Witness.start({ port, target, groupId: PLACE.groupId })
    await createTopic(address, PLACE.topic, PARTITIONS)
    const run = new Torture({
      ...rest,
      seed: SEED,
      durationMs: MINUTES * 60_000,
      place: { ...PLACE, style, address: `127.0.0.1:${port}` },
      witness,
      address,
      ...(disturb === undefined ? {} : { disturb: disturb(broker) }),
    })
    return await run.run()
  })
}

const kill = (broker: Broker) => async (random: { nextInt(limit: number): number }) => {
  await broker.kill()
  await pause(random.nextInt(1500))
  await broker.start()
}

function expectSound(summary: Summary): void {
  const { problems, ...rest } = summary
  console.log(`seed ${SEED}, ${MINUTES} min: ${JSON.stringify(rest)}`)
  expect(problems.slice(0, 20), `TORTURE_SEED=${SEED}`).toEqual([])
  // A run in which nothing happened shows nothing.
  expect(summary.produced).toBeGreaterThan(MINUTES * 1000)
  expect(summary.generations).toBeGreaterThan(MINUTES * 5)
}

test(`groups: torture: ${MINUTES} minutes of members of five libraries coming and going`, {
  timeout: TIMEOUT_MS,
}, async () => {
  expectSound(await torture())
})

test(`groups: torture: ${MINUTES} minutes while the coordinator is killed and started again`, {
  timeout: TIMEOUT_MS,
}, async () => {
  expectSound(await torture({ disturb: kill }))
})

test(`groups: torture: ${MINUTES} minutes of cooperative members, half of them static`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const libraries = ['confluent', 'java', 'kcat'] as const
  expectSound(await torture({ style: 'cooperative', libraries, isStatic: true }))
})

const MODERN = ['confluent', 'java', 'platformatic'] as const

test(`groups: torture: ${MINUTES} minutes of members of the new protocol, while the coordinator is killed`, {
  timeout: TIMEOUT_MS,
}, async () => {
  expectSound(await torture({ style: 'modern', libraries: MODERN, disturb: kill }))
})

test(`groups: torture: ${MINUTES} minutes of members of both protocols in one group`, {
  timeout: TIMEOUT_MS,
}, async () => {
  expectSound(await torture({ style: 'modern', isStatic: true }))
})
