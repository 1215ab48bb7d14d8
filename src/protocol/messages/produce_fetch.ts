// The data path: Produce and Fetch. C++ serves both from cursors generated from these tables
// (native/gen/messages.h); TypeScript reads them in the model plane and on the controller listener.
// KIP-98 idempotence, KIP-227 fetch sessions, KIP-320 epochs, KIP-516 topic ids, KIP-595 raft fetches,
// KIP-951 leader discovery in responses, KIP-1166 high watermark in fetches.

import {
  api,
  array,
  int8,
  int16,
  int32,
  int64,
  int64Wide,
  records,
  string,
  struct,
  uuid,
} from '../dsl.ts'

export const Produce = api(
  0,
  'Produce',
  { valid: '3-13', flexible: '9+', listeners: ['broker'] },
  {
    request: {
      transactionalId: string({ nullable: true, default: null }),
      acks: int16(),
      timeoutMs: int32(),
      topicData: array({
        name: string({ v: '0-12', ignorable: true }),
        topicId: uuid({ v: '13+', ignorable: true }),
        partitionData: array({
          index: int32(),
          records: records({ nullable: true }),
        }),
      }),
    },
    response: {
      responses: array({
        name: string({ v: '0-12', ignorable: true }),
        topicId: uuid({ v: '13+', ignorable: true }),
        partitionResponses: array({
          index: int32(),
          errorCode: int16(),
          baseOffset: int64(),
          logAppendTimeMs: int64({ default: -1, ignorable: true }),
          logStartOffset: int64({ v: '5+', default: -1, ignorable: true }),
          recordErrors: array(
            {
              batchIndex: int32(),
              batchIndexErrorMessage: string({ nullable: true, default: null }),
            },
            { v: '8+', ignorable: true },
          ),
          errorMessage: string({ v: '8+', nullable: true, default: null, ignorable: true }),
          currentLeader: struct(
            {
              leaderId: int32({ default: -1 }),
              leaderEpoch: int32({ default: -1 }),
            },
            { v: '10+', tag: 0 },
          ),
        }),
      }),
      throttleTimeMs: int32({ ignorable: true }),
      nodeEndpoints: array(
        {
          nodeId: int32(),
          host: string(),
          port: int32(),
          rack: string({ nullable: true, default: null }),
        },
        { v: '10+', tag: 0 },
      ),
    },
  },
)

export const Fetch = api(
  1,
  'Fetch',
  { valid: '4-18', flexible: '12+', listeners: ['broker', 'controller'] },
  {
    request: {
      clusterId: string({ v: '12+', nullable: true, tag: 0, default: null, ignorable: true }),
      replicaId: int32({ v: '0-14', default: -1 }),
      replicaState: struct(
        {
          replicaId: int32({ default: -1 }),
          replicaEpoch: int64({ default: -1 }),
        },
        { v: '15+', tag: 1 },
      ),
      maxWaitMs: int32(),
      minBytes: int32(),
      maxBytes: int32({ default: 0x7fffffff, ignorable: true }),
      isolationLevel: int8({ ignorable: true }),
      sessionId: int32({ v: '7+', ignorable: true }),
      sessionEpoch: int32({ v: '7+', default: -1, ignorable: true }),
      topics: array({
        topic: string({ v: '0-12', ignorable: true }),
        topicId: uuid({ v: '13+', ignorable: true }),
        partitions: array({
          partition: int32(),
          currentLeaderEpoch: int32({ v: '9+', default: -1, ignorable: true }),
          fetchOffset: int64(),
          lastFetchedEpoch: int32({ v: '12+', default: -1 }),
          logStartOffset: int64({ v: '5+', default: -1, ignorable: true }),
          partitionMaxBytes: int32(),
          replicaDirectoryId: uuid({ v: '17+', tag: 0, ignorable: true }),
          highWatermark: int64Wide({
            v: '18+',
            tag: 1,
            default: 9223372036854775807n,
            ignorable: true,
          }),
        }),
      }),
      forgottenTopicsData: array(
        {
          topic: string({ v: '7-12', ignorable: true }),
          topicId: uuid({ v: '13+', ignorable: true }),
          partitions: array(int32()),
        },
        { v: '7+' },
      ),
      rackId: string({ v: '11+', ignorable: true }),
    },
    response: {
      throttleTimeMs: int32({ ignorable: true }),
      errorCode: int16({ v: '7+', ignorable: true }),
      sessionId: int32({ v: '7+' }),
      responses: array({
        topic: string({ v: '0-12', ignorable: true }),
        topicId: uuid({ v: '13+', ignorable: true }),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          highWatermark: int64(),
          lastStableOffset: int64({ default: -1, ignorable: true }),
          logStartOffset: int64({ v: '5+', default: -1, ignorable: true }),
          divergingEpoch: struct(
            {
              epoch: int32({ default: -1 }),
              endOffset: int64({ default: -1 }),
            },
            { v: '12+', tag: 0 },
          ),
          currentLeader: struct(
            {
              leaderId: int32({ default: -1 }),
              leaderEpoch: int32({ default: -1 }),
            },
            { v: '12+', tag: 1 },
          ),
          snapshotId: struct(
            {
              endOffset: int64({ default: -1 }),
              epoch: int32({ default: -1 }),
            },
            { v: '12+', tag: 2 },
          ),
          abortedTransactions: array(
            {
              producerId: int64(),
              firstOffset: int64(),
            },
            { nullable: true, ignorable: true },
          ),
          preferredReadReplica: int32({ v: '11+', default: -1 }),
          records: records({ nullable: true }),
        }),
      }),
      nodeEndpoints: array(
        {
          nodeId: int32(),
          host: string(),
          port: int32(),
          rack: string({ nullable: true, default: null }),
        },
        { v: '16+', tag: 0 },
      ),
    },
  },
)
