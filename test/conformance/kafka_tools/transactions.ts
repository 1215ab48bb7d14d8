// TransactionsCommand on transactions in every state: listing, describing, finding what hangs, aborting it, and ending
// somebody else's. Then the tools that write in transactions, and the formatter that reads their log.

import assert from 'node:assert/strict'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { RawTransaction } from './raw_transaction.ts'
import { printed, refused, rows, type Session, type ToolCheck } from './session.ts'

const DESCRIPTION =
  'CoordinatorId TransactionalId ProducerId ProducerEpoch TransactionState TransactionTimeoutMs ' +
  'CurrentTransactionStartTimeMs TransactionDurationMs TopicPartitions'
const PRODUCERS =
  'ProducerId ProducerEpoch LatestCoordinatorEpoch LastSequence LastTimestamp CurrentTransactionStartOffset'
const HANGING =
  'Topic Partition ProducerId ProducerEpoch CoordinatorEpoch StartOffset LastTimestamp Duration(min)'
const VERIFICATION = 'transaction.partition.verification.enable'
const HOUR_MS = 3_600_000

const transactions = (t: Session, ...args: string[]) => t.tool('TransactionsCommand', ...args)

const begin = (t: Session, word: string) => RawTransaction.begin(t.target.address, t.name(word))

/** A transaction that has written to both partitions of a topic and stays open. */
async function open(t: Session, word: string): Promise<{ topic: string; tx: RawTransaction }> {
  const topic = await t.topic(word, '--partitions', '2')
  const tx = await begin(t, word)
  await tx.add(topic, 0, 1)
  for (const partition of [0, 1]) {
    await tx.write(topic, partition, ['a', 'b'])
  }
  return { topic, tx }
}

/** The state that a list shows for an id. */
async function stateOf(t: Session, id: string, ...args: string[]): Promise<string | undefined> {
  return rows(t, await transactions(t, 'list', ...args), id)[0]?.at(-1)
}

/** A transaction in a partition of which its coordinator knows nothing, an hour old. */
async function hanging(t: Session, word: string): Promise<{ topic: string; tx: RawTransaction }> {
  const topic = await t.topic(word)
  const tx = await begin(t, word)
  const broker = ['--entity-type', 'brokers', '--entity-name', '1', '--alter']
  await t.configs(...broker, '--add-config', `${VERIFICATION}=false`)
  try {
    const timestamp = Date.now() - HOUR_MS
    await tx.write(topic, 0, ['lost'], { timestamp })
  } finally {
    await t.configs(...broker, '--delete-config', VERIFICATION)
  }
  return { topic, tx }
}

