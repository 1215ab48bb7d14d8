// Registered brokers and controllers.
//
// Invariant: an entry is the RegisterBrokerRecord (or RegisterControllerRecord) that would recreate
// it, with fencing, controlled shutdown and directories brought up to date; entries are replaced,
// never changed, so a reader may keep one. A change that names another broker epoch than the
// registered one is a broken log and stops us.
// Kafka: ClusterDelta, ClusterImage, BrokerRegistration, ControllerRegistration.

import { type Change, Changes } from './changes.ts'
import { SINCE } from './features.ts'
import { CorruptMetadata, type RecordSink, unwritable, type ValueOf } from './record.ts'

/** A registered broker: the record that would register it as it is now. */
export type Broker = Readonly<ValueOf<'RegisterBrokerRecord'>>
/** A registered controller. */
export type Controller = Readonly<ValueOf<'RegisterControllerRecord'>>

/** Brokers and controllers by id. */
export class Brokers {
  private readonly brokers = new Map<number, Broker>()
  private readonly controllers = new Map<number, Controller>()
  private readonly brokerChanges = new Changes<number, Broker>()
  private readonly controllerChanges = new Changes<number, Controller>()

  get(brokerId: number): Broker | undefined {
    return this.brokers.get(brokerId)
  }

  controller(controllerId: number): Controller | undefined {
    return this.controllers.get(controllerId)
  }

  /** The epoch of a registered broker, or -1. */
  brokerEpoch(brokerId: number): number {
    return this.brokers.get(brokerId)?.brokerEpoch ?? -1
  }

  /** Registered and not fenced. */
  isActive(brokerId: number): boolean {
    return this.brokers.get(brokerId)?.fenced === false
  }

  get size(): number {
    return this.brokers.size
  }

  values(): IterableIterator<Broker> {
    return this.brokers.values()
  }

  controllerValues(): IterableIterator<Controller> {
    return this.controllers.values()
  }

  replayRegister(record: ValueOf<'RegisterBrokerRecord'>): void {
    this.put({ ...record })
  }

  replayUnregister(record: ValueOf<'UnregisterBrokerRecord'>): void {
    this.brokerChanges.note(record.brokerId, this.brokers.get(record.brokerId))
    this.brokers.delete(record.brokerId)
  }

  replayFenced(record: { id: number; epoch: number }, fenced: boolean): void {
    this.put({ ...this.require(record.id, record.epoch), fenced })
  }

  replayChange(record: ValueOf<'BrokerRegistrationChangeRecord'>): void {
    const broker = this.require(record.brokerId, record.brokerEpoch)
    const next = { ...broker }
    if (record.fenced !== 0) next.fenced = record.fenced > 0
    if (record.inControlledShutdown !== 0) next.inControlledShutdown = true
    if (record.logDirs.length > 0) next.logDirs = record.logDirs
    if (record.cordonedLogDirs !== null) next.cordonedLogDirs = record.cordonedLogDirs
    this.put(next)
  }

  replayRegisterController(record: ValueOf<'RegisterControllerRecord'>): void {
    this.controllerChanges.note(record.controllerId, this.controllers.get(record.controllerId))
    this.controllers.set(record.controllerId, { ...record })
  }

  write(sink: RecordSink, metadataVersion: number): void {
    const version = registerBrokerVersion(metadataVersion)
    for (const broker of this.brokers.values()) {
      if (broker.isMigratingZkBroker && version < 2) unwritable('a migrating broker', version)
      if (broker.logDirs.length > 0 && version < 3) unwritable('log directories', version)
      if (broker.cordonedLogDirs !== null && version < 4) unwritable('cordoned dirs', version)
      sink({ name: 'RegisterBrokerRecord', version, value: broker })
    }
    if (this.controllers.size > 0 && metadataVersion < SINCE.controllerRegistration) {
      unwritable('controller registrations', metadataVersion)
    }
    for (const controller of this.controllers.values()) {
      sink({ name: 'RegisterControllerRecord', version: 0, value: controller })
    }
  }

  takeBrokerChanges(): Map<number, Change<Broker>> {
    return this.brokerChanges.take((id) => this.brokers.get(id))
  }

  takeControllerChanges(): Map<number, Change<Controller>> {
    return this.controllerChanges.take((id) => this.controllers.get(id))
  }

  private put(broker: Broker): void {
    this.brokerChanges.note(broker.brokerId, this.brokers.get(broker.brokerId))
    this.brokers.set(broker.brokerId, broker)
  }

  private require(brokerId: number, epoch: number): Broker {
    const broker = this.brokers.get(brokerId)
    if (broker === undefined) throw new CorruptMetadata(`broker ${brokerId} is not registered`)
    if (broker.brokerEpoch !== epoch) {
      throw new CorruptMetadata(
        `a record for epoch ${epoch} of broker ${brokerId}, whose epoch is ${broker.brokerEpoch}`,
      )
    }
    return broker
  }
}

/** The RegisterBrokerRecord version that a metadata.version writes. */
export function registerBrokerVersion(metadataVersion: number): number {
  if (metadataVersion >= SINCE.cordonedLogDirs) return 4
  if (metadataVersion >= SINCE.directoryAssignment) return 3
  return metadataVersion >= SINCE.migration ? 2 : 1
}
