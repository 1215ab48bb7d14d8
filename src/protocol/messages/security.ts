// Who is there: SASL exchanges, delegation tokens, SCRAM credentials, and the principal as brokers hand
// it on inside Envelope. KIP-43, KIP-152, KIP-368 re-authentication, KIP-48 tokens, KIP-554 SCRAM.

import {
  api,
  array,
  bool,
  bytes,
  data,
  int8,
  int16,
  int32,
  int64,
  int64Wide,
  string,
} from '../dsl.ts'

export const SaslHandshake = api(
  17,
  'SaslHandshake',
  { valid: '0-1', listeners: ['broker', 'controller'] },
  {
    request: {
      mechanism: string(),
    },
    response: {
      errorCode: int16(),
      mechanisms: array(string()),
    },
  },
)

export const SaslAuthenticate = api(
  36,
  'SaslAuthenticate',
  { valid: '0-2', flexible: '2+', listeners: ['broker', 'controller'] },
  {
    request: {
      authBytes: bytes(),
    },
    response: {
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      authBytes: bytes(),
      sessionLifetimeMs: int64({ v: '1+', ignorable: true }),
    },
  },
)

export const CreateDelegationToken = api(
  38,
  'CreateDelegationToken',
  { valid: '1-3', flexible: '2+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      ownerPrincipalType: string({ v: '3+', nullable: true }),
      ownerPrincipalName: string({ v: '3+', nullable: true }),
      renewers: array({
        principalType: string(),
        principalName: string(),
      }),
      maxLifetimeMs: int64Wide(),
    },
    response: {
      errorCode: int16(),
      principalType: string(),
      principalName: string(),
      tokenRequesterPrincipalType: string({ v: '3+' }),
      tokenRequesterPrincipalName: string({ v: '3+' }),
      issueTimestampMs: int64Wide(),
      expiryTimestampMs: int64Wide(),
      maxTimestampMs: int64Wide(),
      tokenId: string(),
      hmac: bytes(),
      throttleTimeMs: int32(),
    },
  },
)

export const RenewDelegationToken = api(
  39,
  'RenewDelegationToken',
  { valid: '1-2', flexible: '2+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      hmac: bytes(),
      renewPeriodMs: int64Wide(),
    },
    response: {
      errorCode: int16(),
      expiryTimestampMs: int64Wide(),
      throttleTimeMs: int32(),
    },
  },
)

export const ExpireDelegationToken = api(
  40,
  'ExpireDelegationToken',
  { valid: '1-2', flexible: '2+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      hmac: bytes(),
      expiryTimePeriodMs: int64Wide(),
    },
    response: {
      errorCode: int16(),
      expiryTimestampMs: int64Wide(),
      throttleTimeMs: int32(),
    },
  },
)

export const DescribeDelegationToken = api(
  41,
  'DescribeDelegationToken',
  { valid: '1-3', flexible: '2+', listeners: ['broker', 'controller'] },
  {
    request: {
      owners: array(
        {
          principalType: string(),
          principalName: string(),
        },
        { nullable: true },
      ),
    },
    response: {
      errorCode: int16(),
      tokens: array({
        principalType: string(),
        principalName: string(),
        tokenRequesterPrincipalType: string({ v: '3+' }),
        tokenRequesterPrincipalName: string({ v: '3+' }),
        issueTimestamp: int64Wide(),
        expiryTimestamp: int64Wide(),
        maxTimestamp: int64Wide(),
        tokenId: string(),
        hmac: bytes(),
        renewers: array({
          principalType: string(),
          principalName: string(),
        }),
      }),
      throttleTimeMs: int32(),
    },
  },
)

export const DescribeUserScramCredentials = api(
  50,
  'DescribeUserScramCredentials',
  { valid: '0', flexible: '0+', listeners: ['broker', 'controller'] },
  {
    request: {
      users: array(
        {
          name: string(),
        },
        { nullable: true },
      ),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      results: array({
        user: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        credentialInfos: array({
          mechanism: int8(),
          iterations: int32(),
        }),
      }),
    },
  },
)

export const AlterUserScramCredentials = api(
  51,
  'AlterUserScramCredentials',
  { valid: '0', flexible: '0+', listeners: ['broker', 'controller'], forwarded: true },
  {
    request: {
      deletions: array({
        name: string(),
        mechanism: int8(),
      }),
      upsertions: array({
        name: string(),
        mechanism: int8(),
        iterations: int32(),
        salt: bytes(),
        saltedPassword: bytes(),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      results: array({
        user: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      }),
    },
  },
)

export const DefaultPrincipalData = data(
  'DefaultPrincipalData',
  { valid: '0', flexible: '0+' },
  {
    type: string(),
    name: string(),
    tokenAuthenticated: bool(),
  },
)
