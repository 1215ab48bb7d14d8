// A story that uses a record of every type, for the tests of the image and of snapshots. Each value
// is its table's defaults with some fields filled in, so a new field shows up here by itself.

import { Reader, Writer } from '../../../src/lib/bytes.ts'
import type { MetadataRecord, RecordName, ValueOf } from '../../../src/metadata/record.ts'
import { decodeFrom, encodeInto } from '../../../src/protocol/codec.ts'
import type { Message } from '../../../src/protocol/dsl.ts'
import * as tables from '../../../src/protocol/records/metadata.ts'

const byName = new Map(Object.entries<Message>(tables))

/** A record with defaults for what `fields` leaves out; the newest version unless one is given. */
export function make<N extends RecordName>(
  name: N,
  fields: Partial<ValueOf<N>> = {},
  version?: number,
): MetadataRecord {
  const message = byName.get(name)!
  const writer = new Writer()
  const newest = message.valid.max
  encodeInto(message, newest, {}, writer)
  const defaults = decodeFrom(message, newest, new Reader(writer.copy()))
  return { name, version: version ?? newest, value: { ...defaults, ...fields } } as MetadataRecord
}

export const id = (n: number): string => {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(n, 12)
  bytes[0] = 0x11
  return bytes.toString('base64url')
}

const endPoint = (name: string, port: number) => ({ name, host: 'h', port, securityProtocol: 0 })

/** At least one record of every type, in an order that a log could hold. */
export function everyRecord(): MetadataRecord[] {
  return [
    make('BeginTransactionRecord', { name: 'Bootstrap records' }),
    make('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 30 }),
    make('FeatureLevelRecord', { name: 'group.version', featureLevel: 1 }),
    make('FeatureLevelRecord', { name: 'eligible.leader.replicas.version', featureLevel: 1 }),
    make('EndTransactionRecord'),
    make('NoOpRecord'),
    make('ZkMigrationStateRecord', { zkMigrationState: 0 }),
    make('RegisterControllerRecord', {
      controllerId: 3000,
      incarnationId: id(90),
      endPoints: [endPoint('CONTROLLER', 9093)],
      features: [{ name: 'kraft.version', minSupportedVersion: 0, maxSupportedVersion: 1 }],
    }),
    ...[1, 2, 3, 4].map((brokerId) =>
      make('RegisterBrokerRecord', {
        brokerId,
        incarnationId: id(100 + brokerId),
        brokerEpoch: 10 + brokerId,
        endPoints: [endPoint('PLAINTEXT', 9090 + brokerId)],
        features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 30 }],
        rack: brokerId === 1 ? 'r1' : null,
        logDirs: [id(200 + brokerId)],
        cordonedLogDirs: [],
      }),
    ),
    make('UnfenceBrokerRecord', { id: 1, epoch: 11 }),
    make('FenceBrokerRecord', { id: 2, epoch: 12 }),
    make('BrokerRegistrationChangeRecord', {
      brokerId: 3,
      brokerEpoch: 13,
      fenced: -1,
      inControlledShutdown: 1,
      logDirs: [id(203), id(213)],
      cordonedLogDirs: [id(213)],
    }),
    make('UnregisterBrokerRecord', { brokerId: 4, brokerEpoch: 14 }),
    ...[1, 2, 3].flatMap((n) => [
      make('TopicRecord', { name: `topic-${n}`, topicId: id(n) }),
      ...[0, 1].map((partitionId) =>
        make('PartitionRecord', {
          partitionId,
          topicId: id(n),
          replicas: [1, 2, 3],
          isr: [1, 2, 3],
          removingReplicas: n === 2 ? [3] : [],
          addingReplicas: n === 2 ? [2] : [],
          leader: 1,
          leaderRecoveryState: 1,
          leaderEpoch: 0,
          partitionEpoch: 0,
          directories: [id(201), id(202), id(203)],
          eligibleLeaderReplicas: [2],
          lastKnownElr: [3],
        }),
      ),
    ]),
    make('PartitionChangeRecord', {
      partitionId: 0,
      topicId: id(1),
      isr: [1],
      leader: 1,
      leaderRecoveryState: 0,
      eligibleLeaderReplicas: [2, 3],
      lastKnownElr: [],
    }),
    make('PartitionChangeRecord', {
      partitionId: 1,
      topicId: id(1),
      replicas: [3, 2],
      leader: -1,
      isr: [],
      directories: [id(203), id(202)],
    }),
    make('ClearElrRecord', { topicName: 'topic-2' }),
    make('ConfigRecord', { resourceType: 2, resourceName: 'topic-1', name: 'a', value: 'x' }),
    make('ConfigRecord', { resourceType: 2, resourceName: 'topic-3', name: 'b', value: 'y' }),
    make('ConfigRecord', { resourceType: 4, resourceName: '', name: 'c', value: 'z' }),
    make('ConfigRecord', { resourceType: 4, resourceName: '1', name: 'd', value: 'gone' }),
    make('ConfigRecord', { resourceType: 4, resourceName: '1', name: 'd', value: null }),
    make('RemoveTopicRecord', { topicId: id(3) }),
    make('ClientQuotaRecord', {
      entity: [
        { entityType: 'user', entityName: null },
        { entityType: 'client-id', entityName: 'app' },
      ],
      key: 'producer_byte_rate',
      value: 1024.5,
    }),
    make('ClientQuotaRecord', {
      entity: [{ entityType: 'ip', entityName: '10.0.0.1' }],
      key: 'connection_creation_rate',
      value: 5,
    }),
    make('ClientQuotaRecord', {
      entity: [{ entityType: 'ip', entityName: '10.0.0.1' }],
      key: 'connection_creation_rate',
      remove: true,
    }),
    make('ProducerIdsRecord', { brokerId: 1, brokerEpoch: 11, nextProducerId: 3000 }),
    ...[1, 2].map((n) =>
      make('AccessControlEntryRecord', {
        id: id(300 + n),
        resourceType: 2,
        resourceName: 'topic-1',
        patternType: 3,
        principal: 'User:alice',
        host: '*',
        operation: 3,
        permissionType: n === 1 ? 3 : 2,
      }),
    ),
    make('RemoveAccessControlEntryRecord', { id: id(302) }),
    ...[1, 2].map((mechanism) =>
      make('UserScramCredentialRecord', {
        name: 'alice',
        mechanism,
        salt: new Uint8Array([1, 2]),
        storedKey: new Uint8Array([3]),
        serverKey: new Uint8Array([4]),
        iterations: 4096,
      }),
    ),
    make('RemoveUserScramCredentialRecord', { name: 'alice', mechanism: 2 }),
    ...['t1', 't2'].map((tokenId) =>
      make('DelegationTokenRecord', {
        owner: 'User:alice',
        requester: 'User:bob',
        renewers: ['User:carol'],
        tokenId,
      }),
    ),
    make('RemoveDelegationTokenRecord', { tokenId: 't2' }),
    make('BeginTransactionRecord', { name: 'doomed' }),
    make('TopicRecord', { name: 'never', topicId: id(9) }),
    make('AbortTransactionRecord', { reason: 'changed my mind' }),
  ]
}
