// What every part of the controller works on: the image at the end of the log, the settings, and where new
// records go. One object, built once per activation.
//
// Invariant: `image` changes only through replay; a decision reads it, appends to `records`, and never both
// for one request, so a request's records are judged against a state that other requests already reached.
// Kafka: QuorumController and its ControlManagers share the same state the same way.

import type { Random } from '../lib/random.ts'
import { MetadataImage } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import { BrokerLiveness } from './liveness.ts'

/** Answers what a topic's, broker's or group's configuration may be; src/config stands behind it. */
export interface ConfigRules {
  /** Null when the resource may end up with these entries, else why not. */
  validate(
    resourceType: number,
    resourceName: string,
    entries: ReadonlyMap<string, string>,
    changed: readonly string[],
  ): string | null
  isList(resourceType: number, name: string): boolean
  /** The value in force where a resource has no entry of its own: what APPEND starts from. */
  defaultValue(resourceType: number, name: string): string | null
  /** Rows of a CreateTopics response. */
  describeTopic(entries: ReadonlyMap<string, string>): {
    name: string
    value: string | null
    readOnly: boolean
    configSource: number
    isSensitive: boolean
  }[]
}

export interface ControllerSettings {
  nodeId: number
  clusterId: string
  /** num.partitions */
  defaultPartitions: number
  /** default.replication.factor */
  defaultReplicationFactor: number
  /** broker.session.timeout.ms */
  brokerSessionTimeoutMs: number
  isTopicDeletionEnabled: boolean
  /** min.insync.replicas of the static configuration; written as the cluster's when ELR is on. */
  minInsyncReplicas: number
  isUncleanElectionEnabled: boolean
  /** The records of bootstrap.checkpoint, for a log that is still empty. */
  bootstrap: readonly MetadataRecord[]
  /** Features this node supports, metadata.version among them: name → [min, max]. */
  features: ReadonlyMap<string, readonly [number, number]>
}

/** The controller's working set. */
export class ControllerState {
  readonly image = new MetadataImage()
  readonly liveness: BrokerLiveness
  readonly settings: ControllerSettings
  readonly rules: ConfigRules
  readonly random: Random
  /** The offset that the next record will get. */
  nextOffset = 0
  /** The raft epoch this controller is active in. */
  epoch = 0

  constructor(settings: ControllerSettings, rules: ConfigRules, random: Random) {
    this.settings = settings
    this.rules = rules
    this.random = random
    this.liveness = new BrokerLiveness(settings.brokerSessionTimeoutMs)
  }

  get metadataVersion(): number {
    return this.image.features.metadataVersion ?? 0
  }

  get isElrEnabled(): boolean {
    return this.image.features.level('eligible.leader.replicas.version') >= 1
  }
}
