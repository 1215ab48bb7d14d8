// The active controller, as a shard on the metadata log: requests in, metadata records out.
//
// Invariants: one decision at a time, judged against everything decided before it; the image here is the end of
// the log, committed or not, and the host holds every reply until what it was judged against is committed; a
// controller that loses its epoch is dropped, never repaired.
// Kafka: QuorumController and its ControlManagers, ActivationRecordsGenerator.

import type { Decision, Shard, Ticket, TimerKey } from '../coordinator/shard.ts'
import type { Random } from '../lib/random.ts'
import { CONFIG_RESOURCE } from '../metadata/configs.ts'
import type { Provenance } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import type {
  AssignReplicasToDirs,
  BrokerHeartbeat,
  BrokerRegistration,
  UnregisterBroker,
  UpdateFeatures,
} from '../protocol/messages/cluster.ts'
import type { AlterConfigs, IncrementalAlterConfigs } from '../protocol/messages/configs.ts'
import type {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
  ElectLeaders,
} from '../protocol/messages/topics.ts'
import type { AllocateProducerIds } from '../protocol/messages/transaction.ts'
import { fenceExpired, heartbeat, registerBroker, unregisterBroker } from './brokers.ts'
import { alterConfigs, incrementalAlterConfigs } from './configs.ts'
import { assignReplicasToDirs } from './directories.ts'
import { electLeaders } from './elections.ts'
import { updateFeatures } from './features.ts'
import { allocateProducerIds } from './producer_ids.ts'
import { type ControllerSettings, ControllerState } from './state.ts'
import { deleteTopics } from './topic_deletion.ts'
import { configRecord, createPartitions, createTopics } from './topics.ts'

interface Conversations {
  createTopics: typeof CreateTopics
  deleteTopics: typeof DeleteTopics
  createPartitions: typeof CreatePartitions
  alterConfigs: typeof AlterConfigs
  incrementalAlterConfigs: typeof IncrementalAlterConfigs
  updateFeatures: typeof UpdateFeatures
  electLeaders: typeof ElectLeaders
  registerBroker: typeof BrokerRegistration
  heartbeat: typeof BrokerHeartbeat
  unregisterBroker: typeof UnregisterBroker
  allocateProducerIds: typeof AllocateProducerIds
  assignReplicasToDirs: typeof AssignReplicasToDirs
}

/** What the controller is asked; `activate` comes first, from the host, when raft made this node leader. */
export type ControllerRequest =
  | { kind: 'activate' }
  | {
      [K in keyof Conversations]: { kind: K; version: number; request: RequestOf<Conversations[K]> }
    }[keyof Conversations]

/** What it answers: the response of that conversation. */
export type ControllerReply =
  | { kind: 'activate' }
  | {
      [K in keyof Conversations]: {
        kind: K
        response: EncodableOf<Conversations[K]['response']>
      }
    }[keyof Conversations]

type ControllerDecision = Decision<MetadataRecord, ControllerReply>

const SESSIONS: TimerKey = 'sessions'

/** The metadata log's shard. */
export class ControllerShard implements Shard<ControllerRequest, MetadataRecord, ControllerReply> {
  private readonly state: ControllerState

  constructor(settings: ControllerSettings, random: Random) {
    this.state = new ControllerState(settings, random)
  }

  /** The truth at the end of the log; read-only to everyone else. */
  get image() {
    return this.state.image
  }

  get nextOffset(): number {
    return this.state.nextOffset
  }

  handle(request: ControllerRequest, ticket: Ticket, nowMs: number, out: ControllerDecision): void {
    out.replies.push([ticket, this.decide(request, nowMs, out.records)])
    this.armSessions(out)
  }

  expire(timer: TimerKey, nowMs: number, out: ControllerDecision): void {
    if (timer === SESSIONS) fenceExpired(this.state, nowMs, out.records)
    this.armSessions(out)
  }

  replay(record: MetadataRecord, offset: number): void {
    this.state.image.apply(record, offset, this.state.epoch)
    this.state.nextOffset = offset + 1
  }

