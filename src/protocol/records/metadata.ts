// Records of `__cluster_metadata`: the replicated truth of the cluster. Their frame is in
// metadata/record.ts. Kafka: metadata/src/main/resources/common/metadata; KIP-631, KIP-858, KIP-866, KIP-966.

import {
  array,
  bool,
  bytes,
  float64,
  int8,
  int16,
  int32,
  int64,
  int64Wide,
  record,
  string,
  uint16,
  uuid,
} from '../dsl.ts'

export const RegisterBrokerRecord = record(
  0,
  'RegisterBrokerRecord',
  { valid: '0-4', flexible: '0+' },
  {
    brokerId: int32(),
    isMigratingZkBroker: bool({ v: '2+' }),
    incarnationId: uuid(),
    brokerEpoch: int64(),
    endPoints: array({
      name: string(),
      host: string(),
      port: uint16(),
      securityProtocol: int16(),
    }),
    features: array({
      name: string(),
      minSupportedVersion: int16(),
      maxSupportedVersion: int16(),
    }),
    rack: string({ nullable: true }),
    fenced: bool({ default: true }),
    inControlledShutdown: bool({ v: '1+' }),
    logDirs: array(uuid(), { v: '3+', tag: 0 }),
    cordonedLogDirs: array(uuid(), { v: '4+', nullable: true, tag: 1, default: null }),
  },
)

export const UnregisterBrokerRecord = record(
  1,
  'UnregisterBrokerRecord',
  { valid: '0', flexible: '0+' },
  {
    brokerId: int32(),
    brokerEpoch: int64(),
  },
)

export const TopicRecord = record(
  2,
  'TopicRecord',
  { valid: '0', flexible: '0+' },
  {
    name: string(),
    topicId: uuid(),
  },
)

export const PartitionRecord = record(
  3,
  'PartitionRecord',
  { valid: '0-2', flexible: '0+' },
  {
    partitionId: int32({ default: -1 }),
    topicId: uuid(),
    replicas: array(int32()),
    isr: array(int32()),
    removingReplicas: array(int32()),
    addingReplicas: array(int32()),
    leader: int32({ default: -1 }),
    leaderRecoveryState: int8({ tag: 0 }),
    leaderEpoch: int32({ default: -1 }),
    partitionEpoch: int32({ default: -1 }),
    directories: array(uuid(), { v: '1+' }),
    eligibleLeaderReplicas: array(int32(), { v: '2+', nullable: true, tag: 1, default: null }),
    lastKnownElr: array(int32(), { v: '2+', nullable: true, tag: 2, default: null }),
  },
)

export const ConfigRecord = record(
  4,
  'ConfigRecord',
  { valid: '0', flexible: '0+' },
  {
    resourceType: int8(),
    resourceName: string(),
    name: string(),
    value: string({ nullable: true }),
  },
)

export const PartitionChangeRecord = record(
  5,
  'PartitionChangeRecord',
  { valid: '0-2', flexible: '0+' },
  {
    partitionId: int32({ default: -1 }),
    topicId: uuid(),
    isr: array(int32(), { nullable: true, tag: 0, default: null }),
    leader: int32({ tag: 1, default: -2 }),
    replicas: array(int32(), { nullable: true, tag: 2, default: null }),
    removingReplicas: array(int32(), { nullable: true, tag: 3, default: null }),
    addingReplicas: array(int32(), { nullable: true, tag: 4, default: null }),
    leaderRecoveryState: int8({ tag: 5, default: -1 }),
    directories: array(uuid(), { v: '1+', nullable: true, tag: 8, default: null }),
    eligibleLeaderReplicas: array(int32(), { v: '2+', nullable: true, tag: 6, default: null }),
    lastKnownElr: array(int32(), { v: '2+', nullable: true, tag: 7, default: null }),
  },
)

export const FenceBrokerRecord = record(
  7,
  'FenceBrokerRecord',
  { valid: '0', flexible: '0+' },
  {
    id: int32(),
    epoch: int64(),
  },
)

export const UnfenceBrokerRecord = record(
  8,
  'UnfenceBrokerRecord',
  { valid: '0', flexible: '0+' },
  {
    id: int32(),
    epoch: int64(),
  },
)

export const RemoveTopicRecord = record(
  9,
  'RemoveTopicRecord',
  { valid: '0', flexible: '0+' },
  {
    topicId: uuid(),
  },
)

