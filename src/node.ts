// A node: what `process.roles` asks for, built in order and taken down in the opposite one.
//
// Start: directories → plane → controller listener → metadata log → controller → register → partitions open → unfenced →
// broker listeners. Whoever can connect can be served. Stop: listeners → leave the cluster → flush and checkpoint →
// close the plane → mark the end as clean. Nothing here decides anything; it composes.
// Kafka: KafkaRaftServer, SharedServer, BrokerServer, ControllerServer.

import { Assignments } from './broker/directories/assignments.ts'
import { Checkpoints } from './broker/directories/checkpoints.ts'
import { DirectoryFailures } from './broker/directories/failures.ts'
import { Moves } from './broker/directories/moves.ts'
import { DiskPressure } from './broker/directories/pressure.ts'
import { Dispatch } from './broker/dispatch.ts'
import { connectionLimits, cordonedLogDirs } from './broker/dynamic_config.ts'
import { GroupCoordinator } from './broker/group_coordinator.ts'
import { SUPPORTED_FEATURES } from './broker/handlers/api_versions.ts'
import { AutoTopics } from './broker/internal_topics.ts'
import { Lifecycle } from './broker/lifecycle.ts'
import { LogCleaner } from './broker/log_cleaner.ts'
import { LogUpkeep } from './broker/log_upkeep.ts'
import type { BrokerNode } from './broker/node.ts'
import { partitionConfig } from './broker/partition_config.ts'
import { ProducerIdSource } from './broker/producer_ids.ts'
import { Publisher } from './broker/publisher.ts'
import { brokerApis, controllerApis } from './broker/served.ts'
import type { Listener } from './broker/session.ts'
import { TransactionCoordinator } from './broker/transaction_coordinator.ts'
import type { BrokerConfig } from './config/config.ts'
import type { ParsedConfig } from './config/parse.ts'
import { compactionOf, earlyRetentionOf, retentionOf } from './config/topic_config.ts'
import { ControllerHost } from './host/controller_host.ts'
import { bootstrapRecords, openDirectories } from './host/formatting.ts'
import { releaseRoom } from './host/held_room.ts'
import { LogDirectories } from './host/log_directories.ts'
import { readBootstrap } from './host/metadata_log.ts'
import { RaftHost } from './host/raft_host.ts'
import { Tickets } from './host/tickets.ts'
import type { World } from './host/world.ts'
import { CONFIG_RESOURCE } from './metadata/configs.ts'
import { METADATA_VERSION_MAX } from './metadata/features.ts'
import { EMPTY_PROVENANCE, type MetadataDelta, MetadataImage } from './metadata/image.ts'
import type { DataPlane, FactSink, PlaneOptions } from './plane/plane.ts'
import { readBatches } from './raft/batches.ts'
import { RAFT_DEFAULTS } from './raft/contract.ts'
import { NO_DIRECTORY } from './raft/voters.ts'

/** Clean-up gets this long before what is left is cut off. */
const DRAIN_MS = 2_000
const LEAVE_MS = 5_000
const FLUSH_MS = 30_000

/** What a node needs besides its configuration. */
export interface NodeParts {
  readonly world: World
  readonly createPlane: (options: PlaneOptions) => DataPlane
  /** The node cannot go on; it has begun to stop. */
  readonly onFatal: (problem: Error) => void
}

/** Something that only an operator can decide stands against the start. */
export class StartRefused extends Error {
  override readonly name = 'StartRefused'
  readonly code: 'LOCKED' | 'START_REFUSED'

  constructor(message: string, code: StartRefused['code'] = 'START_REFUSED') {
    super(message)
    this.code = code
  }
}

/** One broker and controller, running. */
export class OttlaNode {
  private readonly parsed: ParsedConfig
  private readonly world: World
  private readonly parts: NodeParts
  private readonly locks: { release(): void }[] = []
  private readonly listeners: Listener[] = []
  private plane!: DataPlane
  private tickets!: Tickets
  private dispatch!: Dispatch
  private controller!: ControllerHost
  private raft!: RaftHost
  private directories!: LogDirectories
  private publisher!: Publisher
  private checkpoints!: Checkpoints
  private upkeep!: LogUpkeep
  private cleaner!: LogCleaner
  private pressure!: DiskPressure
  private groups!: GroupCoordinator
  private transactions!: TransactionCoordinator
  private autoTopics!: AutoTopics
  private lifecycle!: Lifecycle
  private assignments!: Assignments
  private failures!: DirectoryFailures
  private moves!: Moves
  /** Of what deletions before this start have left. */
  private removal: Promise<void> = Promise.resolve()
  private layered: BrokerConfig
  private clusterIdText = ''
  private isPlaneOpen = false
  private isRunning = false
  private isEnding = false
  private stopping: Promise<void> | null = null
  /** Rejects when the node cannot go on while it starts. */
  private readonly failed = Promise.withResolvers<never>()

