// The controller by its records: given what is true, a request returns these records and this reply.

import { describe, expect, test } from 'vitest'
import { partitionChange } from '../../../src/controller/partitions.ts'
import { NO_LEADER } from '../../../src/metadata/topics.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ControllerBench, names } from './bench.ts'

const created = (bench: ControllerBench, name: string, partitions = 1, factor = 1) => {
  const { response, records } = bench.createTopic(name, partitions, factor)
  return { result: response.topics![0]!, records }
}

describe('controller: activation', () => {
  test('controller: activation: an empty log is bootstrapped inside one metadata transaction', () => {
    const bench = new ControllerBench()
    expect(bench.image.features.metadataVersion).toBe(30)
    expect(bench.image.isInTransaction).toBe(false)
    expect(bench.image.configs.of(4, '').get('min.insync.replicas')).toBe('1')
  })
})

describe('controller: brokers', () => {
  test('controller: brokers: an epoch is the offset of the registration record', () => {
    const bench = new ControllerBench()
    const at = bench.shard.nextOffset
    expect(bench.register(1, 'incarnation1AAAAAAAAAA').response.brokerEpoch).toBe(at)
    expect(bench.image.brokers.get(1)!.fenced).toBe(true)
  })

  test('controller: brokers: unfenced once it has caught up, and not before', () => {
    const bench = new ControllerBench()
    const epoch = bench.register(1, 'incarnation1AAAAAAAAAA').response.brokerEpoch!
    const early = bench.ask('heartbeat', {
      brokerId: 1,
      brokerEpoch: epoch,
      currentMetadataOffset: epoch - 1,
      wantFence: false,
      wantShutDown: false,
      offlineLogDirs: [],
      cordonedLogDirs: null,
    })
    expect(early.response).toMatchObject({ isCaughtUp: false, isFenced: true })
    const { response, records } = bench.beat(1, epoch)
    expect(response).toMatchObject({ isCaughtUp: true, isFenced: false, shouldShutDown: false })
    expect(names(records)).toEqual(['BrokerRegistrationChangeRecord'])
  })

  test('controller: brokers: a second incarnation is refused while the first one lives', () => {
    const bench = new ControllerBench()
    const first = bench.addBroker(1)
    const again = bench.register(1, 'incarnationXAAAAAAAAAA')
    expect(again.response.errorCode).toBe(ErrorCode.DUPLICATE_BROKER_REGISTRATION)
    bench.nowMs += 10_000
    const later = bench.register(1, 'incarnationXAAAAAAAAAA')
    expect(later.response.brokerEpoch).toBeGreaterThan(first)
    expect(bench.beat(1, first).response.errorCode).toBe(ErrorCode.STALE_BROKER_EPOCH)
  })

  test('controller: brokers: a silent broker is fenced and leads no more', () => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    const second = bench.addBroker(2)
    created(bench, 'led', 1, 2)
    const before = bench.image.topics.byName('led')!.partitions[0]!
    bench.nowMs += 5000
    bench.beat(2, second)
    bench.nowMs += 4500
    const records = bench.expire('sessions')
    expect(names(records)[0]).toBe('BrokerRegistrationChangeRecord')
    const after = bench.image.topics.byName('led')!.partitions[0]!
    expect(after.leader).toBe(2)
    expect(after.isr).toEqual([2])
    expect(after.leaderEpoch).toBe(
      before.leader === 1 ? before.leaderEpoch + 1 : before.leaderEpoch,
    )
  })

  test('controller: brokers: controlled shutdown of the only replica leaves nobody in the lead', () => {
    const bench = new ControllerBench()
    const epoch = bench.addBroker(1)
    created(bench, 'alone')
    const leaving = bench.beat(1, epoch, { wantShutDown: true })
    expect(leaving.response.shouldShutDown).toBe(false)
    const { leader, isr, leaderEpoch } = bench.image.topics.byName('alone')!.partitions[0]!
    expect({ leader, isr, leaderEpoch }).toEqual({ leader: NO_LEADER, isr: [1], leaderEpoch: 1 })
    expect(bench.beat(1, epoch, { wantShutDown: true }).response.shouldShutDown).toBe(true)
    bench.nowMs += 20_000
    const back = bench.register(1, 'incarnationYAAAAAAAAAA').response.brokerEpoch!
    bench.beat(1, back)
    expect(bench.image.topics.byName('alone')!.partitions[0]!.leader).toBe(1)
  })

  test('controller: brokers: a member of the ELR, whom Kafka left there at its stop, leads again', () => {
    const bench = new ControllerBench()
    const epoch = bench.addBroker(1)
    created(bench, 'alone')
    const { topicId, partitionId } = bench.image.topics.byName('alone')!.partitions[0]!
    bench.beat(1, epoch, { wantShutDown: true })
    const elr = { isr: [], leader: NO_LEADER, eligibleLeaderReplicas: [1], lastKnownElr: [1] }
    const value = { ...partitionChange({ topicId, partitionId }, {}), ...elr }
    const record = { name: 'PartitionChangeRecord', version: 2, value } as const
    bench.shard.replay(record, bench.shard.nextOffset)
    bench.nowMs += 20_000
    bench.beat(1, bench.register(1, 'incarnationYAAAAAAAAAA').response.brokerEpoch!)
    expect(bench.image.topics.byName('alone')!.partitions[0]).toMatchObject({
      leader: 1,
      isr: [1],
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    })
  })

  test('controller: brokers: another cluster, unfit directories and what is too old are refused', () => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    const base = {
      brokerId: 2,
      incarnationId: 'incarnation2AAAAAAAAAA',
      listeners: [],
      features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 30 }],
      rack: null,
      isMigratingZkBroker: false,
      previousBrokerEpoch: -1,
    }
    const foreign = { ...base, clusterId: 'somebodyelsesclusterAA', logDirs: [] }
    expect(bench.ask('registerBroker', foreign).response.errorCode).toBe(
      ErrorCode.INCONSISTENT_CLUSTER_ID,
    )
    const directory = 'directory2AAAAAAAAAAAA'
    const ask = (change: object) =>
      bench.ask('registerBroker', {
        ...base,
        clusterId: 'abcdefghijklmnopqrstuw',
        logDirs: [directory],
        ...change,
      }).response.errorCode
    expect(ask({})).toBe(ErrorCode.UNSUPPORTED_VERSION)
    expect(ask({ features: [] })).toBe(ErrorCode.INVALID_REGISTRATION)
    expect(ask({ isMigratingZkBroker: true })).toBe(ErrorCode.BROKER_ID_NOT_REGISTERED)
    const taken = 'directory1AAAAAAAAAAAA'
    const reserved = 'AAAAAAAAAAAAAAAAAAAAAQ'
    for (const logDirs of [[], [directory, directory], [taken], [reserved]]) {
      expect(ask({ logDirs })).toBe(ErrorCode.INVALID_REGISTRATION)
    }
    const listener = { name: 'PLAINTEXT', host: 'host', port: 1, securityProtocol: 9 }
    expect(ask({ listeners: [listener] })).toBe(ErrorCode.INVALID_REGISTRATION)
  })
})

