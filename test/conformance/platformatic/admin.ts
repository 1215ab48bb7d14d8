// @platformatic/kafka's admin client: topics, configurations, log directories, offsets, records.

import assert from 'node:assert/strict'
import {
  ConfigResourceTypes,
  FindCoordinatorKeyTypes,
  IncrementalAlterConfigOperationTypes,
} from '@platformatic/kafka'
import { eventually } from '../../integration/support/eventually.ts'
import type { Check } from '../checks.ts'
import { check, type Scope } from '../scope.ts'
import { fill, newTopic, openAdmin, openProducer, refusals, texts } from './client.ts'

const { SET, DELETE, APPEND, SUBTRACT } = IncrementalAlterConfigOperationTypes
const TOPIC = ConfigResourceTypes.TOPIC

async function configOf(scope: Scope, topic: string, name: string): Promise<string | null> {
  const [described] = await openAdmin(scope).describeConfigs({
    resources: [{ resourceType: TOPIC, resourceName: topic, configurationKeys: [name] }],
  })
  return described!.configs[0]!.value ?? null
}

const becomes = (scope: Scope, topic: string, name: string, value: string) =>
  eventually(async () => (await configOf(scope, topic, name)) === value || undefined)

export const adminChecks: readonly Check[] = [
  check('admin: metadata names brokers, controller and topics', async (scope) => {
    const topic = await newTopic(scope, 2)
    const admin = openAdmin(scope)
    const metadata = await admin.metadata({ topics: [topic] })
    assert.equal(metadata.id.length, 22)
    assert.equal(metadata.controllerId, 1)
    const { host, port } = metadata.brokers.get(1)!
    assert.deepEqual({ host, port }, { host: scope.target.host, port: scope.target.port })
    const partition = metadata.topics.get(topic)!.partitions[1]!
    assert.deepEqual([partition.leader, partition.replicas, partition.isr], [1, [1], [1]])
  }),
  check('admin: listApis', async (scope) => {
    const apis = await openAdmin(scope).listApis()
    const produce = apis.find(({ name }) => name === 'Produce')!
    assert.ok(produce.maxVersion >= 11)
  }),
  check('admin: createTopics tells what it made', async (scope) => {
    const topic = scope.unique('topic')
    const admin = openAdmin(scope)
    const configs = [{ name: 'retention.ms', value: '1234567' }]
    const [made] = await admin.createTopics({
      topics: [topic],
      partitions: 3,
      replicas: 1,
      configs,
    })
    assert.deepEqual([made!.name, made!.partitions, made!.replicas], [topic, 3, 1])
    assert.equal(made!.configuration['retention.ms'], '1234567')
    assert.match(made!.id, /^[0-9a-f-]{36}$/)
    await eventually(async () => (await admin.listTopics()).includes(topic) || undefined)
  }),
  check('admin: createTopics with an assignment', async (scope) => {
    const topic = scope.unique('topic')
    const admin = openAdmin(scope)
    const assignments = [0, 1].map((partition) => ({ partition, brokers: [1] }))
    await admin.createTopics({ topics: [topic], partitions: -1, replicas: -1, assignments })
    await eventually(async () => {
      const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
      return topics.get(topic)?.partitions.length === 2 || undefined
    })
  }),
  check('admin: createTopics refuses names, doubles, factors and values', async (scope) => {
    const topic = await newTopic(scope)
    const admin = openAdmin(scope)
    const other = scope.unique('other')
    const configs = [{ name: 'retention.ms', value: 'soon' }]
    const create = (more: object) =>
      refusals(admin.createTopics({ topics: [other], partitions: 1, ...more }))
    assert.deepEqual(await create({ topics: ['no blanks'] }), ['INVALID_TOPIC_EXCEPTION'])
    assert.deepEqual(await create({ topics: [topic] }), ['TOPIC_ALREADY_EXISTS'])
    assert.deepEqual(await create({ replicas: 3 }), ['INVALID_REPLICATION_FACTOR'])
    assert.deepEqual(await create({ configs }), ['INVALID_CONFIG'])
  }),
  check('admin: listTopics with and without internal ones', async (scope) => {
    const topic = await newTopic(scope)
    const admin = openAdmin(scope)
    const groupId = scope.unique('group')
    const topics = [{ name: topic, partitionOffsets: [{ partition: 0, offset: 0n }] }]
    // The first offset of all makes the topic, and that takes a broker a moment.
    await eventually(async () => {
      await admin.alterConsumerGroupOffsets({ groupId, topics })
      return true
    })
    assert.ok(!(await admin.listTopics()).includes('__consumer_offsets'))
    const all = await admin.listTopics({ includeInternals: true })
    assert.ok(all.includes('__consumer_offsets'))
  }),
  check('admin: deleteTopics', async (scope) => {
    const topic = await newTopic(scope)
    const admin = openAdmin(scope)
    await admin.deleteTopics({ topics: [topic] })
    await eventually(async () => !(await admin.listTopics()).includes(topic) || undefined)
    const again = await refusals(admin.deleteTopics({ topics: [topic] }))
    assert.deepEqual(new Set(again), new Set(['UNKNOWN_TOPIC_OR_PARTITION']))
  }),
  check('admin: createPartitions', async (scope) => {
    const topic = await newTopic(scope, 2)
    const admin = openAdmin(scope)
    const grow = (count: number, validateOnly = false) =>
      admin.createPartitions({ topics: [{ name: topic, count }], validateOnly })
    const count = async () => {
      const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
      return topics.get(topic)!.partitionsCount
    }
    await grow(5, true)
    assert.equal(await count(), 2)
    await grow(4)
    await eventually(async () => (await count()) === 4 || undefined)
    assert.deepEqual(await refusals(grow(3)), ['INVALID_PARTITIONS'])
  }),
  check('admin: describeConfigs with synonyms and documentation', async (scope) => {
    const topic = await newTopic(scope, 1, { 'retention.ms': '1234567' })
    const [described] = await openAdmin(scope).describeConfigs({
      includeSynonyms: true,
      includeDocumentation: true,
      resources: [{ resourceType: TOPIC, resourceName: topic }],
    })
    const retention = described!.configs.find(({ name }) => name === 'retention.ms')!
    assert.equal(retention.value, '1234567')
    assert.deepEqual(retention.synonyms.map(({ name, value }) => [name, value]).slice(0, 1), [
      ['retention.ms', '1234567'],
    ])
    assert.ok(retention.documentation!.length > 20)
    assert.ok(described!.configs.length >= 25)
  }),
  check('admin: describeConfigs of a broker', async (scope) => {
    const [described] = await openAdmin(scope).describeConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.BROKER,
          resourceName: '1',
          configurationKeys: ['node.id', 'log.retention.hours'],
        },
      ],
    })
    const values = Object.fromEntries(described!.configs.map(({ name, value }) => [name, value]))
    assert.deepEqual(values, { 'node.id': '1', 'log.retention.hours': '168' })
  }),
  check('admin: alterConfigs', async (scope) => {
    const topic = await newTopic(scope, 1, { 'retention.ms': '1234567' })
    const admin = openAdmin(scope)
    const alter = (name: string, value: string, validateOnly = false) =>
      admin.alterConfigs({
        validateOnly,
        resources: [{ resourceType: TOPIC, resourceName: topic, configs: [{ name, value }] }],
      })
    await alter('segment.ms', '60000', true)
    assert.equal(await configOf(scope, topic, 'retention.ms'), '1234567')
    await alter('segment.ms', '60000')
    await becomes(scope, topic, 'segment.ms', '60000')
    await becomes(scope, topic, 'retention.ms', '604800000')
    assert.deepEqual(await refusals(alter('segment.ms', 'soon')), ['INVALID_CONFIG'])
  }),
  check('admin: incrementalAlterConfigs sets, deletes, appends and subtracts', async (scope) => {
    const topic = await newTopic(scope)
    const admin = openAdmin(scope)
    const alter = (config: { name: string; configOperation: 0 | 1 | 2 | 3; value?: string }) =>
      admin.incrementalAlterConfigs({
        resources: [{ resourceType: TOPIC, resourceName: topic, configs: [config as never] }],
      })
    await alter({ name: 'retention.ms', configOperation: SET, value: '1000000' })
    await becomes(scope, topic, 'retention.ms', '1000000')
    await alter({ name: 'retention.ms', configOperation: DELETE })
    await becomes(scope, topic, 'retention.ms', '604800000')
    await alter({ name: 'cleanup.policy', configOperation: APPEND, value: 'compact' })
    await becomes(scope, topic, 'cleanup.policy', 'delete,compact')
    await alter({ name: 'cleanup.policy', configOperation: SUBTRACT, value: 'delete' })
    await becomes(scope, topic, 'cleanup.policy', 'compact')
    const bad = alter({ name: 'no.such.setting', configOperation: SET, value: '1' })
    assert.deepEqual(await refusals(bad), ['INVALID_CONFIG'])
  }),
  check('admin: describeLogDirs', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, ['x'.repeat(10_000)])
    const [broker] = await openAdmin(scope).describeLogDirs({
      topics: [{ name: topic, partitions: [0] }],
    })
    assert.equal(broker!.broker, 1)
    const { partitionIndex, partitionSize } = broker!.results[0]!.topics[0]!.partitions[0]!
    assert.equal(partitionIndex, 0)
    assert.ok(partitionSize > 10_000n && partitionSize < 11_000n)
  }),
  check('admin: findCoordinator of several groups', async (scope) => {
    const keys = [scope.unique('a'), scope.unique('b')]
    const admin = openAdmin(scope)
    const found = await admin.findCoordinator({ keyType: FindCoordinatorKeyTypes.GROUP, keys })
    assert.deepEqual(
      found.map(({ key, nodeId }) => [key, nodeId]),
      keys.map((key) => [key, 1]),
    )
  }),
  check('admin: listOffsets by time and at both ends', async (scope) => {
    const topic = await newTopic(scope)
    const producer = openProducer(scope)
    for (const timestamp of [1000n, 2000n, 3000n]) {
      await producer.send({ messages: [{ topic, partition: 0, value: 'v', timestamp }] })
    }
    const admin = openAdmin(scope)
    const at = async (timestamp: bigint) => {
      const partitions = [{ partitionIndex: 0, timestamp }]
      const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
      return [found!.partitions[0]!.offset, found!.partitions[0]!.timestamp]
    }
    assert.deepEqual(await at(1500n), [1n, 2000n])
    assert.deepEqual(await at(-2n), [0n, -1n])
    assert.deepEqual(await at(-1n), [3n, -1n])
    assert.deepEqual(await at(-3n), [2n, 3000n]) // the largest timestamp
    assert.deepEqual(await at(9999n), [-1n, -1n])
  }),
  check('admin: deleteRecords', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(10))
    const admin = openAdmin(scope)
    const remove = (offset: bigint) =>
      admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset }] }] })
    assert.deepEqual(await remove(4n), [
      { name: topic, partitions: [{ partition: 0, lowWatermark: 4n }] },
    ])
    assert.deepEqual(await refusals(remove(100n)), ['OFFSET_OUT_OF_RANGE'])
    assert.equal((await remove(-1n))[0]!.partitions[0]!.lowWatermark, 10n)
  }),
  check('quotas: describeClientQuotas and alterClientQuotas', async (scope) => {
    const admin = openAdmin(scope)
    const entityName = scope.unique('client')
    await admin.alterClientQuotas({
      entries: [
        {
          entities: [{ entityType: 'client-id', entityName }],
          ops: [{ key: 'producer_byte_rate', value: 1000000, remove: false }],
        },
      ],
    })
    await eventually(async () => {
      const found = await admin.describeClientQuotas({
        components: [{ entityType: 'client-id', matchType: 0, match: entityName }],
      })
      return found[0]?.values[0]?.value === 1000000 || undefined
    })
  }),
  check('acl: describeAcls without an authorizer', async (scope) => {
    const everything = {
      resourceType: 1,
      resourceName: null,
      resourcePatternType: 1,
      principal: null,
      host: null,
      operation: 1,
      permissionType: 1,
    } as const
    const described = openAdmin(scope).describeAcls({ filter: everything })
    assert.deepEqual(await refusals(described), ['SECURITY_DISABLED'])
  }),
]
