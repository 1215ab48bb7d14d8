// Reading a configuration: sources and their order, mistakes all at once, and what is refused or
// warned of.

import { describe, expect, test } from 'vitest'
import type { ConfigInput } from '../../../src/config/parse.ts'
import { type ConfigError, describeWarning, parseConfig } from '../../../src/config/parse.ts'
import { environmentKey, parseEnvironment } from '../../../src/config/text/environment.ts'
import { nearestKey } from '../../../src/config/unknown.ts'

const file = {
  name: 'server.properties',
  text: [
    'process.roles=broker,controller',
    'node.id=1',
    'controller.quorum.bootstrap.servers=localhost:9093',
    'listeners=PLAINTEXT://:9092,CONTROLLER://:9093',
    'controller.listener.names=CONTROLLER',
  ].join('\n'),
}

function mistakesOf(input: ConfigInput): ConfigError {
  try {
    parseConfig(input)
  } catch (error) {
    return error as ConfigError
  }
  throw new Error('no mistake was found')
}

function warningsOf(set: readonly string[]): string[] {
  return parseConfig({ files: [file], set }).warnings.map(describeWarning)
}

describe('config: parse', () => {
  test('config: parse: values are typed by their tables', () => {
    const { config } = parseConfig({
      files: [file],
      set: ['num.partitions=3', 'log.dirs=/a , /b', 'auto.create.topics.enable=FALSE'],
    })
    const partitions: number = config.get('num.partitions')
    const dirs: readonly string[] | null = config.get('log.dirs')
    const creates: boolean = config.get('auto.create.topics.enable')
    const rack: string | null = config.get('broker.rack')
    expect([partitions, dirs, creates, rack]).toEqual([3, ['/a', '/b'], false, null])
    expect(config.get('ottla.reactor.threads')).toBe(0)
  })

  test('config: parse: no limit saturates as a number and stays exact as text', () => {
    const { config } = parseConfig({ files: [file] })
    expect(config.get('log.flush.interval.messages')).toBe(Number.MAX_SAFE_INTEGER)
    expect(config.text('log.flush.interval.messages')).toBe('9223372036854775807')
  })

  test('config: parse: later sources are stronger', () => {
    const input = {
      files: [file, { name: 'more.properties', text: 'num.partitions=2\nfetch.max.bytes=2000\n' }],
      env: { KAFKA_NUM_PARTITIONS: '3', OTTLA_NUM_PARTITIONS: '4', OTTLA_REACTOR_THREADS: '2' },
    }
    const { config } = parseConfig(input)
    expect(config.get('fetch.max.bytes')).toBe(2000)
    expect(config.get('num.partitions')).toBe(4)
    expect(config.get('ottla.reactor.threads')).toBe(2)
    const options = { 'num.partitions': 5 }
    expect(parseConfig({ ...input, options }).config.get('num.partitions')).toBe(5)
    const set = ['num.partitions=6']
    expect(parseConfig({ ...input, options, set }).config.get('num.partitions')).toBe(6)
  })

  test('config: parse: environment names follow the rule of the Kafka image', () => {
    expect(environmentKey('LISTENER_NAME_MY__LISTENER_SSL___X')).toBe(
      'listener.name.my_listener.ssl-x',
    )
    expect(
      parseEnvironment({ KAFKA_HEAP_OPTS: '-Xmx1G', PATH: '/bin', KAFKA_LOG_DIRS: '/d' }),
    ).toEqual([{ key: 'log.dirs', value: '/d', source: 'environment KAFKA_LOG_DIRS' }])
  })

  test('config: parse: every mistake is reported at once, with key, place and what is allowed', () => {
    const error = mistakesOf({
      files: [
        {
          name: 'server.properties',
          text: 'node.id=one\nnum.partitions=0\nlog.message.timestamp.type=createtime\na=\\u12\n',
        },
      ],
      env: { KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'yes' },
      set: ['fetch.max.bytes=1', 'nonsense', 'ssl.key.password=hunter2', 'authorizer.class.name=A'],
    })
    expect(error.message).toMatchSnapshot()
    expect(error.message).not.toContain('hunter2')
    expect(error.mistakes).toHaveLength(11)
  })

  test('config: parse: what is not built and protects something is refused', () => {
    for (const setting of [
      'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users=User:admin',
      'sasl.enabled.mechanisms=PLAIN',
      'ssl.keystore.location=/k',
      'listener.name.plaintext.ssl.keystore.location=/k',
      'listener.name.plaintext.scram-sha-256.sasl.jaas.config=x',
      'ssl.something.new=1',
      'delegation.token.secret.key=s',
      'remote.log.storage.system.enable=true',
      'create.topic.policy.class.name=P',
      'config.providers=file',
    ]) {
      const { mistakes } = mistakesOf({ files: [file], set: [setting] })
      expect({ setting, refused: mistakes.map(({ key }) => key) }).toEqual({
        setting,
        refused: [setting.slice(0, setting.indexOf('='))],
      })
    }
  })

  test('config: parse: a refused key at its default is welcome', () => {
    expect(
      warningsOf([
        'authorizer.class.name=',
        'remote.log.storage.system.enable=false',
        'ssl.client.auth=none',
        'sasl.enabled.mechanisms=GSSAPI',
        'unclean.leader.election.enable=false',
      ]),
    ).toEqual([])
  })

  test('config: parse: what is not built and harmless warns', () => {
    expect(warningsOf(['offsets.topic.compression.codec=1'])).toEqual([
      'offsets.topic.compression.codec (--set): what coordinators write is not compressed; the setting has no effect',
    ])
    expect(warningsOf(['listener.name.plaintext.max.connections=5'])).toEqual([
      'listener.name.plaintext.max.connections (--set): settings of one listener are not built; it has no effect',
    ])
    expect(warningsOf(['num.io.threads=4'])).toEqual([])
  })

  test('config: parse: unknown keys warn, with the nearest known key', () => {
    expect(warningsOf(['num.partition=3', 'my.own.thing=1'])).toEqual([
      'num.partition (--set): unknown key, ignored; did you mean num.partitions?',
      'my.own.thing (--set): unknown key, ignored',
    ])
    expect(nearestKey('log.dirss')).toBe('log.dirs')
  })

  test('config: parse: a listener that needs security is refused', () => {
    const set = [
      'listeners=SSL://:9092,CONTROLLER://:9093',
      'listener.security.protocol.map=SSL:SSL,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name=SSL',
    ]
    expect(mistakesOf({ files: [file], set }).mistakes).toMatchObject([
      { key: 'listener.security.protocol.map', allowed: 'PLAINTEXT' },
    ])
  })

  test('config: parse: node.id and broker.id stand for each other and are judged once', () => {
    const text = file.text.replace('node.id=1', 'broker.id=5')
    const { config } = parseConfig({ files: [{ name: 'f', text }] })
    expect([config.get('node.id'), config.get('broker.id')]).toEqual([5, 5])
    const bad = file.text.replace('node.id=1', 'node.id=x')
    expect(mistakesOf({ files: [{ name: 'f', text: bad }] }).mistakes).toHaveLength(1)
  })

  test('config: parse: the file that ships with Kafka starts', () => {
    const text = `${file.text}
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
`
    const { derived, warnings } = parseConfig({ files: [{ name: 'server.properties', text }] })
    expect(derived.advertisedControllerListeners).toMatchObject([{ host: 'localhost', port: 9093 }])
    expect(warnings.map(({ key }) => key)).toEqual([
      'share.coordinator.state.topic.replication.factor',
      'share.coordinator.state.topic.min.isr',
    ])
  })
})
