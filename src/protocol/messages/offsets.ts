// Offsets: where a partition begins and ends, where epochs end, and what groups have committed.
// Times and offsets a client may choose freely are int64Wide. KIP-79 lookup by time, KIP-320 epochs,
// KIP-848 member epochs in commits, KIP-107 DeleteRecords, KIP-496 OffsetDelete.

import { api, array, bool, int8, int16, int32, int64, int64Wide, string, uuid } from '../dsl.ts'

export const ListOffsets = api(
  2,
  'ListOffsets',
  { valid: '1-11', flexible: '6+', listeners: ['broker'] },
  {
    request: {
      replicaId: int32(),
      isolationLevel: int8({ v: '2+' }),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          currentLeaderEpoch: int32({ v: '4+', default: -1, ignorable: true }),
          timestamp: int64Wide(),
        }),
      }),
      timeoutMs: int32({ v: '10+', ignorable: true }),
    },
    response: {
      throttleTimeMs: int32({ v: '2+', ignorable: true }),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          timestamp: int64Wide({ default: -1n }),
          offset: int64({ default: -1 }),
          leaderEpoch: int32({ v: '4+', default: -1 }),
        }),
      }),
    },
  },
)

export const OffsetForLeaderEpoch = api(
  23,
  'OffsetForLeaderEpoch',
  { valid: '2-4', flexible: '4+', listeners: ['broker'] },
  {
    request: {
      replicaId: int32({ v: '3+', default: -2, ignorable: true }),
      topics: array({
        topic: string(),
        partitions: array({
          partition: int32(),
          currentLeaderEpoch: int32({ default: -1, ignorable: true }),
          leaderEpoch: int32(),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32({ ignorable: true }),
      topics: array({
        topic: string(),
        partitions: array({
          errorCode: int16(),
          partition: int32(),
          leaderEpoch: int32({ default: -1, ignorable: true }),
          endOffset: int64({ default: -1 }),
        }),
      }),
    },
  },
)

export const DeleteRecords = api(
  21,
  'DeleteRecords',
  { valid: '0-2', flexible: '2+', listeners: ['broker'] },
  {
    request: {
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          offset: int64Wide(),
        }),
      }),
      timeoutMs: int32(),
    },
    response: {
      throttleTimeMs: int32(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          lowWatermark: int64(),
          errorCode: int16(),
        }),
      }),
    },
  },
)

export const OffsetCommit = api(
  8,
  'OffsetCommit',
  { valid: '2-10', flexible: '8+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      generationIdOrMemberEpoch: int32({ default: -1, ignorable: true }),
      memberId: string({ ignorable: true }),
      groupInstanceId: string({ v: '7+', nullable: true, default: null }),
      retentionTimeMs: int64Wide({ v: '2-4', default: -1n, ignorable: true }),
      topics: array({
        name: string({ v: '0-9', ignorable: true }),
        topicId: uuid({ v: '10+', ignorable: true }),
        partitions: array({
          partitionIndex: int32(),
          committedOffset: int64Wide(),
          committedLeaderEpoch: int32({ v: '6+', default: -1, ignorable: true }),
          committedMetadata: string({ nullable: true }),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32({ v: '3+', ignorable: true }),
      topics: array({
        name: string({ v: '0-9', ignorable: true }),
        topicId: uuid({ v: '10+', ignorable: true }),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    },
  },
)

export const OffsetFetch = api(
  9,
  'OffsetFetch',
  { valid: '1-10', flexible: '6+', listeners: ['broker'] },
  {
    request: {
      groupId: string({ v: '0-7' }),
      topics: array(
        {
          name: string(),
          partitionIndexes: array(int32()),
        },
        { v: '0-7', nullable: '2-7' },
      ),
      groups: array(
        {
          groupId: string(),
          memberId: string({ v: '9+', nullable: true, default: null, ignorable: true }),
          memberEpoch: int32({ v: '9+', default: -1, ignorable: true }),
          topics: array(
            {
              name: string({ v: '8-9', ignorable: true }),
              topicId: uuid({ v: '10+', ignorable: true }),
              partitionIndexes: array(int32()),
            },
            { nullable: true },
          ),
        },
        { v: '8+' },
      ),
      requireStable: bool({ v: '7+' }),
    },
    response: {
      throttleTimeMs: int32({ v: '3+', ignorable: true }),
      topics: array(
        {
          name: string(),
          partitions: array({
            partitionIndex: int32(),
            committedOffset: int64Wide(),
            committedLeaderEpoch: int32({ v: '5-7', default: -1, ignorable: true }),
            metadata: string({ nullable: true }),
            errorCode: int16(),
          }),
        },
        { v: '0-7' },
      ),
      errorCode: int16({ v: '2-7', ignorable: true }),
      groups: array(
        {
          groupId: string(),
          topics: array({
            name: string({ v: '8-9', ignorable: true }),
            topicId: uuid({ v: '10+', ignorable: true }),
            partitions: array({
              partitionIndex: int32(),
              committedOffset: int64Wide(),
              committedLeaderEpoch: int32({ default: -1, ignorable: true }),
              metadata: string({ nullable: true }),
              errorCode: int16(),
            }),
          }),
          errorCode: int16(),
        },
        { v: '8+' },
      ),
    },
  },
)

export const OffsetDelete = api(
  47,
  'OffsetDelete',
  { valid: '0', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
        }),
      }),
    },
    response: {
      errorCode: int16(),
      throttleTimeMs: int32({ ignorable: true }),
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
