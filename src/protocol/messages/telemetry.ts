// Client metrics pushed to the broker: subscriptions and payloads. KIP-714.

import { api, array, bool, bytes, int8, int16, int32, string, uuid } from '../dsl.ts'

export const GetTelemetrySubscriptions = api(
  71,
  'GetTelemetrySubscriptions',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      clientInstanceId: uuid(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      clientInstanceId: uuid(),
      subscriptionId: int32(),
      acceptedCompressionTypes: array(int8()),
      pushIntervalMs: int32(),
      telemetryMaxBytes: int32(),
      deltaTemporality: bool(),
      requestedMetrics: array(string()),
    },
  },
)

export const PushTelemetry = api(
  72,
  'PushTelemetry',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      clientInstanceId: uuid(),
      subscriptionId: int32(),
      terminating: bool(),
      compressionType: int8(),
      metrics: bytes(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
    },
  },
)
