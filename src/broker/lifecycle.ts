// A broker's life as the controller sees it: register, catch up, be unfenced, beat, and leave in order.
//
//   starting --registered--> recovering --caught up, partitions open--> running --stop()--> leaving --> gone
//
// Invariants: only one heartbeat is in flight; a stale epoch means somebody else has our id, or we were forgotten, and
// is answered by registering anew; stop() never waits longer than its bound, whatever the controller does; a log
// directory that failed is told in every beat, and a node that cannot tell it in time must not go on as if it led there.
// Kafka: BrokerLifecycleManager; KIP-631, KIP-858, KIP-1066.

import type { BrokerConfig } from '../config/config.ts'
import type { ControllerHost } from '../host/controller_host.ts'
import type { Cancel, World } from '../host/world.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'

export interface Registration {
  readonly brokerId: number
  readonly clusterId: string
  readonly incarnationId: string
  readonly listeners: {
    name: string
    host: string
    port: number
    securityProtocol: number
  }[]
  readonly features: { name: string; minSupportedVersion: number; maxSupportedVersion: number }[]
  readonly rack: string | null
  readonly previousBrokerEpoch: number
}

/** The log directories of the broker, as the controller hears of them. */
export interface DirectoryView {
  list(): readonly { id: string; failure: string | null; isCordoned: boolean }[]
}

const REGISTRATION_RETRY_MS = 200

/** Registration, heartbeats and departure of one broker. */
export class Lifecycle {
  private readonly world: World
  private readonly controller: ControllerHost
  private readonly registration: Registration
  private readonly heartbeatMs: number
  private readonly registrationTimeoutMs: number
  private readonly image: MetadataImage
  private readonly directories: DirectoryView
  private readonly failureTimeoutMs: number
  private readonly onUntold: (problem: Error) => void
  /** Failed directories that the controller has not confirmed. */
  private readonly untold = new Set<string>()
  private epoch = -1
  private isReady = false
  private isLeaving = false
  private isGone = false
  private isBeating = false
  /** What the controller should hear changed while a heartbeat was on its way. */
  private isNews = false
  private cancel: Cancel | null = null
  private readonly unfenced: (() => void)[] = []
  private readonly departed: (() => void)[] = []

  constructor(
    world: World,
    controller: ControllerHost,
    registration: Registration,
    config: BrokerConfig,
    image: MetadataImage,
    directories: DirectoryView,
    onUntold: (problem: Error) => void,
  ) {
    this.world = world
    this.controller = controller
    this.registration = registration
    this.heartbeatMs = config.get('broker.heartbeat.interval.ms')
    this.registrationTimeoutMs = config.get('initial.broker.registration.timeout.ms')
    this.image = image
    this.directories = directories
    this.failureTimeoutMs = config.get('log.dir.failure.timeout.ms')
    this.onUntold = onUntold
  }

  get brokerEpoch(): number {
    return this.epoch
  }

  /** Registers, again and again while an older incarnation has a session; throws where it is refused for good. */
  async register(): Promise<void> {
    const { clock } = this.world
    const deadline = clock.nowMs() + this.registrationTimeoutMs
    while (!(await this.tryRegister(clock.nowMs() >= deadline))) {
      await new Promise<void>((resolve) => this.world.schedule(REGISTRATION_RETRY_MS, resolve))
    }
    this.beat()
  }

  private async tryRegister(isLast: boolean): Promise<boolean> {
    const { response } = await this.controller.submit<'registerBroker'>({
      kind: 'registerBroker',
      version: 4,
      request: { ...this.registration, logDirs: this.onlineIds(), isMigratingZkBroker: false },
    })
    const errorCode = response.errorCode ?? ErrorCode.NONE
    if (errorCode === ErrorCode.DUPLICATE_BROKER_REGISTRATION && !isLast) return false
    if (errorCode !== ErrorCode.NONE) {
      throw new Error(`the controller refuses to register this broker: ${errorName(errorCode)}`)
    }
    this.epoch = response.brokerEpoch ?? -1
    return true
  }

