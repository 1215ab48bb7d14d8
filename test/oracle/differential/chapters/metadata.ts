// ApiVersions, Metadata, DescribeTopicPartitions, DescribeCluster.

import { ZERO_UUID } from '../../../../src/lib/uuid.ts'
import {
  ApiVersions,
  DescribeCluster,
  DescribeTopicPartitions,
  Metadata,
} from '../../../../src/protocol/messages/metadata.ts'
import type { Talk } from '../talk.ts'

export async function metadata(talk: Talk): Promise<void> {
  await versions(talk)
  await talk.haveTopics([
    { name: 'meta-a', numPartitions: 3 },
    { name: 'meta-b', numPartitions: 5 },
  ])
  await names(talk)
  await ids(talk)
  await creation(talk)
  await partitions(talk)
  await cluster(talk)
}

async function versions(talk: Talk): Promise<void> {
  for (const listener of ['broker', 'controller'] as const) {
    const ask = (label: string, range: string, clientSoftwareName: string, version: string) =>
      talk.ask(
        label,
        ApiVersions,
        range,
        (v) => (v >= 3 ? { clientSoftwareName, clientSoftwareVersion: version } : {}),
        listener,
      )
    await ask('versions', '0-4', 'raw', '1.0')
    for (const [name, version] of [
      ['', ''],
      ['a b', '1'],
      ['raw', '-1'],
      ['raw', '1-'],
      ['r', '1'],
      ['.r', '1'],
      ['raw.-x', '1'],
    ] as const) {
      await ask(`software '${name}' '${version}'`, '3-4', name, version)
    }
  }
}

async function names(talk: Talk): Promise<void> {
  await talk.ask('all', Metadata, '0-13', (v) => ({ topics: v === 0 ? [] : null }))
  await talk.ask('none', Metadata, '1-13', { topics: [] })
  const closed = (v: number) => (v >= 4 ? { allowAutoTopicCreation: false } : {})
  const some = ['meta-a', 'meta-b', 'meta-a']
  await talk.ask('some, one twice', Metadata, '0-13', (v) => ({
    topics: some.map((name) => ({ name })),
    ...closed(v),
  }))
  await talk.ask('unknown', Metadata, '4-13', (v) => ({
    topics: [{ name: 'nowhere' }, { name: 'meta-a' }],
    ...closed(v),
  }))
  for (const name of ['', '.', '..', 'not good', 'x'.repeat(250), 'ü']) {
    await talk.ask(`bad name '${name.slice(0, 8)}'`, Metadata, '0-13', (v) => ({
      topics: [{ name }],
      ...closed(v),
    }))
  }
  const internal = [
    '__consumer_offsets',
    '__transaction_state',
    '__share_group_state',
    '__cluster_metadata',
  ]
  await talk.ask('internal', Metadata, '4-13', (v) => ({
    topics: internal.map((name) => ({ name })),
    ...closed(v),
  }))
  await talk.ask('operations', Metadata, '8-13', (v) => ({
    topics: [{ name: 'meta-a' }, { name: 'nowhere' }],
    ...closed(v),
    includeTopicAuthorizedOperations: true,
    ...(v <= 10 ? { includeClusterAuthorizedOperations: true } : {}),
  }))
}

async function ids(talk: Talk): Promise<void> {
  await talk.ask('by id', Metadata, '10-13', (_, side) => ({
    topics: [{ name: null, topicId: side.idOf('meta-a') }],
  }))
  await talk.ask('by id, operations', Metadata, '10-13', (_, side) => ({
    topics: [{ name: null, topicId: side.idOf('meta-a') }],
    includeTopicAuthorizedOperations: true,
  }))
  await talk.ask('unknown id', Metadata, '10-13', (_, side) => ({
    topics: [{ name: null, topicId: side.idOf('nowhere') }],
  }))
  await talk.ask('two ids, one unknown', Metadata, '10-13', (_, side) => ({
    topics: ['meta-b', 'nowhere'].map((name) => ({ name: null, topicId: side.idOf(name) })),
  }))
  await talk.ask('null name, zero id', Metadata, '10-13', {
    topics: [{ name: null, topicId: ZERO_UUID }],
  })
  await talk.ask('empty name and id', Metadata, '10-13', (_, side) => ({
    topics: [{ name: '', topicId: side.idOf('meta-a') }],
  }))
  await talk.ask('name and id', Metadata, '10-13', (_, side) => ({
    topics: [{ name: 'meta-a', topicId: side.idOf('meta-a') }],
  }))
  await talk.ask('name and another id', Metadata, '10-13', (_, side) => ({
    topics: [{ name: 'meta-a', topicId: side.idOf('meta-b') }],
  }))
  await talk.ask('a name and an id', Metadata, '10-13', (_, side) => ({
    topics: [{ name: 'meta-a' }, { name: null, topicId: side.idOf('meta-b') }],
  }))
  await talk.ask('the id of the metadata log', Metadata, '10-13', {
    topics: [{ name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }],
  })
}