export const transactionChecks: readonly ToolCheck[] = [
  {
    name: 'transactions: list states',
    async run(t) {
      using empty = await begin(t, 'tx-empty')
      const { tx: ongoing } = await open(t, 'tx-ongoing')
      const { tx: committed } = await open(t, 'tx-committed')
      const { tx: aborted } = await open(t, 'tx-aborted')
      assert.equal(await committed.end(true), ErrorCode.NONE)
      assert.equal(await aborted.end(false), ErrorCode.NONE)
      const list = (...args: string[]) => transactions(t, 'list', ...args)
      assert.match(
        t.plain((await list()).out),
        /^TransactionalId Coordinator ProducerId TransactionState\n/,
      )
      const states = async (...args: string[]) =>
        await Promise.all(
          [empty, ongoing, committed, aborted].map(({ id }) => stateOf(t, id, ...args)),
        )
      await t.until('TransactionsCommand', ['list'], (text) => !text.includes('Prepare'))
      assert.deepEqual(await states(), ['Empty', 'Ongoing', 'CompleteCommit', 'CompleteAbort'])
      const row = [ongoing.id, '1', String(ongoing.producer.producerId), 'Ongoing']
      assert.deepEqual(rows(t, await list(), ongoing.id), [row])
      assert.deepEqual(await states('--duration-filter', '1'), await states())
      // What has not begun counts as begun in 1970.
      const old = ['Empty', undefined, undefined, undefined]
      assert.deepEqual(await states('--duration-filter', '600000'), old)
      assert.deepEqual(await states('--duration-filter', '-1'), await states())
      const pattern = ['--transactional-id-pattern', `.*tx-[ec][mo].*`]
      assert.deepEqual(await states(...pattern), ['Empty', undefined, 'CompleteCommit', undefined])
      printed(
        t,
        await list('--transactional-id-pattern', t.name('nobody')),
        'TransactionalId Coordinator ProducerId TransactionState',
      )
      for (const each of [ongoing, committed, aborted]) each[Symbol.dispose]()
    },
  },
  {
    name: 'transactions: list with a pattern that is none',
    async run(t) {
      refused(
        t,
        await transactions(t, 'list', '--transactional-id-pattern', '(ab(cd'),
        'Failed to list transactions',
      )
    },
  },
  {
    name: 'transactions: describe',
    async run(t) {
      const { topic, tx } = await open(t, 'tx-describe')
      using _tx = tx
      const describe = async () => {
        const what = await transactions(t, 'describe', '--transactional-id', tx.id)
        const [head, row, ...more] = t.plain(what.out).split('\n')
        assert.equal(head, DESCRIPTION)
        assert.deepEqual(more, [])
        const cells = row!.split(' ')
        return [...cells.slice(0, -1), cells.at(-1)!.split(',').sort().join(',')]
      }
      const { producerId } = tx.producer
      const [id, epoch, state, timeout, began, duration, partitions] = (await describe()).slice(1)
      assert.deepEqual(
        [id, epoch, state, timeout, began],
        [tx.id, String(producerId), '0', 'Ongoing', '60000'],
      )
      assert.equal(duration, '<ms>')
      assert.match(partitions!, /^\d+$/)
      assert.equal((await describe()).at(-1), `${topic}-0,${topic}-1`)
      assert.equal(await tx.end(true), ErrorCode.NONE)
      await t.until('TransactionsCommand', ['describe', '--transactional-id', tx.id], (text) =>
        text.includes('CompleteCommit'),
      )
      // The start stays until the next transaction; the partitions are gone.
      const what = await transactions(t, 'describe', '--transactional-id', tx.id)
      const rest = `1 ${tx.id} ${producerId} 0 CompleteCommit 60000 <ms>`
      assert.match(t.plain(what.out), new RegExp(`\n${rest} \\d+$`))
    },
  },
  {
    name: 'transactions: describe the offsets of a group',
    async run(t) {
      using tx = await begin(t, 'tx-offsets')
      await tx.addOffsets(t.name('tx-offsets'))
      const what = await transactions(t, 'describe', '--transactional-id', tx.id)
      assert.match(t.plain(what.out), / Ongoing 60000 <ms> \d+ __consumer_offsets-\d+$/)
    },
  },
  {
    name: 'transactions: describe one that is not there',
    async run(t) {
      refused(
        t,
        await transactions(t, 'describe', '--transactional-id', t.name('tx')),
        `DescribeTransactions request for transactionalId \`${t.name('tx')}\` failed because the ID could not be found.`,
      )
    },
  },
  {
    name: 'transactions: describe producers',
    async run(t) {
      const { topic, tx } = await open(t, 'tx-producers')
      using _tx = tx
      const args = ['describe-producers', '--topic', topic, '--partition', '1']
      const { producerId } = tx.producer
      printed(t, await transactions(t, ...args), PRODUCERS, `${producerId} 0 -1 1 <ms> 0`)
      assert.equal(await tx.end(false), ErrorCode.NONE)
      const row = await t.until('TransactionsCommand', args, / None$/)
      assert.match(t.plain(row.out), new RegExp(`\n${producerId} 0 \\d+ -?\\d+ <ms> None$`))
      printed(
        t,
        await transactions(t, ...args, '--broker-id', '1'),
        ...t.plain(row.out).split('\n'),
      )
    },
  },
  {
    name: 'transactions: find hanging ones',
    async run(t) {
      const { tx, topic: other } = await open(t, 'tx-not-hanging')
      using _tx = tx
      printed(t, await transactions(t, 'find-hanging', '--topic', other), HANGING)
      refused(
        t,
        await transactions(t, 'find-hanging'),
        'The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search',
      )
      const { topic, tx: lost } = await hanging(t, 'tx-hanging')
      using _lost = lost
      const row = `${topic} 0 ${lost.producer.producerId} 0 -1 0 <ms> 60`
      const find = (...args: string[]) => transactions(t, 'find-hanging', ...args)
      printed(t, await find('--topic', topic), HANGING, row)
      printed(t, await find('--topic', topic, '--partition', '0'), HANGING, row)
      assert.ok(
        t
          .plain((await find('--broker-id', '1')).out)
          .split('\n')
          .includes(row),
      )
      printed(t, await find('--topic', topic, '--max-transaction-timeout', '90'), HANGING)
      // Old, and its coordinator knows of it: not hanging.
      using slow = await begin(t, 'tx-slow')
      await slow.add(other, 0)
      const timestamp = Date.now() - HOUR_MS
      await slow.write(other, 0, ['slow'], { timestamp })
      printed(t, await find('--topic', other), HANGING)
      const abort = ['abort', '--topic', topic, '--partition', '0', '--start-offset', '0']
      printed(t, await transactions(t, ...abort))
      printed(t, await find('--topic', topic), HANGING)
    },
  },
  {
    name: 'transactions: abort one that hangs',
    async run(t) {
      const { topic, tx } = await hanging(t, 'tx-abort')
      using _tx = tx
      await t.produce(topic, ['after'])
      const committed = [
        '--topic',
        topic,
        '--from-beginning',
        '--isolation-level',
        'read_committed',
      ]
      const before = await t.consume(...committed)
      assert.equal(before.out, '')
      const abort = ['abort', '--topic', topic, '--partition', '0']
      refused(
        t,
        await transactions(t, ...abort),
        'The transaction to abort must be identified either with --start-offset',
      )
      refused(
        t,
        await transactions(t, ...abort, '--start-offset', '1'),
        `Could not find any open transactions starting at offset 1 on partition ${topic}-0`,
      )
      const who = ['--producer-id', String(tx.producer.producerId), '--producer-epoch', '0']
      printed(t, await transactions(t, ...abort, ...who, '--coordinator-epoch', '0'))
      printed(t, await t.consume(...committed, '--max-messages', '1'), 'after')
      printed(t, await t.offsets('--topic', topic), `${topic}:0:3`)
    },
  },
  {
    name: 'transactions: abort with what is wrong',
    async run(t) {
      const { topic, tx } = await hanging(t, 'tx-wrong')
      using _tx = tx
      const { producerId } = tx.producer
      const abort = (...args: string[]) =>
        transactions(t, 'abort', '--topic', topic, '--partition', '0', ...args)
      const who = (epoch: string) => [
        ...['--producer-id', String(producerId), '--producer-epoch', epoch],
        ...['--coordinator-epoch', '0'],
      ]
      const first = await abort('--producer-id', String(producerId))
      refused(t, first, 'Missing required argument --producer-epoch')
      // A producer that never wrote gets its marker.
      printed(t, await abort('--producer-id', '999999', ...who('0').slice(2)))
      // A marker of a later epoch is taken: the producer was fenced.
      printed(t, await abort(...who('3')))
      refused(t, await abort(...who('1')), /failed due an invalid producer epoch/)
    },
  },
  {
    name: 'transactions: force terminate',
    async run(t) {
      const { topic, tx } = await open(t, 'tx-force')
      using _tx = tx
      const force = (id: string) =>
        transactions(t, 'forceTerminateTransaction', '--transactionalId', id)
      printed(t, await force(tx.id))
      assert.equal(await stateOf(t, tx.id), 'Empty')
      assert.notEqual(await tx.end(true), ErrorCode.NONE)
      const read = ['--topic', topic, '--from-beginning', '--isolation-level', 'read_committed']
      assert.equal((await t.consume(...read)).out, '')
      printed(t, await force(t.name('tx-force-absent')))
    },
  },
  {
    name: 'transactions: the performance producer writes in them',
    async run(t) {
      const topic = await t.topic('tx-perf')
      const args = ['--num-records', '200', '--record-size', '50', '--throughput', '-1']
      const id = ['--transactional-id', t.name('tx-perf'), '--transaction-duration-ms', '20']
      const what = await t.tool('ProducerPerformance', '--topic', topic, ...args, ...id)
      assert.match(t.plain(what.out), /^200 records sent, /m)
      assert.equal(await stateOf(t, t.name('tx-perf')), 'CompleteCommit')
      const read = [
        '--topic',
        topic,
        '--isolation-level',
        'read_committed',
        '--max-messages',
        '200',
      ]
      const { out } = await t.consume(...read, '--from-beginning')
      assert.equal(out.trimEnd().split('\n').length, 200)
    },
  },
  {
    name: 'transactions: TransactionLogMessageFormatter reads what they are',
    async run(t) {
      const { topic, tx } = await open(t, 'tx-log')
      using _tx = tx
      assert.equal(await tx.end(true), ErrorCode.NONE)
      const formatter = 'org.apache.kafka.tools.consumer.TransactionLogMessageFormatter'
      const read = ['--topic', '__transaction_state', '--from-beginning', '--formatter', formatter]
      const { out } = await t.consume(...read)
      const found = out
        .replaceAll('}{', '}\n{')
        .split('\n')
        .filter((line) => line.includes(`"${tx.id}"`))
        .map((line) => JSON.parse(line))
      assert.ok(found.length >= 4, out.slice(0, 2000))
      const [first] = found
      assert.deepEqual(first.key, { type: 0, data: { transactionalId: tx.id } })
      const states = found.map(({ value }) => value.data.transactionStatus)
      assert.deepEqual(states, [0, 1, 2, 4])
      const [added] = found[1].value.data.transactionPartitions
      assert.deepEqual([added.topic, ...added.partitionIds.sort()], [topic, 0, 1])
    },
  },
  {
    name: 'transactions: the copier copies',
    async run(t) {
      const input = await t.topic('tx-from')
      const output = await t.topic('tx-to')
      const lines = Array.from({ length: 50 }, (_, i) => `line ${i}`)
      await t.produce(input, lines)
      const { address } = t.target
      const from = ['--input-topic', input, '--input-partition', '0', '--output-topic', output]
      const how = ['--transaction-size', '7', '--use-group-metadata', '--enable-random-aborts']
      const who = ['--transactional-id', t.name('tx-copy'), '--consumer-group', t.name('tx-copy')]
      const args = ['--broker-list', address, ...from, ...who, ...how]
      const copied = await t.alone('TransactionalMessageCopier', args)
      assert.equal(copied.code, 0, copied.err)
      const last = JSON.parse(copied.out.trim().split('\n').at(-1)!)
      assert.equal(last.remaining, 0)
      assert.equal(last.consumed, 50)
      const read = ['--topic', output, '--from-beginning', '--isolation-level', 'read_committed']
      printed(t, await t.consume(...read, '--max-messages', '50'), ...lines)
    },
  },
]
