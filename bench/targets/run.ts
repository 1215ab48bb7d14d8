// `npm run bench -- targets [--quick] [--only GROUP,...] [--minutes N]`: measures what the table of targets needs and
// judges it. Rounds go over all groups, so that a run that was stopped has something of everything; the same command goes
// on where it was. In a round the sides of a group are neighbours, backwards in every other round; in every other round
// each side that is judged is measured twice. Exit code 1 where a target is missed.

import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Arm, startArm } from '../arms/arms.ts'
import { BARE_PIPE } from '../arms/brokers.ts'
import { buildPrograms, type Programs } from '../arms/programs.ts'
import { Lines } from '../harness/lines.ts'
import { Progress, Rounds } from '../harness/rounds.ts'
import { runSlice, type SliceTime } from '../harness/slice.ts'
import { facts, Store } from '../harness/store.ts'
import { atShare, type Workload, workload } from '../harness/workloads.ts'
import { AGAIN } from '../report/compare.ts'
import { resultsFolder, writeReport } from '../report/write.ts'
import { type Planned, planOf } from './plan.ts'
import { measureStart, type StartRow } from './starts.ts'
import { HALF_KNEE, TARGETS, type Target } from './table.ts'
import { judgeTarget, tally, toldJudged } from './verdicts.ts'

/** As bench/main.ts reads them. */
export interface TargetOptions {
  readonly quick: boolean
  readonly only?: string | undefined
  readonly rounds?: string | undefined
  readonly seconds?: string | undefined
  readonly fresh: boolean
  readonly keep: boolean
  readonly minutes?: string | undefined
}

/** What is void costs its time twice; without repeats a quick run stays quick. */
export const QUICK_PACE = { seconds: 4, warmup: 0.5, repeatsPerRound: 0 }
export const FULL_PACE = { seconds: 8, warmup: 1, repeatsPerRound: 15 }

interface Settings extends SliceTime {
  readonly [name: string]: string | number
  readonly repeatsPerRound: number
  readonly rounds: number
  readonly kafkaWarmUpSeconds: number
  readonly starts: number
  readonly idleStarts: number
  readonly idleSeconds: number
}

function settingsOf({ quick, only, rounds, seconds }: TargetOptions): Settings {
  const all = quick
    ? { rounds: 3, ...QUICK_PACE, kafkaWarmUpSeconds: 30, starts: 5, idleStarts: 3 }
    : { rounds: 10, ...FULL_PACE, kafkaWarmUpSeconds: 90, starts: 20, idleStarts: 5 }
  return {
    workloads: `targets, ${quick ? 'indicative' : 'in full'}`,
    only: only ?? '',
    ...all,
    idleSeconds: 10,
    ...(rounds === undefined ? {} : ofRounds(Number(rounds))),
    ...(seconds === undefined ? {} : ofSeconds(Number(seconds))),
  }
}

const ofRounds = (rounds: number) => ({ rounds, starts: rounds * 2, idleStarts: rounds })
const ofSeconds = (seconds: number) => ({ seconds, kafkaWarmUpSeconds: seconds * 4 })

/** The targets whose group is named; all, when none is. */
function chosen(only: string | undefined): readonly Target[] {
  if (only === undefined) return TARGETS
  const groups = only.split(',').map((name) => name.trim())
  const known = [...new Set(TARGETS.map(({ group }) => group))]
  const unknown = groups.find((group) => !known.includes(group))
  if (unknown !== undefined) {
    throw new Error(`no group "${unknown}" of targets; there are: ${known.join('; ')}`)
  }
  return TARGETS.filter(({ group }) => groups.includes(group))
}

/** What arms.ts calls them; the name of the pipe in results is another one. */
const armName = (arm: string): string => (arm === BARE_PIPE ? 'pipe' : arm)

class TargetRun {
  private readonly settings: Settings
  private readonly targets: readonly Target[]
  private readonly programs: Programs = buildPrograms()
  private readonly directory: string
  private readonly folder: string
  private readonly store: Store
  private readonly starts: Lines<StartRow>
  private readonly knees: Lines<{ readonly knee: number }>
  private readonly rounds: Rounds
  private readonly machine: ReturnType<typeof facts>
  private readonly untilMs: number
  private knee = 0

  constructor(options: TargetOptions, directory: string) {
    this.settings = settingsOf(options)
    this.targets = chosen(options.only)
    this.untilMs = performance.now() + Number(options.minutes ?? Number.POSITIVE_INFINITY) * 60_000
    this.directory = directory
    this.machine = facts(directory)
    const { workloads, rounds, seconds, only } = this.settings
    const name = `${workloads}-${rounds}x${seconds}-${only}`
    this.folder = resultsFolder(this.machine, name, options.fresh)
    const header = { facts: this.machine, settings: this.settings }
    this.store = Store.open(join(this.folder, 'slices.jsonl'), header)
    this.starts = Lines.open(join(this.folder, 'starts.jsonl'), header)
    this.knees = Lines.open(join(this.folder, 'knees.jsonl'), header)
    this.rounds = new Rounds(this.programs, this.store, this.settings)
  }

