// DumpLogSegments and StorageTool on the files of a broker that runs on this machine. LogDirsCommand says where they are.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { directoriesOf } from './cluster.ts'
import { printed, type Session, type ToolCheck } from './session.ts'

const FIRST = '00000000000000000000'

/** The broker's log directory. */
async function directory(t: Session): Promise<string> {
  const found = directoriesOf(
    await t.tool('LogDirsCommand', '--describe', '--topic-list', t.name('no')),
  )
  const { logDir } = found.brokers[0]!.logDirs[0]!
  assert.ok(existsSync(logDir), `the broker's files are not on this machine: ${logDir}`)
  return logDir
}

/** What DumpLogSegments prints of a file, without its first line, which names the file. */
async function dumped(t: Session, file: string, ...args: string[]): Promise<string[]> {
  const what = await t.run('DumpLogSegments', ['--files', file, ...args])
  assert.equal(what.code, 0, what.err)
  assert.equal(t.plain(what.err), '')
  const [head, ...lines] = t.plain(what.out).split('\n')
  assert.equal(head, `Dumping ${file}`)
  return lines
}

function batch(
  base: number,
  last: number,
  rest: string,
  position: number,
  size: number,
  codec = 'none',
): string {
  return (
    `baseOffset: ${base} lastOffset: ${last} count: ${last - base + 1} ${rest} partitionLeaderEpoch: 0 ` +
    'isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty ' +
    `position: ${position} CreateTime: <ms> size: ${size} magic: 2 compresscodec: ${codec} crc: <crc> isvalid: true`
  )
}

const withoutCrc = (line: string) =>
  line.replace(/crc: \d+/, 'crc: <crc>').replace(/producerId: \d+/, 'producerId: <n>')
const NO_PRODUCER = 'baseSequence: -1 lastSequence: -1 producerId: -1 producerEpoch: -1'

