// Dynamic configuration: AlterConfigs (replace all) and IncrementalAlterConfigs (set, delete, append,
// subtract). Each resource is judged as a whole: all of its changes are written, or none.
// Kafka: ConfigurationControlManager; KIP-339 for the incremental form.

import { CONFIG_RESOURCE } from '../metadata/configs.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { AlterConfigs, IncrementalAlterConfigs } from '../protocol/messages/configs.ts'
import { type Answer, isRefusal, type Refusal, refuse } from './answer.ts'
import type { ControllerState } from './state.ts'
import { configRecord, duplicates } from './topics.ts'

type IncrementalRequest = RequestOf<typeof IncrementalAlterConfigs>
type IncrementalResource = IncrementalRequest['resources'][number]
type LegacyRequest = RequestOf<typeof AlterConfigs>
type AlterResponse = EncodableOf<(typeof IncrementalAlterConfigs)['response']>
type ResourceName = { resourceType: number; resourceName: string }

const OPERATION = Object.freeze({ set: 0, delete: 1, append: 2, subtract: 3 })

/** IncrementalAlterConfigs. */
export function incrementalAlterConfigs(
  state: ControllerState,
  request: IncrementalRequest,
  records: MetadataRecord[],
): AlterResponse {
  return alter(state, request, records, (resource, current) => applyAll(state, resource, current))
}

/** AlterConfigs: what is not named goes back to its default. */
export function alterConfigs(
  state: ControllerState,
  request: LegacyRequest,
  records: MetadataRecord[],
): AlterResponse {
  return alter(state, request, records, (resource) => {
    const missing = resource.configs.filter(({ value }) => value === null)
    if (missing.length > 0) {
      const names = missing.map(({ name }) => name).join(',')
      return refuse(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${names}`)
    }
    return { value: new Map(resource.configs.map(({ name, value }) => [name, value!])) }
  })
}

function alter<Resource extends ResourceName & { configs: readonly { name: string }[] }>(
  state: ControllerState,
  request: { resources: readonly Resource[]; validateOnly: boolean },
  records: MetadataRecord[],
  change: (
    resource: Resource,
    current: ReadonlyMap<string, string>,
  ) => Answer<ReadonlyMap<string, string>>,
): AlterResponse {
  const keyOf = (resource: ResourceName) => `${resource.resourceType}:${resource.resourceName}`
  const repeated = duplicates(request.resources.map(keyOf))
  const responses = request.resources.map((resource) => {
    const { resourceType, resourceName } = resource
    const answer = repeated.has(keyOf(resource))
      ? refuse(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
      : alterResource(state, resource, change)
    const outcome: Refusal = isRefusal(answer)
      ? answer
      : { errorCode: ErrorCode.NONE, errorMessage: '' }
    if (!isRefusal(answer) && !request.validateOnly) records.push(...answer.value)
    return {
      errorCode: outcome.errorCode,
      errorMessage: outcome.errorCode === ErrorCode.NONE ? null : outcome.errorMessage,
      resourceType,
      resourceName,
    }
  })
  return { responses }
}

function alterResource<Resource extends ResourceName & { configs: readonly { name: string }[] }>(
  state: ControllerState,
  resource: Resource,
  change: (
    resource: Resource,
    current: ReadonlyMap<string, string>,
  ) => Answer<ReadonlyMap<string, string>>,
): Answer<MetadataRecord[]> {
  const { resourceType, resourceName } = resource
  const unknown = refuseResource(state, resource)
  if (unknown !== null) return unknown
  const repeated = duplicates(resource.configs.map(({ name }) => name))
  if (repeated.size > 0) {
    const names = [...repeated].join(', ')
    return refuse(ErrorCode.INVALID_REQUEST, `Duplicate config keys: ${names}`)
  }
  const current = state.image.configs.of(resourceType, resourceName)
  const next = change(resource, current)
  if (isRefusal(next)) return next
  const changed = [...new Set([...current.keys(), ...next.value.keys()])].filter(
    (name) => current.get(name) !== next.value.get(name),
  )
  // What was asked for is judged even where it changes nothing: a mistake is a mistake.
  const asked = resource.configs.map(({ name }) => name).filter((name) => next.value.has(name))
  const problem = state.rules.validate(resourceType, resourceName, next.value, [
    ...new Set([...changed, ...asked]),
  ])
  if (problem !== null) return refuse(ErrorCode.INVALID_CONFIG, problem)
  return {
    value: changed.map((name) =>
      configRecord(resourceType, resourceName, name, next.value.get(name) ?? null),
    ),
  }
}

function refuseResource(state: ControllerState, resource: ResourceName): Refusal | null {
  const { resourceType, resourceName } = resource
  switch (resourceType) {
    case CONFIG_RESOURCE.topic:
      if (state.image.topics.byName(resourceName) !== undefined) return null
      return refuse(
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        `The topic '${resourceName}' does not exist.`,
      )
    case CONFIG_RESOURCE.broker: {
      if (resourceName === '') return null
      const id = Number(resourceName)
      if (!/^\d+$/.test(resourceName)) {
        return refuse(
          ErrorCode.INVALID_REQUEST,
          `Unable to parse broker name as a base 10 number: ${resourceName}`,
        )
      }
      if (state.image.brokers.get(id) !== undefined) return null
      return refuse(ErrorCode.BROKER_NOT_AVAILABLE, `No broker with id ${id} found.`)
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

function applyAll(
  state: ControllerState,
  resource: IncrementalResource,
  current: ReadonlyMap<string, string>,
): Answer<ReadonlyMap<string, string>> {
  const next = new Map(current)
  for (const { name, configOperation, value } of resource.configs) {
    const refusal = applyOne(state, resource, next, name, configOperation, value)
    if (refusal !== null) return refusal
  }
  return { value: next }
}

function applyOne(
  state: ControllerState,
  resource: IncrementalResource,
  next: Map<string, string>,
  name: string,
  operation: number,
  value: string | null,
): Refusal | null {
  if (operation === OPERATION.delete) {
    next.delete(name)
    return null
  }
  if (value === null) {
    return refuse(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${name}`)
  }
  if (operation === OPERATION.set) {
    next.set(name, value)
    return null
  }
  if (operation !== OPERATION.append && operation !== OPERATION.subtract) {
    return refuse(ErrorCode.INVALID_REQUEST, `Unknown operation type id ${operation}`)
  }
  if (!state.rules.isList(resource.resourceType, name)) {
    const verb = operation === OPERATION.append ? 'APPEND' : 'SUBTRACT'
    return refuse(
      ErrorCode.INVALID_CONFIG,
      `Can't ${verb} to key ${name} because its type is not LIST.`,
    )
  }
  const start = next.get(name) ?? state.rules.defaultValue(resource.resourceType, name) ?? ''
  const parts = listOf(start)
  for (const part of listOf(value)) {
    const at = parts.indexOf(part)
    if (operation === OPERATION.append && at < 0) parts.push(part)
    if (operation === OPERATION.subtract && at >= 0) parts.splice(at, 1)
  }
  next.set(name, parts.join(','))
  return null
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
