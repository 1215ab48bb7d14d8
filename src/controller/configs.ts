// Dynamic configuration: AlterConfigs (replace all) and IncrementalAlterConfigs (set, delete, append,
// subtract). Each resource is judged as a whole by config/validate.ts: all of its changes are written, or none.
// Kafka: ConfigurationControlManager; KIP-339 for the incremental form.

import {
  type ConfigChange,
  type ConfigOp,
  type ConfigResource,
  alterConfigs as judgeOps,
  replaceConfigs,
} from '../config/validate.ts'
import { CONFIG_RESOURCE } from '../metadata/configs.ts'
import { SINCE } from '../metadata/features.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { AlterConfigs, IncrementalAlterConfigs } from '../protocol/messages/configs.ts'
import { type Answer, isRefusal, type Refusal, refuse } from './answer.ts'
import type { ControllerState } from './state.ts'
import { configRecord, duplicates, invalidTopicName } from './topics.ts'

type IncrementalRequest = RequestOf<typeof IncrementalAlterConfigs>
type IncrementalResource = IncrementalRequest['resources'][number]
type LegacyRequest = RequestOf<typeof AlterConfigs>
type LegacyResource = LegacyRequest['resources'][number]
type AlterResponse = EncodableOf<(typeof IncrementalAlterConfigs)['response']>
type ResourceName = { resourceType: number; resourceName: string }
type Resource = ResourceName & { configs: readonly { name: string }[] }

const MIN_ISR = 'min.insync.replicas'
const CORDONED = 'cordoned.log.dirs'
const OPERATIONS: readonly ConfigOp['op'][] = ['set', 'delete', 'append', 'subtract']
const TYPES: ReadonlyMap<number, ConfigResource['type']> = new Map([
  [CONFIG_RESOURCE.topic, 'topic'],
  [CONFIG_RESOURCE.broker, 'broker'],
  [CONFIG_RESOURCE.clientMetrics, 'client-metrics'],
  [CONFIG_RESOURCE.group, 'group'],
])

/** IncrementalAlterConfigs. */
export function incrementalAlterConfigs(
  state: ControllerState,
  request: IncrementalRequest,
  records: MetadataRecord[],
): AlterResponse {
  return alterEach(state, request, records, (target, resource: IncrementalResource) => {
    const ops: ConfigOp[] = []
    for (const { name, configOperation, value } of resource.configs) {
      const op = OPERATIONS[configOperation]
      if (op === undefined) return unknownOperation(configOperation)
      ops.push({ key: name, op, value })
    }
    return judgeOps(target, storedOf(state, resource), ops, state.brokerConfig)
  })
}

/** AlterConfigs: what is not named goes back to its default. */
export function alterConfigs(
  state: ControllerState,
  request: LegacyRequest,
  records: MetadataRecord[],
): AlterResponse {
  return alterEach(state, request, records, (target, resource: LegacyResource) => {
    const next = new Map(resource.configs.map(({ name, value }) => [name, value]))
    if (next.size < resource.configs.length) return repeatedKeys
    return replaceConfigs(target, storedOf(state, resource), next, state.brokerConfig)
  })
}

function storedOf(state: ControllerState, { resourceType, resourceName }: ResourceName) {
  return state.image.configs.of(resourceType, resourceName)
}

const repeatedKeys: ConfigChange = {
  ok: false,
  refusal: { error: 'INVALID_REQUEST', message: 'Error due to duplicate config keys' },
}

function unknownOperation(operation: number): ConfigChange {
  const message = `Unknown operation type id ${operation}`
  return { ok: false, refusal: { error: 'INVALID_REQUEST', message } }
}

