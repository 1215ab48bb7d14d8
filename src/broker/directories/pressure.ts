// Looks at the disks of the log directories, and keeps a part of each for the broker itself: above the low mark nothing
// happens; below it topics that allow it lose the segments that retention would delete first, one at a time; at the
// reserve clients' batches are refused, and everything else goes on. (storage/disk_pressure.ts decides.)
//
// Invariants: a disk that hangs is not asked twice and delays no other; what is said to the plane is never more than the
// last measurement allows; each change of state is logged once, with what to do; with plenty of room some is held for the
// next start (host/held_room.ts).
// Apache Kafka has nothing like it: a disk without room fails its log directory.

import type { BrokerConfig } from '../../config/config.ts'
import { HELD_BYTES, holdRoom } from '../../host/held_room.ts'
import type { LogDirectories } from '../../host/log_directories.ts'
import { refusal } from '../../host/log_directory.ts'
import type { Tickets } from '../../host/tickets.ts'
import type { Cancel, Space, World } from '../../host/world.ts'
import { LookupKind } from '../../plane/layout.ts'
import type { DataPlane, DirectoryLimits } from '../../plane/plane.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  clientBytes,
  type DiskState,
  type EarlyPolicy,
  type Marks,
  marksOf,
  mayGoEarly,
  nextState,
  type OldestSegment,
  PACE_MS,
  paceMs,
  Victims,
} from '../../storage/disk_pressure.ts'
import { INTERNAL_TOPICS } from '../node.ts'
import type { LocalPartition, Publisher } from '../publisher.ts'
import type { Checkpoints } from './checkpoints.ts'

/** A file system needs a moment to give blocks back; only then it is known what is still missing. */
const GIVE_BACK_MS = 2_000
const IN_FLIGHT_MAX = 16
/** A broker that runs shorter than this holds nothing for another start. */
const HOLD_AFTER_MS = 5_000
/** What is held is at most such a part of the reserve. */
const HELD_PART = 4

export interface DiskPressureOptions {
  world: World
  plane: DataPlane
  tickets: Tickets
  publisher: Publisher
  directories: LogDirectories
  checkpoints: Checkpoints
  metadataLogDir: string
  /** The metadata log's directory, where it is no log directory, cannot be asked for its room. */
  metadataFailed: (path: string, why: string) => void
  /** As of now. */
  config: () => BrokerConfig
  /** What may go early of a topic now. */
  early: (topic: string) => EarlyPolicy
}

interface Disk {
  readonly path: string
  /** Nothing but the metadata log is there: no client writes to it, and nothing in it can be deleted. */
  readonly isMetadataOnly: boolean
  state: DiskState
  isAsked: boolean
  /** What the plane was told. */
  limits: DirectoryLimits
  /** Until the next look. */
  paceMs: number
  /** Nothing is deleted early before. */
  restUntilMs: number
  /** Room is held for the next start. */
  isHeld: boolean
}

/** The disks of a running broker. */
export class DiskPressure {
  private readonly options: DiskPressureOptions
  private readonly disks: readonly Disk[]
  private cancel: Cancel = () => {}
  private isRelieving = false
  private isStarted = false
  private holdFromMs = 0
  private isStopped = false

  constructor(options: DiskPressureOptions) {
    this.options = options
    const logDirs = options.directories.list().map(({ path }) => path)
    this.disks = [...new Set([...logDirs, options.metadataLogDir])].map((path) => {
      return {
        path,
        isMetadataOnly: !logDirs.includes(path),
        state: 'plenty',
        isAsked: false,
        limits: { clientBytes: -1, isShort: false },
        paceMs: PACE_MS,
        restUntilMs: 0,
        isHeld: false,
      }
    })
    options.directories.pressureOf = (path) => this.stateOf(path)
  }

