// kafkajs's admin client: topics, configurations, offsets of topics, records.

import assert from 'node:assert/strict'
import kafkajs from 'kafkajs'
import { eventually } from '../../integration/support/eventually.ts'
import type { Check } from '../checks.ts'
import { check } from '../scope.ts'
import { fill, newTopic, openAdmin, openProducer, refusal, texts, typeOf } from './client.ts'

const { ConfigResourceTypes, ConfigSource } = kafkajs
const { TOPIC, BROKER } = ConfigResourceTypes

export const adminChecks: readonly Check[] = [
  check('admin: describeCluster names the broker and the controller', async (scope) => {
    const admin = await openAdmin(scope)
    const cluster = await admin.describeCluster()
    const { host, port } = scope.target
    assert.deepEqual(cluster.brokers, [{ nodeId: 1, host, port }])
    assert.equal(cluster.controller, 1)
    assert.equal(cluster.clusterId.length, 22)
  }),
  check('admin: createTopics makes partitions with leaders', async (scope) => {
    const topic = await newTopic(scope, 3)
    const admin = await openAdmin(scope)
    assert.ok((await admin.listTopics()).includes(topic))
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const partitions = topics[0]!.partitions.toSorted((a, b) => a.partitionId - b.partitionId)
    assert.deepEqual(
      partitions.map(({ partitionId, leader, replicas, isr }) => ({
        partitionId,
        leader,
        replicas,
        isr,
      })),
      [0, 1, 2].map((partitionId) => ({ partitionId, leader: 1, replicas: [1], isr: [1] })),
    )
  }),
  check('admin: createTopics of a topic that exists is false', async (scope) => {
    const topic = await newTopic(scope)
    const admin = await openAdmin(scope)
    assert.equal(await admin.createTopics({ topics: [{ topic }] }), false)
  }),
  check('admin: createTopics with validateOnly makes nothing', async (scope) => {
    const topic = scope.unique('topic')
    const admin = await openAdmin(scope)
    await admin.createTopics({ validateOnly: true, waitForLeaders: false, topics: [{ topic }] })
    assert.ok(!(await admin.listTopics()).includes(topic))
  }),
  check('admin: createTopics with an assignment of replicas', async (scope) => {
    const replicaAssignment = [0, 1].map((partition) => ({ partition, replicas: [1] }))
    const topic = await newTopic(scope, -1, { replicationFactor: -1, replicaAssignment })
    const admin = await openAdmin(scope)
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.equal(topics[0]!.partitions.length, 2)
  }),
  check('admin: createTopics without numbers takes the defaults', async (scope) => {
    const topic = await newTopic(scope, -1, { replicationFactor: -1 })
    const admin = await openAdmin(scope)
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.equal(topics[0]!.partitions.length, 1)
  }),
  check('admin: createTopics refuses names, factors and values', async (scope) => {
    const admin = await openAdmin(scope)
    const create = async (topic: object) =>
      typeOf(await refusal(admin.createTopics({ topics: [topic as { topic: string }] })))
    assert.equal(await create({ topic: 'no blanks' }), 'INVALID_TOPIC_EXCEPTION')
    const topic = scope.unique('topic')
    assert.equal(await create({ topic, replicationFactor: 3 }), 'INVALID_REPLICATION_FACTOR')
    assert.equal(await create({ topic, numPartitions: 0 }), 'INVALID_PARTITIONS')
    const configEntries = [{ name: 'retention.ms', value: 'soon' }]
    assert.equal(await create({ topic, configEntries }), 'INVALID_CONFIG')
  }),
  check('admin: deleteTopics', async (scope) => {
    const topic = await newTopic(scope)
    const admin = await openAdmin(scope)
    await admin.deleteTopics({ topics: [topic] })
    await eventually(async () => !(await admin.listTopics()).includes(topic) || undefined)
    const error = await refusal(admin.deleteTopics({ topics: [topic], timeout: 1000 }))
    assert.equal(typeOf(error), 'UNKNOWN_TOPIC_OR_PARTITION')
  }),
  check('admin: a deleted topic comes back empty', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(5))
    const admin = await openAdmin(scope)
    await admin.deleteTopics({ topics: [topic] })
    await eventually(async () => (await admin.createTopics({ topics: [{ topic }] })) || undefined)
    const [partition] = await eventually(() => admin.fetchTopicOffsets(topic))
    assert.deepEqual(partition, { partition: 0, offset: '0', high: '0', low: '0' })
  }),
  check('admin: createPartitions', async (scope) => {
    const topic = await newTopic(scope, 2)
    const admin = await openAdmin(scope)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
    await eventually(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]!.partitions.length === 4 || undefined
    })
    const fewer = admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    assert.equal(typeOf(await refusal(fewer)), 'INVALID_PARTITIONS')
  }),
  check('admin: createPartitions with validateOnly', async (scope) => {
    const topic = await newTopic(scope, 2)
    const admin = await openAdmin(scope)
    await admin.createPartitions({ validateOnly: true, topicPartitions: [{ topic, count: 4 }] })
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.equal(topics[0]!.partitions.length, 2)
  }),
  check('admin: describeConfigs of a topic, with synonyms', async (scope) => {
    const configEntries = [{ name: 'retention.ms', value: '1234567' }]
    const topic = await newTopic(scope, 1, { configEntries })
    const admin = await openAdmin(scope)
    const { resources } = await admin.describeConfigs({
      includeSynonyms: true,
      resources: [{ type: TOPIC, name: topic, configNames: ['retention.ms', 'cleanup.policy'] }],
    })
    const entries = new Map(resources[0]!.configEntries.map((entry) => [entry.configName, entry]))
    assert.deepEqual([...entries.keys()].toSorted(), ['cleanup.policy', 'retention.ms'])
    const retention = entries.get('retention.ms')!
    assert.equal(retention.configValue, '1234567')
    assert.equal(retention.configSource, ConfigSource.TOPIC_CONFIG)
    assert.equal(retention.configSynonyms[0]!.configName, 'retention.ms')
    assert.equal(entries.get('cleanup.policy')!.configValue, 'delete')
  }),
  check('admin: describeConfigs of a broker', async (scope) => {
    const admin = await openAdmin(scope)
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: BROKER, name: '1' }],
    })
    const entries = resources[0]!.configEntries
    assert.ok(entries.length > 100, `${entries.length} settings`)
    const node = entries.find(({ configName }) => configName === 'node.id')
    assert.equal(node!.configValue, '1')
    assert.equal(node!.readOnly, true)
  }),
  check(
    'admin: alterConfigs sets, validates, and takes away what it does not name',
    async (scope) => {
      const topic = await newTopic(scope)
      const admin = await openAdmin(scope)
      const alter = (entries: Record<string, string>, validateOnly = false) =>
        admin.alterConfigs({
          validateOnly,
          resources: [
            {
              type: TOPIC,
              name: topic,
              configEntries: Object.entries(entries).map(([name, value]) => ({ name, value })),
            },
          ],
        })
      const read = async (name: string) => {
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ type: TOPIC, name: topic, configNames: [name] }],
        })
        return resources[0]!.configEntries[0]!.configValue
      }
      const becomes = (name: string, value: string) =>
        eventually(async () => (await read(name)) === value || undefined)
      await alter({ 'retention.ms': '1000000' })
      await becomes('retention.ms', '1000000')
      await alter({ 'retention.ms': '5' }, true)
      assert.equal(await read('retention.ms'), '1000000')
      await alter({ 'max.message.bytes': '2000' })
      await becomes('max.message.bytes', '2000')
      await becomes('retention.ms', '604800000')
      assert.equal(typeOf(await refusal(alter({ 'retention.ms': 'soon' }))), 'INVALID_CONFIG')
    },
  ),
  check('admin: fetchTopicOffsets', async (scope) => {
    const topic = await newTopic(scope, 2)
    await fill(scope, topic, texts(7), 1)
    const admin = await openAdmin(scope)
    const offsets = await admin.fetchTopicOffsets(topic)
    assert.deepEqual(
      offsets.toSorted((a, b) => a.partition - b.partition),
      [
        { partition: 0, offset: '0', high: '0', low: '0' },
        { partition: 1, offset: '7', high: '7', low: '0' },
      ],
    )
  }),
  check('admin: fetchTopicOffsetsByTimestamp', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope)
    for (const timestamp of ['1000', '2000', '3000']) {
      await producer.send({ topic, messages: [{ value: 'v', timestamp }] })
    }
    const admin = await openAdmin(scope)
    const at = async (timestamp: number) =>
      (await admin.fetchTopicOffsetsByTimestamp(topic, timestamp))[0]!.offset
    assert.equal(await at(0), '0')
    assert.equal(await at(1500), '1')
    assert.equal(await at(3000), '2')
    assert.equal(await at(3001), '3') // nothing is later: the end
  }),
  check('admin: deleteTopicRecords moves the beginning', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(10))
    const admin = await openAdmin(scope)
    await admin.fetchTopicOffsets(topic) // deleteTopicRecords looks for the leader in what is known
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
    assert.equal((await admin.fetchTopicOffsets(topic))[0]!.low, '4')
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] })
    assert.deepEqual(await admin.fetchTopicOffsets(topic), [
      { partition: 0, offset: '10', high: '10', low: '10' },
    ])
  }),
  check('admin: deleteTopicRecords refuses what lies beyond the end', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(3))
    const admin = await openAdmin(scope)
    await admin.fetchTopicOffsets(topic)
    const beyond = admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '11' }] })
    const { cause } = (await refusal(beyond)) as { cause?: { partitions?: { error: Error }[] } }
    assert.equal(typeOf(cause?.partitions?.[0]?.error), 'OFFSET_OUT_OF_RANGE')
  }),
  check('admin: events of requests', async (scope) => {
    const admin = await openAdmin(scope)
    const names: string[] = []
    admin.on(admin.events.REQUEST, ({ payload }) => {
      names.push(payload.apiName)
    })
    await admin.listTopics()
    await eventually(async () => names.includes('Metadata') || undefined)
  }),
  check('acl: describeAcls without an authorizer', async (scope) => {
    const admin = await openAdmin(scope)
    const everything = {
      resourceType: kafkajs.AclResourceTypes.ANY,
      resourcePatternType: kafkajs.ResourcePatternTypes.ANY,
      operation: kafkajs.AclOperationTypes.ANY,
      permissionType: kafkajs.AclPermissionTypes.ANY,
    }
    assert.equal(typeOf(await refusal(admin.describeAcls(everything))), 'SECURITY_DISABLED')
  }),
  check('reassignments: listPartitionReassignments of an idle cluster', async (scope) => {
    const topic = await newTopic(scope)
    const admin = await openAdmin(scope)
    const { topics } = await admin.listPartitionReassignments({
      topics: [{ topic, partitions: [0] }],
    })
    assert.deepEqual(topics, [])
  }),
]
