// A storm of kill -9 over members that join, leave, vanish and commit: after each restart every group has what was
// acknowledged, no partition has two owners in a generation, and no living member was forgotten.
//
// The members are the simulator's (test/sim/workloads/group.ts), and so is the judge; here they speak over sockets to a
// broker in a process of its own. STORM_KILLS (40), STORM_SEED (the clock).

import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { GroupChecker } from '../../sim/checkers/groups.ts'
import { Unanswered } from '../../sim/client.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Member } from '../../sim/workloads/group.ts'
import type { WorkloadContext } from '../../sim/workloads/workload.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { pause } from '../support/eventually.ts'
import { RawClient } from '../support/raw_client.ts'

const KILLS = Number(process.env['STORM_KILLS'] ?? 40)
const SEED = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000)
const GROUPS = 4
const MEMBERS = 4
const LIFE_MS_MAX = 2500
const CONFIG = {
  'offsets.topic.num.partitions': 3,
  'group.min.session.timeout.ms': 1000,
  'group.initial.rebalance.delay.ms': 50,
}

/** What the simulator's client is, over a socket: dials when it must, and says when nobody answered. */
class Caller {
  private readonly address: string
  private client: Promise<RawClient> | null = null

  constructor(address: string) {
    this.address = address
  }

  ask: RawClient['ask'] = async (...request) => {
    try {
      this.client ??= RawClient.open(this.address)
      const client = await this.client
      return await client.ask(...request)
    } catch (problem) {
      this.client = null
      throw new Unanswered(String(problem))
    }
  }

  async close(): Promise<void> {
    const client = await this.client?.catch(() => null)
    client?.close()
  }
}

test(`groups: storm: ${KILLS} kills while groups rebalance and commit`, {
  timeout: KILLS * 20_000 + 120_000,
}, async () => {
  const random = new Random(SEED)
  const checker = new GroupChecker(new SimDisk({}))
  await using broker = await BrokerProcess.start({ config: CONFIG })
  let isEnding = false
  const callers: Caller[] = []
  const context = (): WorkloadContext => {
    const client = new Caller(broker.address)
    callers.push(client)
    return {
      client: client as unknown as WorkloadContext['client'],
      random: random.fork(),
      groups: checker,
      logs: undefined as never,
      note: () => {},
      pause,
      nowMs: () => performance.now(),
      isEnding: () => isEnding,
      powerLosses: () => 0,
    }
  }
  const options = { topic: 'grouped', partitions: 5, pauseMsMax: 60 }
  const members = Array.from({ length: GROUPS * MEMBERS }, (_, at) => {
    return new Member(context(), { ...options, group: `group-${at % GROUPS}` })
  })
  let problem: unknown = null
  const lives = members.map((member) =>
    member.run().catch((thrown: unknown) => {
      problem ??= thrown
    }),
  )
  for (let kill = 0; kill < KILLS && problem === null; kill++) {
    await pause(random.nextInt(LIFE_MS_MAX))
    await broker.kill()
    checker.lifeEnded()
    await broker.start()
  }
  await pause(5000)
  isEnding = true
  await Promise.all(lives)
  for (const caller of callers) await caller.close()
  const { commits, generations } = checker
  console.log(`seed ${SEED}: ${commits} commits acknowledged, ${generations} partitions given`)
  if (problem !== null) throw new Error(`STORM_SEED=${SEED}: ${problem}`, { cause: problem })
  expect(commits).toBeGreaterThan(KILLS * 10)
  expect(generations).toBeGreaterThan(KILLS)
})
