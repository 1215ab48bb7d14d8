// Judged by Kafka 4.3.1: kafka_startup.tsv holds settings and whether KafkaConfig took them, with
// the advertised broker listeners and the inter-broker listener it derived.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ConfigError, parseConfig } from '../../../src/config/parse.ts'
import { isNumericAddress, printListener } from '../../../src/config/text/endpoints.ts'

const [, ...lines] = readFileSync(new URL('./kafka_startup.tsv', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
const cases = lines.map((line) => {
  const [outcome, advertised, interBroker, settings] = line.split('\t')
  return { outcome, advertised, interBroker, settings: settings! }
})

// Where we refuse what Kafka takes: it fails later there, or would promise what is not built.
const STRICTER: readonly RegExp[] = [
  /PLAINTEXT:\/\/:(99999|-1)/,
  /PLAINTEXT:SSL/,
  /CONTROLLER:SSL/,
  /voters=1@:9093/,
  /auto\.join\.enable=true/,
  /overrides=::1:5,h:2/,
]

// Where we take what Kafka refuses: it loads Java classes while reading, and we do not.
const LOOSER: readonly RegExp[] = [/assignors=foo/]

function start(settings: string) {
  const options = Object.fromEntries(
    settings.split('; ').map((one) => {
      const equals = one.indexOf('=')
      return [one.slice(0, equals), one.slice(equals + 1)]
    }),
  )
  return parseConfig({ options })
}

describe('config: derive', () => {
  test.each(cases)('config: derive: as Kafka: $outcome: $settings', (one) => {
    let parsed: ReturnType<typeof start> | null = null
    try {
      parsed = start(one.settings)
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError)
    }
    const differs = (one.outcome === 'ok' ? STRICTER : LOOSER).some((pattern) =>
      pattern.test(one.settings),
    )
    const expected = differs ? (one.outcome === 'ok' ? 'err' : 'ok') : one.outcome
    expect(parsed === null ? 'err' : 'ok').toBe(expected)
    if (parsed === null || one.outcome !== 'ok') return
    const { derived } = parsed
    expect(derived.advertisedBrokerListeners.map(printListener).join(' ')).toBe(one.advertised)
    if (derived.isBroker) expect(derived.interBrokerListener).toBe(one.interBroker)
  })

  const combined = {
    'process.roles': 'broker,controller',
    'node.id': 7,
    listeners: 'PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': '7@127.0.0.1:9093',
  }

  test('config: derive: directories, voters and limits', () => {
    const { derived } = parseConfig({
      options: {
        ...combined,
        'log.dirs': ['/a', '/b'],
        'max.connections.per.ip.overrides': '127.0.0.1:3, ::1:4',
      },
    })
    expect(derived).toMatchObject({
      nodeId: 7,
      isBroker: true,
      isController: true,
      logDirs: ['/a', '/b'],
      metadataLogDir: '/a',
      voters: [{ id: 7, host: '127.0.0.1', port: 9093 }],
      bootstrapServers: [],
    })
    expect([...derived.maxConnectionsOf]).toEqual([
      ['127.0.0.1', 3],
      ['::1', 4],
    ])
  })

  test('config: derive: inter broker protocol picks the listener', () => {
    const options = { ...combined, 'security.inter.broker.protocol': 'PLAINTEXT' }
    expect(parseConfig({ options }).derived.interBrokerListener).toBe('PLAINTEXT')
    expect(() =>
      parseConfig({ options: { ...combined, 'security.inter.broker.protocol': 'SSL' } }),
    ).toThrow(/SSL is not an advertised listener/)
  })

  test('config: derive: metadata directory of its own, log.dir when log.dirs is not set', () => {
    const options = { ...combined, 'metadata.log.dir': '/m', 'log.dir': '/d' }
    const { derived } = parseConfig({ options })
    expect([derived.metadataLogDir, ...derived.logDirs]).toEqual(['/m', '/d'])
  })

  test('config: derive: a heartbeat no faster than the session warns', () => {
    const options = { ...combined, 'broker.heartbeat.interval.ms': 9000 }
    expect(parseConfig({ options }).warnings.map(({ key }) => key)).toEqual([
      'broker.heartbeat.interval.ms',
    ])
  })

  test('config: derive: one mistake is reported once', () => {
    const options = { ...combined, listeners: 'PLAINTEXT://:9092,nonsense' }
    let mistakes: readonly unknown[] = []
    try {
      parseConfig({ options })
    } catch (error) {
      mistakes = (error as ConfigError).mistakes
    }
    expect(mistakes).toHaveLength(2)
  })

  test('config: derive: an address is IPv4 or IPv6 in numbers', () => {
    const good = [
      '127.0.0.1',
      '::1',
      '::',
      '1::',
      'fe80::1:2',
      '1:2:3:4:5:6:7:8',
      '::ffff:10.0.0.1',
    ]
    const bad = ['', 'h', '1', '1.2.3', '256.0.0.1', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', 'g::1']
    const worse = [
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      '::1.2.3',
      '1:2:3:4:5:6:7::8',
      '[::1]',
      '::1%eth0',
    ]
    expect(good.filter((host) => !isNumericAddress(host))).toEqual([])
    expect([...bad, ...worse].filter(isNumericAddress)).toEqual([])
  })
})
