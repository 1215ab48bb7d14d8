// UpdateFeatures and UnregisterBroker, and what brokers ask of a controller: registration, heartbeat, producer ids.

import {
  BrokerHeartbeat,
  BrokerRegistration,
  UnregisterBroker,
  UpdateFeatures,
} from '../../../../src/protocol/messages/cluster.ts'
import { ApiVersions, DescribeCluster } from '../../../../src/protocol/messages/metadata.ts'
import { AllocateProducerIds } from '../../../../src/protocol/messages/transaction.ts'
import type { Side } from '../sides.ts'
import type { Talk } from '../talk.ts'

const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg'
const INCARNATION = 'aW5jYXJuYXRpb24tMDAwMQ'
const ANOTHER = 'aW5jYXJuYXRpb24tMDAwMg'
const DIRECTORY = 'ZGlyZWN0b3J5LTAwMDAwMQ'

export async function nodes(talk: Talk): Promise<void> {
  await features(talk)
  await registrations(talk)
}

async function features(talk: Talk): Promise<void> {
  const ask = (
    label: string,
    updates: readonly (readonly [feature: string, level: number])[],
    { upgradeType = 1, validateOnly = true, range = '0-2' } = {},
  ) =>
    talk.ask(`features: ${label}`, UpdateFeatures, range, (v) => ({
      timeoutMs: 10_000,
      featureUpdates: updates.map(([feature, maxVersionLevel]) => ({
        feature,
        maxVersionLevel,
        ...(v === 0 ? { allowDowngrade: upgradeType !== 1 } : { upgradeType }),
      })),
      ...(v >= 1 ? { validateOnly } : {}),
    }))
  const names = [
    'metadata.version',
    'kraft.version',
    'transaction.version',
    'group.version',
    'eligible.leader.replicas.version',
    'share.version',
    'streams.version',
    'no.such.feature',
    '',
  ]
  for (const feature of names) {
    for (const level of [0, 1, 2, 3, 7, 20, 25, 29, 30, 31, 100, -1]) {
      for (const upgradeType of [1, 2, 3]) {
        await ask(`${feature} ${level}, type ${upgradeType}`, [[feature, level]], {
          upgradeType,
          range: '1-2',
        })
      }
    }
    for (const level of [0, 100, -1])
      await ask(`${feature} ${level}`, [[feature, level]], { range: '0' })
  }
  for (const upgradeType of [0, 4, -1]) {
    await ask(`type ${upgradeType}`, [['metadata.version', 25]], { upgradeType, range: '1-2' })
  }
  await ask('nothing', [])
  await ask('twice', [
    ['share.version', 1],
    ['share.version', 0],
  ])
  await ask(
    'good and bad',
    [
      ['share.version', 0],
      ['no.such.feature', 1],
    ],
    { upgradeType: 2, range: '1-2' },
  )
  for (const [label, updates, upgradeType] of [
    ['down', [['share.version', 0]], 2],
    ['the same', [['share.version', 0]], 2],
    ['up', [['share.version', 1]], 1],
    [
      'one of two',
      [
        ['share.version', 0],
        ['no.such.feature', 1],
      ],
      2,
    ],
    ['up again', [['share.version', 1]], 1],
  ] as const) {
    await ask(`done: ${label}`, updates, { upgradeType, validateOnly: false, range: '1-2' })
    await talk.ask(`features after ${label}`, ApiVersions, '4', {
      clientSoftwareName: 'raw',
      clientSoftwareVersion: '1',
    })
  }
}

const listeners = [{ name: 'PLAINTEXT', host: 'somewhere', port: 1234, securityProtocol: 0 }]

