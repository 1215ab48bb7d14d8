// The command line against our broker: an operator's day as a transcript, every documented JSON shape, what a script
// relies on (exit codes, streams, pipes), and help that starts at once.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildProgram } from '../../../src/cli/commands.ts'
import { everyCommand } from '../../../src/cli/program.ts'
import { JSON_SHAPES, LINE_SHAPES, misfits } from '../../../src/cli/tree/json_shapes.ts'
import { pathOf } from '../../../src/cli/tree/reference.ts'
import { type Broker, startBroker } from '../../../src/index.ts'
import { runCommand } from '../support/commands.ts'
import { callsAgainst, jsonOf, MAIN, type Ottla, ottlaProcess } from './ottla.ts'
import { tellStory, withFile } from './story.ts'

const CONFIG = { 'offsets.topic.num.partitions': 5, 'group.initial.rebalance.delay.ms': 0 }
let broker: Broker
let ottla: Ottla

beforeAll(async () => {
  broker = await startBroker({ config: CONFIG })
  ottla = callsAgainst(broker.address)
})

afterAll(async () => {
  await broker.close()
})

describe('cli: a cluster', () => {
  it("an operator's day reads as the transcript says", { timeout: 120_000 }, async () => {
    const told = await tellStory(broker.address, ottla)
    await expect(told).toMatchFileSnapshot('commands.txt')
  })

  it('every command writes the JSON that is documented', { timeout: 120_000 }, async () => {
    const asked = [
      ['topic', 'create', 'shape', '-p', '2'],
      ['topic', 'alter', 'shape', '-p', '3'],
      ['topic', 'list', '-i'],
      ['topic', 'describe', 'shape', '-os'],
      ['topic', 'config', 'shape', '--all'],
      ['topic', 'delete-records', 'shape', '--all'],
      ['offsets', 'shape'],
      ['offsets', 'shape', '--at', 'latest'],
      ['group', 'reset-offsets', 'g', '-t', 'shape', '--to-latest', '--execute'],
      ['group', 'list'],
      ['group', 'describe', 'g'],
      ['group', 'delete-offsets', 'g', '-t', 'shape'],
      ['group', 'delete', 'g'],
      ['config', 'set', 'topic', 'shape', 'cleanup.policy=compact'],
      ['config', 'append', 'topic', 'shape', 'cleanup.policy=delete'],
      ['config', 'subtract', 'topic', 'shape', 'cleanup.policy=compact'],
      ['config', 'list'],
      ['config', 'describe', 'broker', '1', '--all'],
      ['config', 'unset', 'topic', 'shape', 'cleanup.policy'],
      ['cluster', 'describe'],
      ['cluster', 'quorum'],
      ['cluster', 'features'],
      ['cluster', 'log-dirs'],
      ['cluster', 'api-versions'],
      ['topic', 'delete', 'shape'],
    ]
    const wrong: string[] = []
    const seen = new Set<string>()
    for (const args of asked) {
      const path = args.slice(0, args[0] === 'offsets' ? 1 : 2).join(' ')
      seen.add(path)
      const found = misfits(await jsonOf(ottla, args), JSON_SHAPES[path]!)
      wrong.push(...found.map((each) => `${path}: ${each}`))
    }
    expect(wrong).toEqual([])
    expect([...seen].sort()).toEqual(Object.keys(JSON_SHAPES).sort())
  })

  it('a file of offsets that was exported moves them back', async () => {
    await ottla(['topic', 'create', 'moved', '-p', '2'])
    const reset = ['group', 'reset-offsets', 'mover']
    const exported = await ottla([...reset, '-t', 'moved', '--to-latest', '--export'])
    expect(exported.stdout).toBe('moved,0,0\nmoved,1,0\n')
    await withFile('offsets.csv', `mover,${exported.stdout}`, async (path) => {
      const moved = await ottla([...reset, '--from-file', path, '--execute', '--json'])
      expect(JSON.parse(moved.stdout)).toMatchObject([
        { topic: 'moved', partition: 0, to: 0, executed: true },
        { topic: 'moved', partition: 1, to: 0, executed: true },
      ])
    })
  })

  it('client.properties says where the cluster is, and what it cannot do is refused', async () => {
    await withFile('client.properties', `bootstrap.servers=${broker.address}\n`, async (path) => {
      const found = await ottlaProcess(['cluster', '--command-config', path])
      expect(found.code).toBe(0)
      expect(found.stdout.toString()).toContain(broker.clusterId)
    })
    await withFile('client.properties', 'security.protocol=SASL_SSL\n', async (path) => {
      const refused = await ottla(['cluster', '--command-config', path])
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain('security.protocol=SASL_SSL is not supported')
    })
  })
})

describe('cli: a group that lives', () => {
  it('its members, assignments and lag are shown, and its offsets do not move', async () => {
    const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })
    await ottla(['topic', 'create', 'lived', '-p', '3'])
    const consumer = kafka.consumer({ groupId: 'living', maxWaitTimeInMs: 100 })
    await consumer.connect()
    try {
      await consumer.subscribe({ topics: ['lived'] })
      const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
      await consumer.run({ eachMessage: async () => {} })
      await joined
      await consumer.commitOffsets([{ topic: 'lived', partition: 0, offset: '0' }])
      const [group] = (await jsonOf(ottla, ['group', 'describe', 'living'])) as [GroupJson]
      expect(misfits([group], JSON_SHAPES['group describe']!)).toEqual([])
      expect(group).toMatchObject({ state: 'Stable', members: [{ assignment: { length: 3 } }] })
      const { memberId } = group.members[0]!
      expect(group.offsets).toMatchObject([
        { partition: 0, committed: 0, latest: 0, lag: 0, memberId },
        { partition: 1, committed: null, latest: 0, lag: null, memberId },
        { partition: 2, committed: null, latest: 0, lag: null, memberId },
      ])
      const shown = await ottla(['group', 'describe', 'living', '-m'])
      expect(shown.stdout).toContain('lived:0-2')
      const reset = ['group', 'reset-offsets', 'living', '-t', 'lived', '--to-latest', '--execute']
      const refused = await ottla(reset)
      expect(refused.code).toBe(5)
      expect(refused.stderr).toContain("group 'living' is Stable and has 1 member")
      const busy = await ottla(['group', 'delete', 'living'])
      expect([busy.code, busy.stderr.includes('NON_EMPTY_GROUP')]).toEqual([5, true])
    } finally {
      await consumer.disconnect()
    }
  })
})

