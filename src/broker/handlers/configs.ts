// DescribeConfigs and ListConfigResources: every key with its value, source, synonyms and documentation.
// Kafka: ConfigHelper.describeConfigs, KafkaApis.handleListConfigResources (KIP-1142).

import {
  type DescribedConfig,
  type DescribeOptions,
  describeBroker,
  describeClientMetrics,
  describeClusterDefault,
  describeGroup,
  describeTopic,
} from '../../config/describe.ts'
import { invalidTopicName } from '../../controller/topics.ts'
import { CONFIG_RESOURCE } from '../../metadata/configs.ts'
import type { RequestOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeConfigs, ListConfigResources } from '../../protocol/messages/configs.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import type { BrokerNode } from '../node.ts'

/** Log levels of a broker; listed as a resource, but their values belong to a JVM. */
const BROKER_LOGGER = 8

export function serveConfigs(served: ServedApis, node: BrokerNode): void {
  served.serve(DescribeConfigs, '1-4', describeConfigs(node))
}

export function serveConfigResources(served: ServedApis, node: BrokerNode): void {
  served.serve(ListConfigResources, '0-1', listConfigResources(node))
}

type Resource = RequestOf<typeof DescribeConfigs>['resources'][number]
type Described = readonly DescribedConfig[] | { errorCode: number; errorMessage: string }

function describeConfigs(node: BrokerNode): Handler<typeof DescribeConfigs> {
  return (request) => ({
    results: request.resources.map((resource) => {
      const { resourceType, resourceName, configurationKeys } = resource
      const described = describe(node, resource, {
        keys: configurationKeys,
        synonyms: request.includeSynonyms,
        documentation: request.includeDocumentation,
      })
      if ('errorCode' in described) return { ...described, resourceType, resourceName, configs: [] }
      const configs = described.map(({ source, type, synonyms, isDefault: _, ...entry }) => ({
        ...entry,
        configSource: source,
        configType: type,
        synonyms,
      }))
      return { errorCode: ErrorCode.NONE, errorMessage: '', resourceType, resourceName, configs }
    }),
  })
}

function describe(node: BrokerNode, resource: Resource, options: DescribeOptions): Described {
  const { resourceType, resourceName } = resource
  const overrides = node.image.configs.of(resourceType, resourceName)
  switch (resourceType) {
    case CONFIG_RESOURCE.topic: {
      const invalid = invalidTopicName(resourceName)
      if (invalid !== null) {
        return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: invalid }
      }
      if (node.image.topics.byName(resourceName) === undefined) {
        return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: '' }
      }
      return describeTopic(overrides, node.config(), options)
    }
    case CONFIG_RESOURCE.broker:
      if (resourceName === '') return describeClusterDefault(node.config(), options)
      if (isNumber(resourceName, node.nodeId)) return describeBroker(node.config(), options)
      return {
        errorCode: ErrorCode.INVALID_REQUEST,
        errorMessage: `Unexpected broker id, expected ${node.nodeId} or empty string, but received ${resourceName}`,
      }
    case CONFIG_RESOURCE.clientMetrics:
    case CONFIG_RESOURCE.group:
      if (resourceName === '') {
        const errorMessage = 'Subscription or group name must not be empty'
        return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage }
      }
      return resourceType === CONFIG_RESOURCE.group
        ? describeGroup(overrides, node.config(), options)
        : describeClientMetrics(overrides, options)
    case BROKER_LOGGER:
      return describeLoggers(node, resourceName)
    default:
      return {
        errorCode: ErrorCode.INVALID_REQUEST,
        errorMessage: `Unsupported resource type: ${resourceType}`,
      }
  }
}

/** There is no logger whose level could be changed while the broker runs. */
function describeLoggers({ nodeId }: BrokerNode, name: string): Described {
  if (isNumber(name, nodeId)) return []
  const errorMessage =
    name === ''
      ? 'Broker id must not be empty'
      : `Unexpected broker id, expected ${nodeId} but received ${name}`
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage }
}

/** As Kafka reads numbers: a sign and leading zeros are allowed, spaces are not. */
const isNumber = (text: string, value: number) => /^[+-]?\d+$/.test(text) && Number(text) === value

function listConfigResources(node: BrokerNode): Handler<typeof ListConfigResources> {
  const all = [
    CONFIG_RESOURCE.topic,
    CONFIG_RESOURCE.broker,
    BROKER_LOGGER,
    CONFIG_RESOURCE.clientMetrics,
    CONFIG_RESOURCE.group,
  ]
  return (request, { version }) => {
    const asked = version === 0 ? [CONFIG_RESOURCE.clientMetrics] : request.resourceTypes
    if (asked.some((type) => !(all as number[]).includes(type))) {
      return { errorCode: ErrorCode.UNSUPPORTED_VERSION }
    }
    const types = asked.length === 0 ? all : [...new Set(asked)]
    const configResources = types.flatMap((resourceType) =>
      namesOf(node, resourceType).map((resourceName) => ({ resourceName, resourceType })),
    )
    return { errorCode: ErrorCode.NONE, configResources }
  }
}

function namesOf(node: BrokerNode, resourceType: number): string[] {
  const { topics, brokers, configs } = node.image
  if (resourceType === CONFIG_RESOURCE.topic) return [...topics.values()].map(({ name }) => name)
  if (resourceType === CONFIG_RESOURCE.broker || resourceType === BROKER_LOGGER) {
    return [...brokers.values()].map(({ brokerId }) => String(brokerId))
  }
  return [...configs.values()].flatMap(({ type, name }) => (type === resourceType ? [name] : []))
}
