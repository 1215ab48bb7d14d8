// The metadata image: the replicated truth as of one offset of the metadata log.
//
// Invariants: it changes only through apply, in offset order; a record inside a metadata transaction
// changes nothing until its EndTransactionRecord, and never if it is aborted; at a given provenance
// every node's image is equal. Values that readers were handed (a Topic, a Partition, a Broker) are
// never changed afterwards, only replaced, so publishing copies nothing: publish() hands out what
// changed since the last time, as pairs of before and after.
// Kafka: MetadataImage, MetadataDelta, MetadataBatchLoader; KIP-868 for metadata transactions.

import { type Acl, Acls } from './acls.ts'
import { type Broker, Brokers, type Controller } from './brokers.ts'
import type { Change } from './changes.ts'
import { Configs, type ResourceConfig } from './configs.ts'
import { Credentials, type DelegationToken, type ScramCredential } from './credentials.ts'
import { Features } from './features.ts'
import { ProducerIds } from './producer_ids.ts'
import { type EntityQuota, Quotas } from './quotas.ts'
import { CorruptMetadata, type MetadataRecord, type RecordSink } from './record.ts'
import { type TopicChange, Topics } from './topics.ts'

/** What an image contains: everything up to and including this offset. */
export interface Provenance {
  offset: number
  epoch: number
  timestampMs: number
}

/** What changed between two publishes, family by family; empty collections where nothing did. */
export interface MetadataDelta {
  before: Provenance
  after: Provenance
  features: Map<string, Change<number>>
  brokers: Map<number, Change<Broker>>
  controllers: Map<number, Change<Controller>>
  topics: TopicChange[]
  configs: Change<ResourceConfig>[]
  quotas: Change<EntityQuota>[]
  producerIds: boolean
  acls: Map<string, Change<Acl>>
  scram: Change<ScramCredential>[]
  tokens: Map<string, Change<DelegationToken>>
}

/** The provenance of an image that has seen nothing. */
export const EMPTY_PROVENANCE: Provenance = Object.freeze({
  offset: -1,
  epoch: -1,
  timestampMs: -1,
})

/** The truth about the cluster. Feed it records in order, then publish. */
export class MetadataImage {
  readonly features = new Features()
  readonly brokers = new Brokers()
  readonly topics = new Topics()
  readonly configs = new Configs()
  readonly quotas = new Quotas()
  readonly producerIds = new ProducerIds()
  readonly acls = new Acls()
  readonly credentials = new Credentials()
  /** The last record that is reflected; stands still inside a metadata transaction. */
  provenance: Provenance = EMPTY_PROVENANCE
  private published: Provenance = EMPTY_PROVENANCE
  /** Records of the open metadata transaction, or null when none is open. */
  private transaction: MetadataRecord[] | null = null

  /** Whether a metadata transaction is open; a snapshot taken now ends before it began. */
  get isInTransaction(): boolean {
    return this.transaction !== null
  }

  /** Applies one record of the log. */
  apply(record: MetadataRecord, offset: number, epoch: number, timestampMs = -1): void {
    if (!this.applyTransactionMark(record)) {
      if (this.transaction !== null) this.transaction.push(record)
      else this.replay(record)
    }
    this.advance(offset, epoch, timestampMs)
  }

  /** Moves the provenance over an offset that holds no metadata record (a control batch). */
  advance(offset: number, epoch: number, timestampMs = -1): void {
    if (offset <= this.provenance.offset && !this.isInTransaction) {
      throw new CorruptMetadata(`offset ${offset} after offset ${this.provenance.offset}`)
    }
    if (this.transaction === null) this.provenance = { offset, epoch, timestampMs }
  }

  /** Applies a snapshot's records to an image that is still empty; they share one provenance. */
  load(records: Iterable<MetadataRecord>, provenance: Provenance): void {
    if (this.provenance.offset >= 0) throw new CorruptMetadata('a snapshot over a used image')
    for (const record of records) {
      if (!this.applyTransactionMark(record)) this.replay(record)
    }
    this.transaction = null
    this.provenance = provenance
  }

  /** Hands out what changed since the last publish. */
  publish(): MetadataDelta {
    const before = this.published
    this.published = this.provenance
    return {
      before,
      after: this.provenance,
      features: this.features.takeChanges(),
      brokers: this.brokers.takeBrokerChanges(),
      controllers: this.brokers.takeControllerChanges(),
      topics: this.topics.takeChanges(),
      configs: this.configs.takeChanges(),
      quotas: this.quotas.takeChanges(),
      producerIds: this.producerIds.takeChanged(),
      acls: this.acls.takeChanges(),
      scram: this.credentials.takeScramChanges(),
      tokens: this.credentials.takeTokenChanges(),
    }
  }