interface GroupJson {
  readonly members: readonly { readonly memberId: string }[]
  readonly offsets: readonly unknown[]
}

describe('cli: records', () => {
  it('consume writes lines of the documented shape', async () => {
    const { address } = broker
    await ottla(['topic', 'create', 'lines'])
    const produce = [MAIN, 'produce', 'lines', '-k', ':', '-H', 'a=b', '-b', address]
    await runCommand(process.execPath, produce, { input: 'k:v\nl:w\n' })
    const { stdout } = await ottla(['consume', 'lines', '--until-end', '--json'])
    const lines = stdout.trim().split('\n')
    expect(lines.length).toBe(2)
    for (const line of lines) expect(misfits(JSON.parse(line), LINE_SHAPES['consume']!)).toEqual([])
  })
})

describe('cli: a shell', () => {
  it('bash completes commands, options and choices', async () => {
    const { stdout } = await ottla(['completion', 'bash'])
    const asked = [
      ['ottla', 'to'],
      ['ottla', 'topic', 'li'],
      ['ottla', 'topic', 'list', '--bootstrap-server', ''],
      ['ottla', 'config', 'describe', 'b'],
      ['ottla', 'config', 'set', 'topic', 'words', '--dry'],
      ['ottla', 'start', '--log-level', 'w'],
    ]
    const lines = asked.map((words) => {
      const quoted = words.map((word) => `'${word}'`).join(' ')
      return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _ottla; echo "\${COMPREPLY[*]}"`
    })
    const done = await runCommand('bash', ['-c', [stdout, ...lines].join('\n')])
    expect(done.stdout.toString().split('\n').slice(0, -1)).toEqual([
      'topic',
      'list',
      '',
      'broker broker-logger',
      '--dry-run',
      'warn',
    ])
  })

  it('scripts for zsh and fish name every command', async () => {
    const names = everyCommand(buildProgram({ code: 0 })).map(pathOf)
    for (const shell of ['zsh', 'fish']) {
      const { stdout } = await ottla(['completion', shell])
      for (const name of names) expect(stdout).toContain(`'${name}'`.replace("''", ''))
    }
  })
})

describe('cli: scripts', () => {
  it('exit codes tell a mistake, a refusal and an absent cluster apart', async () => {
    const env = { OTTLA_BOOTSTRAP: broker.address }
    const [mistake, refusal, absent] = await Promise.all([
      ottlaProcess(['topic', 'list', '--bogus'], env),
      ottlaProcess(['topic', 'describe', 'no-such-topic'], env),
      ottlaProcess(['topic', 'list', '-b', '127.0.0.1:1']),
    ])
    expect([mistake.code, refusal.code, absent.code]).toEqual([2, 5, 6])
    expect(mistake.stderr).toContain("ottla: unknown option '--bogus'")
    expect(absent.stderr).toContain('cannot connect to 127.0.0.1:1')
    for (const { stdout } of [mistake, refusal, absent]) expect(stdout.length).toBe(0)
  })

  it('a reader that goes away ends a command quietly', async () => {
    const child = spawn(process.execPath, [MAIN, 'cluster', 'api-versions'], {
      env: { ...process.env, OTTLA_BOOTSTRAP: broker.address },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.destroy()
    let said = ''
    child.stderr.on('data', (bytes) => {
      said += bytes
    })
    const [code] = await once(child, 'close')
    expect({ code, said }).toEqual({ code: 0, said: '' })
  })

  it('help and completion of every command load neither broker nor client', async () => {
    const loads = `
      const seen = []
      const { registerHooks } = await import('node:module')
      registerHooks({ load(url, context, next) { seen.push(url); return next(url, context) } })
      const { run } = await import(${JSON.stringify(new URL('../../../src/cli/program.ts', import.meta.url).href)})
      await run(['node', 'ottla', '--help'])
      await run(['node', 'ottla', 'completion', 'bash'])
      await run(['node', 'ottla', 'start', '--help'])
      console.error(seen.filter((url) => /src\\/(?!cli|lib|protocol)/.test(url)).join('\\n'))`
    const done = await runCommand(process.execPath, ['--input-type=module', '-e', loads])
    expect(done.stderr.trim()).toBe('')
    expect(done.stdout.toString()).toContain('Usage: ottla')
  })

  it('every command that takes --json has a documented shape', () => {
    const taking = everyCommand(buildProgram({ code: 0 }))
      .filter(({ options }) => options.some(({ long }) => long === '--json'))
      .map(pathOf)
      // What produce takes as JSON is what consume writes; dump-log has a shape for each kind of line.
      .filter((path) => path !== 'produce' && path !== 'dump-log')
    const documented = [...Object.keys(JSON_SHAPES), ...Object.keys(LINE_SHAPES)]
    expect(taking.sort()).toEqual(documented.sort())
  })
})