async function creation(talk: Talk): Promise<void> {
  for (const version of [0, 1, 4, 8, 12, 13]) {
    const body = { topics: [{ name: `auto-${version}` }] }
    await talk.ask('creates', Metadata, String(version), body)
    const isThere = (value: {
      topics: { errorCode: number; partitions: { leaderId: number }[] }[]
    }) =>
      value.topics[0]!.errorCode === 0 && value.topics[0]!.partitions.every((p) => p.leaderId >= 0)
    await talk.settle(Metadata, 12, body, isThere)
    await talk.ask('created', Metadata, '12', body)
  }
  await talk.ask('creates a collision', Metadata, '12', { topics: [{ name: 'meta.x_y' }] })
  await talk.ask('creates after none', Metadata, '4-13', {
    topics: [{ name: 'meta-a' }, { name: 'not good' }],
    allowAutoTopicCreation: true,
  })
}

async function partitions(talk: Talk): Promise<void> {
  const ask = (label: string, body: object) =>
    talk.ask(`partitions: ${label}`, DescribeTopicPartitions, '0', body)
  const both = { topics: [{ name: 'meta-b' }, { name: 'meta-a' }] }
  await ask('one', { topics: [{ name: 'meta-a' }] })
  await ask('two', both)
  await ask('one twice', { topics: [{ name: 'meta-a' }, { name: 'meta-a' }] })
  await ask('all', { topics: [] })
  await ask('unknown and bad', {
    topics: [{ name: 'nowhere' }, { name: 'not good' }, { name: '' }, { name: 'meta-a' }],
  })
  await ask('internal', {
    topics: [{ name: '__consumer_offsets' }, { name: '__cluster_metadata' }],
  })
  for (const responsePartitionLimit of [1, 3, 4, 7, 8, 100, 0, -1]) {
    await ask(`at most ${responsePartitionLimit}`, { ...both, responsePartitionLimit })
  }
  const cursors: [string, number][] = [
    ['meta-a', 0],
    ['meta-a', 1],
    ['meta-a', 3],
    ['meta-a', 9],
    ['meta-a', -1],
    ['meta-b', 4],
    ['meta-b', 5],
    ['meta-aa', 0],
    ['nowhere', 0],
    ['zzz', 0],
    ['', 0],
    ['not good', 0],
  ]
  for (const [topicName, partitionIndex] of cursors) {
    const cursor = { topicName, partitionIndex }
    await ask(`from ${topicName} ${partitionIndex}`, { ...both, cursor })
    await ask(`all from ${topicName} ${partitionIndex}`, { topics: [], cursor })
    await ask(`two from ${topicName} ${partitionIndex}`, {
      ...both,
      cursor,
      responsePartitionLimit: 2,
    })
  }
  await ask('limit ends before an unknown one', {
    topics: [{ name: 'meta-a' }, { name: 'nowhere' }],
    responsePartitionLimit: 3,
  })
  await ask('an unknown one, then the limit', {
    topics: [{ name: 'a-nowhere' }, { name: 'meta-a' }, { name: 'meta-b' }],
    responsePartitionLimit: 3,
  })
}

async function cluster(talk: Talk): Promise<void> {
  for (const listener of ['broker', 'controller'] as const) {
    const ask = (label: string, range: string, body: (v: number) => object) =>
      talk.ask(`cluster: ${label}`, DescribeCluster, range, body, listener)
    await ask('plain', '0-2', () => ({}))
    await ask('operations', '0-2', () => ({ includeClusterAuthorizedOperations: true }))
    await ask('fenced too', '2', () => ({ includeFencedBrokers: true }))
    for (const endpointType of [0, 1, 2, 3, -1]) {
      await ask(`endpoint type ${endpointType}`, '1-2', () => ({ endpointType }))
      await ask(`endpoint type ${endpointType}, fenced too`, '2', () => ({
        endpointType,
        includeFencedBrokers: true,
        includeClusterAuthorizedOperations: true,
      }))
    }
  }
}
