// Topics: create, delete, grow, move and elect. KIP-4, KIP-195 new partitions, KIP-455 reassignment,
// KIP-460 elections, KIP-516 deletion by id.

import { api, array, bool, int8, int16, int32, string, uuid } from '../dsl.ts'

export const CreateTopics = api(
  19,
  'CreateTopics',
  { valid: '2-7', flexible: '5+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      topics: array({
        name: string(),
        numPartitions: int32(),
        replicationFactor: int16(),
        assignments: array({
          partitionIndex: int32(),
          brokerIds: array(int32()),
        }),
        configs: array({
          name: string(),
          value: string({ nullable: true }),
        }),
      }),
      timeoutMs: int32({ default: 60000 }),
      validateOnly: bool(),
    },
    response: {
      throttleTimeMs: int32({ ignorable: true }),
      topics: array({
        name: string(),
        topicId: uuid({ v: '7+', ignorable: true }),
        errorCode: int16(),
        errorMessage: string({ nullable: true, ignorable: true }),
        topicConfigErrorCode: int16({ v: '5+', tag: 0, ignorable: true }),
        numPartitions: int32({ v: '5+', default: -1, ignorable: true }),
        replicationFactor: int16({ v: '5+', default: -1, ignorable: true }),
        configs: array(
          {
            name: string(),
            value: string({ nullable: true }),
            readOnly: bool(),
            configSource: int8({ default: -1, ignorable: true }),
            isSensitive: bool(),
          },
          { v: '5+', nullable: true, ignorable: true },
        ),
      }),
    },
  },
)

export const DeleteTopics = api(
  20,
  'DeleteTopics',
  { valid: '1-6', flexible: '4+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      topics: array(
        {
          name: string({ nullable: true, default: null }),
          topicId: uuid(),
        },
        { v: '6+' },
      ),
      topicNames: array(string(), { v: '0-5', ignorable: true }),
      timeoutMs: int32(),
    },
    response: {
      throttleTimeMs: int32({ ignorable: true }),
      responses: array({
        name: string({ nullable: '6+' }),
        topicId: uuid({ v: '6+', ignorable: true }),
        errorCode: int16(),
        errorMessage: string({ v: '5+', nullable: true, default: null, ignorable: true }),
      }),
    },
  },
)

export const CreatePartitions = api(
  37,
  'CreatePartitions',
  { valid: '0-3', flexible: '2+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      topics: array({
        name: string(),
        count: int32(),
        assignments: array(
          {
            brokerIds: array(int32()),
          },
          { nullable: true },
        ),
      }),
      timeoutMs: int32(),
      validateOnly: bool(),
    },
    response: {
      throttleTimeMs: int32(),
      results: array({
        name: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
      }),
    },
  },
)

export const AlterPartitionReassignments = api(
  45,
  'AlterPartitionReassignments',
  { valid: '0-1', flexible: '0+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      timeoutMs: int32({ default: 60000 }),
      allowReplicationFactorChange: bool({ v: '1+', default: true }),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          replicas: array(int32(), { nullable: true, default: null }),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      allowReplicationFactorChange: bool({ v: '1+', default: true, ignorable: true }),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      responses: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true }),
        }),
      }),
    },
  },
)

export const ListPartitionReassignments = api(
  46,
  'ListPartitionReassignments',
  { valid: '0', flexible: '0+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      timeoutMs: int32({ default: 60000 }),
      topics: array(
        {
          name: string(),
          partitionIndexes: array(int32()),
        },
        { nullable: true, default: null },
      ),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          replicas: array(int32()),
          addingReplicas: array(int32()),
          removingReplicas: array(int32()),
        }),
      }),
    },
  },
)

export const ElectLeaders = api(
  43,
  'ElectLeaders',
  { valid: '0-2', flexible: '2+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      electionType: int8({ v: '1+' }),
      topicPartitions: array(
        {
          topic: string(),
          partitions: array(int32()),
        },
        { nullable: true },
      ),
      timeoutMs: int32({ default: 60000 }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16({ v: '1+' }),
      replicaElectionResults: array({
        topic: string(),
        partitionResult: array({
          partitionId: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true }),
        }),
      }),
    },
  },
)