  /** Looks at every disk at once: who may connect afterwards meets what it says. */
  start(): void {
    for (const disk of this.disks) {
      // That one was written to a moment ago; it has nothing to refuse.
      const space = disk.isMetadataOnly ? null : this.options.directories.space(disk.path)
      if (space !== null) this.judge(disk, space)
    }
    this.isStarted = true
    this.holdFromMs = this.nowMs() + HOLD_AFTER_MS
    this.wait()
  }

  /** The marks may lie elsewhere now. */
  configured(): void {
    if (this.isStarted && !this.isStopped) this.lookAtAll()
  }

  /** No more looks; what is being deleted is the last. */
  stop(): void {
    this.isStopped = true
    this.cancel()
  }

  stateOf(path: string): DiskState {
    return this.disks.find((disk) => disk.path === path)?.state ?? 'plenty'
  }

  /** Time that nobody sets back. */
  private nowMs(): number {
    return this.options.world.clock.monotonicUs() / 1000
  }

  /** The disk that is closest to a mark says when all are looked at. */
  private wait(): void {
    if (this.isStopped) return
    this.cancel()
    const pace = Math.min(...this.disks.map((disk) => disk.paceMs))
    this.cancel = this.options.world.schedule(pace, () => {
      this.lookAtAll()
      this.wait()
    })
  }

  private lookAtAll(): void {
    for (const disk of this.disks) if (!disk.isAsked) void this.look(disk)
  }

  private async look(disk: Disk): Promise<void> {
    disk.isAsked = true
    const space = await this.spaceOf(disk)
    disk.isAsked = false
    if (space === null || this.isStopped) return
    this.judge(disk, space)
    this.wait()
  }

  private async spaceOf({ path, isMetadataOnly }: Disk): Promise<Space | null> {
    const { world, directories, metadataFailed } = this.options
    if (!isMetadataOnly) return directories.spaceBeside(path)
    const outcome = await world.files.spaceBeside(path).then((value) => value, refusal)
    if (!('ok' in outcome)) return outcome
    if (!outcome.ok && !outcome.isPassing && !this.isStopped) metadataFailed(path, outcome.why)
    return null
  }

  private judge(disk: Disk, { totalBytes, usableBytes }: Space): void {
    const { plane, config } = this.options
    const now = config()
    const marks = marksOf(
      {
        reserveBytes: now.get('ottla.log.dir.reserve.bytes'),
        lowBytes: now.get('ottla.log.dir.low.bytes'),
        reservePercentMax: now.get('ottla.log.dir.reserve.max.percent'),
      },
      totalBytes,
    )
    const state = nextState(disk.state, usableBytes, marks)
    if (state !== disk.state) this.changed(disk, state, usableBytes, marks)
    disk.paceMs = paceMs(state, usableBytes, marks)
    if (!disk.isHeld && this.isStarted) this.hold(disk, usableBytes, marks)
    if (disk.isMetadataOnly) return
    const limits = {
      clientBytes: clientBytes(state, usableBytes, marks),
      isShort: state !== 'plenty',
    }
    const { clientBytes: known, isShort } = disk.limits
    // A number is counted down by the plane, so that the same one again is news.
    if (limits.clientBytes > 0 || limits.clientBytes !== known || limits.isShort !== isShort) {
      plane.limitDirectory(disk.path, limits)
      disk.limits = limits
    }
    if (state !== 'plenty') void this.relieve(disk, marks.lowEnd - usableBytes)
  }

  private hold(disk: Disk, usableBytes: number, { reserve, reserveEnd }: Marks): void {
    const isSmall = reserve < HELD_PART * HELD_BYTES
    if (isSmall || usableBytes < reserveEnd + HELD_BYTES || this.nowMs() < this.holdFromMs) return
    disk.isHeld = true
    void holdRoom(this.options.world.files, disk.path).then(undefined, (problem: unknown) => {
      const outcome = refusal(problem)
      // Another problem of the disk's is met by those who need what they write.
      disk.isHeld = !outcome.ok && !outcome.isPassing
    })
  }

