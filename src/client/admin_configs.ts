// Configuration as operators see it: describe, edit, list. What belongs to one broker is asked of that broker, the rest
// of any. Kafka: KafkaAdminClient; KIP-133, KIP-226, KIP-339, KIP-1142.

import { ErrorCode } from '../protocol/errors.ts'
import {
  DescribeConfigs,
  IncrementalAlterConfigs,
  ListConfigResources,
} from '../protocol/messages/configs.ts'
import { type ChangeOptions, errorOfItem } from './admin_topics.ts'
import { answered, type ClientError, isClientError } from './client_error.ts'
import type { Cluster, Where } from './cluster.ts'

const RESOURCE_TYPES = {
  topic: 2,
  broker: 4,
  'broker-logger': 8,
  'client-metrics': 16,
  group: 32,
} as const

/** What has a configuration. */
export type ConfigResourceType = keyof typeof RESOURCE_TYPES

/** A resource; the broker named '' stands for the default of all brokers. */
export interface ConfigResource {
  readonly type: ConfigResourceType
  readonly name: string
}

const SOURCES = {
  1: 'topic',
  2: 'dynamic-broker',
  3: 'dynamic-default-broker',
  4: 'static-broker',
  5: 'default',
  6: 'dynamic-broker-logger',
  7: 'client-metrics',
  8: 'group',
} as const
const TYPES = {
  1: 'boolean',
  2: 'string',
  3: 'int',
  4: 'short',
  5: 'long',
  6: 'double',
  7: 'list',
  8: 'class',
  9: 'password',
} as const

/** Where a value comes from. */
export type ConfigSource = (typeof SOURCES)[keyof typeof SOURCES] | 'unknown'
export type ConfigType = (typeof TYPES)[keyof typeof TYPES] | 'unknown'

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: ConfigSource
}

export interface ConfigEntry {
  readonly name: string
  /** Null when it has none, or is sensitive. */
  readonly value: string | null
  readonly source: ConfigSource
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  readonly type: ConfigType
  readonly synonyms: readonly ConfigSynonym[]
  readonly documentation: string | null
}

export interface ConfigDescription {
  readonly resource: ConfigResource
  readonly entries: readonly ConfigEntry[]
  readonly error: ClientError | null
}

export interface ConfigResult {
  readonly resource: ConfigResource
  readonly error: ClientError | null
}

const named = <T extends string>(table: Readonly<Record<number, T>>, code: number): T | 'unknown' =>
  table[code] ?? 'unknown'

/** A broker's own configuration is known to that broker alone. */
function whereOf({ type, name }: ConfigResource): Where {
  const isOfBroker = (type === 'broker' || type === 'broker-logger') && /^\d+$/.test(name)
  return isOfBroker ? { node: Number(name) } : 'any'
}

const subjectOf = ({ type, name }: ConfigResource): string =>
  `the configuration of ${type} '${name}'`

/** Describes resources; `names` limits the settings. Each resource keeps its error. */
export function describeConfigs(
  cluster: Cluster,
  resources: readonly (ConfigResource & { readonly names?: readonly string[] | undefined })[],
  options: {
    readonly isSynonymsIncluded?: boolean
    readonly isDocumentationIncluded?: boolean
  } = {},
): Promise<ConfigDescription[]> {
  return Promise.all(
    resources.map(async ({ type, name, names }) => {
      const resource = { type, name }
      const body = (version: number) => ({
        resources: [
          {
            resourceType: RESOURCE_TYPES[type],
            resourceName: name,
            configurationKeys: names ?? null,
          },
        ],
        includeSynonyms: options.isSynonymsIncluded ?? false,
        ...(version >= 3 ? { includeDocumentation: options.isDocumentationIncluded ?? false } : {}),
      })
      try {
        const answer = await cluster.request(DescribeConfigs, body, whereOf(resource))
        const { errorCode, errorMessage, configs } = answer.results[0]!
        const error = errorOfItem(errorCode, subjectOf(resource), errorMessage)
        return { resource, entries: configs.map(entryOf), error }
      } catch (error) {
        if (!isClientError(error) || cluster.isClosed) throw error
        return { resource, entries: [], error }
      }
    }),
  )
}

function entryOf(config: {
  name: string
  value: string | null
  readOnly: boolean
  configSource: number
  isSensitive: boolean
  synonyms: { name: string; value: string | null; source: number }[]
  configType: number
  documentation: string | null
}): ConfigEntry {
  return {
    name: config.name,
    value: config.value,
    source: named(SOURCES, config.configSource),
    isReadOnly: config.readOnly,
    isSensitive: config.isSensitive,
    type: named(TYPES, config.configType),
    synonyms: config.synonyms.map(({ name, value, source }) => ({
      name,
      value,
      source: named(SOURCES, source),
    })),
    documentation: config.documentation,
  }
}

/** One edit: `append` and `subtract` are for lists, `delete` goes back to the default. */
export type ConfigEdit =
  | { readonly name: string; readonly op: 'set' | 'append' | 'subtract'; readonly value: string }
  | { readonly name: string; readonly op: 'delete' }

const OPERATIONS = { set: 0, delete: 1, append: 2, subtract: 3 } as const

/** Edits resources: all edits of one resource, or none. */
export function incrementalAlterConfigs(
  cluster: Cluster,
  changes: readonly { readonly resource: ConfigResource; readonly edits: readonly ConfigEdit[] }[],
  options: Pick<ChangeOptions, 'validateOnly'> = {},
): Promise<ConfigResult[]> {
  return Promise.all(
    changes.map(async ({ resource, edits }) => {
      const body = {
        resources: [
          {
            resourceType: RESOURCE_TYPES[resource.type],
            resourceName: resource.name,
            configs: edits.map((edit) => ({
              name: edit.name,
              configOperation: OPERATIONS[edit.op],
              value: edit.op === 'delete' ? null : edit.value,
            })),
          },
        ],
        validateOnly: options.validateOnly ?? false,
      }
      try {
        const answer = await cluster.request(IncrementalAlterConfigs, body, whereOf(resource), {
          errorOf: ({ responses }) =>
            responses[0]?.errorCode === ErrorCode.NOT_CONTROLLER ? ErrorCode.NOT_CONTROLLER : 0,
        })
        const { errorCode, errorMessage } = answer.responses[0]!
        return { resource, error: errorOfItem(errorCode, subjectOf(resource), errorMessage) }
      } catch (error) {
        if (!isClientError(error) || cluster.isClosed) throw error
        return { resource, error }
      }
    }),
  )
}

/** The resources that have a configuration of their own; of every type when none is named. */
export async function listConfigResources(
  cluster: Cluster,
  types: readonly ConfigResourceType[] = [],
): Promise<ConfigResource[]> {
  // Version 0 (Kafka 3.7) lists client metrics alone, under another name.
  const answer = await cluster.request(
    ListConfigResources,
    (version) => (version >= 1 ? { resourceTypes: types.map((type) => RESOURCE_TYPES[type]) } : {}),
    'any',
    { errorOf: ({ errorCode }) => errorCode },
  )
  if (answer.errorCode !== ErrorCode.NONE) {
    throw answered(answer.errorCode, 'the list of resources')
  }
  const names = Object.entries(RESOURCE_TYPES) as [ConfigResourceType, number][]
  return answer.configResources.flatMap(({ resourceName, resourceType }) => {
    const type = names.find(([, code]) => code === resourceType)?.[0]
    return type === undefined ? [] : [{ type, name: resourceName }]
  })
}
