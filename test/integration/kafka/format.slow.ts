// `ottla format` and `kafka-storage format` make directories of one meaning: the same files, the same records in
// them, and each broker starts on what the other formatted.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  formatKafka,
  Kafka,
  kafkaTool,
  type Quorum,
  writeProperties,
} from '../../oracle/kafka/kafka.ts'
import { createTopic, describeTopics } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { freePorts, runCommand } from '../support/commands.ts'

const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qk'

let root: string
let port: number
beforeEach(async () => {
  port = await freePorts()
  root = mkdtempSync(join(tmpdir(), 'ottla-format-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** What a formatted directory says, without what is new each time: directory ids and times. */
async function meaningOf(data: string): Promise<Record<string, string[]>> {
  const meaning: Record<string, string[]> = {}
  const names = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  for (const path of names) {
    const name = path.slice(data.length + 1)
    const text = path.endsWith('.checkpoint') ? await decoded(path) : readFileSync(path, 'utf8')
    meaning[name] = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('Dumping'))
      .map(withoutChance)
      .toSorted()
  }
  return meaning
}

async function decoded(path: string): Promise<string> {
  const { stdout } = await kafkaTool('DumpLogSegments', [
    '--cluster-metadata-decoder',
    '--files',
    path,
  ])
  return stdout.toString()
}

function withoutChance(line: string): string {
  return line
    .replace(/directory\.id=.*/, 'directory.id=')
    .replace(/"?(voterDirectoryId|VoterDirectoryId)"?[:=] ?"?[\w-]{22}"?/g, '$1')
    .replace(
      /(CreateTime|LogAppendTime|lastContainedLogTimestamp|LastContainedLogTimestamp)"?[:=]? ?-?\d+/g,
      '$1',
    )
    .replace(/crc: \d+/, 'crc')
}

describe.each<Quorum>(['dynamic', 'static'])('kafka: format: %s quorum', (quorum) => {
  const format = async (who: 'ottla' | 'kafka') => {
    const directory = join(root, who)
    const file = writeProperties({ directory, port, quorum })
    if (who === 'kafka') await formatKafka(file, CLUSTER, quorum)
    else {
      const args = ['src/main.ts', 'format', '--cluster-id', CLUSTER, '--config', file]
      await runCommand(process.execPath, args)
    }
    return { directory, file, data: join(directory, 'data') }
  }

  test('both write the same', async () => {
    const ours = await format('ottla')
    const theirs = await format('kafka')
    expect(await meaningOf(ours.data)).toEqual(await meaningOf(theirs.data))
  })

  test('we start on theirs', async () => {
    const { file, directory } = await format('kafka')
    await using broker = await BrokerProcess.start({ file, port, directory })
    await createTopic(broker.address, 'one')
    expect((await describeTopics(broker.address)).map(({ name }) => name)).toEqual(['one'])
    await broker.stop()
  })

  test('Kafka starts on ours', async () => {
    const { file } = await format('ottla')
    await using kafka = await Kafka.start(file, port)
    await createTopic(kafka.address, 'one')
    expect((await describeTopics(kafka.address)).map(({ name }) => name)).toEqual(['one'])
    await kafka.stop()
  })
})
