// The tools that are programs of their own: verifiable clients, measuring ones, and the compatibility test.

import assert from 'node:assert/strict'
import { printed, type Session, type ToolCheck } from './session.ts'

/** Events of the verifiable clients, one JSON object in a line, without their times. */
function events(out: string): Record<string, unknown>[] {
  return out
    .trim()
    .split('\n')
    .map((line) => {
      const { timestamp, avg_throughput, ...rest } = JSON.parse(line)
      return rest
    })
}

const compatible = (topic: string): string[] => {
  const facts = {
    'offsets-for-times-supported': true,
    'cluster-id-supported': true,
    'expect-record-too-large-exception': false,
    'num-cluster-nodes': 1,
    'create-topics-supported': true,
    'describe-configs-supported': true,
    'idempotent-producer-supported': true,
  }
  return [
    '--topic',
    topic,
    ...Object.entries(facts).flatMap(([key, value]) => [`--${key}`, String(value)]),
  ]
}

async function performance(t: Session, topic: string, ...args: string[]) {
  const size = ['--num-records', '1000', '--record-size', '100', '--throughput', '-1']
  return await t.tool('ProducerPerformance', '--topic', topic, ...size, ...args)
}

export const programChecks: readonly ToolCheck[] = [
  {
    name: 'verifiable: producer and consumer',
    async run(t) {
      const topic = await t.topic('verify')
      const args = [
        '--topic',
        topic,
        '--max-messages',
        '3',
        '--value-prefix',
        '7',
        '--repeating-keys',
        '2',
      ]
      const produced = events((await t.alone('VerifiableProducer', [...t.server, ...args])).out)
      assert.deepEqual(produced, [
        { name: 'startup_complete' },
        ...[0, 1, 2].map((i) => ({
          name: 'producer_send_success',
          key: String(i % 2),
          value: `7.${i}`,
          offset: i,
          topic,
          partition: 0,
        })),
        { name: 'shutdown_complete' },
        { name: 'tool_data', sent: 3, acked: 3, target_throughput: -1 },
      ])
      const group = ['--group-id', t.name('verify'), '--reset-policy', 'earliest', '--verbose']
      const consumed = await t.tool(
        'VerifiableConsumer',
        '--topic',
        topic,
        '--max-messages',
        '3',
        ...group,
      )
      const partitions = [{ topic, partition: 0 }]
      assert.deepEqual(events(consumed.out), [
        { name: 'startup_complete' },
        { name: 'partitions_assigned', partitions },
        ...[0, 1, 2].map((i) => ({
          name: 'record_data',
          key: String(i % 2),
          value: `7.${i}`,
          topic,
          partition: 0,
          offset: i,
        })),
        {
          name: 'records_consumed',
          count: 3,
          partitions: [{ topic, partition: 0, count: 3, minOffset: 0, maxOffset: 2 }],
        },
        { name: 'offsets_committed', offsets: [{ topic, partition: 0, offset: 3 }], success: true },
        { name: 'partitions_revoked', partitions },
        { name: 'shutdown_complete' },
      ])
    },
  },
  {
    name: 'performance: producer',
    async run(t) {
      const topic = await t.topic('perf')
      const what = await performance(t, topic)
      assert.match(
        t.plain(what.out).split('\n').at(-1)!,
        /^1000 records sent, [\d.]+ records\/sec \([\d.]+ MB\/sec\), [\d.]+ ms avg latency, [\d.]+ ms max latency, \d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99\.9th\.$/,
      )
      printed(t, await t.offsets('--topic', topic), `${topic}:0:1000`)
    },
  },
  {
    name: 'performance: producer with its metrics',
    async run(t) {
      const topic = await t.topic('perf-metrics')
      const args = [
        '--command-property',
        'acks=all',
        '--command-property',
        'compression.type=lz4',
        '--print-metrics',
      ]
      const { out } = await performance(t, topic, ...args)
      const value = (name: string) =>
        Number(out.match(new RegExp(`${name}:\\{[^}]*\\}\\s*: ([\\d.]+)`))![1])
      assert.equal(value('producer-metrics:record-send-total'), 1000)
      assert.equal(value('producer-metrics:record-error-total'), 0)
      assert.equal(value('producer-metrics:record-retry-total'), 0)
      printed(t, await t.offsets('--topic', topic), `${topic}:0:1000`)
    },
  },
  {
    name: 'performance: consumer',
    async run(t) {
      const topic = await t.topic('perf-read')
      await performance(t, topic)
      const what = await t.tool('ConsumerPerformance', '--topic', topic, '--num-records', '1000')
      const [head, row, ...more] = t.plain(what.out).split('\n')
      assert.equal(
        head,
        'start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, ' +
          'fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec',
      )
      assert.deepEqual(more, [])
      const cells = row!.split(', ')
      assert.deepEqual([cells[2], cells[4]], ['0.0954', '1000'])
    },
  },
  {
    name: 'performance: end to end',
    async run(t) {
      const topic = await t.topic('perf-e2e')
      const args = ['--topic', topic, '--num-records', '50', '--record-size', '20']
      for (const acks of ['1', 'all']) {
        const what = await t.tool('EndToEndLatency', ...args, '--producer-acks', acks)
        assert.match(
          t.plain(what.out),
          /Avg latency: \d+\.\d+ ms\nPercentiles: 50th = \d+, 99th = \d+, 99\.9th = \d+$/,
        )
      }
      printed(t, await t.offsets('--topic', topic), `${topic}:0:100`)
    },
  },
  {
    name: 'replicas: verification finds none in disagreement',
    async run(t) {
      const topic = await t.topic('replicas')
      await t.produce(topic, ['1'])
      const help = await t.run('ReplicaVerificationTool', ['--version'])
      assert.equal(help.out.trim(), '4.3.1')
      const left = await t.topics('--describe', '--topic', topic, '--under-replicated-partitions')
      printed(t, left)
    },
  },
  {
    name: 'compatibility: a client of the newest version',
    async run(t) {
      // One with an answer about ACLs, one without: which of the two a broker passes says whether it serves them.
      const topic = await t.topic('compat')
      const said: string[] = []
      for (const acls of ['true', 'false']) {
        // It makes a topic of this name, and wants it not to be there.
        await t.topics('--delete', '--topic', 'newtopic', '--if-exists')
        const args = [...compatible(topic), '--describe-acls-supported', acls]
        const what = await t.tool('ClientCompatibilityTest', ...args)
        said.push(what.out.includes('SUCCESS') ? 'passed' : t.plain(what.out))
      }
      assert.ok(said.includes('passed'), said.join('\n'))
    },
  },
]