  private constructor(parsed: ParsedConfig, parts: NodeParts) {
    this.parsed = parsed
    this.parts = parts
    this.world = parts.world
    this.layered = parsed.config
    // Only a start in progress listens to it.
    this.failed.promise.catch(() => {})
  }

  /** Starts a node on formatted directories; resolves when clients can be served. */
  static async start(parsed: ParsedConfig, parts: NodeParts): Promise<OttlaNode> {
    const node = new OttlaNode(parsed, parts)
    try {
      await Promise.race([node.run(), node.failed.promise])
    } catch (problem) {
      await node.abandon()
      throw problem
    }
    return node
  }

  get clusterId(): string {
    return this.clusterIdText
  }

  get nodeId(): number {
    return this.parsed.derived.nodeId
  }

  /** Listeners as bound, port 0 resolved. */
  get boundListeners(): readonly Listener[] {
    return this.listeners
  }

  private async run(): Promise<void> {
    const { derived } = this.parsed
    const { files } = this.world
    refuseUnbuilt(this.parsed)
    const paths = new Set([derived.metadataLogDir, ...derived.logDirs])
    for (const path of paths) this.lock(path)
    const opened = openDirectories(files, derived)
    for (const directory of releaseRoom(files, paths)) {
      this.world.log.warn('a disk is full: the room held for a start is let go of', { directory })
    }
    this.clusterIdText = opened.clusterId
    this.directories = new LogDirectories(files, opened.directories)
    this.directories.cordon(cordonedLogDirs(this.layered))
    this.openPlane()
    this.compose(opened.metadataDirectoryId)
    for (const listener of derived.controllerListeners) this.listen(listener, true)
    // A port that the system chooses must be known before it is told to the controller.
    const early = derived.brokerListeners.filter(({ port }) => port === 0)
    for (const listener of early) this.listen(listener, false)
    await this.raft.start().catch((problem: unknown) => {
      throw withoutRoom(problem) ? noRoomFor(derived.metadataLogDir) : problem
    })
    this.createLifecycle()
    await this.lifecycle.register()
    await this.publisher.settled()
    await this.lifecycle.ready()
    await this.publisher.settled()
    this.refuseUnenforced(this.raft.image)
    this.pressure.start()
    for (const listener of derived.brokerListeners) {
      if (listener.port !== 0) this.listen(listener, false)
    }
    this.upkeep.start()
    this.cleaner.start()
    this.moves.start()
    this.isRunning = true
    this.removal = this.directories.removeLeftovers()
  }

  private lock(path: string): void {
    // One that is missing, or a file in its place, has failed; openDirectories says so.
    if (!this.world.files.isDirectory(path)) return
    const lock = this.world.files.lock(path)
    if (lock === null) {
      const why = `${path} is in use by another process, which holds its .lock file`
      throw new StartRefused(why, 'LOCKED')
    }
    this.locks.push(lock)
  }

