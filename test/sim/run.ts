// One seed of one scenario: safety under faults, then liveness after they end, then an orderly stop and a last start.

import { Random } from '../../src/lib/random.ts'
import { Cluster } from './cluster.ts'
import { Nemesis } from './nemesis.ts'
import type { Scenario, ScenarioOptions } from './scenarios/scenario.ts'
import { Trace, Violation } from './trace.ts'

/** Everything under way must be answered within this, once nothing goes wrong any more. */
const HEALED_MS = 60_000

/** What became of one run. */
export interface Verdict {
  readonly seed: number
  readonly scenario: string
  /** What broke, or null. */
  readonly violation: string | null
  readonly stack: string
  readonly trace: Trace
  readonly options: ScenarioOptions
  readonly changes: number
  readonly acknowledged: number
  /** Offsets that retention took, of all that were given. */
  readonly deleted: number
  readonly lives: number
  readonly committed: number
  /** Partitions given in generations, commits acknowledged, coordinators loaded. */
  readonly groups: { generations: number; commits: number; reloads: number }
  /** Transactions that were committed. */
  readonly transactions: number
}

/** The one line that repeats a run. */
export const commandOf = ({ seed, scenario }: { seed: number; scenario: string }): string =>
  `npm run sim -- ${seed} --scenario ${scenario}`

/** The options of a seed. */
export function optionsOf(scenario: Scenario, seed: number): ScenarioOptions {
  return scenario.options(new Random([seed, 0x6f747461, 1]))
}

/** Runs one seed; what broke is in the verdict. */
export async function runSeed(
  scenario: Scenario,
  seed: number,
  { options = optionsOf(scenario, seed), trace = new Trace() } = {},
): Promise<Verdict> {
  const cluster = new Cluster({ seed, ...worldOf(options) }, trace)
  let problem: unknown = null
  try {
    await story(cluster, options)
  } catch (thrown) {
    problem = thrown
    trace.add(`broken: ${thrown}`)
  }
  const isViolation = problem instanceof Violation
  const error = problem as Error | null
  return {
    seed,
    scenario: scenario.name,
    violation: error === null ? null : isViolation ? error.message : String(error),
    stack: error?.stack ?? '',
    trace,
    options,
    changes: cluster.admins.reduce((sum, admin) => sum + admin.changes, 0),
    acknowledged: cluster.logs.acknowledged,
    deleted: cluster.logs.deleted,
    lives: cluster.machine.starts,
    committed: cluster.metadata.committedEndOffset,
    groups: cluster.groups,
    transactions: cluster.copies.commits,
  }
}

/** What a cluster is built from. */
export function worldOf(options: ScenarioOptions) {
  const { logDirectories, snapshotBytes, retentionBytes, diskDelayMsMax, bugs } = options
  return {
    machine: { logDirectories, snapshotBytes, retentionBytes, diskDelayMsMax, bugs },
    network: { delayMsMax: options.delayMsMax, splitOneIn: 4 },
  }
}

async function story(cluster: Cluster, options: ScenarioOptions): Promise<void> {
  const { durationMs, admins, producers, consumers, partitions, pauseMsMax } = options
  const shared = { topic: 'shared', partitions, pauseMsMax, keptBytes: options.keptBytes }
  if (options.keptBytes > 0) cluster.logs.shrinks('shared', options.keptBytes)
  for (let at = 0; at < admins; at++) cluster.addAdmin(`admin${at}`, { names: 4, pauseMsMax })
  for (let at = 0; at < producers; at++) cluster.addProducer(`producer${at}`, shared)
  for (let at = 0; at < consumers; at++) cluster.addConsumer(`consumer${at}`, shared)
  const grouped = { group: 'group', topic: 'grouped', partitions: 5, pauseMsMax }
  for (let at = 0; at < options.members; at++) cluster.addMember(`member${at}`, grouped)
  const modern = { ...grouped, group: 'modern', topic: 'modern' }
  for (let at = 0; at < options.modernMembers; at++) {
    cluster.addConsumerMember(`modern${at}`, modern)
  }
  for (let at = 0; at < options.copiers; at++) cluster.addCopier(`copier${at}`, pauseMsMax)
  for (let at = 0; at < options.racers; at++) cluster.addRacer(`racer${at}`, { pauseMsMax })
  await new Nemesis(cluster, options.faults).torment(durationMs)
  await heal(cluster)
  await restartInOrder(cluster)
}

async function heal(cluster: Cluster): Promise<void> {
  const { machine } = cluster
  machine.isSlow = false
  await cluster.runUntil(() => false, machine.stalledUntilMs - cluster.timeline.nowMs)
  machine.endSoon(Number.POSITIVE_INFINITY, 'kill')
  if (machine.isOff && !(await cluster.up())) throw new Violation('the node does not come up')
  cluster.end()
  if (!(await cluster.runUntil(() => cluster.isFinished, HEALED_MS))) {
    throw new Violation(`not answered after all faults had ended: ${cluster.waiting}`)
  }
  cluster.checkStill()
  await cluster.checkQuiet()
}

async function restartInOrder(cluster: Cluster): Promise<void> {
  if (!(await cluster.down())) throw new Violation('the node died while it stopped')
  // An orderly stop leaves nothing that the loss of power could take.
  const { lost } = cluster.logs
  cluster.machine.losePower()
  if (cluster.logs.lost > lost) throw new Violation('an orderly stop left records unsynced')
  cluster.checkStill()
  if (!(await cluster.up())) throw new Violation('the node died while it started')
  await cluster.checkQuiet()
  if (!(await cluster.down())) throw new Violation('the node died while it stopped')
}
