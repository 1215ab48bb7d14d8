// The image: what each record does to it, what a publish hands out, and what a snapshot keeps.
import { describe, expect, test } from 'vitest'
import { MetadataImage } from '../../../src/metadata/image.ts'
import {
  CorruptMetadata,
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
  UnsupportedMetadata,
} from '../../../src/metadata/record.ts'
import * as tables from '../../../src/protocol/records/metadata.ts'
import { everyRecord, id, make } from './every_record.ts'

function imageOf(records: MetadataRecord[]): MetadataImage {
  const image = new MetadataImage()
  records.forEach((record, offset) => {
    image.apply(record, offset, 1, 1000)
  })
  return image
}

describe('metadata: image', () => {
  test('metadata: image: the story holds a record of every type', () => {
    const told = new Set<string>(everyRecord().map((record) => record.name))
    expect([...Object.keys(tables)].filter((name) => !told.has(name))).toEqual([])
  })

  test('metadata: image: every record is applied', () => {
    const image = imageOf(everyRecord())
    expect(image.features.metadataVersion).toBe(30)
    expect(image.features.level('group.version')).toBe(1)
    expect(image.brokers.get(1)).toMatchObject({ fenced: false, rack: 'r1' })
    expect(image.brokers.get(2)!.fenced).toBe(true)
    expect(image.brokers.get(3)).toMatchObject({
      fenced: false,
      inControlledShutdown: true,
      logDirs: [id(203), id(213)],
      cordonedLogDirs: [id(213)],
    })
    expect(image.brokers.get(4)).toBe(undefined)
    expect(image.brokers.brokerEpoch(4)).toBe(-1)
    expect(image.brokers.controller(3000)!.endPoints[0]!.port).toBe(9093)
    expect([...image.topics.values()].map((topic) => topic.name)).toEqual(['topic-1', 'topic-2'])
    expect(image.topics.partitionCount).toBe(4)
    expect(image.configs.of(2, 'topic-1')).toEqual(new Map([['a', 'x']]))
    expect(image.configs.of(2, 'topic-3').size).toBe(0)
    expect(image.configs.of(4, '').get('c')).toBe('z')
    expect([...image.configs.values()].length).toBe(2)
    expect(image.quotas.size).toBe(1)
    const pair = [
      { entityType: 'client-id', entityName: 'app' },
      { entityType: 'user', entityName: null },
    ]
    expect(image.quotas.of(pair)).toEqual(new Map([['producer_byte_rate', 1024.5]]))
    expect(image.producerIds.nextProducerId).toBe(3000)
    expect([...image.acls.values()].map((acl) => acl.id)).toEqual([id(301)])
    expect(image.credentials.scramOf(1, 'alice')!.iterations).toBe(4096)
    expect(image.credentials.scramOf(2, 'alice')).toBe(undefined)
    expect(image.credentials.tokenCount).toBe(1)
    expect(image.provenance).toEqual({
      offset: everyRecord().length - 1,
      epoch: 1,
      timestampMs: 1000,
    })
  })

  test('metadata: image: a partition change bumps epochs as Kafka does', () => {
    const image = imageOf(everyRecord())
    expect(image.topics.partition(id(1), 0)).toMatchObject({
      isr: [1],
      leader: 1,
      leaderEpoch: 1,
      partitionEpoch: 1,
      leaderRecoveryState: 0,
      eligibleLeaderReplicas: [2, 3],
      lastKnownElr: [],
      replicas: [1, 2, 3],
    })
    expect(image.topics.partition(id(1), 1)).toMatchObject({
      leader: -1,
      replicas: [3, 2],
      directories: [id(203), id(202)],
      leaderRecoveryState: 1,
    })
    image.apply(
      make('PartitionChangeRecord', { partitionId: 0, topicId: id(1), isr: [1, 2] }),
      100,
      1,
    )
    expect(image.topics.partition(id(1), 0)).toMatchObject({ leaderEpoch: 1, partitionEpoch: 2 })
  })

  test('metadata: image: ClearElrRecord bumps the partition epoch where there was an ELR', () => {
    const image = imageOf(everyRecord())
    expect(image.topics.partition(id(2), 0)).toMatchObject({
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      partitionEpoch: 1,
    })
    image.apply(make('ClearElrRecord', { topicName: '' }), 100, 1)
    expect(image.topics.partition(id(2), 0)!.partitionEpoch).toBe(1)
    expect(image.topics.partition(id(1), 0)).toMatchObject({
      eligibleLeaderReplicas: [],
      partitionEpoch: 2,
    })
  })

  test('metadata: image: a transaction is seen whole at its end, or never', () => {
    const image = imageOf([
      make('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 30 }),
    ])
    image.apply(make('BeginTransactionRecord'), 1, 1)
    image.apply(make('TopicRecord', { name: 't', topicId: id(1) }), 2, 1)
    expect(image.topics.size).toBe(0)
    expect(image.isInTransaction).toBe(true)
    expect(image.provenance.offset).toBe(0)
    expect(image.publish().topics).toEqual([])
    image.apply(make('EndTransactionRecord'), 3, 1)
    expect(image.topics.byName('t')!.id).toBe(id(1))
    expect(image.provenance.offset).toBe(3)
    expect(() => image.apply(make('EndTransactionRecord'), 4, 1)).toThrow(CorruptMetadata)
    image.apply(make('BeginTransactionRecord'), 5, 1)
    expect(() => image.apply(make('BeginTransactionRecord'), 6, 1)).toThrow(CorruptMetadata)
  })

  test('metadata: image: what refers to nothing is a broken log', () => {
    const broken: MetadataRecord[] = [
      make('FenceBrokerRecord', { id: 7, epoch: 1 }),
      make('FenceBrokerRecord', { id: 1, epoch: 999 }),
      make('PartitionRecord', { topicId: id(77), partitionId: 0 }),
      make('PartitionChangeRecord', { topicId: id(1), partitionId: 50 }),
      make('RemoveTopicRecord', { topicId: id(77) }),
      make('ClearElrRecord', { topicName: 'nope' }),
      make('RemoveAccessControlEntryRecord', { id: id(77) }),
      make('AbortTransactionRecord'),
    ]
    for (const record of broken) {
      const image = imageOf(everyRecord())
      expect(() => image.apply(record, 100, 1), record.name).toThrow(CorruptMetadata)
    }
    const image = imageOf(everyRecord())
    expect(() => image.apply(make('NoOpRecord'), 3, 1)).toThrow(CorruptMetadata)
  })

  test('metadata: image: a level of metadata.version that we do not know stops the start', () => {
    const level = (featureLevel: number) =>
      make('FeatureLevelRecord', { name: 'metadata.version', featureLevel })
    expect(() => imageOf([level(31)])).toThrow(UnsupportedMetadata)
    expect(() => imageOf([level(6)])).toThrow(UnsupportedMetadata)
    expect(() => new MetadataImage().toRecords()).toThrow(CorruptMetadata)
  })
})

describe('metadata: delta', () => {
  test('metadata: delta: names what changed, with before and after', () => {
    const image = imageOf(everyRecord())
    const all = image.publish()
    expect(all.before.offset).toBe(-1)
    expect(all.topics.map((topic) => [topic.name, topic.before, topic.partitions])).toEqual([
      ['topic-1', undefined, [0, 1]],
      ['topic-2', undefined, [0, 1]],
    ])
    const untouched = image.topics.byName('topic-2')
    const before = image.topics.byName('topic-1')!
    const partitionBefore = before.partitions[0]!
    image.apply(
      make('PartitionChangeRecord', { partitionId: 0, topicId: id(1), leader: 2 }),
      100,
      1,
    )
    const delta = image.publish()
    expect(delta.topics.length).toBe(1)
    expect(delta.topics[0]).toMatchObject({ name: 'topic-1', partitions: [0] })
    expect(delta.topics[0]!.before).toBe(before)
    expect(before.partitions[0]).toBe(partitionBefore)
    expect(delta.topics[0]!.after!.partitions[0]!.leader).toBe(2)
    expect(delta.topics[0]!.after!.partitions[1]).toBe(before.partitions[1])
    expect(image.topics.byName('topic-2')).toBe(untouched)
    expect(delta.brokers.size + delta.configs.length + delta.acls.size).toBe(0)
    expect(image.publish().topics).toEqual([])
  })

  test('metadata: delta: a topic recreated under its name is a removal and a creation', () => {
    const image = imageOf(everyRecord())
    image.publish()
    image.apply(make('RemoveTopicRecord', { topicId: id(1) }), 100, 1)
    image.apply(make('TopicRecord', { name: 'topic-1', topicId: id(50) }), 101, 1)
    image.apply(make('TopicRecord', { name: 'brief', topicId: id(51) }), 102, 1)
    image.apply(make('RemoveTopicRecord', { topicId: id(51) }), 103, 1)
    const { topics, configs } = image.publish()
    expect(topics.map((topic) => [topic.id, topic.before?.id, topic.after?.id])).toEqual([
      [id(1), id(1), undefined],
      [id(50), undefined, id(50)],
    ])
    expect(configs.map((change) => [change.before?.name, change.after])).toEqual([
      ['topic-1', undefined],
    ])
    expect(image.topics.byName('topic-1')!.id).toBe(id(50))
  })

  test('metadata: delta: publishing one change among many topics copies no topic but that one', () => {
    const image = imageOf([
      make('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 30 }),
    ])
    let offset = 1
    for (let n = 0; n < 1000; n++) {
      image.apply(make('TopicRecord', { name: `t${n}`, topicId: id(n) }), offset++, 1)
      for (let partitionId = 0; partitionId < 10; partitionId++) {
        const fields = { partitionId, topicId: id(n), replicas: [1], isr: [1], leader: 1 }
        image.apply(make('PartitionRecord', fields), offset++, 1)
      }
    }
    image.publish()
    const topics = [...image.topics.values()]
    image.apply(
      make('PartitionChangeRecord', { topicId: id(5), partitionId: 3, leader: 2 }),
      offset,
      1,
    )
    expect(image.publish().topics.map((topic) => topic.name)).toEqual(['t5'])
    const same = topics.filter((topic) => image.topics.byId(topic.id) === topic)
    expect(same.length).toBe(999)
    expect(image.topics.partitionCount).toBe(10_000)
  })
})

describe('metadata: records', () => {
  test('metadata: records: an image written and loaded again is the same image', () => {
    const image = imageOf(everyRecord())
    const records = image.toRecords()
    const again = new MetadataImage()
    again.load(records, image.provenance)
    expect(again.toRecords()).toEqual(records)
    expect(again.provenance).toEqual(image.provenance)
    expect(records[0]).toMatchObject({ name: 'FeatureLevelRecord', value: { featureLevel: 30 } })
    expect(() => again.load(records, image.provenance)).toThrow(CorruptMetadata)
  })

  test('metadata: records: bytes and back, for every type', () => {
    for (const record of everyRecord()) {
      expect(decodeMetadataRecord(encodeMetadataRecord(record))).toEqual(record)
    }
  })

  test('metadata: records: an unknown type, version or frame is refused and never skipped', () => {
    const bytes = encodeMetadataRecord(make('NoOpRecord'))
    expect([...bytes]).toEqual([1, 20, 0, 0])
    const cases: [number[], RegExp][] = [
      [[1, 99, 0, 0], /type 99/],
      [[1, 20, 1, 0], /NoOpRecord version 1/],
      [[2, 20, 0, 0], /frame version 2/],
    ]
    for (const [changed, message] of cases) {
      const decode = () => decodeMetadataRecord(new Uint8Array(changed))
      expect(decode).toThrow(UnsupportedMetadata)
      expect(decode).toThrow(message)
    }
  })

  test('metadata: records: an older metadata.version writes older records or refuses to lose', () => {
    const records = (level: number, broker: object) => {
      const image = imageOf([
        make('FeatureLevelRecord', { name: 'metadata.version', featureLevel: level }),
        make('RegisterBrokerRecord', { brokerId: 1, ...broker }),
        make('TopicRecord', { name: 't', topicId: id(1) }),
        make('PartitionRecord', { topicId: id(1), partitionId: 0, replicas: [1], isr: [1] }),
      ])
      return image.toRecords().map((record) => `${record.name}/${record.version}`)
    }
    expect(records(7, {}).slice(1)).toEqual([
      'RegisterBrokerRecord/1',
      'TopicRecord/0',
      'PartitionRecord/0',
    ])
    expect(records(20, { logDirs: [id(1)] }).slice(1)).toEqual([
      'RegisterBrokerRecord/3',
      'TopicRecord/0',
      'PartitionRecord/1',
    ])
    expect(() => records(7, { logDirs: [id(1)] })).toThrow(UnsupportedMetadata)
    expect(() => records(29, { cordonedLogDirs: [] })).toThrow(UnsupportedMetadata)
  })
})
