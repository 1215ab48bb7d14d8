// The classic group protocol: find the coordinator, join, sync, beat, leave; and what operators ask.
// KIP-62, KIP-345 static membership, KIP-394 member ids before joining, KIP-699 batched coordinators.

import { api, array, bool, bytes, int8, int16, int32, string } from '../dsl.ts'

export const FindCoordinator = api(
  10,
  'FindCoordinator',
  { valid: '0-6', flexible: '3+', listeners: ['broker'] },
  {
    request: {
      key: string({ v: '0-3' }),
      keyType: int8({ v: '1+' }),
      coordinatorKeys: array(string(), { v: '4+' }),
    },
    response: {
      throttleTimeMs: int32({ v: '1+', ignorable: true }),
      errorCode: int16({ v: '0-3' }),
      errorMessage: string({ v: '1-3', nullable: true, ignorable: true }),
      nodeId: int32({ v: '0-3' }),
      host: string({ v: '0-3' }),
      port: int32({ v: '0-3' }),
      coordinators: array(
        {
          key: string(),
          nodeId: int32(),
          host: string(),
          port: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, ignorable: true }),
        },
        { v: '4+' },
      ),
    },
  },
)

export const JoinGroup = api(
  11,
  'JoinGroup',
  { valid: '0-9', flexible: '6+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      sessionTimeoutMs: int32(),
      rebalanceTimeoutMs: int32({ v: '1+', default: -1, ignorable: true }),
      memberId: string(),
      groupInstanceId: string({ v: '5+', nullable: true, default: null }),
      protocolType: string(),
      protocols: array({
        name: string(),
        metadata: bytes(),
      }),
      reason: string({ v: '8+', nullable: true, default: null, ignorable: true }),
    },
    response: {
      throttleTimeMs: int32({ v: '2+', ignorable: true }),
      errorCode: int16(),
      generationId: int32({ default: -1 }),
      protocolType: string({ v: '7+', nullable: true, default: null, ignorable: true }),
      protocolName: string({ nullable: '7+' }),
      leader: string(),
      skipAssignment: bool({ v: '9+' }),
      memberId: string(),
      members: array({
        memberId: string(),
        groupInstanceId: string({ v: '5+', nullable: true, default: null, ignorable: true }),
        metadata: bytes(),
      }),
    },
  },
)

export const SyncGroup = api(
  14,
  'SyncGroup',
  { valid: '0-5', flexible: '4+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      generationId: int32(),
      memberId: string(),
      groupInstanceId: string({ v: '3+', nullable: true, default: null }),
      protocolType: string({ v: '5+', nullable: true, default: null, ignorable: true }),
      protocolName: string({ v: '5+', nullable: true, default: null, ignorable: true }),
      assignments: array({
        memberId: string(),
        assignment: bytes(),
      }),
    },
    response: {
      throttleTimeMs: int32({ v: '1+', ignorable: true }),
      errorCode: int16(),
      protocolType: string({ v: '5+', nullable: true, default: null, ignorable: true }),
      protocolName: string({ v: '5+', nullable: true, default: null, ignorable: true }),
      assignment: bytes(),
    },
  },
)

export const Heartbeat = api(
  12,
  'Heartbeat',
  { valid: '0-4', flexible: '4+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      generationId: int32(),
      memberId: string(),
      groupInstanceId: string({ v: '3+', nullable: true, default: null }),
    },
    response: {
      throttleTimeMs: int32({ v: '1+', ignorable: true }),
      errorCode: int16(),
    },
  },
)

export const LeaveGroup = api(
  13,
  'LeaveGroup',
  { valid: '0-5', flexible: '4+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      memberId: string({ v: '0-2' }),
      members: array(
        {
          memberId: string(),
          groupInstanceId: string({ nullable: true, default: null }),
          reason: string({ v: '5+', nullable: true, default: null, ignorable: true }),
        },
        { v: '3+' },
      ),
    },
    response: {
      throttleTimeMs: int32({ v: '1+', ignorable: true }),
      errorCode: int16(),
      members: array(
        {
          memberId: string(),
          groupInstanceId: string({ nullable: true }),
          errorCode: int16(),
        },
        { v: '3+' },
      ),
    },
  },
)

export const DescribeGroups = api(
  15,
  'DescribeGroups',
  { valid: '0-6', flexible: '5+', listeners: ['broker'] },
  {
    request: {
      groups: array(string()),
      includeAuthorizedOperations: bool({ v: '3+' }),
    },
    response: {
      throttleTimeMs: int32({ v: '1+', ignorable: true }),
      groups: array({
        errorCode: int16(),
        errorMessage: string({ v: '6+', nullable: true, default: null }),
        groupId: string(),
        groupState: string(),
        protocolType: string(),
        protocolData: string(),
        members: array({
          memberId: string(),
          groupInstanceId: string({ v: '4+', nullable: true, default: null, ignorable: true }),
          clientId: string(),
          clientHost: string(),
          memberMetadata: bytes(),
          memberAssignment: bytes(),
        }),
        authorizedOperations: int32({ v: '3+', default: -2147483648 }),
      }),
    },
  },
)

export const ListGroups = api(
  16,
  'ListGroups',
  { valid: '0-5', flexible: '3+', listeners: ['broker'] },
  {
    request: {
      statesFilter: array(string(), { v: '4+' }),
      typesFilter: array(string(), { v: '5+' }),
    },
    response: {
      throttleTimeMs: int32({ v: '1+', ignorable: true }),
      errorCode: int16(),
      groups: array({
        groupId: string(),
        protocolType: string(),
        groupState: string({ v: '4+', ignorable: true }),
        groupType: string({ v: '5+', ignorable: true }),
      }),
    },
  },
)

export const DeleteGroups = api(
  42,
  'DeleteGroups',
  { valid: '0-2', flexible: '2+', listeners: ['broker'] },
  {
    request: {
      groupsNames: array(string()),
    },
    response: {
      throttleTimeMs: int32(),
      results: array({
        groupId: string(),
        errorCode: int16(),
      }),
    },
  },
)