  /** The partitions are open: from now on the broker may be unfenced. Resolves when it is. */
  ready(): Promise<void> {
    this.isReady = true
    this.beat()
    return new Promise((resolve) => this.unfenced.push(resolve))
  }

  /** Asks to leave, so that leaders move away first; resolves when the controller agrees or time is up. */
  leave(boundMs: number): Promise<void> {
    this.isLeaving = true
    return new Promise((resolve) => {
      const giveUp = this.world.schedule(boundMs, () => this.depart())
      this.departed.push(() => {
        giveUp()
        resolve()
      })
      this.beat()
    })
  }

  /** A directory failed: told at once, and in time, or the node must end. */
  directoryFailed(id: string): void {
    this.untold.add(id)
    this.world.schedule(this.failureTimeoutMs, () => {
      if (this.isGone || !this.untold.has(id)) return
      this.onUntold(new Error('the controller does not hear of a failed log directory'))
    })
    this.beat()
  }

  /** Which directories are cordoned has changed. */
  cordoned(): void {
    this.beat()
  }

  private onlineIds(): string[] {
    return this.directories.list().flatMap(({ id, failure }) => (failure === null ? [id] : []))
  }

  /** No more heartbeats. */
  stop(): void {
    this.isGone = true
    this.cancel?.()
  }

  private beat(): void {
    if (this.isGone || this.epoch < 0) return
    if (this.isBeating) {
      this.isNews = true
      return
    }
    this.cancel?.()
    this.isBeating = true
    this.isNews = false
    const directories = this.directories.list().filter(({ id }) => id !== '')
    const offline = directories.flatMap(({ id, failure }) => (failure === null ? [] : [id]))
    this.controller
      .submit<'heartbeat'>({
        kind: 'heartbeat',
        version: 2,
        request: {
          brokerId: this.registration.brokerId,
          brokerEpoch: this.epoch,
          currentMetadataOffset: this.image.provenance.offset,
          wantFence: !this.isReady,
          wantShutDown: this.isLeaving,
          offlineLogDirs: offline,
          cordonedLogDirs: directories.flatMap(({ id, isCordoned }) => (isCordoned ? [id] : [])),
        },
      })
      .then(({ response }) => this.beaten(response, offline))
      .catch((problem: Error) => this.world.log.debug(`heartbeat: ${problem.message}`))
      .finally(() => {
        this.isBeating = false
        if (this.isNews) this.beat()
        else this.beatLater()
      })
  }

  private beaten(
    response: { errorCode?: number; isFenced?: boolean; shouldShutDown?: boolean },
    offline: readonly string[],
  ): void {
    const errorCode = response.errorCode ?? ErrorCode.NONE
    if (
      errorCode === ErrorCode.STALE_BROKER_EPOCH ||
      errorCode === ErrorCode.BROKER_ID_NOT_REGISTERED
    ) {
      this.world.log.warn('registering anew', { reason: errorName(errorCode) })
      this.epoch = -1
      this.register().catch((problem: Error) => this.world.log.error(problem.message))
      return
    }
    if (errorCode === ErrorCode.NONE) for (const id of offline) this.untold.delete(id)
    if (response.shouldShutDown === true) return this.depart()
    if (response.isFenced === false) for (const resolve of this.unfenced.splice(0)) resolve()
  }

  /** While something is awaited the next beat follows soon; a running broker beats at its interval. */
  private beatLater(): void {
    if (this.isGone) return
    this.cancel?.()
    const isHurried = this.isLeaving || this.unfenced.length > 0
    const delay = isHurried ? Math.min(10, this.heartbeatMs) : this.heartbeatMs
    this.cancel = this.world.schedule(delay, () => this.beat())
  }

  private depart(): void {
    this.stop()
    for (const resolve of this.departed.splice(0)) resolve()
  }
}