  private openPlane(): void {
    const { config, derived } = this.parsed
    this.plane = this.parts.createPlane({
      reactors: config.get('ottla.reactor.threads'),
      directories: new Set([derived.metadataLogDir, ...derived.logDirs]).size,
      nodeId: derived.nodeId,
      requestBytesMax: config.get('socket.request.max.bytes'),
      connectionsMaxIdleMs: config.get('connections.max.idle.ms'),
      fetchBytesMax: config.get('fetch.max.bytes'),
      fetchSessionsMax: config.get('max.incremental.fetch.session.cache.slots'),
      congestionControl: config.get('ottla.socket.congestion.control') ?? '',
      ioBackend: this.ioBackend(),
      openFilesMax: config.get('ottla.log.open.files.max'),
      spinUs: config.get('ottla.reactor.spin.us'),
      socketSendBytes: config.get('socket.send.buffer.bytes'),
      socketReceiveBytes: config.get('socket.receive.buffer.bytes'),
      produceValidation: config.get('ottla.produce.validate') as 'header' | 'full',
      producerIdExpirationMs: config.get('producer.id.expiration.ms'),
      producerIdExpirationCheckMs: config.get('producer.id.expiration.check.interval.ms'),
      ...flushPace(config),
      recoveryThreads: config.get('num.recovery.threads.per.data.dir'),
    })
    this.isPlaneOpen = true
    if (this.ioBackend() === 'io_uring') this.world.log.info('sockets are served by io_uring')
    this.plane.limit(connectionLimits(config))
    this.tickets = new Tickets(this.plane)
    this.dispatch = new Dispatch(this.plane, this.world.log.child('requests'))
  }

  /** `auto` is epoll: it measures as well, and no system forbids it. */
  private ioBackend(): 'epoll' | 'io_uring' {
    const isUring = this.parsed.config.get('ottla.io.backend') === 'io_uring'
    return isUring ? 'io_uring' : 'epoll'
  }

  private compose(directoryId: string): void {
    const { config, derived } = this.parsed
    const { world, plane, tickets } = this
    const bootstrap =
      readBootstrap(world.files, derived.metadataLogDir) ?? bootstrapRecords(METADATA_VERSION_MAX)
    // Judged before it is written: what it says must be what this release understands.
    new MetadataImage().load(bootstrap, EMPTY_PROVENANCE)
    this.controller = new ControllerHost({
      world,
      settings: () => ({
        nodeId: derived.nodeId,
        clusterId: this.clusterIdText,
        config,
        bootstrap,
        kraftVersion: this.raft.kraftVersion,
        features: SUPPORTED_FEATURES,
      }),
      propose: (epoch, baseOffset, records) => this.raft.propose(epoch, baseOffset, records),
    })
    const settings = () => this.layered
    this.autoTopics = new AutoTopics(this.controller, settings, world.log)
    const configOf = (topic: string, image: MetadataImage) =>
      partitionConfig(image.configs.of(CONFIG_RESOURCE.topic, topic), this.layered)
    this.groups = new GroupCoordinator({
      world,
      plane,
      tickets,
      config: settings,
      partitionConfig: configOf,
    })
    this.transactions = new TransactionCoordinator({
      world,
      plane,
      tickets,
      publisher: () => this.publisher,
      groups: this.groups,
      config: settings,
      partitionConfig: configOf,
    })
    this.publisher = new Publisher({
      plane,
      tickets,
      directories: this.directories,
      nodeId: derived.nodeId,
      listeners: this.listeners,
      partitionConfig: configOf,
      notOpened: (path, errno) => this.failures.notOpened(path, errno),
      onOpened: (local, assignedId) => {
        const id = this.directories.idOf(local.directory)
        if (id !== assignedId) this.assignments.assign(local.topicId, local.partition, id)
      },
      onRole: (partition, role) => {
        if (partition.state === 'retiring') this.moves.gone(partition)
        this.groups.role(partition, role)
        this.transactions.role(partition, role)
      },
      log: world.log.child('partitions'),
    })
    const { directories, publisher } = this
    this.failures = new DirectoryFailures({
      world,
      plane,
      directories,
      publisher: () => this.publisher ?? null,
      lifecycle: () => this.lifecycle ?? null,
      metadataLogDir: derived.metadataLogDir,
      isEnding: () => this.isEnding,
      onFatal: (problem) => this.fatal(problem),
    })
    this.moves = new Moves({
      world,
      plane,
      tickets,
      publisher,
      directories,
      assignments: () => this.assignments,
      cleaner: () => this.cleaner,
      config: settings,
    })
    this.checkpoints = new Checkpoints({ world, plane, directories, publisher })
    this.upkeep = new LogUpkeep({
      world,
      plane,
      tickets,
      publisher,
      checkpoints: this.checkpoints,
      config,
      retention: (topic) =>
        retentionOf(this.raft.image.configs.of(CONFIG_RESOURCE.topic, topic), this.layered),
    })
    this.pressure = new DiskPressure({
      world,
      plane,
      tickets,
      publisher,
      directories,
      checkpoints: this.checkpoints,
      metadataLogDir: derived.metadataLogDir,
      metadataFailed: (path, why) => this.failures.metadataFailed(path, why),
      config: settings,
      early: (topic) =>
        earlyRetentionOf(this.raft.image.configs.of(CONFIG_RESOURCE.topic, topic), this.layered),
    })
    this.cleaner = new LogCleaner({
      world,
      plane,
      tickets,
      publisher,
      directories,
      config: () => this.layered,
      compaction: (topic) =>
        compactionOf(this.raft.image.configs.of(CONFIG_RESOURCE.topic, topic), this.layered),
    })
    this.raft = new RaftHost({
      world,
      plane,
      tickets,
      directory: derived.metadataLogDir,
      segmentBytesMax:
        config.get('internal.metadata.log.segment.bytes') ??
        config.get('metadata.log.segment.bytes'),
      segmentMs: config.get('metadata.log.segment.ms'),
      raft: {
        ...RAFT_DEFAULTS,
        clusterId: this.clusterIdText,
        nodeId: derived.nodeId,
        directoryId,
        canVote: derived.isController,
        listeners: derived.advertisedControllerListeners,
        listenerName: derived.controllerListenerNames[0]!,
        staticVoters: derived.voters.map(({ id, host, port }) => ({
          id,
          directoryId: NO_DIRECTORY,
          endpoints: [{ name: derived.controllerListenerNames[0]!, host, port }],
          kraftVersions: { min: 0, max: 1 },
        })),
        bootstrapServers: derived.bootstrapServers,
        electionTimeoutMs: config.get('controller.quorum.election.timeout.ms'),
        fetchTimeoutMs: config.get('controller.quorum.fetch.timeout.ms'),
        electionBackoffMaxMs: config.get('controller.quorum.election.backoff.max.ms'),
        requestTimeoutMs: config.get('controller.quorum.request.timeout.ms'),
        retryBackoffMs: config.get('controller.quorum.retry.backoff.ms'),
        readBatches,
      },
      snapshots: {
        bytesBetween: config.get('metadata.log.max.record.bytes.between.snapshots'),
        intervalMs: config.get('metadata.log.max.snapshot.interval.ms'),
        retentionBytes: config.get('metadata.max.retention.bytes'),
        retentionMs: config.get('metadata.max.retention.ms'),
      },
      controller: this.controller,
      onPublish: (delta, image) => this.publish(delta, image),
      onFatal: (problem) => this.fatal(problem),
    })
    this.assignments = new Assignments({
      world,
      controller: this.controller,
      image: this.raft.image,
      nodeId: derived.nodeId,
      brokerEpoch: () => this.lifecycle.brokerEpoch,
    })
    this.connectFacts()
  }

