// A machine: a disk that outlives processes, and at most one node running on it.
//
// A process ends in order (stop), at once (kill: what was written stays) or with the machine (power: what was not
// synced may go). The next start formats the directories when they are not formatted yet, as `npm start` does.

import { type ParsedConfig, parseConfig } from '../../src/config/parse.ts'
import { format } from '../../src/host/formatting.ts'
import type { RaftHost } from '../../src/host/raft_host.ts'
import type { Cancel, World } from '../../src/host/world.ts'
import { Log } from '../../src/lib/log.ts'
import type { Random } from '../../src/lib/random.ts'
import { METADATA_VERSION_MAX } from '../../src/metadata/features.ts'
import type { MetadataImage } from '../../src/metadata/image.ts'
import { OttlaNode } from '../../src/node.ts'
import type { Coordinators } from './checkers/groups.ts'
import type { LocalPartitions } from './checkers/placement.ts'
import { type DiskBugs, SimDisk } from './disk.ts'
import { Life } from './life.ts'
import type { SimNetwork } from './network.ts'
import { type PlaneBugs, type PlaneWatcher, SimPlane } from './plane.ts'
import { SimClock, type Timeline } from './timeline.ts'
import { type Trace, Violation } from './trace.ts'

const CLUSTER_ID = 'c2ltdWxhdGVkLWNsdXN0ZX'
/** Of members of consumer groups. */
export const SESSION_MS = 3000
export const CLIENT_PORT = 9092

export type Ending = 'kill' | 'power'

/** How a machine is built and how it misbehaves. */
export interface MachineOptions {
  logDirectories: number
  /** metadata.log.max.record.bytes.between.snapshots */
  snapshotBytes: number
  /** metadata.max.retention.bytes */
  retentionBytes: number
  /** Operations of the disk take up to so long; 0: no time at all. */
  diskDelayMsMax: number
  bugs: DiskBugs & PlaneBugs
  /** More of them, and others. */
  settings?: Readonly<Record<string, string | number>>
}

export interface MachineParts {
  timeline: Timeline
  trace: Trace
  random: Random
  network: SimNetwork
  watcher: PlaneWatcher
  options: MachineOptions
  /** A node said that it cannot go on, or refused to start. */
  onProblem: (problem: unknown) => void
  /** A process is no more, however it ended. */
  onOver: () => void
  /** The disk has just forgotten what it could. */
  onPowerLost: () => void
}

/** What checkers look at in a running node. */
export interface NodeInside {
  raft: RaftHost
  publisher: LocalPartitions
  controller: { shard: { image: MetadataImage } | null }
  groups: Coordinators
}

/** One machine and the node on it. */
export class Machine {
  readonly disk: SimDisk
  readonly clock: SimClock
  node: OttlaNode | null = null
  life: Life | null = null
  plane: SimPlane | null = null
  starts = 0
  /** Timers of its nodes that ran out; what is only deferred is none. */
  timersFired = 0
  /** Applied to the next life: it ends before the operation of this number. */
  endNextBefore: { operation: number; ending: Ending } | null = null
  /** A life opened logs and has not closed them in order since: no mark may say otherwise. */
  isDirty = false
  /** The event loop stands still (a long collection, a busy host) while the data plane goes on. */
  stalledUntilMs = 0
  /** The disk is slow for a while. */
  isSlow = false
  /** How the planned end of this life comes about. */
  private ending: Ending = 'kill'
  private readonly parts: MachineParts
  private readonly parsed: ParsedConfig

  constructor(parts: MachineParts) {
    this.parts = parts
    this.disk = new SimDisk(parts.options.bugs)
    this.clock = new SimClock(parts.timeline)
    this.parsed = parseConfig({ options: configOf(parts.options) })
  }

  get isUp(): boolean {
    return this.node !== null
  }

  get isOff(): boolean {
    return this.life === null
  }

  /** The parts of a running node; null while none is. */
  get inside(): NodeInside | null {
    return this.node as unknown as NodeInside | null
  }

  /** Starts a process; resolves when it serves, has failed or has died. */
  async start(): Promise<void> {
    const { trace, onProblem } = this.parts
    const life = this.newLife()
    trace.add(`start ${life.number}`)
    try {
      const world = this.world(life)
      this.format(world)
      if (life.isOver) return
      const node = await OttlaNode.start(this.parsed, {
        world,
        createPlane: (options) => this.createPlane(life, options),
        onFatal: (problem) => {
          if (!life.isOver) onProblem(problem)
        },
      })
      if (life.isOver) return
      this.node = node
      trace.add(`up ${life.number}`)
    } catch (problem) {
      if (life.isOver) return
      this.crash('kill')
      onProblem(problem)
    }
  }

  /** Ends the process in order. */
  async stop(): Promise<void> {
    const { node, life } = this
    if (node === null || life === null) throw new Violation('sim: only a running node can stop')
    this.parts.trace.add(`stop ${life.number}`)
    this.node = null
    await node.stop()
    if (life.isOver) return
    this.parts.trace.add(`stopped ${life.number}`)
    this.over(life)
  }

