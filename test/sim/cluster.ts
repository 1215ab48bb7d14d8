// One run's world: a machine with a whole node on it, a network, clients with workloads, checkers after every event.
// Everything random comes from one seed, and everything that takes time takes simulated time.

import { Random } from '../../src/lib/random.ts'
import { CopyChecker } from './checkers/copies.ts'
import { GroupChecker } from './checkers/groups.ts'
import { LogChecker } from './checkers/log.ts'
import { MetadataChecker } from './checkers/metadata.ts'
import { checkPlacement } from './checkers/placement.ts'
import { SimClient } from './client.ts'
import { type Ending, Machine, type MachineOptions } from './machine.ts'
import { type NetworkOptions, SimNetwork } from './network.ts'
import { Timeline } from './timeline.ts'
import { type Trace, Violation } from './trace.ts'
import { Admin } from './workloads/admin.ts'
import { Consumer } from './workloads/consume.ts'
import { ConsumerMember } from './workloads/consumer_group.ts'
import { Copier } from './workloads/copy.ts'
import { Member, type MemberOptions } from './workloads/group.ts'
import { Producer, type ProducerOptions } from './workloads/produce.ts'
import { Racer } from './workloads/race.ts'
import type { Workload, WorkloadContext } from './workloads/workload.ts'

/** Longer than any answer of a slow disk. */
const QUIET_MS = 3000
/** What copiers write to. */
const COPIES = 'copies'

export interface ClusterOptions {
  seed: number
  machine: MachineOptions
  network: NetworkOptions
}

/** A node, its clients and its judges. */
export class Cluster {
  readonly random: Random
  readonly timeline = new Timeline()
  readonly trace: Trace
  readonly machine: Machine
  readonly metadata: MetadataChecker
  readonly logs: LogChecker
  readonly groups: GroupChecker
  readonly copies: CopyChecker
  readonly admins: Admin[] = []
  readonly clients: SimClient[] = []
  private readonly network: SimNetwork
  private readonly workloads: Promise<void>[] = []
  private problem: unknown = null
  private finished = 0
  private isEnding = false
  powerLosses = 0

  constructor(options: ClusterOptions, trace: Trace) {
    this.trace = trace
    this.random = new Random(options.seed)
    this.network = new SimNetwork(this.timeline, this.random.fork(), options.network)
    this.machine = new Machine({
      timeline: this.timeline,
      trace,
      random: this.random.fork(),
      network: this.network,
      options: options.machine,
      watcher: {
        led: (...call) => this.judge(() => this.metadata.led(...call)),
        committed: (life, slot, offset) =>
          this.judge(() => {
            if (slot === 0) this.metadata.advanced(life.number, offset)
          }),
      },
      onProblem: (problem) => this.failed(problem),
      onOver: () => this.groups.lifeEnded(),
      onPowerLost: () => {
        this.powerLosses++
        this.logs.powerLost()
        this.copies.powerLost()
        this.judge(() => this.groups.powerLost())
      },
    })
    this.metadata = new MetadataChecker(this.machine.disk)
    this.logs = new LogChecker(this.machine.disk)
    this.groups = new GroupChecker(this.machine.disk)
    this.copies = new CopyChecker(this.machine.disk, COPIES)
  }

  /** A rule broken inside of a call from the node must not become the node's error. */
  private judge(rule: () => void): void {
    try {
      rule()
    } catch (problem) {
      this.failed(problem)
    }
  }

  private failed(problem: unknown): void {
    this.problem ??= problem
  }

  context(name: string): WorkloadContext {
    const client = new SimClient(name, this.network)
    this.clients.push(client)
    return {
      client,
      random: this.random.fork(),
      logs: this.logs,
      groups: this.groups,
      nowMs: () => this.timeline.nowMs,
      note: (line) => this.trace.add(`${name} ${line}`),
      pause: (ms) => this.timeline.pause(ms),
      isEnding: () => this.isEnding,
      powerLosses: () => this.powerLosses,
    }
  }