  private fatal(problem: Error): void {
    this.failed.reject(problem)
    if (this.isRunning) this.parts.onFatal(problem)
  }

  private connectFacts(): void {
    const { dispatch, tickets, world, plane, groups, transactions } = this
    const sink: FactSink = {
      connected: (...fact) => dispatch.connected(...fact),
      disconnected: (conn) => dispatch.disconnected(conn),
      request: (...fact) => dispatch.request(...fact),
      done: (...fact) => tickets.done(...fact),
      data: (...fact) => tickets.data(...fact),
      directoryFailed: (directory, errno) => this.failures.failed(directory, errno),
      stalled: (reactor, microseconds) =>
        world.log.warn('a reactor stalled', { reactor, microseconds }),
      overflow: (reactor, count) => world.log.warn('facts had to wait', { reactor, count }),
      highWatermark: (...fact) => {
        groups.committed(...fact)
        transactions.committed(...fact)
      },
      // Nobody dials or asks for verdicts yet.
      response: () => {},
      dialled: () => {},
      caughtUp: () => {},
      fenced: () => {},
      verdictNeeded: () => {},
      admissionNeeded: (slot, _leaderEpoch, admission) =>
        transactions.admissionNeeded(slot, admission),
    }
    const drain = () => {
      if (this.isPlaneOpen && plane.drain(sink) > 0) world.defer(drain)
    }
    plane.onDoorbell = () => {
      try {
        drain()
      } catch (problem) {
        // What a start reads and cannot use refuses it. Later it is a bug of ours, which the addon's callback
        // would swallow: it ends the process where it can be seen.
        this.failed.reject(problem)
        world.defer(() => {
          if (this.isRunning) throw problem
        })
      }
    }
  }