describe('controller: topics', () => {
  test('controller: topics: a topic is its record, its configs, then its partitions', () => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    const { response, records } = bench.ask('createTopics', {
      topics: [
        {
          name: 'made',
          numPartitions: 2,
          replicationFactor: 1,
          assignments: [],
          configs: [{ name: 'retention.ms', value: '5' }],
        },
      ],
      timeoutMs: 1,
      validateOnly: false,
    })
    expect(names(records)).toEqual([
      'TopicRecord',
      'ConfigRecord',
      'PartitionRecord',
      'PartitionRecord',
    ])
    expect(response.topics![0]).toMatchObject({
      errorCode: 0,
      numPartitions: 2,
      replicationFactor: 1,
    })
  })

  test('controller: topics: validate-only decides and writes nothing', () => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    const topic = {
      name: 'dry',
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }
    const { response, records } = bench.ask('createTopics', {
      topics: [topic],
      timeoutMs: 1,
      validateOnly: true,
    })
    expect(records).toEqual([])
    expect(response.topics![0]!.errorCode).toBe(0)
  })

  test.each([
    ['', ErrorCode.INVALID_TOPIC_EXCEPTION],
    ['.', ErrorCode.INVALID_TOPIC_EXCEPTION],
    ['a/b', ErrorCode.INVALID_TOPIC_EXCEPTION],
    ['x'.repeat(250), ErrorCode.INVALID_TOPIC_EXCEPTION],
    ['there', ErrorCode.TOPIC_ALREADY_EXISTS],
    ['th_ere', ErrorCode.INVALID_TOPIC_EXCEPTION],
  ])('controller: topics: the name %j is refused', (name, code) => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    created(bench, 'there')
    created(bench, 'th.ere')
    const { result, records } = created(bench, name)
    expect(result.errorCode).toBe(code)
    if (name === 'a/b')
      expect(result.errorMessage).toContain("'a/b' contains one or more characters")
    expect(records).toEqual([])
  })

  test('controller: topics: too many partitions for one request are refused', () => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    expect(created(bench, 'many', 10_001).result.errorCode).toBe(ErrorCode.POLICY_VIOLATION)
    // The topic's own record counts too.
    expect(created(bench, 'more', 10_000).result.errorCode).toBe(ErrorCode.POLICY_VIOLATION)
    expect(created(bench, 'most', 9_999).result.errorCode).toBe(ErrorCode.NONE)
  })

  test('controller: topics: manual assignments are taken as they are, or refused with the reason', () => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    bench.addBroker(2)
    const ask = (assignments: { partitionIndex: number; brokerIds: number[] }[]) =>
      bench.ask('createTopics', {
        topics: [
          { name: 'manual', numPartitions: -1, replicationFactor: -1, assignments, configs: [] },
        ],
        timeoutMs: 1,
        validateOnly: false,
      }).response.topics![0]!
    expect(ask([{ partitionIndex: 1, brokerIds: [1] }]).errorCode).toBe(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    )
    expect(ask([{ partitionIndex: 0, brokerIds: [1, 1] }]).errorCode).toBe(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    )
    expect(ask([{ partitionIndex: 0, brokerIds: [9] }]).errorMessage).toContain('broker 9')
    expect(ask([{ partitionIndex: 0, brokerIds: [2, 1] }]).errorCode).toBe(ErrorCode.NONE)
    expect(bench.image.topics.byName('manual')!.partitions[0]!.replicas).toEqual([2, 1])
  })

  test('controller: topics: replicas spread over racks, leaders over brokers', () => {
    const bench = new ControllerBench()
    for (const id of [1, 2, 3, 4]) bench.addBroker(id, id % 2 === 0 ? 'even' : 'odd')
    created(bench, 'spread', 8, 2)
    const { partitions } = bench.image.topics.byName('spread')!
    for (const partition of partitions) {
      const racks = new Set(partition!.replicas.map((id) => id % 2))
      expect(racks.size).toBe(2)
    }
    const leaders = new Map<number, number>()
    for (const { leader } of partitions as readonly { leader: number }[]) {
      leaders.set(leader, (leaders.get(leader) ?? 0) + 1)
    }
    expect([...leaders.values()]).toEqual([2, 2, 2, 2])
  })
})