  /** Starts from what is committed: the records of an image, and whether a transaction is open above them. */
  load(records: readonly MetadataRecord[], at: Provenance, isInTransaction: boolean): void {
    const { image } = this.state
    image.load(records, isInTransaction ? { ...at, offset: at.offset - 1 } : at)
    if (isInTransaction) {
      const value = { name: null }
      image.apply({ name: 'BeginTransactionRecord', version: 0, value }, at.offset, at.epoch)
    }
    this.state.epoch = at.epoch
    this.state.nextOffset = at.offset + 1
  }

  /** Moves over control records, and learns the epoch of what follows. */
  advance(offset: number, epoch: number): void {
    this.state.epoch = epoch
    this.state.image.advance(offset, epoch)
    this.state.nextOffset = offset + 1
  }

  private decide(
    request: ControllerRequest,
    nowMs: number,
    records: MetadataRecord[],
  ): ControllerReply {
    const { state } = this
    switch (request.kind) {
      case 'activate':
        this.activate(nowMs, records)
        return { kind: 'activate' }
      case 'createTopics':
        return { kind: request.kind, response: createTopics(state, request.request, records) }
      case 'deleteTopics':
        return { kind: request.kind, response: deleteTopics(state, request.request, records) }
      case 'createPartitions':
        return { kind: request.kind, response: createPartitions(state, request.request, records) }
      case 'alterConfigs':
        return { kind: request.kind, response: alterConfigs(state, request.request, records) }
      case 'incrementalAlterConfigs':
        return {
          kind: request.kind,
          response: incrementalAlterConfigs(state, request.request, records),
        }
      case 'updateFeatures':
        return {
          kind: request.kind,
          response: updateFeatures(state, request.request, request.version, records),
        }
      case 'electLeaders':
        return { kind: request.kind, response: electLeaders(state, request.request, records) }
      case 'registerBroker':
        return {
          kind: request.kind,
          response: registerBroker(state, request.request, nowMs, records),
        }
      case 'heartbeat':
        return { kind: request.kind, response: heartbeat(state, request.request, nowMs, records) }
      case 'unregisterBroker':
        return { kind: request.kind, response: unregisterBroker(state, request.request, records) }
      case 'assignReplicasToDirs':
        return {
          kind: request.kind,
          response: assignReplicasToDirs(state, request.request, records),
        }
      case 'allocateProducerIds':
        return {
          kind: request.kind,
          response: allocateProducerIds(state, request.request, records),
        }
    }
  }

  /** A new leader's first decision: bootstrap an empty log, or close what the last one left open. */
  private activate(nowMs: number, records: MetadataRecord[]): void {
    const { state } = this
    for (const { brokerId, fenced } of state.image.brokers.values()) {
      // Our own node's broker of before is dead: this process holds the lock of its directories.
      if (!fenced && brokerId !== state.settings.nodeId) state.liveness.touch(brokerId, nowMs, -1)
    }
    if (state.image.isInTransaction) {
      const reason = 'The controller that began it is gone.'
      records.push({ name: 'AbortTransactionRecord', version: 0, value: { reason } })
    }
    if (state.image.features.metadataVersion === undefined) this.bootstrap(records)
  }

  /** Kafka wraps the bootstrap in a metadata transaction from 3.6-IV1 on. */
  private bootstrap(records: MetadataRecord[]): void {
    const { bootstrap, config } = this.state.settings
    const level = (name: string) => {
      for (const record of bootstrap) {
        if (record.name === 'FeatureLevelRecord' && record.value.name === name) {
          return record.value.featureLevel
        }
      }
      return 0
    }
    const isTransaction = level('metadata.version') >= 13
    if (isTransaction) {
      const name = 'Bootstrap records'
      records.push({ name: 'BeginTransactionRecord', version: 0, value: { name } })
    }
    records.push(...bootstrap)
    if (level('eligible.leader.replicas.version') >= 1) {
      const value = String(config.get('min.insync.replicas'))
      records.push(configRecord(CONFIG_RESOURCE.broker, '', 'min.insync.replicas', value))
    }
    if (isTransaction) records.push({ name: 'EndTransactionRecord', version: 0, value: {} })
  }

  private armSessions(out: ControllerDecision): void {
    out.timers.set(SESSIONS, this.state.liveness.nextExpiryMs())
  }
}