  private listen(
    { name, host, port }: ParsedConfig['derived']['brokerListeners'][number],
    isController: boolean,
  ): void {
    const { derived } = this.parsed
    const number = this.listeners.length
    const bound = this.plane.listen({ listener: number, host, port, data: !isController })
    const told = (
      isController ? derived.advertisedControllerListeners : derived.advertisedBrokerListeners
    ).find((candidate) => candidate.name === name)
    const listener: Listener = {
      number,
      name,
      isController,
      host,
      port: bound,
      advertisedHost: told?.host || host || 'localhost',
      advertisedPort: told === undefined || told.port === 0 ? bound : told.port,
      securityProtocol: 0,
    }
    this.listeners.push(listener)
    const node = this.brokerNode()
    this.dispatch.addListener(listener, isController ? controllerApis(node) : brokerApis(node))
  }

  private brokerNode(): BrokerNode {
    return {
      nodeId: this.nodeId,
      clusterId: this.clusterIdText,
      world: this.world,
      plane: this.plane,
      tickets: this.tickets,
      image: this.raft.image,
      controller: this.controller,
      raft: this.raft,
      publisher: this.publisher,
      directories: this.directories,
      moves: this.moves,
      checkpoints: this.checkpoints,
      producerIds: this.producerIds(),
      autoTopics: this.autoTopics,
      groups: this.groups,
      transactions: this.transactions,
      listeners: this.listeners,
      config: () => this.layered,
    }
  }

  private producerIdSource: ProducerIdSource | null = null
  private producerIds(): ProducerIdSource {
    this.producerIdSource ??= new ProducerIdSource(this.controller, () => ({
      brokerId: this.nodeId,
      brokerEpoch: this.lifecycle.brokerEpoch,
    }))
    return this.producerIdSource
  }

  private createLifecycle(): void {
    const { config, derived } = this.parsed
    const listeners = derived.advertisedBrokerListeners.map(({ name, host, port }) => {
      const bound = this.listeners.find((listener) => listener.name === name)
      return {
        name,
        host: host || bound?.host || 'localhost',
        port: port === 0 ? (bound?.port ?? 0) : port,
        securityProtocol: 0,
      }
    })
    this.lifecycle = new Lifecycle(
      this.world,
      this.controller,
      {
        brokerId: derived.nodeId,
        clusterId: this.clusterIdText,
        incarnationId: this.world.random.uuid(),
        listeners,
        features: [...SUPPORTED_FEATURES].map(([name, [min, max]]) => ({
          name,
          minSupportedVersion: min,
          maxSupportedVersion: max,
        })),
        rack: config.get('broker.rack'),
        previousBrokerEpoch: -1,
      },
      config,
      this.raft.image,
      this.directories,
      (problem) => this.fatal(problem),
    )
  }

  private publish(delta: MetadataDelta, image: MetadataImage): void {
    const isConfigured = delta.configs.some(
      ({ before, after }) => (after ?? before!).type === CONFIG_RESOURCE.broker,
    )
    if (isConfigured) {
      this.layered = this.layer(image)
      this.plane.limit(connectionLimits(this.layered))
      this.directories.cordon(cordonedLogDirs(this.layered))
      this.lifecycle?.cordoned()
      this.pressure.configured()
    }
    this.publisher.publish(delta, image)
    this.groups.published(delta, image)
    this.transactions.published(delta, image)
  }

  private layer(image: MetadataImage): BrokerConfig {
    return this.parsed.config.withLayers({
      clusterDefault: image.configs.of(CONFIG_RESOURCE.broker, ''),
      thisBroker: image.configs.of(CONFIG_RESOURCE.broker, String(this.nodeId)),
    })
  }