  async measure(): Promise<void> {
    const plan = planOf(this.targets)
    const { rounds } = this.settings
    const shared = plan.filter(({ isApart }) => !isApart).flatMap(({ sides }) => sides)
    const names = [...new Set(shared.map(({ arm }) => armName(arm)))]
    await this.measureStarts()
    await this.rounds.start(names, this.directory, {
      kafkaSeconds: this.settings.kafkaWarmUpSeconds,
    })
    if (shared.some(({ workload: name }) => name === HALF_KNEE)) await this.findKnee()
    const once = plan.reduce((sum, { sides }) => sum + sides.length, 0)
    const twice = plan.reduce((sum, group) => sum + group.twice.length, 0)
    const progress = new Progress(once * rounds + twice * Math.ceil(rounds / 2))
    for (let round = 0; round < rounds; round++) {
      for (const group of plan) {
        if (performance.now() >= this.untilMs) return
        await this.group(group, round, progress)
      }
    }
  }

  /** Of Apache Kafka alone; once in a run, however often that is stopped. */
  private async findKnee(): Promise<void> {
    const known = this.knees.rows[0]?.knee
    this.knee = known ?? (await this.rounds.knee(this.rounds.arms.filter(isKafka)))
    if (known === undefined) this.knees.add({ knee: this.knee })
    console.error(`Apache Kafka's knee: ${Math.round(this.knee)} records/s`)
  }

  private async group(group: Planned, round: number, progress: Progress): Promise<void> {
    const isWanted = ({ arm, workload: name }: Planned['sides'][number]) =>
      this.rounds.wants(arm, name, round)
    // A broker of its own is not started for nothing.
    const isDone = group.isApart && !group.sides.some(isWanted)
    const arms = group.isApart && !isDone ? [await this.startApart()] : this.rounds.arms
    try {
      const order = round % 2 === 0 || group.isApart ? group.sides : group.sides.toReversed()
      for (const { arm: name, workload: one } of order) {
        const arm = arms.find((running) => running.name === name)
        if (arm !== undefined && !isDone) await this.rounds.slice(arm, this.workload(one), round)
        progress.step(`${one}, ${name}, round ${round}`)
      }
      if (round % 2 === 1 || isDone) return
      for (const { side, name } of group.twice) {
        const arm = arms.find((running) => running.name === side.arm)!
        await this.rounds.slice(arm, this.workload(side.workload), round, name)
        progress.step(`${side.workload}, ${name}, round ${round}`)
      }
    } finally {
      if (group.isApart && !isDone) await this.stopApart(arms[0]!)
    }
  }

  private async startApart(): Promise<Arm> {
    const directory = join(this.directory, 'apart')
    mkdirSync(directory, { recursive: true })
    const arm = await startArm('ottla', directory, this.programs)
    const time = { seconds: Math.min(2, this.settings.seconds), warmup: 0 }
    await runSlice(this.programs.load, arm, workload('unbatched 1 KiB'), -1, time)
    return arm
  }

  private async stopApart(arm: Arm): Promise<void> {
    await arm.stop()
    const directory = join(this.directory, 'apart')
    if (existsSync(directory)) rmSync(directory, { recursive: true, force: true })
  }

  private workload(name: string): Workload {
    return name === HALF_KNEE ? atShare(this.knee, 0.5) : workload(name)
  }

  private async measureStarts(): Promise<void> {
    if (!this.targets.some(({ evidence }) => evidence.kind === 'start')) return
    const { starts, idleStarts, idleSeconds } = this.settings
    while (this.starts.rows.length < starts) {
      const round = this.starts.rows.length
      const idle = round < idleStarts ? idleSeconds : 0
      this.starts.add(await measureStart(this.directory, round, idle))
      console.error(`start ${round + 1} of ${starts}`)
    }
  }

  /** Prints and writes it; the exit code. */
  async tell(isKept: boolean): Promise<number> {
    const admitsVoid = this.settings.repeatsPerRound === 0
    const evidence = { slices: this.store.slices, starts: this.starts.rows, admitsVoid }
    const targets = this.targets.map((target) => judgeTarget(target, evidence))
    const { machine, settings } = this
    const measured = [...new Set(evidence.slices.map(({ arm }) => arm))]
    const others = measured.filter((arm) => arm !== 'ottla' && !arm.endsWith(AGAIN))
    const arms = ['ottla', ...others]
    const run = { facts: machine, settings, arms, slices: evidence.slices, targets }
    await writeReport(run, this.folder, isKept)
    console.log(`${settings.workloads}: ${machine.commit}, ${machine.processor}`)
    for (const judged of targets) console.log(toldJudged(judged))
    const { met, missed, undecided } = tally(targets)
    console.log(`${met} met, ${missed} missed, ${undecided} undecided`)
    return missed > 0 ? 1 : 0
  }

  async stop(): Promise<void> {
    await this.rounds.stop()
  }
}

const isKafka = ({ name }: Arm): boolean => name === 'kafka'

/** The whole command; the exit code. `directory` is for the brokers. */
export async function runTargets(options: TargetOptions, directory: string): Promise<number> {
  const run = new TargetRun(options, directory)
  try {
    await run.measure()
    return await run.tell(options.keep)
  } finally {
    await run.stop()
  }
}