function alterEach<R extends Resource>(
  state: ControllerState,
  request: { resources: readonly R[]; validateOnly: boolean },
  records: MetadataRecord[],
  judge: (target: ConfigResource, resource: R) => ConfigChange,
): AlterResponse {
  const keyOf = (resource: ResourceName) => `${resource.resourceType}:${resource.resourceName}`
  const repeated = duplicates(request.resources.map(keyOf))
  const responses = request.resources.map((resource) => {
    const { resourceType, resourceName } = resource
    const answer = repeated.has(keyOf(resource))
      ? refuse(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
      : alterOne(state, resource, judge)
    if (isRefusal(answer)) return { ...answer, resourceType, resourceName }
    if (!request.validateOnly) records.push(...answer.value)
    return { errorCode: ErrorCode.NONE, errorMessage: null, resourceType, resourceName }
  })
  return { responses }
}

function alterOne<R extends Resource>(
  state: ControllerState,
  resource: R,
  judge: (target: ConfigResource, resource: R) => ConfigChange,
): Answer<MetadataRecord[]> {
  const { resourceType, resourceName } = resource
  const unknown = refuseResource(state, resource)
  if (unknown !== null) return unknown
  const change = judge({ type: TYPES.get(resourceType)!, name: resourceName }, resource)
  if (!change.ok) return refuse(ErrorCode[change.refusal.error], change.refusal.message)
  const uncordonable = refuseCordon(state, resource, change.changes)
  if (uncordonable !== null) return uncordonable
  const pinned = refuseMinIsr(state, resource, change.changes)
  if (pinned !== null) return pinned
  const records = [...change.changes].map(([name, value]) =>
    configRecord(resourceType, resourceName, name, value),
  )
  return { value: records }
}

/** With eligible leader replicas the minimum of the ISR is the cluster's, and stays set (KIP-966). */
function refuseMinIsr(
  state: ControllerState,
  { resourceType, resourceName, configs }: Resource,
  changes: ReadonlyMap<string, string | null>,
): Refusal | null {
  if (!state.isElrEnabled || resourceType !== CONFIG_RESOURCE.broker) return null
  const value = changes.get(MIN_ISR)
  if (resourceName !== '') {
    if (value === undefined && !configs.some(({ name }) => name === MIN_ISR)) return null
    const message = 'Broker-level min.insync.replicas cannot be altered while ELR is enabled.'
    return refuse(ErrorCode.INVALID_CONFIG, message)
  }
  if (value !== null) return null
  const message = 'Cluster-level min.insync.replicas cannot be removed while ELR is enabled.'
  return refuse(ErrorCode.INVALID_CONFIG, message)
}

/** Without room for it in the metadata nobody would hear of a cordoned directory (KIP-1066). */
function refuseCordon(
  state: ControllerState,
  { resourceType }: Resource,
  changes: ReadonlyMap<string, string | null>,
): Refusal | null {
  if (resourceType !== CONFIG_RESOURCE.broker || !changes.has(CORDONED)) return null
  if (state.metadataVersion >= SINCE.cordonedLogDirs) return null
  const message = `The ${CORDONED} configuration value cannot be set because it requires metadata.version >= 4.3-IV0`
  return refuse(ErrorCode.INVALID_CONFIG, message)
}

function refuseResource(state: ControllerState, resource: ResourceName): Refusal | null {
  const { resourceType, resourceName } = resource
  switch (resourceType) {
    case CONFIG_RESOURCE.topic:
      if (resourceName === '') {
        return refuse(ErrorCode.INVALID_REQUEST, 'Default topic resources are not allowed.')
      }
      if (invalidTopicName(resourceName) !== null) {
        const reason = `Topic name is invalid: ${invalidTopicName(resourceName)}`
        return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, reason)
      }
      if (state.image.topics.byName(resourceName) !== undefined) return null
      return refuse(
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        `The topic '${resourceName}' does not exist.`,
      )
    case CONFIG_RESOURCE.broker: {
      if (resourceName === '') return null
      if (!/^[+-]?\d+$/.test(resourceName) || Math.abs(Number(resourceName)) > 0x7fffffff) {
        return refuse(
          ErrorCode.INVALID_REQUEST,
          `Unable to parse broker name as a base 10 number: ${resourceName}`,
        )
      }
      const id = Number(resourceName)
      if (id < 0) return refuse(ErrorCode.INVALID_REQUEST, `No broker has the id ${id}.`)
      if (state.image.brokers.get(id) !== undefined) return null
      return refuse(ErrorCode.BROKER_ID_NOT_REGISTERED, `No broker with id ${id} found.`)
    }
    case CONFIG_RESOURCE.clientMetrics:
    case CONFIG_RESOURCE.group:
      if (resourceName !== '') return null
      return refuse(ErrorCode.INVALID_REQUEST, 'Subscription or group name must not be empty')
    default:
      return refuse(
        ErrorCode.INVALID_REQUEST,
        `Unsupported resource type ${resourceType} with name ${resourceName}`,
      )
  }
}
