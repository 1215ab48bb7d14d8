// The topics that coordinators keep their state in: made when first needed, as Kafka makes them, with their own
// partition count, replication and settings, whoever asks first (a client by Metadata, or FindCoordinator).
// Invariant: a topic is asked of the controller once at a time.
// Kafka: AutoTopicCreationManager, GroupCoordinatorService.groupMetadataTopicConfigs, TransactionStateManager.

import type { BrokerConfig } from '../config/config.ts'
import type { ControllerHost } from '../host/controller_host.ts'
import type { Log } from '../lib/log.ts'
import type { RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { CreateTopics } from '../protocol/messages/topics.ts'

export const GROUP_TOPIC = '__consumer_offsets'
export const TRANSACTION_TOPIC = '__transaction_state'

type CreatableTopic = RequestOf<typeof CreateTopics>['topics'][number]

/** How a topic is created when nobody said how. */
export function creatableTopic(name: string, config: BrokerConfig): CreatableTopic {
  if (name === TRANSACTION_TOPIC) return transactionTopic(config)
  if (name !== GROUP_TOPIC) {
    return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }
  }
  return {
    name,
    numPartitions: config.get('offsets.topic.num.partitions'),
    replicationFactor: config.get('offsets.topic.replication.factor'),
    assignments: [],
    configs: [
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'compression.type', value: 'producer' },
      { name: 'segment.bytes', value: String(config.get('offsets.topic.segment.bytes')) },
    ],
  }
}

/** Nothing of it may be lost: no unclean leaders, and a minimum of replicas of its own. */
function transactionTopic(config: BrokerConfig): CreatableTopic {
  return {
    name: TRANSACTION_TOPIC,
    numPartitions: config.get('transaction.state.log.num.partitions'),
    replicationFactor: config.get('transaction.state.log.replication.factor'),
    assignments: [],
    configs: [
      { name: 'unclean.leader.election.enable', value: 'false' },
      { name: 'compression.type', value: 'uncompressed' },
      { name: 'cleanup.policy', value: 'compact' },
      {
        name: 'min.insync.replicas',
        value: String(config.get('transaction.state.log.min.isr')),
      },
      {
        name: 'segment.bytes',
        value: String(config.get('transaction.state.log.segment.bytes')),
      },
    ],
  }
}

/** Asks the controller for topics on behalf of clients. */
export class AutoTopics {
  private readonly controller: ControllerHost
  private readonly config: () => BrokerConfig
  private readonly log: Log
  private readonly asked = new Map<string, Promise<void>>()

  constructor(controller: ControllerHost, config: () => BrokerConfig, log: Log) {
    this.controller = controller
    this.config = config
    this.log = log
  }

  /** Resolves when the controller has answered, whatever it said; why it refused is logged. */
  create(name: string): Promise<void> {
    const asked = this.asked.get(name)
    if (asked !== undefined) return asked
    const topic = creatableTopic(name, this.config())
    const answer = this.controller
      .submit<'createTopics'>({
        kind: 'createTopics',
        version: 7,
        request: { topics: [topic], timeoutMs: 30_000, validateOnly: false },
      })
      .then(
        ({ response }) => {
          const [result] = response.topics ?? []
          const errorCode = result?.errorCode ?? ErrorCode.NONE
          if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) return
          this.log.warn(`cannot auto-create topic ${name}: ${result?.errorMessage}`)
        },
        (problem: Error) => this.log.warn(`cannot auto-create ${name}: ${problem.message}`),
      )
      .finally(() => this.asked.delete(name))
    this.asked.set(name, answer)
    return answer
  }
}