  /** The event loop stands still from now on; a stall that is under way is not cut short. */
  stall(ms: number): void {
    this.parts.trace.add(`stall ${ms}`)
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.parts.timeline.nowMs + ms)
  }

  /** The running process ends before its nth operation from here. */
  endSoon(operations: number, ending: Ending): void {
    if (this.life === null) return
    this.ending = ending
    this.life.endBefore = this.life.operations + operations
  }

  /** Ends the process where it stands, and the machine with it when the power goes. */
  crash(ending: Ending): void {
    const { life, plane } = this
    if (life === null) return
    this.parts.trace.add(`${ending} ${life.number}`)
    this.over(life)
    plane?.inner.crash()
    if (ending === 'power') this.losePower()
  }

  /** The machine goes dark, whether a process runs or not. */
  losePower(): void {
    if (this.life !== null) return this.crash('power')
    this.parts.trace.add('dark')
    this.disk.losePower(this.parts.random)
    this.parts.onPowerLost()
  }

  private over(life: Life): void {
    this.stalledUntilMs = 0
    life.end()
    this.life = null
    this.node = null
    this.plane = null
    this.parts.onOver()
  }

  private newLife(): Life {
    if (this.life !== null) throw new Violation('sim: a machine runs one process')
    const { trace } = this.parts
    const planned = this.endNextBefore
    const life = new Life(++this.starts, trace, () => this.crash(this.ending))
    if (planned !== null) {
      this.ending = planned.ending
      life.endBefore = planned.operation
    }
    this.endNextBefore = null
    this.life = life
    return life
  }

  private format(world: World): void {
    format(world.files, {
      clusterId: CLUSTER_ID,
      derived: this.parsed.derived,
      metadataVersion: METADATA_VERSION_MAX,
      random: world.random,
      nowMs: world.clock.nowMs(),
    })
  }

  private createPlane(life: Life, options: ConstructorParameters<typeof SimPlane>[0]): SimPlane {
    const { timeline, random, network, watcher, options: machine } = this.parts
    const slowRandom = random.fork()
    const plane = new SimPlane(options, {
      life,
      timeline,
      clock: this.clock,
      random: random.fork(),
      disk: this.disk,
      network,
      watcher,
      opening: this.openingWatch(),
      closedClean: () => {
        this.isDirty = false
      },
      diskDelayMs: () => {
        if (machine.diskDelayMsMax === 0) return 0
        const delay = slowRandom.nextFloat() * machine.diskDelayMsMax
        return this.isSlow ? delay * 50 : delay
      },
      stalledUntilMs: () => this.stalledUntilMs,
      bugs: machine.bugs,
    })
    this.plane = plane
    return plane
  }

  /** Before a log is opened: nobody may take a crash for a clean end. */
  private openingWatch(): (isCleanShutdown: boolean) => void {
    const wasDirty = this.isDirty
    return (isCleanShutdown) => {
      this.isDirty = true
      if (!isCleanShutdown || !wasDirty) return
      this.parts.onProblem(new Violation('a crash was taken for a clean shutdown'))
    }
  }

  private world(life: Life): World {
    const { timeline, random, trace } = this.parts
    const schedule = (delayMs: number, run: () => void): Cancel => {
      let cancel = timeline.after(delayMs, () => {
        if (life.isOver) return
        const lateMs = this.stalledUntilMs - timeline.nowMs
        if (lateMs <= 0) {
          if (delayMs > 0) this.timersFired++
          return run()
        }
        cancel = schedule(lateMs, run)
      })
      return () => cancel()
    }
    return {
      clock: this.clock,
      random: random.fork(),
      files: this.disk.mount(life),
      log: new Log((level, scope, message, fields) => {
        if (life.isOver) return
        trace.add(`${level} ${scope} ${message} ${JSON.stringify(fields)}`)
      }),
      schedule,
      defer: (run) => {
        schedule(0, run)
      },
    }
  }
}

function configOf(options: MachineOptions): Record<string, string | number> {
  const directories = Array.from({ length: options.logDirectories }, (_, at) => `/data/${at}`)
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': '127.0.0.1:9093',
    listeners: `PLAINTEXT://127.0.0.1:${CLIENT_PORT},CONTROLLER://127.0.0.1:9093`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': directories.join(','),
    'offsets.topic.num.partitions': 2,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 2,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.min.session.timeout.ms': 1000,
    'group.consumer.min.session.timeout.ms': 1000,
    'group.consumer.session.timeout.ms': SESSION_MS,
    'group.consumer.min.heartbeat.interval.ms': 100,
    'group.consumer.heartbeat.interval.ms': 500,
    'group.initial.rebalance.delay.ms': 100,
    'metadata.log.max.record.bytes.between.snapshots': options.snapshotBytes,
    'metadata.max.retention.bytes': options.retentionBytes,
    'log.initial.task.delay.ms': 0,
    'log.retention.check.interval.ms': 200,
    // Records carry a fixed time; only scenarios that say so lose any, and those by size.
    'log.retention.ms': -1,
    ...options.settings,
  }
}