export const DelegationTokenRecord = record(
  10,
  'DelegationTokenRecord',
  { valid: '0', flexible: '0+' },
  {
    owner: string(),
    requester: string(),
    renewers: array(string()),
    issueTimestamp: int64Wide(),
    maxTimestamp: int64Wide(),
    expirationTimestamp: int64Wide(),
    tokenId: string(),
  },
)

export const UserScramCredentialRecord = record(
  11,
  'UserScramCredentialRecord',
  { valid: '0', flexible: '0+' },
  {
    name: string(),
    mechanism: int8(),
    salt: bytes(),
    storedKey: bytes(),
    serverKey: bytes(),
    iterations: int32(),
  },
)

export const FeatureLevelRecord = record(
  12,
  'FeatureLevelRecord',
  { valid: '0', flexible: '0+' },
  {
    name: string(),
    featureLevel: int16(),
  },
)

export const ClientQuotaRecord = record(
  14,
  'ClientQuotaRecord',
  { valid: '0', flexible: '0+' },
  {
    entity: array({
      entityType: string(),
      entityName: string({ nullable: true }),
    }),
    key: string(),
    value: float64(),
    remove: bool(),
  },
)

export const ProducerIdsRecord = record(
  15,
  'ProducerIdsRecord',
  { valid: '0', flexible: '0+' },
  {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
    nextProducerId: int64(),
  },
)

export const BrokerRegistrationChangeRecord = record(
  17,
  'BrokerRegistrationChangeRecord',
  { valid: '0-3', flexible: '0+' },
  {
    brokerId: int32(),
    brokerEpoch: int64(),
    fenced: int8({ tag: 0 }),
    inControlledShutdown: int8({ v: '1+', tag: 1 }),
    logDirs: array(uuid(), { v: '2+', tag: 2 }),
    cordonedLogDirs: array(uuid(), { v: '3+', nullable: true, tag: 3, default: null }),
  },
)

export const AccessControlEntryRecord = record(
  18,
  'AccessControlEntryRecord',
  { valid: '0', flexible: '0+' },
  {
    id: uuid(),
    resourceType: int8(),
    resourceName: string(),
    patternType: int8(),
    principal: string(),
    host: string(),
    operation: int8(),
    permissionType: int8(),
  },
)

export const RemoveAccessControlEntryRecord = record(
  19,
  'RemoveAccessControlEntryRecord',
  { valid: '0', flexible: '0+' },
  {
    id: uuid(),
  },
)

export const NoOpRecord = record(20, 'NoOpRecord', { valid: '0', flexible: '0+' }, {})

export const ZkMigrationStateRecord = record(
  21,
  'ZkMigrationStateRecord',
  { valid: '0', flexible: '0+' },
  {
    zkMigrationState: int8(),
  },
)

export const RemoveUserScramCredentialRecord = record(
  22,
  'RemoveUserScramCredentialRecord',
  { valid: '0', flexible: '0+' },
  {
    name: string(),
    mechanism: int8(),
  },
)

export const BeginTransactionRecord = record(
  23,
  'BeginTransactionRecord',
  { valid: '0', flexible: '0+' },
  {
    name: string({ nullable: true, tag: 0, default: null }),
  },
)

export const EndTransactionRecord = record(
  24,
  'EndTransactionRecord',
  { valid: '0', flexible: '0+' },
  {},
)

export const AbortTransactionRecord = record(
  25,
  'AbortTransactionRecord',
  { valid: '0', flexible: '0+' },
  {
    reason: string({ nullable: true, tag: 0, default: null }),
  },
)

export const RemoveDelegationTokenRecord = record(
  26,
  'RemoveDelegationTokenRecord',
  { valid: '0', flexible: '0+' },
  {
    tokenId: string(),
  },
)

export const RegisterControllerRecord = record(
  27,
  'RegisterControllerRecord',
  { valid: '0', flexible: '0+' },
  {
    controllerId: int32(),
    incarnationId: uuid(),
    zkMigrationReady: bool(),
    endPoints: array({
      name: string(),
      host: string(),
      port: uint16(),
      securityProtocol: int16(),
    }),
    features: array({
      name: string(),
      minSupportedVersion: int16(),
      maxSupportedVersion: int16(),
    }),
  },
)

export const ClearElrRecord = record(
  28,
  'ClearElrRecord',
  { valid: '0', flexible: '0+' },
  {
    topicName: string(),
  },
)
