// Every api by key and by name, gathered from the tables of messages/. What is written about an api
// (listeners, cluster action, forwarding, versions) stands once, in its table; this file only looks up.
// What a node really serves is registered beside the handlers; this is what can be spoken at all.
// Kafka: org.apache.kafka.common.protocol.ApiKeys.

import { assert } from '../lib/assert.ts'
import type { Api, Listener, Versions } from './dsl.ts'
import * as acls from './messages/acls.ts'
import * as classicGroup from './messages/classic_group.ts'
import * as cluster from './messages/cluster.ts'
import * as configs from './messages/configs.ts'
import * as consumerGroup from './messages/consumer_group.ts'
import * as metadata from './messages/metadata.ts'
import * as offsets from './messages/offsets.ts'
import * as produceFetch from './messages/produce_fetch.ts'
import * as quorum from './messages/quorum.ts'
import * as quotas from './messages/quotas.ts'
import * as security from './messages/security.ts'
import * as shareGroup from './messages/share_group.ts'
import * as shareState from './messages/share_state.ts'
import * as streamsGroup from './messages/streams_group.ts'
import * as telemetry from './messages/telemetry.ts'
import * as topics from './messages/topics.ts'
import * as transaction from './messages/transaction.ts'

const modules: readonly object[] = [
  acls,
  classicGroup,
  cluster,
  configs,
  consumerGroup,
  metadata,
  offsets,
  produceFetch,
  quorum,
  quotas,
  security,
  shareGroup,
  shareState,
  streamsGroup,
  telemetry,
  topics,
  transaction,
]

/** Every api by its key, in order of keys. */
export const apis: ReadonlyMap<number, Api> = gather()
/** Every api by its name, such as 'Fetch'. */
export const apisByName: ReadonlyMap<string, Api> = new Map(
  [...apis.values()].map((api) => [api.name, api]),
)

function gather(): Map<number, Api> {
  const found = modules.flatMap((module) => Object.values(module)).filter(isApi)
  found.sort((a, b) => a.key - b.key)
  const byKey = new Map(found.map((api) => [api.key, api]))
  assert(byKey.size === found.length, 'two apis share a key')
  return byKey
}

function isApi(value: object): value is Api {
  return 'request' in value && 'response' in value
}

/** The name of an api for logs, known or not. */
export function apiName(key: number): string {
  return apis.get(key)?.name ?? `api ${key}`
}

/** The apis that a listener of this kind may serve and that have a version left. */
export function apisOf(listener: Listener): Api[] {
  return [...apis.values()].filter(
    (api) => api.listeners.includes(listener) && api.valid.max >= api.valid.min,
  )
}

/** The versions to advertise: the newest only if stable, unless unstable ones are asked for. */
export function advertised(api: Api, allowUnstable: boolean): Versions {
  const { min, max } = api.valid
  return { min, max: api.latestUnstable && !allowUnstable ? max - 1 : max }
}