describe('controller: producer ids', () => {
  test('controller: producer ids: blocks follow one another and name their broker', () => {
    const bench = new ControllerBench()
    const brokerEpoch = bench.addBroker(1)
    const take = (epoch: number) =>
      bench.ask('allocateProducerIds', { brokerId: 1, brokerEpoch: epoch }).response
    expect(take(brokerEpoch)).toMatchObject({ producerIdStart: 0, producerIdLen: 1000 })
    expect(take(brokerEpoch)).toMatchObject({ producerIdStart: 1000, producerIdLen: 1000 })
    expect(take(brokerEpoch + 1).errorCode).toBe(ErrorCode.STALE_BROKER_EPOCH)
  })
})

describe('controller: features', () => {
  test('controller: features: up where supported, down only when asked for, never past the format', () => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    const set = (feature: string, maxVersionLevel: number, upgradeType = 1) =>
      bench.ask(
        'updateFeatures',
        {
          timeoutMs: 1,
          featureUpdates: [{ feature, maxVersionLevel, allowDowngrade: false, upgradeType }],
          validateOnly: false,
        },
        1,
      ).response.errorCode
    expect(set('group.version', 2)).toBe(ErrorCode.INVALID_UPDATE_VERSION)
    expect(set('transaction.version', 1)).toBe(ErrorCode.INVALID_UPDATE_VERSION)
    expect(set('transaction.version', 1, 2)).toBe(ErrorCode.NONE)
    expect(bench.image.features.level('transaction.version')).toBe(1)
    expect(set('metadata.version', 29, 2)).toBe(ErrorCode.INVALID_UPDATE_VERSION)
    expect(set('nonsense', 1)).toBe(ErrorCode.INVALID_UPDATE_VERSION)
    expect(set('kraft.version', 0, 2)).toBe(ErrorCode.INVALID_UPDATE_VERSION)
    expect(set('kraft.version', 1)).toBe(ErrorCode.NONE)
    expect(bench.image.features.level('kraft.version')).toBe(0)
  })
})

