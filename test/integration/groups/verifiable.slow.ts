// Kafka's verifiable clients, as its own system tests use them: a producer at a steady pace, three consumers of one group
// in either protocol, of which one is killed; then the broker stops in order, and is killed. Every record that was
// acknowledged is consumed, and the group has committed the end of every partition.

import { expect, test } from 'vitest'
import { kafkaTool } from '../../oracle/kafka/kafka.ts'
import { ToolProcess } from '../../oracle/kafka/tool_process.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'

const PARTITIONS = 6
const RECORDS = 12_000
const PATIENCE_MS = 180_000
/** Both protocols learn within seconds that a member is gone. */
const CONFIG = {
  'group.initial.rebalance.delay.ms': 0,
  'group.consumer.min.session.timeout.ms': 6000,
  'group.consumer.session.timeout.ms': 6000,
  'group.consumer.min.heartbeat.interval.ms': 1000,
  'group.consumer.heartbeat.interval.ms': 1000,
}

interface Partition {
  topic: string
  partition: number
}

/** Partitions that it has been given and not been asked back. */
function ownedBy(consumer: ToolProcess): Set<number> {
  const owned = new Set<number>()
  for (const { name, partitions } of consumer.events) {
    for (const { partition } of (partitions ?? []) as Partition[]) {
      if (name === 'partitions_assigned') owned.add(partition)
      if (name === 'partitions_revoked') owned.delete(partition)
    }
  }
  return owned
}

const valuesOf = (tools: readonly ToolProcess[], name: string) =>
  new Set(tools.flatMap((tool) => tool.named(name).map(({ value }) => String(value))))

test.each([
  ['classic', ['--session-timeout', '6000']],
  ['consumer', []],
])(
  'groups: verifiable clients, %s protocol: a consumer dies, the broker comes and goes, and nothing is missed',
  {
    timeout: 600_000,
  },
  async (protocol, options) => {
    await using broker = await BrokerProcess.start({ config: CONFIG })
    const server = ['--bootstrap-server', broker.address]
    await createTopic(broker.address, 't', PARTITIONS)
    await using stack = new AsyncDisposableStack()
    const start = async (tool: string, ...args: string[]) =>
      stack.use(await ToolProcess.start(tool, [...server, '--topic', 't', ...args]))
    const member = () =>
      start(
        'VerifiableConsumer',
        '--group-id',
        'g',
        '--verbose',
        '--group-protocol',
        protocol,
        ...options,
      )
    const consumers = [await member(), await member(), await member()]
    const producer = await start(
      'VerifiableProducer',
      '--throughput',
      '300',
      '--repeating-keys',
      '60',
      '--max-messages',
      String(RECORDS),
    )
    /** Until these share all partitions, each partition with one. */
    const shared = (members: readonly ToolProcess[]) =>
      eventually(async () => {
        const owned = members.map(ownedBy)
        const all = new Set(owned.flatMap((each) => [...each]))
        const sizes = owned.map(({ size }) => size)
        const sum = sizes.reduce((x, y) => x + y, 0)
        if (all.size !== PARTITIONS || sum !== PARTITIONS) throw new Error(`owned: ${sizes}`)
        return true
      }, PATIENCE_MS)
    /** Until they have read so many more. */
    const progress = async (members: readonly ToolProcess[], more: number) => {
      const before = valuesOf(members, 'record_data').size
      await eventually(async () => {
        const now = valuesOf(members, 'record_data').size
        return now >= before + more || producer.isOver ? true : undefined
      }, PATIENCE_MS)
    }

    await shared(consumers)
    await progress(consumers, 500)
    await consumers[0]!.end('SIGKILL')
    const left = consumers.slice(1)
    await shared(left)
    await progress(left, 500)
    await broker.stop()
    await broker.start()
    await progress(left, 500)
    await broker.kill()
    await broker.start()
    await progress(left, 500)
    const back = await member()
    const members = [...left, back]
    await shared(members)

    expect(await producer.exited, producer.stderr).toBe(0)
    const acked = valuesOf([producer], 'producer_send_success')
    // It tries each record once: some are lost while the broker is away, and it says so.
    expect(acked.size).toBeGreaterThan(RECORDS / 2)
    await eventually(async () => {
      const read = valuesOf([...consumers, back], 'record_data')
      const missing = [...acked].filter((value) => !read.has(value))
      if (missing.length > 0) throw new Error(`${missing.length} are missing`)
      return true
    }, PATIENCE_MS)
    for (const each of members) expect(await each.end('SIGTERM'), each.stderr).toBe(143)
    for (const each of members) expect(each.named('shutdown_complete')).toHaveLength(1)
    const groups = [...server, '--describe', '--group', 'g']
    const { stdout } = await kafkaTool('consumer.group.ConsumerGroupCommand', groups)
    const rows = [...stdout.toString().matchAll(/^g +t +\d+ +(\d+) +(\d+) +(\d+) /gm)]
    expect(rows).toHaveLength(PARTITIONS)
    for (const [, committed, end, lag] of rows) expect([committed, lag]).toEqual([end, '0'])
  },
)