  /** What nothing enforces must not look as if it were: an operator says so, or the node does not start. */
  private refuseUnenforced(image: MetadataImage): void {
    const found = [
      image.acls.size > 0 ? `${image.acls.size} ACLs` : '',
      image.quotas.size > 0 ? `${image.quotas.size} quotas` : '',
      image.credentials.scramCount > 0 ? `${image.credentials.scramCount} SCRAM credentials` : '',
      image.credentials.tokenCount > 0 ? `${image.credentials.tokenCount} delegation tokens` : '',
    ].filter((text) => text !== '')
    if (found.length === 0) return
    const what = `the metadata holds ${found.join(', ')}, and this release enforces none of them`
    if (this.parsed.config.get('ottla.allow.unenforced')) return this.world.log.warn(what)
    throw new StartRefused(`${what}; start with --allow-unenforced to run without them`)
  }

  /** Leaves in order; the second call waits for the first. */
  stop(): Promise<void> {
    this.stopping ??= this.shutDown()
    return this.stopping
  }

  private async shutDown(): Promise<void> {
    for (const { number } of this.listeners) this.plane.unlisten(number)
    if (this.parsed.config.get('controlled.shutdown.enable')) await this.lifecycle.leave(LEAVE_MS)
    this.lifecycle.stop()
    this.upkeep.stop()
    this.cleaner.stop()
    this.pressure.stop()
    await this.moves.stop()
    this.directories.stop()
    const { brokerEpoch } = this.lifecycle
    this.groups.stop()
    this.transactions.stop()
    await this.flushAll()
    await this.checkpoints.finish()
    const open = this.publisher.openPartitions()
    await this.closeParts(true)
    await this.removal
    for (const directory of this.directories.markClean(brokerEpoch, open)) {
      const what = 'not all logs of a directory were left in order; the next start recovers them'
      this.world.log.warn(what, { directory })
    }
    this.release()
  }

  /** What fails here fails again when the logs are closed, and is told then. */
  private async flushAll(): Promise<void> {
    const dirty = this.publisher.openPartitions().filter(({ slot }) => {
      const { recoveryPoint, logEndOffset, isOffline } = this.plane.partition(slot)
      return !isOffline && recoveryPoint < logEndOffset
    })
    const flushes = dirty.map(({ slot }) =>
      this.tickets.run((plane, ticket) => plane.flush(slot, ticket)),
    )
    // On a full disk a flush waits for room, which may never come.
    await new Promise<void>((resolve) => {
      const cancel = this.world.schedule(FLUSH_MS, resolve)
      void Promise.all(flushes).then(() => {
        cancel()
        resolve()
      })
    })
  }

  private async closeParts(isClean: boolean): Promise<void> {
    // Neither is there when the start failed before they were made.
    this.controller?.stop()
    this.assignments?.stop()
    this.groups?.stop()
    this.transactions?.stop()
    this.raft?.stop()
    this.isEnding = true
    await this.plane.close({ graceMs: DRAIN_MS, isClean })
    this.isPlaneOpen = false
    this.tickets.abandon()
  }

  /** A start that failed half-way: whatever was built is taken down, nothing is marked clean. */
  private async abandon(): Promise<void> {
    this.lifecycle?.stop()
    this.upkeep?.stop()
    this.cleaner?.stop()
    this.pressure?.stop()
    if (this.isPlaneOpen) await this.closeParts(false)
    this.release()
  }

  private release(): void {
    for (const lock of this.locks.splice(0)) lock.release()
  }
}

/** `log.flush.scheduler.interval.ms`: never, which is the default, leaves the plane its own pace. */
function flushPace(config: BrokerConfig): { flushCheckMs?: number } {
  const pace = config.get('log.flush.scheduler.interval.ms')
  const isSet = pace < 1_000_000_000_000
  return isSet ? { flushCheckMs: Math.max(1, pace) } : {}
}

function withoutRoom(problem: unknown): boolean {
  const { code } = (problem ?? {}) as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}

function noRoomFor(directory: string): StartRefused {
  return new StartRefused(
    `the disk of ${directory}, where the metadata log is, has no room for what a start writes: free a mebibyte of it`,
  )
}

/** A node is a whole cluster today: what needs a second one is refused before anything is touched. */
function refuseUnbuilt({ derived }: ParsedConfig): void {
  if (!derived.isBroker || !derived.isController) {
    throw new StartRefused(
      'process.roles must be broker,controller: nodes of one role are not built',
    )
  }
  if (derived.voters.length > 1) {
    throw new StartRefused(
      'controller.quorum.voters names several nodes: such a quorum is not built',
    )
  }
}
