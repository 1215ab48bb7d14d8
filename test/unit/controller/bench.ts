// A controller shard by itself: ask, see the records and the reply, and have the records replayed, as the host does.

import { SUPPORTED_FEATURES } from '../../../src/broker/handlers/api_versions.ts'
import { parseConfig } from '../../../src/config/parse.ts'
import type { ControllerReply, ControllerRequest } from '../../../src/controller/controller.ts'
import { ControllerShard } from '../../../src/controller/controller.ts'
import { Decision } from '../../../src/coordinator/shard.ts'
import { bootstrapRecords } from '../../../src/host/formatting.ts'
import { Random } from '../../../src/lib/random.ts'
import { METADATA_VERSION_MAX } from '../../../src/metadata/features.ts'
import type { MetadataRecord } from '../../../src/metadata/record.ts'

export const CLUSTER = 'abcdefghijklmnopqrstuw'

/** What one request came to. */
export interface Outcome<K extends ControllerRequest['kind']> {
  response: Extract<ControllerReply, { kind: K; response: unknown }>['response']
  records: MetadataRecord[]
  timers: Map<string, number | null>
}

/** An active controller with a clock of its own. */
export class ControllerBench {
  readonly shard: ControllerShard
  nowMs = 1_000_000

  constructor(settings: Readonly<Record<string, string | number>> = {}) {
    const { config } = parseConfig({
      options: {
        'process.roles': 'broker,controller',
        'node.id': 1,
        listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
        'controller.listener.names': 'CONTROLLER',
        'controller.quorum.bootstrap.servers': '127.0.0.1:9093',
        'log.dirs': '/data',
        ...settings,
      },
    })
    this.shard = new ControllerShard(
      {
        nodeId: 1,
        clusterId: CLUSTER,
        config,
        bootstrap: bootstrapRecords(METADATA_VERSION_MAX),
        kraftVersion: 1,
        features: SUPPORTED_FEATURES,
      },
      new Random(7),
    )
    this.shard.advance(0, 1)
    this.decide({ kind: 'activate' })
  }

  get image() {
    return this.shard.image
  }

  ask<K extends Exclude<ControllerRequest['kind'], 'activate'>>(
    kind: K,
    request: Extract<ControllerRequest, { kind: K }>['request'],
    version = 0,
  ): Outcome<K> {
    const decision = this.decide({ kind, version, request } as unknown as ControllerRequest)
    const [, reply] = decision.replies[0]!
    const { response } = reply as unknown as { response: Outcome<K>['response'] }
    return { response, records: decision.records, timers: decision.timers }
  }

  /** Lets a timer fire. */
  expire(key: string): MetadataRecord[] {
    const decision: Decision<MetadataRecord, ControllerReply> = new Decision()
    this.shard.expire(key, this.nowMs, decision)
    this.replay(decision.records)
    return decision.records
  }

  /** Registers a broker and has it unfenced; says its epoch. */
  addBroker(brokerId: number, rack: string | null = null): number {
    const { response } = this.register(brokerId, `incarnation${brokerId}AAAAAAAAAA`, rack)
    const brokerEpoch = response.brokerEpoch!
    this.beat(brokerId, brokerEpoch)
    return brokerEpoch
  }

  register(
    brokerId: number,
    incarnationId: string,
    rack: string | null = null,
    logDirs = [`directory${brokerId}AAAAAAAAAAAA`],
  ) {
    return this.ask('registerBroker', {
      brokerId,
      clusterId: CLUSTER,
      incarnationId,
      listeners: [{ name: 'PLAINTEXT', host: 'host', port: 9000 + brokerId, securityProtocol: 0 }],
      features: [...SUPPORTED_FEATURES].map(([name, [min, max]]) => ({
        name,
        minSupportedVersion: min,
        maxSupportedVersion: max,
      })),
      rack,
      isMigratingZkBroker: false,
      logDirs,
      previousBrokerEpoch: -1,
    })
  }

  beat(
    brokerId: number,
    brokerEpoch: number,
    wish: {
      wantFence?: boolean
      wantShutDown?: boolean
      offlineLogDirs?: string[]
      cordonedLogDirs?: string[]
    } = {},
  ) {
    return this.ask('heartbeat', {
      brokerId,
      brokerEpoch,
      currentMetadataOffset: this.shard.nextOffset - 1,
      wantFence: false,
      wantShutDown: false,
      offlineLogDirs: [],
      cordonedLogDirs: null,
      ...wish,
    })
  }

  createTopic(name: string, numPartitions = 1, replicationFactor = 1) {
    return this.ask('createTopics', {
      topics: [{ name, numPartitions, replicationFactor, assignments: [], configs: [] }],
      timeoutMs: 1000,
      validateOnly: false,
    })
  }

  private decide(request: ControllerRequest): Decision<MetadataRecord, ControllerReply> {
    const decision: Decision<MetadataRecord, ControllerReply> = new Decision()
    this.shard.handle(request, 1, this.nowMs, decision)
    this.replay(decision.records)
    return decision
  }

  private replay(records: readonly MetadataRecord[]): void {
    for (const record of records) this.shard.replay(record, this.shard.nextOffset)
  }
}

/** Names of records, in order. */
export function names(records: readonly MetadataRecord[]): string[] {
  return records.map(({ name }) => name)
}
