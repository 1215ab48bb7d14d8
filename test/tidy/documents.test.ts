// Documents, scripts, container and continuous integration say what is true: links lead somewhere, paths exist,
// every command is described, and nobody runs a command that the repository does not have.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { brokerApis, controllerApis } from '../../src/broker/served.ts'
import { readConfiguration, singleNodeDefaults } from '../../src/broker_options.ts'
import { apis } from '../../src/protocol/apis.ts'
import { exists, files, text } from './source.ts'

const packageJson = JSON.parse(text('package.json')) as {
  scripts: Record<string, string>
  bin: Record<string, string>
  files: string[]
}
const scripts = Object.keys(packageJson.scripts)
const documents = ['README.md', ...files('docs', '.md')]
const written = documents.filter((path) => !path.startsWith('docs/reference/'))

/** The scripts that a text runs: npm test, npm start, npm run x. */
const scriptsIn = (words: string): string[] =>
  [...words.matchAll(/\bnpm (?:run )?([a-z]+)\b/g)].map(([, name]) => name!)
/** What npm itself has. */
const NPM = ['ci', 'i', 'install', 'pack', 'prune', 'run']

describe('tidy: documents', () => {
  it('every relative link is alive', () => {
    const dead = documents.flatMap((path) =>
      [...text(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target]) => target!)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !exists(posix.join(posix.dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    )
    expect(dead).toEqual([])
  })

  it('every path that is named exists', () => {
    const dead = written.flatMap((path) =>
      [...text(path).matchAll(/`((?:src|native|test|bench|docs|\.ci|\.github)\/[\w./-]+)`/g)]
        .map(([, target]) => target!)
        .filter((target) => !exists(target))
        .map((target) => `${path}: ${target}`),
    )
    expect(dead).toEqual([])
  })

  it('every command that is named exists', () => {
    const unknown = written.flatMap((path) =>
      scriptsIn(text(path).replaceAll(/[^`]*(`[^`]*`)?/g, '$1'))
        .filter((name) => !scripts.includes(name) && !NPM.includes(name))
        .map((name) => `${path}: npm run ${name}`),
    )
    expect(unknown).toEqual([])
  })

  it('every script is described in docs/HACKING.md', () => {
    const rows = [...text('docs/HACKING.md').matchAll(/^\| `npm (?:run )?([a-z]+)/gm)]
    expect(rows.map(([, name]) => name).sort()).toEqual([...scripts].sort())
  })

  it('every script runs files that exist', () => {
    const dead = Object.entries(packageJson.scripts).flatMap(([name, script]) =>
      (script.match(/\b(?:src|native|test|bench|\.ci)\/[\w./]+\.(?:ts|mjs|sh)/g) ?? [])
        .filter((path) => !exists(path))
        .map((path) => `${name}: ${path}`),
    )
    expect(dead).toEqual([])
  })
})

describe('tidy: support', () => {
  const cell = (served: ReturnType<typeof brokerApis>, key: number): string => {
    const row = served.rows().find(({ apiKey }) => apiKey === key)
    if (row === undefined) return ''
    const { minVersion, maxVersion } = row
    return minVersion === maxVersion ? String(minVersion) : `${minVersion}–${maxVersion}`
  }

  it('docs/not_implemented.md says what the handlers serve', () => {
    // Handlers only keep the node; none looks at it before a request.
    const broker = brokerApis({} as never)
    const controller = controllerApis({} as never)
    const served = [...apis.values()]
      .filter(({ valid }) => valid.max >= valid.min)
      .map(
        ({ key, name }) => `| ${key} | ${name} | ${cell(broker, key)} | ${cell(controller, key)} |`,
      )
    const rows = [...text('docs/not_implemented.md').matchAll(/^\| \d+ \|[^|]*\|[^|]*\|[^|]*\|/gm)]
    expect(rows.map(([row]) => row)).toEqual(served)
  })

  it('what is not served is not advertised, and says so', () => {
    const silent = text('docs/not_implemented.md')
      .split('\n')
      .filter((line) => /^\| \d+ \| \w+ \|\s*\|\s*\|/.test(line))
      .filter((line) => !line.includes('not advertised'))
    expect(silent).toEqual([])
  })
})

/** A Dockerfile's instructions, continued lines joined. */
function instructions(): { name: string; rest: string }[] {
  const joined = text('Dockerfile')
    .replace(/^#.*$/gm, '')
    .replace(/\\\n\s*/g, ' ')
  return joined
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line)!
      return { name: name!, rest: rest! }
    })
}

/** The JSON form of a command, without the word before it. */
function execForm(rest: string): string[] {
  return JSON.parse(rest.slice(rest.indexOf('['))) as string[]
}

describe('tidy: container', () => {
  const all = instructions()
  const command = execForm(all.find(({ name }) => name === 'CMD')!.rest)

  it('its commands are the tested ones', () => {
    const runs = all.filter(({ name, rest }) => name === 'RUN' && rest.startsWith('npm'))
    expect(runs.map(({ rest }) => rest)).toEqual([
      'npm ci',
      'npm run build',
      'npm test',
      'npm prune --omit=dev --ignore-scripts',
    ])
    expect(command.slice(0, 3)).toEqual(['node', packageJson.bin['ottla'], 'start'])
  })

  it('it installs what .ci/setup.sh installs', () => {
    const install = all.find(({ rest }) => rest.includes('apt-get install'))!.rest
    const installed = /--no-install-recommends (.*?) &&/.exec(install)![1]!.trim().split(/\s+/)
    const [, wanted] = /^packages='(.*)'$/m.exec(text('.ci/setup.sh'))!
    expect(installed).toEqual(wanted!.split(' '))
  })

  it('it has the stages build, test and runtime; the last is slim, not root, and keeps its data apart', () => {
    const stages = all.filter(({ name }) => name === 'FROM').map(({ rest }) => rest)
    expect(stages.map((stage) => stage.split(' AS ')[1])).toEqual([
      'build',
      'test',
      'slim',
      'runtime',
    ])
    expect(stages.at(-1)).toBe('node:24-slim AS runtime')
    const last = all.slice(all.findIndex(({ rest }) => rest === stages.at(-1)))
    expect(last.find(({ name }) => name === 'USER')?.rest).toBe('node')
    expect(last.find(({ name }) => name === 'VOLUME')?.rest).toBe('/data')
    expect(last.find(({ name }) => name === 'EXPOSE')?.rest).toBe('9092')
    const copied = last.filter(({ name }) => name === 'COPY').map(({ rest }) => rest.split(' ')[1]!)
    expect(copied.some((path) => path.endsWith('/build/Release/ottla.node'))).toBe(true)
  })

  it('its configuration is one that parses', () => {
    const set = command.flatMap((word, at) => (command[at - 1] === '--set' ? [word] : []))
    const { derived, warnings } = readConfiguration({
      defaults: singleNodeDefaults('/data', '127.0.0.1', 9092),
      set,
    })
    expect(warnings).toEqual([])
    expect(derived.brokerListeners.map(({ port }) => port)).toEqual([9092])
  })

  it('its health check tells a broker that listens from one that does not', async () => {
    const [node, option, script] = execForm(all.find(({ name }) => name === 'HEALTHCHECK')!.rest)
    expect([node, option]).toEqual(['node', '-e'])
    const ask = async (port: number): Promise<number> => {
      const child = spawn(process.execPath, [option!, script!.replace('9092', String(port))])
      const [code] = (await once(child, 'exit')) as [number]
      return code
    }
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    expect(await ask(port)).toBe(0)
    server.close()
    await once(server, 'close')
    expect(await ask(port)).toBe(1)
  })
})

describe('tidy: continuous integration', () => {
  const workflow = files('.github', '.yml').map(text).join('\n')

  it('runs our own commands and nothing else', () => {
    const runs = [...workflow.matchAll(/^\s*(?:- )?run:\s*(.*)$/gm)].map(([, run]) => run!)
    expect(runs.length).toBeGreaterThan(0)
    const foreign = runs.filter((run) => {
      const [name] = scriptsIn(run)
      return !/^npm (run )?[a-z]+( -- [a-z0-9 -]+)?$/.test(run) || !scripts.includes(name!)
    })
    expect(foreign).toEqual([])
  })

  it('uses nobody else than the checkout', () => {
    const uses = [...workflow.matchAll(/uses:\s*(\S+)/g)].map(([, used]) => used!)
    expect(uses.filter((used) => !used.startsWith('actions/checkout@'))).toEqual([])
  })

  it('.ci/run is npm test', () => {
    expect(scriptsIn(text('.ci/run'))).toContain('test')
  })
})

describe('tidy: builds', () => {
  it('both build files have the same warnings and the same language', () => {
    const cmake = text('CMakeLists.txt')
    const gyp = text('binding.gyp')
    for (const flag of ['-fno-exceptions', '-fno-rtti', '-Wall', '-Wextra', '-O3', '-Bsymbolic']) {
      expect([flag, cmake.includes(flag), gyp.includes(flag)]).toEqual([flag, true, true])
    }
    expect(cmake).toContain('CMAKE_CXX_STANDARD 20')
    expect(gyp).toContain('-std=c++20')
    const codecs = /foreach\(codec (.*)\)/.exec(cmake)![1]!.split(' ')
    expect(codecs.filter((codec) => !gyp.includes(`-l:lib${codec}.a`))).toEqual([])
  })

  it('the lock file names every platform, so that npm ci works on each', () => {
    // npm leaves out what the registry at hand does not have, and then refuses its own lock.
    type Locked = { optionalDependencies?: Record<string, string> }
    const locked = JSON.parse(text('package-lock.json')).packages as Record<string, Locked>
    const missing = Object.entries(locked).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          !(`node_modules/${name}` in locked) && !(`${path}/node_modules/${name}` in locked),
      ),
    )
    expect(missing).toEqual([])
  })

  it('the package holds what building the addon needs', () => {
    const isPacked = (path: string): boolean =>
      packageJson.files.some((pattern) => posix.matchesGlob(path, pattern))
    const needed = files('native').filter((path) => !path.endsWith('.mjs'))
    const named = text('CMakeLists.txt').match(/\bnative\/[\w/]+\.\w+/g) ?? []
    const build = [...needed, ...named, 'native/build.mjs', 'CMakeLists.txt', 'binding.gyp']
    expect(build.filter((path) => !isPacked(path))).toEqual([])
    expect(packageJson.files).toContain('dist')
    expect(packageJson.scripts['install']).toBe('node native/build.mjs')
  })
})
