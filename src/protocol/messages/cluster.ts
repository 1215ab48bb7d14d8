// Nodes and the controller: registration, heartbeats, in-sync replicas, features, directories, forwarding.
// KIP-497, KIP-590 Envelope, KIP-631, KIP-584 features, KIP-858 directories, KIP-113 log directories.
// The four requests of ZooKeeper's days keep their keys and have no version left.

import { api, array, bool, bytes, int8, int16, int32, int64, string, uint16, uuid } from '../dsl.ts'

export const BrokerRegistration = api(
  62,
  'BrokerRegistration',
  { valid: '0-4', flexible: '0+', listeners: ['controller'], clusterAction: true },
  {
    request: {
      brokerId: int32(),
      clusterId: string(),
      incarnationId: uuid(),
      listeners: array({
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
      isMigratingZkBroker: bool({ v: '1+' }),
      logDirs: array(uuid(), { v: '2+', ignorable: true }),
      previousBrokerEpoch: int64({ v: '3+', default: -1, ignorable: true }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      brokerEpoch: int64({ default: -1 }),
    },
  },
)

export const BrokerHeartbeat = api(
  63,
  'BrokerHeartbeat',
  { valid: '0-2', flexible: '0+', listeners: ['controller'], clusterAction: true },
  {
    request: {
      brokerId: int32(),
      brokerEpoch: int64({ default: -1 }),
      currentMetadataOffset: int64(),
      wantFence: bool(),
      wantShutDown: bool(),
      offlineLogDirs: array(uuid(), { v: '1+', tag: 0 }),
      cordonedLogDirs: array(uuid(), { v: '2+', nullable: true, tag: 1, default: null }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      isCaughtUp: bool(),
      isFenced: bool({ default: true }),
      shouldShutDown: bool(),
    },
  },
)

export const UnregisterBroker = api(
  64,
  'UnregisterBroker',
  { valid: '0', flexible: '0+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      brokerId: int32(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
    },
  },
)

export const ControllerRegistration = api(
  70,
  'ControllerRegistration',
  { valid: '0', flexible: '0+', listeners: ['controller'] },
  {
    request: {
      controllerId: int32(),
      incarnationId: uuid(),
      zkMigrationReady: bool(),
      listeners: array({
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
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
    },
  },
)

export const AlterPartition = api(
  56,
  'AlterPartition',
  { valid: '2-3', flexible: '0+', listeners: ['controller'], clusterAction: true },
  {
    request: {
      brokerId: int32(),
      brokerEpoch: int64({ default: -1 }),
      topics: array({
        topicId: uuid({ ignorable: true }),
        partitions: array({
          partitionIndex: int32(),
          leaderEpoch: int32(),
          newIsr: array(int32(), { v: '0-2' }),
          newIsrWithEpochs: array(
            {
              brokerId: int32(),
              brokerEpoch: int64({ default: -1 }),
            },
            { v: '3+' },
          ),
          leaderRecoveryState: int8(),
          partitionEpoch: int32(),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      topics: array({
        topicId: uuid({ ignorable: true }),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          leaderId: int32(),
          leaderEpoch: int32(),
          isr: array(int32()),
          leaderRecoveryState: int8({ ignorable: true }),
          partitionEpoch: int32(),
        }),
      }),
    },
  },
)

export const AssignReplicasToDirs = api(
  73,
  'AssignReplicasToDirs',
  { valid: '0', flexible: '0+', listeners: ['controller'] },
  {
    request: {
      brokerId: int32(),
      brokerEpoch: int64({ default: -1 }),
      directories: array({
        id: uuid(),
        topics: array({
          topicId: uuid(),
          partitions: array({
            partitionIndex: int32(),
          }),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      directories: array({
        id: uuid(),
        topics: array({
          topicId: uuid(),
          partitions: array({
            partitionIndex: int32(),
            errorCode: int16(),
          }),
        }),
      }),
    },
  },
)

export const UpdateFeatures = api(
  57,
  'UpdateFeatures',
  {
    valid: '0-2',
    flexible: '0+',
    listeners: ['broker', 'controller'],
    clusterAction: true,
    forwarded: true,
  },
  {
    request: {
      timeoutMs: int32({ default: 60000 }),
      featureUpdates: array({
        feature: string(),
        maxVersionLevel: int16(),
        allowDowngrade: bool({ v: '0' }),
        upgradeType: int8({ v: '1+', default: 1 }),
      }),
      validateOnly: bool({ v: '1+' }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      results: array(
        {
          feature: string(),
          errorCode: int16(),
          errorMessage: string({ nullable: true }),
        },
        { v: '0-1', ignorable: true },
      ),
    },
  },
)

export const Envelope = api(
  58,
  'Envelope',
  { valid: '0', flexible: '0+', listeners: ['controller'], clusterAction: true },
  {
    request: {
      requestData: bytes(),
      requestPrincipal: bytes({ nullable: true }),
      clientHostAddress: bytes(),
    },
    response: {
      responseData: bytes({ nullable: true, default: null }),
      errorCode: int16(),
    },
  },
)

export const AlterReplicaLogDirs = api(
  34,
  'AlterReplicaLogDirs',
  { valid: '1-2', flexible: '2+', listeners: ['broker'] },
  {
    request: {
      dirs: array({
        path: string(),
        topics: array({
          name: string(),
          partitions: array(int32()),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      results: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    },
  },
)

export const DescribeLogDirs = api(
  35,
  'DescribeLogDirs',
  { valid: '1-5', flexible: '2+', listeners: ['broker'] },
  {
    request: {
      topics: array(
        {
          topic: string(),
          partitions: array(int32()),
        },
        { nullable: true },
      ),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16({ v: '3+', ignorable: true }),
      results: array({
        errorCode: int16(),
        logDir: string(),
        topics: array({
          name: string(),
          partitions: array({
            partitionIndex: int32(),
            partitionSize: int64(),
            offsetLag: int64(),
            isFutureKey: bool(),
          }),
        }),
        totalBytes: int64({ v: '4+', default: -1, ignorable: true }),
        usableBytes: int64({ v: '4+', default: -1, ignorable: true }),
        isCordoned: bool({ v: '5+', ignorable: true }),
      }),
    },
  },
)

export const LeaderAndIsr = api(
  4,
  'LeaderAndIsr',
  { valid: 'none', clusterAction: true },
  {
    request: {},
    response: {},
  },
)

export const StopReplica = api(
  5,
  'StopReplica',
  { valid: 'none', clusterAction: true },
  {
    request: {},
    response: {},
  },
)

export const UpdateMetadata = api(
  6,
  'UpdateMetadata',
  { valid: 'none', clusterAction: true },
  {
    request: {},
    response: {},
  },
)

export const ControlledShutdown = api(
  7,
  'ControlledShutdown',
  { valid: 'none', clusterAction: true },
  {
    request: {},
    response: {},
  },
)
