// Kafka's own TransactionalMessageCopier (consume, produce, commit offsets in one transaction, with random aborts) under
// kills: of the copier, which another one follows with the same id, and of the broker. Output equals input, in order.
// COPIER_KILLS makes it longer, COPIER_SEED repeats one's choices.

import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { ToolProcess } from '../../oracle/kafka/tool_process.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually, pause } from '../support/eventually.ts'
import { batchOf } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'
import { INPUT, OUTPUT, readCommitted } from './transactional_copy.ts'

const KILLS = Number(process.env['COPIER_KILLS'] ?? 6)
const SEED = Number(process.env['COPIER_SEED'] ?? Date.now() % 1_000_000)
/** More than is copied between two kills. */
const CHUNK = 4000
const PATIENCE_MS = 120_000

/** Writes numbers from `first` on. */
async function feed(address: string, first: number): Promise<void> {
  const client = await RawClient.open(address)
  const values = Array.from({ length: CHUNK }, (_, i) => String(first + i))
  const topicData = [{ name: INPUT, partitionData: [{ index: 0, records: batchOf(values) }] }]
  const body = { acks: -1, timeoutMs: 10_000, topicData }
  const { responses } = await client.ask(Produce, 9, body)
  expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
  client.close()
}

/** Sequence numbers of one process's progress: how much it says it has copied. */
function copiedBy(copier: ToolProcess): number {
  return Number(copier.events.at(-1)?.['totalProcessed'] ?? 0)
}

test.each([
  ['an assigned partition', []],
  ['a group', ['--group-mode', '--use-group-metadata']],
])(
  'crash: the transactional message copier copies exactly once, reading as %s',
  {
    timeout: 120_000 + KILLS * 60_000,
  },
  async (_, mode) => {
    const random = new Random(SEED)
    await using broker = await BrokerProcess.start({
      config: {
        'group.initial.rebalance.delay.ms': 0,
        'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1000,
        'internal.segment.bytes': '200000',
      },
    })
    await createTopic(broker.address, INPUT, 1)
    await createTopic(broker.address, OUTPUT, 1)
    const args = [
      ...['--broker-list', broker.address, '--transactional-id', 'copier', '--consumer-group', 'g'],
      ...['--input-topic', INPUT, '--input-partition', '0', '--output-topic', OUTPUT],
      ...['--transaction-size', '10', '--transaction-timeout', '10000', '--enable-random-aborts'],
      ...mode,
    ]
    const start = () => ToolProcess.start('TransactionalMessageCopier', args)
    let fed = 0
    const more = async () => {
      await feed(broker.address, fed)
      fed += CHUNK
    }
    await more()
    let copier = await start()
    const told = { kills: 0, brokerKills: 0, starts: 1 }
    try {
      while (told.kills < KILLS) {
        const goal = copiedBy(copier) + random.nextInt(1, 40) * 10
        await eventually(
          async () => (copier.isOver || copiedBy(copier) >= goal ? true : undefined),
          PATIENCE_MS,
        )
        if (copier.isOver) {
          // It is done with what was there when it began, or it gave up when its broker was away.
          await more()
        } else {
          await pause(random.nextInt(40))
          told.kills++
          if (random.ratio(1, 2)) {
            told.brokerKills++
            await broker.kill()
            await broker.start()
            // It may go on by itself, or be replaced in the middle of what it tries.
            if (random.ratio(1, 2)) continue
          }
          await copier.end('SIGKILL')
        }
        copier = await start()
        told.starts++
      }
      while ((await copier.exited) !== 0 || Number(copier.events.at(-1)?.['remaining']) !== 0) {
        if (told.starts++ > KILLS * 3 + 10) throw new Error(`it never ends: ${copier.stderr}`)
        copier = await start()
      }
    } finally {
      await copier[Symbol.asyncDispose]()
    }
    const reader = await RawClient.open(broker.address)
    const seen = await readCommitted(reader, 0)
    reader.close()
    const about = `seed ${SEED}: ${told.kills} kills, ${told.brokerKills} of the broker, ${told.starts} copiers, ${fed} records`
    expect(seen.length, about).toBe(fed)
    expect(seen.map(Number), about).toEqual(Array.from({ length: fed }, (_, i) => i))
    console.info(about)
  },
)
