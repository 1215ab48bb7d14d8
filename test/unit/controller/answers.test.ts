// Answers of the controller in corners where Apache Kafka was asked the same and its answer is not what one would guess.

import { expect, test } from 'vitest'
import { CONFIG_RESOURCE } from '../../../src/metadata/configs.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ControllerBench } from './bench.ts'

function bench(): ControllerBench {
  const made = new ControllerBench()
  made.addBroker(1)
  return made
}

const topic = (
  name: string,
  numPartitions = 1,
  configs: { name: string; value: string }[] = [],
) => ({
  name,
  numPartitions,
  replicationFactor: 1,
  assignments: [],
  configs,
})

function create(made: ControllerBench, ...topics: ReturnType<typeof topic>[]) {
  return made.ask('createTopics', { topics, timeoutMs: 1, validateOnly: false })
}

test('controller: topics: the log of the controller is no topic', () => {
  const made = bench()
  const { response, records } = create(made, topic('__cluster_metadata'))
  expect(response.topics![0]!.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  expect(records).toEqual([])
})

test('controller: topics: too much in one request refuses all of it', () => {
  const made = bench()
  const { response, records } = create(made, topic('a', 6_000), topic('b', 6_000))
  const codes = response.topics!.map(({ errorCode }) => errorCode)
  expect(codes).toEqual([ErrorCode.POLICY_VIOLATION, ErrorCode.POLICY_VIOLATION])
  expect(records).toEqual([])
})

test('controller: topics: configs come back as they were given', () => {
  const given = [{ name: 'retention.ms', value: ' 1000 ' }]
  const { response } = create(bench(), topic('spaced', 1, given))
  const { configs } = response.topics![0]!
  expect(configs!.find(({ name }) => name === 'retention.ms')!.value).toBe(' 1000 ')
})

test("controller: configs: with ELR the minimum of the ISR is the cluster's and stays set", () => {
  const made = bench()
  const change = (resourceName: string, configOperation: number, value: string | null) =>
    made.ask('incrementalAlterConfigs', {
      resources: [
        {
          resourceType: CONFIG_RESOURCE.broker,
          resourceName,
          configs: [{ name: 'min.insync.replicas', configOperation, value }],
        },
      ],
      validateOnly: false,
    }).response.responses![0]!.errorCode
  expect(change('1', 0, '2')).toBe(ErrorCode.INVALID_CONFIG)
  expect(change('1', 1, null)).toBe(ErrorCode.INVALID_CONFIG)
  expect(change('', 0, '2')).toBe(ErrorCode.NONE)
  expect(change('', 1, null)).toBe(ErrorCode.INVALID_CONFIG)
})

test.each([
  ['topic', CONFIG_RESOURCE.topic, '', ErrorCode.INVALID_REQUEST],
  ['topic', CONFIG_RESOURCE.topic, 'not good', ErrorCode.INVALID_TOPIC_EXCEPTION],
  ['topic', CONFIG_RESOURCE.topic, 'nowhere', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  ['broker', CONFIG_RESOURCE.broker, '7', ErrorCode.BROKER_ID_NOT_REGISTERED],
  ['broker', CONFIG_RESOURCE.broker, '99999999999', ErrorCode.INVALID_REQUEST],
  ['broker', CONFIG_RESOURCE.broker, '-1', ErrorCode.INVALID_REQUEST],
  ['broker', CONFIG_RESOURCE.broker, '01', ErrorCode.NONE],
])('controller: configs: the %s %i %j is answered %i', (_, resourceType, resourceName, code) => {
  const { response } = bench().ask('incrementalAlterConfigs', {
    resources: [{ resourceType, resourceName, configs: [] }],
    validateOnly: true,
  })
  expect(response.responses![0]!.errorCode).toBe(code)
})

test('controller: configs: nothing cannot be appended', () => {
  const made = bench()
  create(made, topic('appended'))
  const configs = [{ name: 'cleanup.policy', configOperation: 2, value: '' }]
  const { response } = made.ask('incrementalAlterConfigs', {
    resources: [{ resourceType: CONFIG_RESOURCE.topic, resourceName: 'appended', configs }],
    validateOnly: false,
  })
  expect(response.responses![0]!.errorCode).toBe(ErrorCode.INVALID_CONFIG)
})

test('controller: configs: a key that stands twice refuses the replacement', () => {
  const made = bench()
  create(made, topic('replaced'))
  const configs = ['1', '2'].map((value) => ({ name: 'segment.ms', value }))
  const { response, records } = made.ask('alterConfigs', {
    resources: [{ resourceType: CONFIG_RESOURCE.topic, resourceName: 'replaced', configs }],
    validateOnly: false,
  })
  expect(response.responses![0]!.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  expect(records).toEqual([])
})

test('controller: elections: an unknown type is refused partition by partition', () => {
  const made = bench()
  create(made, topic('led'))
  const { response } = made.ask('electLeaders', {
    electionType: 2,
    topicPartitions: [{ topic: 'led', partitions: [0] }],
    timeoutMs: 1,
  })
  expect(response.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  const [result] = response.replicaElectionResults![0]!.partitionResult!
  expect(result).toMatchObject({ partitionId: 0, errorCode: ErrorCode.INVALID_REQUEST })
})

test('controller: elections: where all are asked for, topics without need stand without partitions', () => {
  const made = bench()
  create(made, topic('led'))
  const all = { electionType: 0, topicPartitions: null, timeoutMs: 1 }
  const { response } = made.ask('electLeaders', all)
  expect(response.replicaElectionResults).toEqual([{ topic: 'led', partitionResult: [] }])
})

test('controller: features: one refusal refuses all, at every version', () => {
  const update = (feature: string, maxVersionLevel: number) => ({
    feature,
    maxVersionLevel,
    allowDowngrade: false,
    upgradeType: 2,
  })
  for (const version of [0, 1, 2]) {
    const made = bench()
    const featureUpdates = [update('share.version', 0), update('no.such.feature', 1)]
    const request = { timeoutMs: 1, featureUpdates, validateOnly: false }
    const { response, records } = made.ask('updateFeatures', request, version)
    expect(response.errorCode).toBe(ErrorCode.INVALID_UPDATE_VERSION)
    expect(response.errorMessage).toMatch(/^The update failed for all features since the following/)
    expect(response.results ?? []).toEqual([])
    expect(records).toEqual([])
  }
})

test("controller: features: the voters' version does not go back", () => {
  const update = {
    feature: 'kraft.version',
    maxVersionLevel: 0,
    allowDowngrade: true,
    upgradeType: 2,
  }
  const request = { timeoutMs: 1, featureUpdates: [update], validateOnly: false }
  const { response } = bench().ask('updateFeatures', request, 1)
  expect(response.errorCode).toBe(ErrorCode.INVALID_UPDATE_VERSION)
  expect(response.errorMessage).toMatch(/Can't downgrade the version of this feature\.$/)
})

test('controller: brokers: who is not registered beats with a stale epoch', () => {
  expect(bench().beat(9, 0).response.errorCode).toBe(ErrorCode.STALE_BROKER_EPOCH)
})