  private changed(disk: Disk, state: DiskState, usableBytes: number, marks: Marks): void {
    const { log } = this.options.world
    disk.state = state
    const what = { directory: disk.path, usableBytes }
    if (disk.isMetadataOnly && state !== 'plenty') {
      const say =
        'the disk of the metadata log is low: without room topics, configs and leaders cannot change; free space'
      log.error(say, { ...what, untilBytes: state === 'full' ? marks.reserveEnd : marks.lowEnd })
    } else if (state === 'full') {
      const say =
        'a disk has no room for clients: produce to its log directory is refused until there is more; ' +
        'delete topics or records, shorten retention, or free space'
      log.error(say, { ...what, reserveBytes: marks.reserve, untilBytes: marks.reserveEnd })
    } else if (state === 'low') {
      const say =
        'a disk is low: topics that allow it (ottla.early.retention.ms) lose their oldest segments early; ' +
        'at its reserve produce will be refused'
      log.warn(say, { ...what, reserveBytes: marks.reserve, untilBytes: marks.lowEnd })
    } else log.info('a disk has room again', what)
  }

  /** Deletes early what is due first, until so many bytes are on their way back; one disk at a time. */
  private async relieve(disk: Disk, missingBytes: number): Promise<void> {
    if (this.isRelieving || this.nowMs() < disk.restUntilMs) return
    this.isRelieving = true
    const { world, checkpoints } = this.options
    const victims = await this.victims(disk)
    const topics = new Set<string>()
    let [segments, bytes] = [0, 0]
    while (bytes < missingBytes && !this.isStopped) {
      const victim = victims.take()
      if (victim === undefined) break
      if (!(await this.delete(victim.log, victim.segment))) continue
      segments++
      bytes += victim.segment.bytes
      topics.add(victim.log.topic)
      await this.add(victims, victim.log)
    }
    this.isRelieving = false
    disk.restUntilMs = this.nowMs() + GIVE_BACK_MS
    if (segments === 0 || this.isStopped) return
    const what = { directory: disk.path, segments, bytes, topics: [...topics].join(',') }
    world.log.warn('segments were deleted before their time, as the disk is low', what)
    void checkpoints.logStarts()
  }

  private async victims({ path }: Disk): Promise<Victims<LocalPartition>> {
    const { publisher, plane, early, world } = this.options
    const victims = new Victims<LocalPartition>(world.clock.nowMs())
    const logs = publisher.openPartitions().filter(({ directory, topic, slot }) => {
      const isOurs = directory === path && !INTERNAL_TOPICS.has(topic)
      return isOurs && mayGoEarly(early(topic)) && plane.partition(slot).segments > 1
    })
    for (let at = 0; at < logs.length && !this.isStopped; at += IN_FLIGHT_MAX) {
      await Promise.all(logs.slice(at, at + IN_FLIGHT_MAX).map((log) => this.add(victims, log)))
    }
    return victims
  }

  private async add(victims: Victims<LocalPartition>, log: LocalPartition): Promise<void> {
    const { tickets, early } = this.options
    if (log.state !== 'open') return
    const { errorCode, a, b, c } = await tickets.run((plane, ticket) =>
      plane.lookup(log.slot, LookupKind.oldestSegment, 0, ticket),
    )
    if (errorCode !== ErrorCode.NONE) return
    victims.add(log, { nextOffset: a, maxTimestamp: b, bytes: c }, early(log.topic))
  }

  private async delete(log: LocalPartition, { nextOffset }: OldestSegment): Promise<boolean> {
    // Its topic may have been deleted, or its policy changed, while others were asked.
    if (log.state !== 'open' || !mayGoEarly(this.options.early(log.topic))) return false
    const { errorCode } = await this.options.tickets.run((plane, ticket) =>
      plane.trim(log.slot, nextOffset, ticket),
    )
    return errorCode === ErrorCode.NONE
  }
}
