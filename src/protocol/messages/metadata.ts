// What a client asks first: which versions a node speaks, who the brokers are, where partitions live.
// ApiVersions answers with header version 0 whatever its own version, so that anybody can read it.
// KIP-35, KIP-511 client software, KIP-584 features, KIP-516 topic ids, KIP-966 DescribeTopicPartitions.

import { api, array, bool, int8, int16, int32, int64, string, struct, uuid } from '../dsl.ts'

export const ApiVersions = api(
  18,
  'ApiVersions',
  { valid: '0-4', flexible: '3+', listeners: ['broker', 'controller'] },
  {
    request: {
      clientSoftwareName: string({ v: '3+', ignorable: true }),
      clientSoftwareVersion: string({ v: '3+', ignorable: true }),
    },
    response: {
      errorCode: int16(),
      apiKeys: array({
        apiKey: int16(),
        minVersion: int16(),
        maxVersion: int16(),
      }),
      throttleTimeMs: int32({ v: '1+', ignorable: true }),
      supportedFeatures: array(
        {
          name: string(),
          minVersion: int16(),
          maxVersion: int16(),
        },
        { v: '3+', tag: 0, ignorable: true },
      ),
      finalizedFeaturesEpoch: int64({ v: '3+', tag: 1, default: -1, ignorable: true }),
      finalizedFeatures: array(
        {
          name: string(),
          maxVersionLevel: int16(),
          minVersionLevel: int16(),
        },
        { v: '3+', tag: 2, ignorable: true },
      ),
      zkMigrationReady: bool({ v: '3+', tag: 3, ignorable: true }),
    },
  },
)

export const Metadata = api(
  3,
  'Metadata',
  { valid: '0-13', flexible: '9+', listeners: ['broker'] },
  {
    request: {
      topics: array(
        {
          topicId: uuid({ v: '10+', ignorable: true }),
          name: string({ nullable: '10+' }),
        },
        { nullable: '1+' },
      ),
      allowAutoTopicCreation: bool({ v: '4+', default: true }),
      includeClusterAuthorizedOperations: bool({ v: '8-10' }),
      includeTopicAuthorizedOperations: bool({ v: '8+' }),
    },
    response: {
      throttleTimeMs: int32({ v: '3+', ignorable: true }),
      brokers: array({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ v: '1+', nullable: true, default: null, ignorable: true }),
      }),
      clusterId: string({ v: '2+', nullable: true, default: null, ignorable: true }),
      controllerId: int32({ v: '1+', default: -1, ignorable: true }),
      topics: array({
        errorCode: int16(),
        name: string({ nullable: '12+' }),
        topicId: uuid({ v: '10+', ignorable: true }),
        isInternal: bool({ v: '1+', ignorable: true }),
        partitions: array({
          errorCode: int16(),
          partitionIndex: int32(),
          leaderId: int32(),
          leaderEpoch: int32({ v: '7+', default: -1, ignorable: true }),
          replicaNodes: array(int32()),
          isrNodes: array(int32()),
          offlineReplicas: array(int32(), { v: '5+', ignorable: true }),
        }),
        topicAuthorizedOperations: int32({ v: '8+', default: -2147483648 }),
      }),
      clusterAuthorizedOperations: int32({ v: '8-10', default: -2147483648 }),
      errorCode: int16({ v: '13+', ignorable: true }),
    },
  },
)

export const DescribeTopicPartitions = api(
  75,
  'DescribeTopicPartitions',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      topics: array({
        name: string(),
      }),
      responsePartitionLimit: int32({ default: 2000 }),
      cursor: struct(
        {
          topicName: string(),
          partitionIndex: int32(),
        },
        { nullable: true, default: null },
      ),
    },
    response: {
      throttleTimeMs: int32({ ignorable: true }),
      topics: array({
        errorCode: int16(),
        name: string({ nullable: true }),
        topicId: uuid({ ignorable: true }),
        isInternal: bool({ ignorable: true }),
        partitions: array({
          errorCode: int16(),
          partitionIndex: int32(),
          leaderId: int32(),
          leaderEpoch: int32({ default: -1, ignorable: true }),
          replicaNodes: array(int32()),
          isrNodes: array(int32()),
          eligibleLeaderReplicas: array(int32(), { nullable: true, default: null }),
          lastKnownElr: array(int32(), { nullable: true, default: null }),
          offlineReplicas: array(int32(), { ignorable: true }),
        }),
        topicAuthorizedOperations: int32({ default: -2147483648 }),
      }),
      nextCursor: struct(
        {
          topicName: string(),
          partitionIndex: int32(),
        },
        { nullable: true, default: null },
      ),
    },
  },
)

export const DescribeCluster = api(
  60,
  'DescribeCluster',
  { valid: '0-2', flexible: '0+', listeners: ['broker', 'controller'] },
  {
    request: {
      includeClusterAuthorizedOperations: bool(),
      endpointType: int8({ v: '1+', default: 1 }),
      includeFencedBrokers: bool({ v: '2+' }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      endpointType: int8({ v: '1+', default: 1 }),
      clusterId: string(),
      controllerId: int32({ default: -1 }),
      brokers: array({
        brokerId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true, default: null }),
        isFenced: bool({ v: '2+' }),
      }),
      clusterAuthorizedOperations: int32({ default: -2147483648 }),
    },
  },
)
