// GetOffsetShell and DeleteRecordsCommand.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Printed } from './driver.ts'
import { printed, refused, type Session, type ToolCheck } from './session.ts'

/** Five records of one partition, created at 1000, 1000 + a little, …: VerifiableProducer counts them on. */
async function timed(t: Session, word: string): Promise<string> {
  const topic = await t.topic(word)
  const verifiable = ['--topic', topic, '--max-messages', '3', '--message-create-time', '1000000']
  await t.alone('VerifiableProducer', [...t.server, ...verifiable])
  await t.produce(topic, ['new', 'newest'], '--sync')
  return topic
}

/** Deletes records before offsets of partitions of a topic. */
async function deleteRecords(
  t: Session,
  topic: string,
  before: Record<number, number>,
): Promise<Printed> {
  const directory = mkdtempSync(join(tmpdir(), 'kafka-tools-'))
  const file = join(directory, 'offsets.json')
  const partitions = Object.entries(before).map(([partition, offset]) => ({
    topic,
    partition: Number(partition),
    offset,
  }))
  writeFileSync(file, JSON.stringify({ version: 1, partitions }))
  try {
    // Of topics that are not there the client asks until its patience ends.
    const patience = join(directory, 'client.properties')
    writeFileSync(patience, 'default.api.timeout.ms=5000\nrequest.timeout.ms=4000\n')
    const args = ['--offset-json-file', file, '--command-config', patience]
    return await t.tool('DeleteRecordsCommand', ...args)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

export const offsetChecks: readonly ToolCheck[] = [
  {
    name: 'offsets: earliest and latest, by word and by number',
    async run(t) {
      const topic = await t.topic('o-ends', '--partitions', '2')
      await t.produceKeyed(topic, ['k3:1', 'k3:2', 'k1:3'])
      const at = (time: string) => t.offsets('--topic', topic, '--time', time)
      for (const time of ['latest', '-1'])
        printed(t, await at(time), `${topic}:0:2`, `${topic}:1:1`)
      for (const time of ['earliest', '-2'])
        printed(t, await at(time), `${topic}:0:0`, `${topic}:1:0`)
      printed(t, await t.offsets('--topic', topic), `${topic}:0:2`, `${topic}:1:1`)
    },
  },
  {
    name: 'offsets: by time, and of the largest time',
    async run(t) {
      const topic = await timed(t, 'o-time')
      const at = (time: string) => t.offsets('--topic', topic, '--time', time)
      printed(t, await at('0'), `${topic}:0:0`)
      printed(t, await at('1000000'), `${topic}:0:0`)
      printed(t, await at('1500000000'), `${topic}:0:3`)
      printed(t, await at('99999999999999'))
      for (const time of ['max-timestamp', '-3']) printed(t, await at(time), `${topic}:0:4`)
    },
  },
  {
    name: 'offsets: what tiers would hold',
    async run(t) {
      const topic = await t.topic('o-tier')
      await t.produce(topic, ['1', '2'])
      const at = (time: string) => t.offsets('--topic', topic, '--time', time)
      for (const time of ['earliest-local', '-4']) printed(t, await at(time), `${topic}:0:0`)
      for (const time of ['latest-tiered', '-5', 'earliest-pending-upload', '-6'])
        printed(t, await at(time))
    },
  },
  {
    name: 'offsets: of chosen partitions and topics',
    async run(t) {
      const names = [await t.topic('o-sel1', '--partitions', '3'), await t.topic('o-sel2')]
      printed(
        t,
        await t.offsets('--topic', names[0]!, '--partitions', '0,2'),
        `${names[0]}:0:0`,
        `${names[0]}:2:0`,
      )
      printed(
        t,
        await t.offsets('--topic-partitions', `${names[0]}:1-,${t.name('o-sel2')}:0`),
        `${names[0]}:1:0`,
        `${names[0]}:2:0`,
        `${names[1]}:0:0`,
      )
      const all = t.plain((await t.offsets('--exclude-internal-topics')).out).split('\n')
      assert.ok(all.includes(`${names[1]}:0:0`))
      assert.ok(!all.some((line) => line.startsWith('__')))
    },
  },
  {
    name: 'offsets: mistakes',
    async run(t) {
      refused(
        t,
        await t.offsets('--topic', t.name('o-absent')),
        'Error occurred: Could not match any topic-partitions with the specified filters',
      )
      refused(t, await t.offsets('--time', 'soon'), 'Error occurred: Malformed time argument soon.')
    },
  },
  {
    name: 'offsets: in a process of its own',
    async run(t) {
      const topic = await t.topic('o-alone')
      await t.produce(topic, ['1', '2', '3'])
      printed(t, await t.alone('GetOffsetShell', [...t.server, '--topic', topic]), `${topic}:0:3`)
    },
  },
  {
    name: 'records: delete the first ones',
    async run(t) {
      const topic = await t.topic('r-first')
      await t.produce(topic, ['0', '1', '2', '3'])
      printed(
        t,
        await deleteRecords(t, topic, { 0: 2 }),
        'Executing records delete operation',
        'Records delete operation completed:',
        `partition: ${topic}-0 low_watermark: 2`,
      )
      printed(t, await t.offsets('--topic', topic, '--time', 'earliest'), `${topic}:0:2`)
      printed(t, await t.offsets('--topic', topic), `${topic}:0:4`)
      printed(
        t,
        await t.consume('--topic', topic, '--from-beginning', '--max-messages', '2'),
        '2',
        '3',
      )
    },
  },
  {
    name: 'records: delete all with -1',
    async run(t) {
      const topic = await t.topic('r-all')
      await t.produce(topic, ['0', '1', '2'])
      const what = await deleteRecords(t, topic, { 0: -1 })
      assert.match(t.plain(what.out), new RegExp(`partition: ${topic}-0 low_watermark: 3$`))
      printed(t, await t.offsets('--topic', topic, '--time', 'earliest'), `${topic}:0:3`)
      await t.produce(topic, ['3'])
      printed(t, await t.consume('--topic', topic, '--from-beginning', '--max-messages', '1'), '3')
    },
  },
  {
    name: 'records: delete beyond the end',
    async run(t) {
      const topic = await t.topic('r-beyond')
      await t.produce(topic, ['0'])
      const what = await deleteRecords(t, topic, { 0: 9 })
      assert.match(
        t.plain(what.out + what.err),
        new RegExp(
          `partition: ${topic}-0 error: .*OffsetOutOfRangeException: The requested offset is not within the range of offsets maintained by the server\\.`,
        ),
      )
      printed(t, await t.offsets('--topic', topic, '--time', 'earliest'), `${topic}:0:0`)
    },
  },
  {
    name: 'records: delete from what is not there',
    async run(t) {
      const what = await deleteRecords(t, t.name('r-absent'), { 0: 0 })
      assert.match(t.plain(what.out + what.err), /partition: .*-r-absent-0 error: /)
    },
  },
]