  /** Writes the records that recreate this image, in the order of Kafka's MetadataImage.write. */
  writeTo(sink: RecordSink): void {
    const metadataVersion = this.features.metadataVersion
    if (metadataVersion === undefined) {
      throw new CorruptMetadata('an image without metadata.version cannot be written')
    }
    this.features.write(sink, metadataVersion)
    this.brokers.write(sink, metadataVersion)
    this.topics.write(sink, metadataVersion)
    this.configs.write(sink)
    this.quotas.write(sink)
    this.producerIds.write(sink)
    this.acls.write(sink)
    this.credentials.write(sink, metadataVersion)
  }

  /** The records of writeTo as a list. */
  toRecords(): MetadataRecord[] {
    const records: MetadataRecord[] = []
    this.writeTo((record) => records.push(record))
    return records
  }

  private applyTransactionMark(record: MetadataRecord): boolean {
    switch (record.name) {
      case 'BeginTransactionRecord':
        if (this.transaction !== null) throw new CorruptMetadata('a transaction in a transaction')
        this.transaction = []
        return true
      case 'EndTransactionRecord':
        for (const held of this.takeTransaction()) this.replay(held)
        return true
      case 'AbortTransactionRecord':
        this.takeTransaction()
        return true
      default:
        return false
    }
  }

  private takeTransaction(): MetadataRecord[] {
    const held = this.transaction
    if (held === null) throw new CorruptMetadata('the end of a transaction that never began')
    this.transaction = null
    return held
  }

  private replay(record: MetadataRecord): void {
    switch (record.name) {
      case 'RegisterBrokerRecord':
        this.brokers.replayRegister(record.value)
        return
      case 'UnregisterBrokerRecord':
        this.brokers.replayUnregister(record.value)
        return
      case 'TopicRecord':
        this.topics.replayTopic(record.value)
        return
      case 'PartitionRecord':
        this.topics.replayPartition(record.value)
        return
      case 'ConfigRecord':
        this.configs.replay(record.value)
        return
      case 'PartitionChangeRecord':
        this.topics.replayPartitionChange(record.value)
        return
      case 'FenceBrokerRecord':
        this.brokers.replayFenced(record.value, true)
        return
      case 'UnfenceBrokerRecord':
        this.brokers.replayFenced(record.value, false)
        return
      case 'RemoveTopicRecord':
        this.configs.replayTopicRemoved(this.topics.replayRemoveTopic(record.value))
        return
      case 'DelegationTokenRecord':
        this.credentials.replayToken(record.value)
        return
      case 'UserScramCredentialRecord':
        this.credentials.replayScram(record.value)
        return
      case 'FeatureLevelRecord':
        this.features.replay(record.value)
        return
      case 'ClientQuotaRecord':
        this.quotas.replay(record.value)
        return
      case 'ProducerIdsRecord':
        this.producerIds.replay(record.value)
        return
      case 'BrokerRegistrationChangeRecord':
        this.brokers.replayChange(record.value)
        return
      case 'AccessControlEntryRecord':
        this.acls.replay(record.value)
        return
      case 'RemoveAccessControlEntryRecord':
        this.acls.replayRemove(record.value)
        return
      case 'RemoveUserScramCredentialRecord':
        this.credentials.replayScramRemove(record.value)
        return
      case 'RemoveDelegationTokenRecord':
        this.credentials.replayTokenRemove(record.value)
        return
      case 'RegisterControllerRecord':
        this.brokers.replayRegisterController(record.value)
        return
      case 'ClearElrRecord':
        this.topics.replayClearElr(record.value)
        return
      // Neither changes anything: one keeps the log moving, the other belongs to a finished
      // migration and is ignored by Apache Kafka 4.x too.
      case 'NoOpRecord':
      case 'ZkMigrationStateRecord':
        return
      case 'BeginTransactionRecord':
      case 'EndTransactionRecord':
      case 'AbortTransactionRecord':
        throw new CorruptMetadata(`a ${record.name} out of place`)
      default:
        throw new CorruptMetadata(`an unknown record: ${String(record satisfies never)}`)
    }
  }
}