export const fileChecks: readonly ToolCheck[] = [
  {
    name: 'files: a segment',
    async run(t) {
      const topic = await t.topic('dump')
      const plain = ['--command-property', 'enable.idempotence=false', '--sync']
      await t.produce(topic, ['one', 'two'], ...plain)
      await t.produceKeyed(topic, ['k:three'])
      const file = join(await directory(t), `${topic}-0`, `${FIRST}.log`)
      const lines = await dumped(t, file, '--print-data-log')
      assert.deepEqual(lines.map(withoutCrc), [
        'Log starting offset: 0',
        batch(0, 0, NO_PRODUCER, 0, 71),
        '| offset: 0 CreateTime: <ms> keySize: -1 valueSize: 3 sequence: -1 headerKeys: [] payload: one',
        batch(1, 1, NO_PRODUCER, 71, 71),
        '| offset: 1 CreateTime: <ms> keySize: -1 valueSize: 3 sequence: -1 headerKeys: [] payload: two',
        batch(2, 2, 'baseSequence: 0 lastSequence: 0 producerId: <n> producerEpoch: 0', 142, 74),
        '| offset: 2 CreateTime: <ms> keySize: 1 valueSize: 5 sequence: 0 headerKeys: [] key: k payload: three',
      ])
    },
  },
  {
    name: 'files: a compressed segment',
    async run(t) {
      const topic = await t.topic('dump-zstd')
      await t.produce(topic, ['x'.repeat(2000)], '--compression-codec', 'zstd')
      const file = join(await directory(t), `${topic}-0`, `${FIRST}.log`)
      const [, only, record] = await dumped(t, file, '--print-data-log')
      assert.match(only!, /compresscodec: zstd crc: \d+ isvalid: true$/)
      assert.match(record!, /valueSize: 2000 sequence: 0 headerKeys: \[\] payload: x{2000}$/)
    },
  },
  {
    name: 'files: indexes of a full segment agree with it',
    async run(t) {
      // The active segment's newest entries are in memory; what is rolled is all there.
      const topic = await t.topic('dump-index', '--config', 'segment.bytes=1048576')
      const size = ['--num-records', '1500', '--record-size', '1000', '--throughput', '-1']
      await t.tool('ProducerPerformance', '--topic', topic, ...size)
      const place = join(await directory(t), `${topic}-0`)
      const at = join(place, FIRST)
      assert.ok(readdirSync(place).filter((name) => name.endsWith('.log')).length > 1)
      const sane = await dumped(t, `${at}.index`, '--index-sanity-check')
      assert.deepEqual(sane, [`${at}.index passed sanity check.`])
      const verified = ['--verify-index-only', '--max-message-size', '2000000']
      assert.deepEqual(await dumped(t, `${at}.index`, ...verified), [])
      assert.deepEqual(await dumped(t, `${at}.timeindex`, ...verified), [])
      const entries = await dumped(t, `${at}.index`)
      assert.ok(entries.length > 20, `${entries.length} entries`)
      for (const entry of entries) assert.match(entry, /^offset: \d+ position: \d+$/)
      const times = await dumped(t, `${at}.timeindex`)
      assert.equal(
        times.every((line) => /^timestamp: <ms> offset: \d+$/.test(line)),
        true,
      )
      const [, ...batches] = await dumped(t, `${at}.log`)
      assert.ok(batches.every((line) => line.endsWith('isvalid: true')))
    },
  },
  {
    name: 'files: the metadata log',
    async run(t) {
      const topic = await t.topic('dump-meta')
      const at = join(await directory(t), '__cluster_metadata-0')
      const name = readdirSync(at)
        .filter((file) => file.endsWith('.log'))
        .sort()
        .at(-1)!
      const what = await t.run('DumpLogSegments', [
        '--files',
        join(at, name),
        '--cluster-metadata-decoder',
      ])
      const records = [...what.out.matchAll(/payload: (\{"type".*\})$/gm)].map(([, json]) =>
        JSON.parse(json!),
      )
      const made = records.find(({ type, data }) => type === 'TOPIC_RECORD' && data.name === topic)
      assert.ok(made !== undefined, what.err)
      const partition = records.find(
        ({ type, data }) => type === 'PARTITION_RECORD' && data.topicId === made.data.topicId,
      )
      const { directories, topicId, ...facts } = partition.data
      assert.deepEqual(facts, {
        partitionId: 0,
        replicas: [1],
        isr: [1],
        removingReplicas: [],
        addingReplicas: [],
        leader: 1,
        leaderEpoch: 0,
        partitionEpoch: 0,
      })
      assert.equal(directories.length, 1)
      assert.doesNotMatch(what.out, /isvalid: false/)
    },
  },
  {
    name: 'files: what groups write',
    async run(t) {
      const [topic, group] = [await t.topic('dump-group'), t.name('dump-group')]
      await t.produce(topic, ['1', '2'])
      await t.consume('--topic', topic, '--group', group, '--from-beginning', '--max-messages', '2')
      const at = await directory(t)
      const logs = readdirSync(at).filter((name) => name.startsWith('__consumer_offsets-'))
      assert.equal(logs.length, 50)
      const files = logs.map((name) => join(at, name, `${FIRST}.log`)).join(',')
      const what = await t.run('DumpLogSegments', ['--files', files, '--offsets-decoder'])
      const mine = what.out.split('\n').filter((line) => line.includes(`"group":"${group}"`))
      const commits = mine.filter((line) => line.includes('"type":"1"'))
      assert.match(
        commits.at(-1)!,
        new RegExp(
          `key: \\{"type":"1","data":\\{"group":"${group}","topic":"${topic}","partition":0\\}\\} payload: \\{"version":"4","data":\\{"offset":2,"leaderEpoch":0,"metadata":""`,
        ),
      )
      assert.match(mine.join('\n'), /"protocolType":"consumer","generation":1,"protocol":"range"/)
    },
  },
  {
    name: 'files: meta.properties',
    async run(t) {
      const at = await directory(t)
      assert.ok(readdirSync(at).includes('meta.properties'))
      const id = (await t.run('ClusterTool', ['cluster-id', ...t.server])).out
        .trim()
        .split(' ')
        .at(-1)!
      const temporary = mkdtempSync(join(tmpdir(), 'kafka-tools-'))
      try {
        const file = join(temporary, 'server.properties')
        writeFileSync(
          file,
          'process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=127.0.0.1:1\n' +
            'listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:1\ncontroller.listener.names=CONTROLLER\n' +
            `advertised.listeners=PLAINTEXT://127.0.0.1:2\nlog.dirs=${at}\n`,
        )
        const what = await t.run('kafka.tools.StorageTool', ['info', '-c', file])
        printed(
          t,
          what,
          'Found log directory:',
          ` ${at}`,
          'Found metadata: {cluster.id=' +
            t.plain(id) +
            ', directory.id=<id>, node.id=1, version=1}',
        )
      } finally {
        rmSync(temporary, { recursive: true })
      }
    },
  },
]
