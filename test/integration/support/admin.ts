// Topics of a broker in another process, by one raw request each.

import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { DescribeConfigs } from '../../../src/protocol/messages/configs.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { CreateTopics, DeleteTopics } from '../../../src/protocol/messages/topics.ts'
import { RawClient } from './raw_client.ts'

/** Creates a topic and says its id. */
export async function createTopic(
  address: string,
  name: string,
  numPartitions = 1,
  configs: Readonly<Record<string, string>> = {},
): Promise<string> {
  const client = await RawClient.open(address)
  const { topics } = await client.ask(CreateTopics, 7, {
    topics: [
      {
        name,
        numPartitions,
        replicationFactor: 1,
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      },
    ],
    timeoutMs: 30_000,
  })
  client.close()
  const { errorCode, errorMessage, topicId } = topics[0]!
  if (errorCode !== ErrorCode.NONE) {
    throw new Error(`${name}: ${errorName(errorCode)} ${errorMessage}`)
  }
  return topicId
}

export async function deleteTopic(address: string, name: string): Promise<void> {
  const client = await RawClient.open(address)
  const { responses } = await client.ask(DeleteTopics, 5, { topicNames: [name], timeoutMs: 30_000 })
  client.close()
  const { errorCode } = responses[0]!
  if (errorCode !== ErrorCode.NONE) throw new Error(`${name}: ${errorName(errorCode)}`)
}

export interface TopicDescription {
  name: string
  topicId: string
  partitions: number
  isInternal: boolean
}

/** Every topic, by name. */
export async function describeTopics(address: string): Promise<TopicDescription[]> {
  const client = await RawClient.open(address)
  const { topics } = await client.ask(Metadata, 12, { topics: null })
  client.close()
  return topics
    .map(({ name, topicId, partitions, isInternal }) => ({
      name: name!,
      topicId,
      partitions: partitions.length,
      isInternal,
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** The value of one config of a topic. */
export async function topicConfig(
  address: string,
  topic: string,
  key: string,
): Promise<string | null> {
  const client = await RawClient.open(address)
  const { results } = await client.ask(DescribeConfigs, 4, {
    resources: [{ resourceType: 2, resourceName: topic, configurationKeys: [key] }],
  })
  client.close()
  return results[0]!.configs[0]!.value
}
