// What every part of the controller works on: the image at the end of the log, the settings, and where new
// records go. One object, built once per activation.
//
// Invariant: `image` changes only through replay; a decision reads it, appends to `records`, and never both
// for one request, so a request's records are judged against a state that other requests already reached.
// Kafka: QuorumController and its ControlManagers share the same state the same way.

import type { BrokerConfig, DynamicLayers } from '../config/config.ts'
import type { Random } from '../lib/random.ts'
import { CONFIG_RESOURCE } from '../metadata/configs.ts'
import { MetadataImage } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import { BrokerLiveness } from './liveness.ts'

export interface ControllerSettings {
  nodeId: number
  clusterId: string
  /** As the node was started; the image's dynamic settings come on top. */
  config: BrokerConfig
  /** The records of bootstrap.checkpoint, for a log that is still empty. */
  bootstrap: readonly MetadataRecord[]
  /** The voters' kraft.version, which is not among the features of the image. */
  kraftVersion: number
  /** Features this node supports, metadata.version among them: name → [min, max]. */
  features: ReadonlyMap<string, readonly [number, number]>
}

/** The controller's working set. */
export class ControllerState {
  readonly image = new MetadataImage()
  readonly liveness: BrokerLiveness
  readonly settings: ControllerSettings
  readonly random: Random
  private layered: BrokerConfig
  private layersSeen: DynamicLayers
  /** The offset that the next record will get. */
  nextOffset = 0
  /** The raft epoch this controller is active in. */
  epoch = 0

  constructor(settings: ControllerSettings, random: Random) {
    this.settings = settings
    this.layered = settings.config
    this.layersSeen = settings.config.layers
    this.random = random
    this.liveness = new BrokerLiveness(settings.config.get('broker.session.timeout.ms'))
  }

  get metadataVersion(): number {
    return this.image.features.metadataVersion ?? 0
  }

  /** The configuration in force, the cluster's dynamic defaults included. */
  get brokerConfig(): BrokerConfig {
    const clusterDefault = this.image.configs.of(CONFIG_RESOURCE.broker, '')
    const thisBroker = this.image.configs.of(CONFIG_RESOURCE.broker, String(this.settings.nodeId))
    const seen = this.layersSeen
    if (seen.clusterDefault !== clusterDefault || seen.thisBroker !== thisBroker) {
      this.layered = this.settings.config.withLayers({ clusterDefault, thisBroker })
      this.layersSeen = { clusterDefault, thisBroker }
    }
    return this.layered
  }

  get isElrEnabled(): boolean {
    return this.image.features.level('eligible.leader.replicas.version') >= 1
  }
}
