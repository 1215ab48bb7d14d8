// KRaft between controllers: votes, epochs, snapshots, and changes of the voter set. Fetch, which carries
// the log itself, is in produce_fetch.ts. KIP-595, KIP-630 snapshots, KIP-853 voters, KIP-996 pre-votes.

import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  records,
  string,
  struct,
  uint16,
  uuid,
} from '../dsl.ts'

export const Vote = api(
  52,
  'Vote',
  { valid: '0-2', flexible: '0+', listeners: ['controller'], clusterAction: true },
  {
    request: {
      clusterId: string({ nullable: true, default: null }),
      voterId: int32({ v: '1+', default: -1, ignorable: true }),
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          replicaEpoch: int32(),
          replicaId: int32(),
          replicaDirectoryId: uuid({ v: '1+', ignorable: true }),
          voterDirectoryId: uuid({ v: '1+', ignorable: true }),
          lastOffsetEpoch: int32(),
          lastOffset: int64(),
          preVote: bool({ v: '2+' }),
        }),
      }),
    },
    response: {
      errorCode: int16(),
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          leaderId: int32(),
          leaderEpoch: int32(),
          voteGranted: bool(),
        }),
      }),
      nodeEndpoints: array(
        {
          nodeId: int32(),
          host: string(),
          port: uint16(),
        },
        { v: '1+', tag: 0 },
      ),
    },
  },
)

export const BeginQuorumEpoch = api(
  53,
  'BeginQuorumEpoch',
  { valid: '0-1', flexible: '1+', listeners: ['controller'], clusterAction: true },
  {
    request: {
      clusterId: string({ nullable: true, default: null }),
      voterId: int32({ v: '1+', default: -1, ignorable: true }),
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          voterDirectoryId: uuid({ v: '1+', ignorable: true }),
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
      }),
      leaderEndpoints: array(
        {
          name: string(),
          host: string(),
          port: uint16(),
        },
        { v: '1+', ignorable: true },
      ),
    },
    response: {
      errorCode: int16(),
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
      }),
      nodeEndpoints: array(
        {
          nodeId: int32(),
          host: string(),
          port: uint16(),
        },
        { v: '1+', tag: 0 },
      ),
    },
  },
)

export const EndQuorumEpoch = api(
  54,
  'EndQuorumEpoch',
  { valid: '0-1', flexible: '1+', listeners: ['controller'], clusterAction: true },
  {
    request: {
      clusterId: string({ nullable: true, default: null }),
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          leaderId: int32(),
          leaderEpoch: int32(),
          preferredSuccessors: array(int32(), { v: '0', ignorable: true }),
          preferredCandidates: array(
            {
              candidateId: int32(),
              candidateDirectoryId: uuid(),
            },
            { v: '1+', ignorable: true },
          ),
        }),
      }),
      leaderEndpoints: array(
        {
          name: string(),
          host: string(),
          port: uint16(),
        },
        { v: '1+', ignorable: true },
      ),
    },
    response: {
      errorCode: int16(),
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
      }),
      nodeEndpoints: array(
        {
          nodeId: int32(),
          host: string(),
          port: uint16(),
        },
        { v: '1+', tag: 0 },
      ),
    },
  },
)

const replicaState = {
  replicaId: int32(),
  replicaDirectoryId: uuid({ v: '2+' }),
  logEndOffset: int64(),
  lastFetchTimestamp: int64({ v: '1+', default: -1, ignorable: true }),
  lastCaughtUpTimestamp: int64({ v: '1+', default: -1, ignorable: true }),
}

export const DescribeQuorum = api(
  55,
  'DescribeQuorum',
  {
    valid: '0-2',
    flexible: '0+',
    listeners: ['broker', 'controller'],
    clusterAction: true,
    forwarded: true,
  },
  {
    request: {
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
        }),
      }),
    },
    response: {
      errorCode: int16(),
      errorMessage: string({ v: '2+', nullable: true, ignorable: true }),
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          errorMessage: string({ v: '2+', nullable: true, ignorable: true }),
          leaderId: int32(),
          leaderEpoch: int32(),
          highWatermark: int64(),
          currentVoters: array(replicaState),
          observers: array(replicaState),
        }),
      }),
      nodes: array(
        {
          nodeId: int32(),
          listeners: array({
            name: string(),
            host: string(),
            port: uint16(),
          }),
        },
        { v: '2+' },
      ),
    },
  },
)

export const FetchSnapshot = api(
  59,
  'FetchSnapshot',
  { valid: '0-1', flexible: '0+', listeners: ['controller'] },
  {
    request: {
      clusterId: string({ nullable: true, tag: 0, default: null }),
      replicaId: int32({ default: -1 }),
      maxBytes: int32({ default: 0x7fffffff }),
      topics: array({
        name: string(),
        partitions: array({
          partition: int32(),
          currentLeaderEpoch: int32(),
          snapshotId: struct({
            endOffset: int64(),
            epoch: int32(),
          }),
          position: int64(),
          replicaDirectoryId: uuid({ v: '1+', tag: 0, ignorable: true }),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32({ ignorable: true }),
      errorCode: int16(),
      topics: array({
        name: string(),
        partitions: array({
          index: int32(),
          errorCode: int16(),
          snapshotId: struct({
            endOffset: int64(),
            epoch: int32(),
          }),
          currentLeader: struct(
            {
              leaderId: int32(),
              leaderEpoch: int32(),
            },
            { tag: 0 },
          ),
          size: int64(),
          position: int64(),
          unalignedRecords: records(),
        }),
      }),
      nodeEndpoints: array(
        {
          nodeId: int32(),
          host: string(),
          port: uint16(),
        },
        { v: '1+', tag: 0 },
      ),
    },
  },
)

export const AddRaftVoter = api(
  80,
  'AddRaftVoter',
  { valid: '0-1', flexible: '0+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      clusterId: string({ nullable: true }),
      timeoutMs: int32(),
      voterId: int32(),
      voterDirectoryId: uuid(),
      listeners: array({
        name: string(),
        host: string(),
        port: uint16(),
      }),
      ackWhenCommitted: bool({ v: '1+', default: true }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, ignorable: true }),
    },
  },
)

export const RemoveRaftVoter = api(
  81,
  'RemoveRaftVoter',
  { valid: '0', flexible: '0+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      clusterId: string({ nullable: true }),
      voterId: int32(),
      voterDirectoryId: uuid(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, ignorable: true }),
    },
  },
)

export const UpdateRaftVoter = api(
  82,
  'UpdateRaftVoter',
  { valid: '0', flexible: '0+', listeners: ['controller'] },
  {
    request: {
      clusterId: string({ nullable: true }),
      currentLeaderEpoch: int32(),
      voterId: int32(),
      voterDirectoryId: uuid(),
      listeners: array({
        name: string(),
        host: string(),
        port: uint16(),
      }),
      kRaftVersionFeature: struct({
        minSupportedVersion: int16(),
        maxSupportedVersion: int16(),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      currentLeader: struct(
        {
          leaderId: int32({ default: -1 }),
          leaderEpoch: int32({ default: -1 }),
          host: string(),
          port: int32(),
        },
        { tag: 0 },
      ),
    },
  },
)