async function registrations(talk: Talk): Promise<void> {
  const ranges = new Map<
    Side,
    { name: string; minSupportedVersion: number; maxSupportedVersion: number }[]
  >()
  for (const side of [talk.kafka, talk.ottla]) {
    const software = { clientSoftwareName: 'raw', clientSoftwareVersion: '1' }
    const answer = await side.ask(ApiVersions, 4, software, 'controller')
    if (answer.end !== 'answered') throw new Error('no versions')
    const { supportedFeatures } = answer.value as {
      supportedFeatures: { name: string; minVersion: number; maxVersion: number }[]
    }
    ranges.set(
      side,
      supportedFeatures.map(({ name, minVersion, maxVersion }) => ({
        name,
        minSupportedVersion: minVersion,
        maxSupportedVersion: maxVersion,
      })),
    )
  }
  const register = async (label: string, more: object, range = '4') => {
    const answers = await talk.ask(
      `register: ${label}`,
      BrokerRegistration,
      range,
      (v, side) => ({
        brokerId: 5,
        clusterId: CLUSTER_ID,
        incarnationId: INCARNATION,
        listeners,
        features: ranges.get(side)!,
        rack: null,
        ...(v >= 2 ? { logDirs: [DIRECTORY] } : {}),
        ...more,
      }),
      'controller',
    )
    for (const side of [talk.kafka, talk.ottla]) {
      const outcome = answers[side.name]
      if (outcome.end !== 'answered') continue
      const { brokerEpoch } = outcome.value as { brokerEpoch: number }
      if (brokerEpoch >= 0) side.kept.set('epoch', brokerEpoch)
    }
  }
  const beat = (label: string, more: (side: Side) => object, range = '0-2') =>
    talk.ask(
      `heartbeat: ${label}`,
      BrokerHeartbeat,
      range,
      (_, side) => ({
        brokerId: 5,
        brokerEpoch: side.kept.get('epoch') ?? 0,
        currentMetadataOffset: 1_000_000,
        wantFence: true,
        wantShutDown: false,
        ...more(side),
      }),
      'controller',
    )
  await beat('before it registers', () => ({}))
  await beat('of -1', () => ({ brokerId: -1 }))
  await register('another cluster', { clusterId: 'another' }, '0-4')
  await register('an empty cluster', { clusterId: '' }, '0-4')
  await register('the id of the node', { brokerId: 1 }, '0-4')
  await register('no features', { features: [] }, '0-4')
  await register('no directories', { logDirs: [] }, '2-4')
  await register('a directory twice', { logDirs: [DIRECTORY, DIRECTORY] }, '2-4')
  await register('a reserved directory', { logDirs: ['AAAAAAAAAAAAAAAAAAAAAQ'] }, '2-4')
  await register('no listeners', { listeners: [] })
  // An unknown security protocol is not asked about: Kafka's controller gives up its office over it.
  await register('migrating', { isMigratingZkBroker: true }, '1-4')
  await register('good', {})
  await register('once more', {})
  await register('old ones', {}, '0-4')
  await register('a zero incarnation', {
    incarnationId: 'AAAAAAAAAAAAAAAAAAAAAA',
    brokerId: 6,
    logDirs: ['ZGlyZWN0b3J5LTAwMDAwMw'],
  })
  await register('another incarnation', { incarnationId: ANOTHER }, '0-4')
  await register('a directory of another', { brokerId: 8, incarnationId: 'aW5jYXJuYXRpb24tMDAwOA' })
  await beat('fenced', () => ({}))
  await beat('an old epoch', (side) => ({ brokerEpoch: side.kept.get('epoch')! - 1 }))
  await beat('a later epoch', (side) => ({ brokerEpoch: side.kept.get('epoch')! + 1 }))
  await beat('epoch -1', () => ({ brokerEpoch: -1 }))
  await beat('not caught up', () => ({ currentMetadataOffset: 0, wantFence: false }))
  await beat('offset -1', () => ({ currentMetadataOffset: -1, wantFence: false }))
  await talk.ask('cluster with it fenced', DescribeCluster, '2', { includeFencedBrokers: true })
  await talk.ask('cluster without', DescribeCluster, '2', {})
  await beat('unfenced', () => ({ wantFence: false }))
  await beat('fenced again', () => ({ wantFence: true }))
  await beat('wants to stop', () => ({ wantShutDown: true }))
  await beat('wants on', () => ({ wantFence: false }))
  await beat('unfenced, wants to stop', () => ({ wantFence: false, wantShutDown: true }))
  await register('a negative id', { brokerId: -1, logDirs: ['ZGlyZWN0b3J5LTAwMDAwNA'] })
  await producerIds(talk)
  for (const brokerId of [99, -1]) {
    await talk.ask(`unregister ${brokerId}`, UnregisterBroker, '0', { brokerId })
  }
  await talk.ask('unregister it', UnregisterBroker, '0', { brokerId: 5 })
  await talk.ask('unregister it again', UnregisterBroker, '0', { brokerId: 5 }, 'controller')
  await beat('after', () => ({}))
  await talk.ask('unregister 6', UnregisterBroker, '0', { brokerId: 6 }, 'controller')
  await talk.ask('unregister -1', UnregisterBroker, '0', { brokerId: -1 }, 'controller')
  await talk.ask('unregister 8', UnregisterBroker, '0', { brokerId: 8 })
  await talk.ask('cluster after', DescribeCluster, '2', { includeFencedBrokers: true })
}

async function producerIds(talk: Talk): Promise<void> {
  const ask = (label: string, brokerId: number, epoch: (side: Side) => number) =>
    talk.ask(
      `producer ids: ${label}`,
      AllocateProducerIds,
      '0',
      (_, side) => ({ brokerId, brokerEpoch: epoch(side) }),
      'controller',
    )
  await ask('good', 5, (side) => side.kept.get('epoch')!)
  await ask('an old epoch', 5, (side) => side.kept.get('epoch')! - 1)
  await ask('an unknown broker', 99, () => 0)
}
