// A short life on an empty machine (format, start, change everything, snapshot, trim, write, stop, start again) that
// ends before each of its operations on files, logs and the network in turn; whatever it was, the next life must have
// everything that was acknowledged, and serve. So no two steps of any durable write are left untried.

import { Cluster } from './cluster.ts'
import type { Ending, MachineOptions } from './machine.ts'
import { Trace, Violation } from './trace.ts'
import type { Admin } from './workloads/admin.ts'
import { createTopic, Producer } from './workloads/produce.ts'
import type { Workload, WorkloadContext } from './workloads/workload.ts'

const LIMIT_MS = 20_000
/** Its disk takes no time. */
const QUIET_MS = 100
const SHARED = { topic: 'shared', partitions: 2, pauseMsMax: 0 }

/** One life that is cut short, and the one that follows it. */
export interface Cut {
  readonly operation: number
  readonly ending: Ending
  /** What power loss keeps is drawn from it. */
  readonly seed: number
}

/** What the story went through. */
export interface CutResult {
  readonly violation: string | null
  readonly operations: number
  readonly trace: Trace
}

const MACHINE: MachineOptions = {
  logDirectories: 2,
  snapshotBytes: 300,
  retentionBytes: 1,
  diskDelayMsMax: 0,
  bugs: {},
}

/** Always the same changes, in the same order. */
class Story implements Workload {
  private readonly context: WorkloadContext
  private readonly admin: Admin
  private readonly producer: Producer

  constructor(context: WorkloadContext, admin: Admin, producer: Producer) {
    this.context = context
    this.admin = admin
    this.producer = producer
  }

  async run(): Promise<void> {
    const { admin } = this
    const [first, second] = admin.names as [string, string]
    await this.create(first, 2)
    await admin.configure(first)
    await createTopic(this.context, SHARED)
    await this.producer.produce(0, 3)
    await this.create(second, 1)
    await admin.empty(second)
    await this.delete(second)
    await this.create(second, 2)
    await admin.grow(first)
    await this.producer.produce(1, 2)
    await admin.configure(second)
    await admin.empty(second)
    await this.producer.produce(0, 1)
    await this.delete(first)
  }

  /** A request that died with the process is made again. */
  private async create(name: string, partitions: number): Promise<void> {
    while (!this.admin.has(name)) await this.admin.create(name, partitions)
  }

  private async delete(name: string): Promise<void> {
    while (this.admin.has(name)) await this.admin.delete(name)
  }
}

/** Runs the story; its first life ends where the cut says. */
export async function runCut(
  cut: Cut | null,
  bugs: MachineOptions['bugs'] = {},
): Promise<CutResult> {
  const trace = new Trace()
  const network = { delayMsMax: 1, splitOneIn: 1000 }
  const seed = cut?.seed ?? 1
  const cluster = new Cluster({ seed, machine: { ...MACHINE, bugs }, network }, trace)
  let violation: string | null = null
  let operations = 0
  try {
    operations = await tell(cluster, cut)
  } catch (problem) {
    violation = problem instanceof Violation ? problem.message : String((problem as Error).stack)
  }
  return { violation, operations, trace }
}

async function tell(cluster: Cluster, cut: Cut | null): Promise<number> {
  const { machine } = cluster
  if (cut !== null) machine.endNextBefore = cut
  const admin = cluster.admin('admin', { names: 2, pauseMsMax: 0 })
  const producer = new Producer(cluster.context('producer'), SHARED)
  cluster.begin(new Story(cluster.context('story'), admin, producer))
  let operations = 0
  await cluster.up(LIMIT_MS)
  const isDone = () => cluster.isFinished || machine.isOff
  await cluster.runUntil(isDone, LIMIT_MS)
  if (machine.isUp) {
    const { life } = machine
    await cluster.down(LIMIT_MS)
    operations = life!.operations
  }
  await finish(cluster)
  return operations
}

async function finish(cluster: Cluster): Promise<void> {
  if (!(await cluster.up(LIMIT_MS))) throw new Violation('the second life died')
  if (!(await cluster.runUntil(() => cluster.isFinished, LIMIT_MS))) {
    throw new Violation(`never answered: ${cluster.waiting}`)
  }
  cluster.checkStill()
  await cluster.checkQuiet(QUIET_MS)
  if (!(await cluster.down(LIMIT_MS))) throw new Violation('the second life died at its end')
  if (!(await cluster.up(LIMIT_MS))) throw new Violation('the third life died')
}

/** Every operation of the story, ended both ways; the first cut that breaks something. */
export async function everyOperation(
  options: {
    from?: number
    step?: number
    powerSeeds?: number
    bugs?: MachineOptions['bugs']
  } = {},
): Promise<{ cuts: number; broken: (Cut & { violation: string; trace: Trace }) | null }> {
  const { from = 0, step = 1, powerSeeds = 1, bugs = {} } = options
  const whole = await runCut(null, bugs)
  if (whole.violation !== null) {
    const cut: Cut = { operation: -1, ending: 'kill', seed: 1 }
    return { cuts: 0, broken: { ...cut, violation: whole.violation, trace: whole.trace } }
  }
  let cuts = 0
  for (let operation = from; operation < whole.operations; operation += step) {
    const endings: Cut[] = [{ operation, ending: 'kill', seed: 1 }]
    for (let seed = 1; seed <= powerSeeds; seed++)
      endings.push({ operation, ending: 'power', seed })
    for (const cut of endings) {
      cuts++
      const { violation, trace } = await runCut(cut, bugs)
      if (violation !== null) return { cuts, broken: { ...cut, violation, trace } }
    }
  }
  return { cuts, broken: null }
}