describe('controller: elections', () => {
  test('controller: elections: the preferred replica takes the lead back; nothing needed is said', () => {
    const bench = new ControllerBench()
    bench.addBroker(1)
    const second = bench.addBroker(2)
    bench.ask('createTopics', {
      topics: [
        {
          name: 'elect',
          numPartitions: -1,
          replicationFactor: -1,
          assignments: [{ partitionIndex: 0, brokerIds: [1, 2] }],
          configs: [],
        },
      ],
      timeoutMs: 1,
      validateOnly: false,
    })
    const elect = () =>
      bench
        .ask('electLeaders', {
          electionType: 0,
          topicPartitions: [{ topic: 'elect', partitions: [0, 5] }],
          timeoutMs: 1,
        })
        .response.replicaElectionResults![0]!.partitionResult!.map(({ errorCode }) => errorCode)
    expect(elect()).toEqual([ErrorCode.ELECTION_NOT_NEEDED, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    bench.nowMs += 8000
    bench.beat(2, second)
    bench.nowMs += 2000
    bench.expire('sessions')
    expect(bench.image.topics.byName('elect')!.partitions[0]!.leader).toBe(2)
    expect(elect()[0]).toBe(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)
  })
})

describe('controller: log directories', () => {
  const [ONE, TWO] = ['oneAAAAAAAAAAAAAAAAAAA', 'twoAAAAAAAAAAAAAAAAAAA']

  /** A broker with two directories, and a topic of two partitions, one in each. */
  function two() {
    const bench = new ControllerBench()
    const register = (incarnationId: string, logDirs: string[]) =>
      bench.register(1, incarnationId, null, logDirs).response.brokerEpoch!
    const epoch = register('incarnation1AAAAAAAAAA', [ONE, TWO])
    bench.beat(1, epoch)
    created(bench, 'spread', 2)
    const { id } = bench.image.topics.byName('spread')!
    const assign = (brokerEpoch: number, directories: [string, number][]) =>
      bench.ask('assignReplicasToDirs', {
        brokerId: 1,
        brokerEpoch,
        directories: directories.map(([directory, partitionIndex]) => ({
          id: directory,
          topics: [{ topicId: id, partitions: [{ partitionIndex }] }],
        })),
      })
    const partition = (index: number) => bench.image.topics.byName('spread')!.partitions[index]!
    return { bench, epoch, register, assign, partition }
  }

  test('controller: directories: a replica is where its broker says; who has several says it', () => {
    const { bench, epoch, assign, partition } = two()
    expect(partition(0).directories).toEqual(['AAAAAAAAAAAAAAAAAAAAAQ'])
    const { response, records } = assign(epoch, [
      [TWO, 0],
      [ONE, 9],
    ])
    expect(response.errorCode).toBe(ErrorCode.NONE)
    const codes = response.directories!.map(({ topics }) => topics![0]!.partitions![0]!.errorCode)
    expect(codes).toEqual([ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    expect(names(records)).toEqual(['PartitionChangeRecord'])
    expect(partition(0)).toMatchObject({ directories: [TWO], leader: 1, leaderEpoch: 0 })
    expect(assign(epoch, [[TWO, 0]]).records).toEqual([])
    expect(assign(epoch + 1, [[ONE, 0]]).response.errorCode).toBe(ErrorCode.STALE_BROKER_EPOCH)
    expect(bench.image.brokers.get(1)!.logDirs).toEqual([ONE, TWO])
  })

  test('controller: directories: nobody leads in one that is offline, and the others are led on', () => {
    const { bench, epoch, register, assign, partition } = two()
    assign(epoch, [
      [ONE, 0],
      [TWO, 1],
    ])
    const { response, records } = bench.beat(1, epoch, { offlineLogDirs: [TWO] })
    expect(response.errorCode).toBe(ErrorCode.NONE)
    expect(names(records)).toEqual(['PartitionChangeRecord', 'BrokerRegistrationChangeRecord'])
    expect(partition(0).leader).toBe(1)
    expect(partition(1)).toMatchObject({ leader: NO_LEADER, isr: [1], leaderEpoch: 1 })
    expect(bench.image.brokers.get(1)!.logDirs).toEqual([ONE])
    expect(bench.beat(1, epoch, { offlineLogDirs: [TWO] }).records).toEqual([])
    // Moved there meanwhile: it does not lead there either.
    assign(epoch, [[TWO, 0]])
    expect(partition(0).leader).toBe(NO_LEADER)
    bench.nowMs += 20_000
    const back = register('incarnation2AAAAAAAAAA', [ONE, TWO])
    bench.beat(1, back)
    expect([partition(0).leader, partition(1).leader]).toEqual([1, 1])
  })

  test('controller: directories: a broker that comes back without one does not lead there', () => {
    const { bench, epoch, register, assign, partition } = two()
    assign(epoch, [
      [ONE, 0],
      [TWO, 1],
    ])
    bench.nowMs += 20_000
    bench.beat(1, register('incarnation2AAAAAAAAAA', [ONE]))
    expect([partition(0).leader, partition(1).leader]).toEqual([1, NO_LEADER])
  })

  test('controller: directories: one that fails in the beat that unfences keeps its broker fenced', () => {
    const { bench, register, assign, partition, epoch } = two()
    assign(epoch, [
      [ONE, 0],
      [TWO, 1],
    ])
    bench.beat(1, epoch, { wantFence: true })
    bench.nowMs += 20_000
    const back = register('incarnation2AAAAAAAAAA', [ONE, TWO])
    expect(bench.beat(1, back, { offlineLogDirs: [TWO] }).response.isFenced).toBe(true)
    expect(bench.beat(1, back, { offlineLogDirs: [TWO] }).response.isFenced).toBe(false)
    expect([partition(0).leader, partition(1).leader]).toEqual([1, NO_LEADER])
  })

  test('controller: directories: a broker whose directories are all cordoned gets nothing new', () => {
    const { bench, epoch } = two()
    bench.beat(1, epoch, { cordonedLogDirs: [ONE] })
    expect(bench.image.brokers.get(1)!.cordonedLogDirs).toEqual([ONE])
    expect(bench.beat(1, epoch, { cordonedLogDirs: [ONE] }).records).toEqual([])
    expect(created(bench, 'one').result.errorCode).toBe(ErrorCode.NONE)
    bench.beat(1, epoch, { cordonedLogDirs: [TWO, ONE] })
    expect(created(bench, 'none').result).toMatchObject({
      errorCode: ErrorCode.INVALID_REPLICATION_FACTOR,
      errorMessage:
        'Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have ' +
        'all their log directories cordoned.',
    })
    bench.beat(1, epoch, { cordonedLogDirs: [] })
    expect(created(bench, 'again').result.errorCode).toBe(ErrorCode.NONE)
  })
})
