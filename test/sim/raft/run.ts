// One seed of the raft simulation: safety under random faults, then liveness after they end.

import { Cluster, type SimOptions, Violation } from './cluster.ts'

export interface SimResult {
  readonly violation: string | null
  readonly committed: number
  readonly leadersElected: number
  readonly snapshotsInstalled: number
  readonly votersChanged: number
  readonly trace: readonly string[]
}

const FAULTS_MS = 40_000
const HEAL_MS = 60_000

/** Options drawn from a seed: not every run has every fault. */
export function optionsOf(seed: number, fields: Partial<SimOptions> = {}): SimOptions {
  return {
    seed,
    voters: seed % 2 === 0 ? 3 : 5,
    observers: seed % 3 === 0 ? 1 : 0,
    lossPercent: [0, 2, 10, 25][seed % 4]!,
    duplicatePercent: [0, 5, 20][seed % 3]!,
    delayMsMax: [5, 50, 300][seed % 3]!,
    isStatic: seed % 5 === 0,
    joiners: seed % 5 === 1 || seed % 5 === 2 ? 2 : 0,
    oldVoters: seed % 7 === 0 ? 2 : 0,
    ...fields,
  }
}

/** Runs one seed; a broken rule is in the result, with the trace that led to it. */
export function runSim(options: SimOptions): SimResult {
  const cluster = new Cluster(options)
  let violation: string | null = null
  try {
    faults(cluster)
    heal(cluster)
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    violation = error.message
  }
  const { leadersElected, snapshotsInstalled, votersChanged, trace } = cluster
  return {
    violation,
    committed: cluster.committed.length,
    leadersElected,
    snapshotsInstalled,
    votersChanged,
    trace,
  }
}

function faults(cluster: Cluster): void {
  const { random } = cluster
  const endMs = cluster.nowMs + FAULTS_MS
  const calm = random.pick([2, 4, 10])
  let proposals = 0
  while (cluster.nowMs < endMs) {
    cluster.run(cluster.nowMs + random.nextInt(1, 400))
    const { leader } = cluster
    if (leader !== undefined && random.ratio(2, 3)) cluster.propose(leader, `p${proposals++}`)
    if (random.ratio(1, calm)) disturb(cluster)
  }
}

function disturb(cluster: Cluster): void {
  const { random, running, stopped, leader } = cluster
  const ids = [...cluster.machines.keys()]
  const disturbances = [
    () => {
      if (running.length > 0) cluster.crash(random.pick(running).id)
    },
    () => {
      if (leader !== undefined) cluster.crash(leader.id)
    },
    // A process that is back before anybody has noticed.
    () => {
      if (running.length === 0) return
      const { id } = random.pick(running)
      cluster.crash(id)
      cluster.at(random.nextInt(1, 50), () => {
        if (cluster.machines.get(id)!.raft === null) cluster.start(id)
      })
    },
    () => {
      for (const machine of stopped) cluster.start(machine.id)
    },
    () => {
      for (const machine of stopped) cluster.start(machine.id)
    },
    () => isolate(cluster, random.pick(ids), ids, random.ratio(1, 2)),
    // Two nodes that cannot talk, while everybody else can talk to both.
    () => {
      const [one, other] = random.shuffle(ids)
      cluster.cuts.add(`${one}>${other}`)
      cluster.cuts.add(`${other}>${one}`)
    },
    () => {
      if (running.length > 0) cluster.snapshot(random.pick(running))
    },
    () => cluster.cuts.clear(),
    () => {
      if (leader !== undefined && cluster.hasJoiners) cluster.reconfigure(leader)
    },
  ]
  random.pick(disturbances)()
}

function isolate(cluster: Cluster, alone: number, ids: number[], bothWays: boolean): void {
  cluster.cuts.clear()
  for (const id of ids) {
    if (id === alone) continue
    cluster.cuts.add(`${alone}>${id}`)
    if (bothWays) cluster.cuts.add(`${id}>${alone}`)
  }
}

function heal(cluster: Cluster): void {
  cluster.heal()
  for (const machine of cluster.stopped) cluster.start(machine.id)
  const endMs = cluster.nowMs + HEAL_MS
  const hasLeader = () => cluster.leader !== undefined && cluster.leader.highWatermark >= 0
  if (!cluster.run(endMs, hasLeader)) throw new Violation('no leader after the faults ended')
  let target = Infinity
  const everywhere = () =>
    cluster.running.every((machine) => machine.highWatermark >= target) &&
    cluster.running.length === cluster.machines.size
  // A leader may still fall once; a later proposal goes to its successor.
  for (let attempt = 0; attempt < 10; attempt++) {
    const { leader } = cluster
    if (leader !== undefined) {
      target = leader.disk.endOffset + 1
      cluster.propose(leader, `last ${attempt}`)
      target = leader.disk.endOffset
    }
    if (cluster.run(cluster.nowMs + HEAL_MS / 10, everywhere)) return
  }
  const lagging = cluster.running
    .filter((machine) => machine.highWatermark < target)
    .map(({ id, raft, highWatermark }) => `${id} (${raft!.role}, ${highWatermark})`)
  throw new Violation(`not committed everywhere: ${target} at ${lagging.join(', ')}`)
}
