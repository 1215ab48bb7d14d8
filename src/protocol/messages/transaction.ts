// Transactions: producer ids, enrolment of partitions and offsets, the end, the markers, and inspection.
// KIP-98, KIP-360 epoch bumps, KIP-447 offsets by group, KIP-664 inspection, KIP-890 verification,
// KIP-939 two-phase commit (the newest InitProducerId, not yet stable).

import { api, array, bool, int8, int16, int32, int64, int64Wide, string } from '../dsl.ts'

export const InitProducerId = api(
  22,
  'InitProducerId',
  { valid: '0-6', flexible: '2+', listeners: ['broker'], latestUnstable: true },
  {
    request: {
      transactionalId: string({ nullable: true }),
      transactionTimeoutMs: int32(),
      producerId: int64({ v: '3+', default: -1 }),
      producerEpoch: int16({ v: '3+', default: -1 }),
      enable2Pc: bool({ v: '6+' }),
      keepPreparedTxn: bool({ v: '6+' }),
    },
    response: {
      throttleTimeMs: int32({ ignorable: true }),
      errorCode: int16(),
      producerId: int64({ default: -1 }),
      producerEpoch: int16(),
      ongoingTxnProducerId: int64({ v: '6+', default: -1 }),
      ongoingTxnProducerEpoch: int16({ v: '6+', default: -1 }),
    },
  },
)

const addPartitionsToTxnTopic = {
  name: string(),
  partitions: array(int32()),
}

const addPartitionsToTxnTopicResult = {
  name: string(),
  resultsByPartition: array({
    partitionIndex: int32(),
    partitionErrorCode: int16(),
  }),
}

export const AddPartitionsToTxn = api(
  24,
  'AddPartitionsToTxn',
  { valid: '0-5', flexible: '3+', listeners: ['broker'] },
  {
    request: {
      transactions: array(
        {
          transactionalId: string(),
          producerId: int64(),
          producerEpoch: int16(),
          verifyOnly: bool(),
          topics: array(addPartitionsToTxnTopic),
        },
        { v: '4+' },
      ),
      v3AndBelowTransactionalId: string({ v: '0-3' }),
      v3AndBelowProducerId: int64({ v: '0-3' }),
      v3AndBelowProducerEpoch: int16({ v: '0-3' }),
      v3AndBelowTopics: array(addPartitionsToTxnTopic, { v: '0-3' }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16({ v: '4+', ignorable: true }),
      resultsByTransaction: array(
        {
          transactionalId: string(),
          topicResults: array(addPartitionsToTxnTopicResult),
        },
        { v: '4+' },
      ),
      resultsByTopicV3AndBelow: array(addPartitionsToTxnTopicResult, { v: '0-3' }),
    },
  },
)

export const AddOffsetsToTxn = api(
  25,
  'AddOffsetsToTxn',
  { valid: '0-4', flexible: '3+', listeners: ['broker'] },
  {
    request: {
      transactionalId: string(),
      producerId: int64(),
      producerEpoch: int16(),
      groupId: string(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
    },
  },
)

export const EndTxn = api(
  26,
  'EndTxn',
  { valid: '0-5', flexible: '3+', listeners: ['broker'] },
  {
    request: {
      transactionalId: string(),
      producerId: int64(),
      producerEpoch: int16(),
      committed: bool(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      producerId: int64({ v: '5+', default: -1, ignorable: true }),
      producerEpoch: int16({ v: '5+', default: -1, ignorable: true }),
    },
  },
)

export const WriteTxnMarkers = api(
  27,
  'WriteTxnMarkers',
  { valid: '1-2', flexible: '1+', listeners: ['broker'], clusterAction: true },
  {
    request: {
      markers: array({
        producerId: int64(),
        producerEpoch: int16(),
        transactionResult: bool(),
        topics: array({
          name: string(),
          partitionIndexes: array(int32()),
        }),
        coordinatorEpoch: int32(),
        transactionVersion: int8({ v: '2+', ignorable: true }),
      }),
    },
    response: {
      markers: array({
        producerId: int64(),
        topics: array({
          name: string(),
          partitions: array({
            partitionIndex: int32(),
            errorCode: int16(),
          }),
        }),
      }),
    },
  },
)

export const TxnOffsetCommit = api(
  28,
  'TxnOffsetCommit',
  { valid: '0-5', flexible: '3+', listeners: ['broker'] },
  {
    request: {
      transactionalId: string(),
      groupId: string(),
      producerId: int64(),
      producerEpoch: int16(),
      generationId: int32({ v: '3+', default: -1 }),
      memberId: string({ v: '3+' }),
      groupInstanceId: string({ v: '3+', nullable: true, default: null }),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          committedOffset: int64Wide(),
          committedLeaderEpoch: int32({ v: '2+', default: -1, ignorable: true }),
          committedMetadata: string({ nullable: true }),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    },
  },
)

export const DescribeProducers = api(
  61,
  'DescribeProducers',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      topics: array({
        name: string(),
        partitionIndexes: array(int32()),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
          activeProducers: array({
            producerId: int64(),
            producerEpoch: int32(),
            lastSequence: int32({ default: -1 }),
            lastTimestamp: int64Wide({ default: -1n }),
            coordinatorEpoch: int32(),
            currentTxnStartOffset: int64({ default: -1 }),
          }),
        }),
      }),
    },
  },
)

export const DescribeTransactions = api(
  65,
  'DescribeTransactions',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      transactionalIds: array(string()),
    },
    response: {
      throttleTimeMs: int32(),
      transactionStates: array({
        errorCode: int16(),
        transactionalId: string(),
        transactionState: string(),
        transactionTimeoutMs: int32(),
        transactionStartTimeMs: int64(),
        producerId: int64(),
        producerEpoch: int16(),
        topics: array({
          topic: string(),
          partitions: array(int32()),
        }),
      }),
    },
  },
)

export const ListTransactions = api(
  66,
  'ListTransactions',
  { valid: '0-2', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      stateFilters: array(string()),
      producerIdFilters: array(int64Wide()),
      durationFilter: int64Wide({ v: '1+', default: -1n }),
      transactionalIdPattern: string({ v: '2+', nullable: true, default: null }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      unknownStateFilters: array(string()),
      transactionStates: array({
        transactionalId: string(),
        producerId: int64(),
        transactionState: string(),
      }),
    },
  },
)

export const AllocateProducerIds = api(
  67,
  'AllocateProducerIds',
  { valid: '0', flexible: '0+', listeners: ['controller'], clusterAction: true, forwarded: true },
  {
    request: {
      brokerId: int32(),
      brokerEpoch: int64({ default: -1 }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      producerIdStart: int64(),
      producerIdLen: int32(),
    },
  },
)
