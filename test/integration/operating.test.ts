// Operating a broker: one line at start, signals, exit codes, and data directories that are refused in plain words.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { metadataRecord } from '../../src/metadata/record.ts'
import { encodeSnapshot } from '../../src/metadata/snapshot.ts'
import { DescribeCluster } from '../../src/protocol/messages/metadata.ts'
import { OttlaProcess, ottla, startProcess } from './support/process.ts'
import { RawClient } from './support/raw_client.ts'

const made: string[] = []
const directory = () => {
  const path = mkdtempSync(join(tmpdir(), 'ottla-operating-'))
  made.push(path)
  return path
}
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true })
})

const properties = (data: string, more = '') =>
  `process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:1
log.dirs=${data}
${more}`

const withFile = (text: string) => {
  const path = join(directory(), 'server.properties')
  writeFileSync(path, text)
  return path
}

test('operating: one line says what it is, where it listens and where its data is', async () => {
  const data = directory()
  await using broker = await startProcess(data)
  expect(broker.stdout.trim().split('\n')).toHaveLength(1)
  expect(broker.stdout).toContain(data)
  const client = await RawClient.open(broker.address())
  expect((await client.ask(DescribeCluster, 0, {})).clusterId).toHaveLength(22)
  client.close()
})

test('operating: SIGTERM drains and marks the data clean; logs are JSON when piped', async () => {
  const data = directory()
  await using broker = await startProcess(data)
  expect(existsSync(join(data, '.kafka_cleanshutdown'))).toBe(false)
  broker.kill('SIGTERM')
  expect(await broker.exit()).toBe(0)
  expect(JSON.parse(readFileSync(join(data, '.kafka_cleanshutdown'), 'utf8'))).toMatchObject({
    version: 0,
  })
  for (const line of broker.stderr.trim().split('\n')) {
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), scope: expect.any(String) })
  }
})

test('operating: a second signal ends at once', async () => {
  await using broker = await startProcess(directory())
  broker.kill('SIGTERM')
  await broker.until(() => broker.stderr.includes('stopping'))
  broker.kill('SIGTERM')
  expect([143, 0]).toContain(await broker.exit())
})

test('operating: a directory that another process holds is refused', async () => {
  const data = directory()
  await using first = await startProcess(data)
  const second = await ottla('start', '--data-dir', data, '--port', '0')
  expect(second.code).toBe(3)
  expect(second.stderr).toContain('in use by another process')
  first.kill('SIGTERM')
  expect(await first.exit()).toBe(0)
})

test('operating: a taken port is refused with its address', async () => {
  await using first = await startProcess(directory())
  const port = first.address().split(':')[1]!
  const second = await ottla(
    'start',
    '--data-dir',
    directory(),
    '--set',
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:0`,
  )
  expect(second.code).toBe(4)
  expect(second.stderr).toContain(`127.0.0.1:${port}`)
})

test('operating: every mistake of a configuration is told at once, with key, place and allowed values', async () => {
  const file = withFile(
    properties(
      '/nowhere',
      'num.partitions=0\nmin.insync.replicas=many\nnum.partition=3\nlog.flush.interval.messages=0',
    ),
  )
  const { code, stderr } = await ottla('start', '--config', file)
  expect(code).toBe(2)
  expect(stderr).toContain('num.partitions')
  expect(stderr).toContain('min.insync.replicas')
  expect(stderr).toContain(`${file}:7`)
  expect(stderr).not.toContain('    at ')
})

test('operating: what concerns security and is not built refuses the start', async () => {
  for (const setting of [
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'remote.log.storage.system.enable=true',
    'delegation.token.secret.key=secret',
  ]) {
    const { code, stderr } = await ottla(
      'start',
      '--config',
      withFile(properties('/nowhere', setting)),
    )
    expect(code, setting).toBe(2)
    expect(stderr).toContain(setting.split('=')[0])
  }
  const tls = properties('/nowhere').replace('PLAINTEXT://', 'SSL://')
  expect((await ottla('start', '--config', withFile(tls))).code).toBe(2)
})

test("operating: format prepares a file's directories once; start refuses what is not formatted", async () => {
  const data = join(directory(), 'data')
  const file = withFile(properties(data))
  const early = await ottla('start', '--config', file)
  expect(early.code).toBe(3)
  expect(early.stderr).toContain('ottla format')
  const formatted = await ottla(
    'format',
    '--config',
    file,
    '--cluster-id',
    'abcdefghijklmnopqrstuw',
  )
  expect(formatted).toMatchObject({ code: 0 })
  expect(formatted.stdout).toContain('4.3-IV0')
  expect((await ottla('format', '--config', file)).code).toBe(3)
  expect((await ottla('format', '--config', file, '--ignore-formatted')).code).toBe(0)
  await using broker = await new OttlaProcess(['start', '--config', file]).started()
  expect(broker.stdout).toContain('abcdefghijklmnopqrstuw')
  broker.kill('SIGINT')
  expect(await broker.exit()).toBe(0)
})

test('operating: another node, another cluster and a newer layout are refused in plain words', async () => {
  const data = directory()
  const file = withFile(properties(data))
  expect((await ottla('format', '--config', file)).code).toBe(0)
  const meta = join(data, 'meta.properties')
  const text = readFileSync(meta, 'utf8')
  writeFileSync(meta, text.replace('node.id=1', 'node.id=7'))
  const foreign = await ottla('start', '--config', file)
  expect(foreign).toMatchObject({ code: 3 })
  expect(foreign.stderr).toContain('belongs to node 7')
  writeFileSync(meta, text.replace('version=1', 'version=9'))
  const newer = await ottla('start', '--config', file)
  expect(newer).toMatchObject({ code: 3 })
  expect(newer.stderr).toContain('layout version 9')
})

test('operating: metadata that is newer than we understand stops the start', async () => {
  const data = directory()
  const file = withFile(properties(data))
  expect((await ottla('format', '--config', file)).code).toBe(0)
  const at = { endOffset: 0, epoch: 0, lastContainedLogTimestampMs: 0 }
  const level = metadataRecord('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 99 })
  const bootstrap = encodeSnapshot({ ...at, kraftVersion: 0, voters: null, records: [level] }, 0)
  writeFileSync(join(data, 'bootstrap.checkpoint'), bootstrap)
  const { code, stderr } = await ottla('start', '--config', file)
  expect(code).toBe(3)
  expect(stderr).toContain('metadata.version 99')
  expect(stderr).not.toContain('    at ')
})

test('operating: wrong words on the command line are usage', async () => {
  expect((await ottla('strat')).code).toBe(2)
  expect((await ottla('start', '--port', 'x')).code).toBe(2)
  expect((await ottla('--version')).code).toBe(0)
})