  /** An administrator whose knowledge is checked; whoever made it tells it what to do. */
  admin(name: string, options: { names: number; pauseMsMax: number }): Admin {
    const admin = new Admin(this.context(name), options)
    this.admins.push(admin)
    return admin
  }

  addAdmin(name: string, options: { names: number; pauseMsMax: number }): void {
    this.begin(this.admin(name, options))
  }

  addProducer(name: string, options: ProducerOptions): void {
    this.begin(new Producer(this.context(name), options))
  }

  addConsumer(name: string, options: ProducerOptions): void {
    this.begin(new Consumer(this.context(name), options))
  }

  addMember(name: string, options: MemberOptions): void {
    this.begin(new Member(this.context(name), options))
  }

  addConsumerMember(name: string, options: MemberOptions): void {
    this.begin(new ConsumerMember(this.context(name), options))
  }

  addCopier(name: string, pauseMsMax: number): void {
    const options = { topic: COPIES, partitions: 2, pauseMsMax, copies: this.copies }
    this.begin(new Copier(this.context(name), options))
  }

  addRacer(name: string, options: { pauseMsMax: number }): void {
    this.begin(new Racer(this.context(name), options))
  }

  /** Runs until it ends by itself. */
  begin(workload: Workload): void {
    const run = workload.run().then(
      () => {
        this.finished++
      },
      (problem: unknown) => this.failed(problem),
    )
    this.workloads.push(run)
  }

  /** Asks every workload to come to its end. */
  end(): void {
    this.isEnding = true
  }

  get isFinished(): boolean {
    return this.finished === this.workloads.length
  }

  /** Runs events until a condition holds; false when time is up first. Throws what broke. */
  async runUntil(isDone: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.timeline.nowMs + limitMs
    while (!isDone()) {
      if (this.timeline.nowMs >= endMs) return false
      await this.step()
    }
    return true
  }

  async step(): Promise<void> {
    if (!(await this.timeline.step())) throw new Violation('nothing will ever happen again')
    if (this.problem !== null) throw this.problem
    const { inside } = this.machine
    if (inside === null) return
    this.metadata.check(inside)
    this.groups.checkLoaded(inside.groups)
  }

  /** Starts the machine and waits until it serves; false when it died on the way. */
  async up(limitMs = 30_000): Promise<boolean> {
    const { machine } = this
    void machine.start()
    const life = machine.starts
    const isDone = () => machine.isUp || machine.isOff || machine.starts !== life
    if (!(await this.runUntil(isDone, limitMs))) throw new Violation('the node does not come up')
    if (machine.inside === null) return false
    this.metadata.checkCaughtUp(machine.inside)
    this.checkStill()
    return true
  }

  /** Stops in order; false when it died on the way. */
  async down(limitMs = 30_000): Promise<boolean> {
    const { machine } = this
    const { starts } = machine
    let isStopped = false
    machine.stop().then(
      () => {
        isStopped = true
      },
      (problem: unknown) => this.failed(problem),
    )
    const isDone = () => machine.isOff
    if (!(await this.runUntil(isDone, limitMs))) throw new Violation('the node does not stop')
    return isStopped && machine.starts === starts
  }

  crash(ending: Ending): void {
    this.machine.crash(ending)
  }

  /** What the clients know against the node's image, and against the disk. */
  checkStill(): void {
    const { inside } = this.machine
    if (inside !== null) for (const admin of this.admins) admin.check(inside.raft.image)
    this.logs.check()
    this.groups.check()
    this.copies.check()
    if (inside !== null) this.groups.compare(inside.groups.shards.hosts)
  }

  /** Nothing is asked any more: what is still under way ends, and disk, image and plane agree. */
  async checkQuiet(quietMs = QUIET_MS): Promise<void> {
    await this.runUntil(() => false, quietMs)
    const { inside, plane, disk } = this.machine
    if (inside === null || plane === null) throw new Violation('the node died in peace')
    checkPlacement(disk, inside.raft.image, inside.publisher, plane)
  }

  /** Why it does not finish. */
  get waiting(): string {
    return this.clients
      .filter(({ asking }) => asking !== '')
      .map(({ name, asking }) => `${name}: ${asking}`)
      .join(', ')
  }
}
