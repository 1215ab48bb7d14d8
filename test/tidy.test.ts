// Tidy: what can be checked by a test is not left to a reviewer. Layers, purity, names, sizes, dead files, and that
// the documents, the container and the continuous integration say what is true. The tables are test/tidy/tables.ts.

import { spawnSync } from 'node:child_process'
import { basename, posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { code, exists, files, importsOf, includesOf, matches, ROOT, text } from './tidy/source.ts'
import {
  ENTRIES_MAX,
  IMPURE_WORDS,
  IO_HEADERS,
  LINES_MAX,
  MAY_BE_LONG,
  MAY_BE_WIDE,
  MAY_CATCH,
  MAY_IMPORT,
  MAY_IMPORT_MODULES,
  MAY_INCLUDE,
  MAY_SAY_SYSTEM_WORDS,
  MAY_WAIT,
  NATIVE_ORDER,
  PURE,
  SYSTEM_WORDS,
  TEST_ONLY_ROOTS,
  WORLD_CALLS,
} from './tidy/tables.ts'

const sources = files('src', '.ts')
const native = files('native', '.h', '.cc')
const isUnder = (path: string, places: Iterable<string>): boolean => {
  for (const place of places) {
    if (path === place || path.startsWith(place.endsWith('/') ? place : `${place}/`)) return true
  }
  return false
}
/** The folder of src/ that a file belongs to, or the file itself at the top. */
const areaOf = (path: string): string => path.split('/')[1]!

describe('tidy: layers', () => {
  const mayImport = (from: string, to: string): boolean => {
    const allowed = MAY_IMPORT[areaOf(from)]
    if (allowed === undefined) return false
    const target = to.slice('src/'.length)
    return allowed.includes('*') || areaOf(from) === areaOf(to) || isUnder(target, allowed)
  }

  it('every folder of src/ has a row in the import law', () => {
    const unknown = [...new Set(sources.map(areaOf))].filter((area) => !(area in MAY_IMPORT))
    expect(unknown).toEqual([])
  })

  it('src/ imports downwards only', () => {
    const wrong = sources.flatMap((path) =>
      importsOf(path)
        .filter((name) => name.includes('/') && !name.startsWith('node:') && !name.startsWith('@'))
        .filter((name) => !name.startsWith('src/') || !mayImport(path, name))
        .map((name) => `${path} imports ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('modules of Node and of npm are imported where the table says', () => {
    const wrong = sources.flatMap((path) => {
      const place = Object.keys(MAY_IMPORT_MODULES).find((place) => isUnder(path, [place]))
      const allowed = place === undefined ? [] : MAY_IMPORT_MODULES[place]!
      return importsOf(path)
        .filter((name) => !name.startsWith('src/') && !name.startsWith('.'))
        .filter((name) => !allowed.includes('*') && !allowed.includes(name))
        .map((name) => `${path} imports ${name}`)
    })
    expect(wrong).toEqual([])
  })

  it('the simulator stands on what simulation can replace', () => {
    const wrong = files('test/sim', '.ts').flatMap((path) =>
      importsOf(path)
        .filter((name) => isUnder(name, ['src/http', 'src/cli', 'src/host/system.ts']))
        .map((name) => `${path} imports ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('native/ includes upwards in the list only', () => {
    const layerOf = (path: string): number => {
      const name = path.split('/')[1]!
      const folder = name.startsWith('plane') ? 'plane' : name.replace(/\.cc$/, '')
      return NATIVE_ORDER.indexOf(folder as (typeof NATIVE_ORDER)[number])
    }
    const wrong = native.flatMap((path) =>
      includesOf(path)
        .filter((name) => name.startsWith('native/'))
        .filter((name) => layerOf(path) < 0 || layerOf(name) < 0 || layerOf(name) > layerOf(path))
        .map((name) => `${path} includes ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('every include of native/ is there', () => {
    const wrong = native.flatMap((path) =>
      includesOf(path)
        .filter((name) => name.startsWith('native/') && !exists(name))
        .map((name) => `${path} includes ${name}`),
    )
    expect(wrong.filter((line) => !line.endsWith('napi.h'))).toEqual([])
  })

  it('addon.cc alone knows Node', () => {
    const knows = native.filter((path) =>
      includesOf(path).some((name) => /(napi|node_api|node|v8|uv)\.h>?$/.test(name)),
    )
    expect(knows.filter((path) => path !== 'native/addon.cc')).toEqual([])
  })

  it('native/ asks the world through Io alone', () => {
    const outside = native.filter((path) => !path.startsWith('native/io/'))
    const headers = outside.flatMap((path) =>
      includesOf(path)
        .filter((name) => IO_HEADERS.test(name) && !(`${path} ${name}` in MAY_INCLUDE))
        .map((name) => `${path} includes ${name}`),
    )
    const calls = outside.flatMap((path) => matches(path, WORLD_CALLS))
    expect([...headers, ...calls]).toEqual([])
  })
})

describe('tidy: purity', () => {
  it('pure folders have no clock, chance, waiting or world', () => {
    const pure = sources.filter((path) => (PURE as readonly string[]).includes(areaOf(path)))
    const imports = pure.flatMap((path) =>
      importsOf(path)
        .filter((name) => name.startsWith('node:'))
        .map((name) => `${path} imports ${name}`),
    )
    expect([...imports, ...pure.flatMap((path) => matches(path, IMPURE_WORDS))]).toEqual([])
  })

  it('one file reads clock, entropy and environment', () => {
    const others = sources.filter(
      (path) => !MAY_SAY_SYSTEM_WORDS.some((place) => path.startsWith(place)),
    )
    expect(others.flatMap((path) => matches(path, SYSTEM_WORDS))).toEqual([])
  })

  it('errors are caught where the table says', () => {
    const wrong = sources
      .filter((path) => !isUnder(path, Object.keys(MAY_CATCH)))
      .flatMap((path) => matches(path, /\bcatch\b/))
    expect(wrong).toEqual([])
  })

  it('C++ neither throws nor asks for types at run time', () => {
    const words = /\b(throw|try|catch|dynamic_cast|typeid)\b/
    expect(native.flatMap((path) => matches(path, words))).toEqual([])
  })

  it('tests wait for conditions, not for time', () => {
    const tests = files('test', '.ts', '.mjs', '.cc', '.h').filter(
      (path) => !isUnder(path, ['test/soak', 'test/tidy', ...Object.keys(MAY_WAIT)]),
    )
    const words =
      /\b(setTimeout|setInterval|sleep|sleep_for|sleep_until|usleep|nanosleep)\s*\(|\bAtomics\.wait\b/
    const modules = tests.filter((path) => /\.(ts|mjs)$/.test(path))
    const timers = modules.filter((path) => importsOf(path).includes('node:timers/promises'))
    expect([...timers, ...tests.flatMap((path) => matches(path, words))]).toEqual([])
  })
})

describe('tidy: files', () => {
  const written = [...sources, ...native.filter((path) => !path.startsWith('native/gen/'))]
  const ours = [...written, ...files('test', '.ts', '.cc', '.h'), ...files('bench', '.ts', '.cc')]

  it('names are snake_case', () => {
    const wrong = ours.filter(
      (path) => !/^[a-z0-9_]+(\.test|\.slow|\.d)?\.\w+$/.test(basename(path)),
    )
    expect(wrong).toEqual([])
  })

  it('every file opens by saying what it is', () => {
    const wrong = ours.filter((path) => !/^(#![^\n]*\n)?\/\/ \S/.test(text(path)))
    expect(wrong).toEqual([])
  })

  it('no file has outgrown its reader', () => {
    const wrong = ours
      .filter((path) => !(path in MAY_BE_LONG))
      .map((path) => ({ path, lines: text(path).split('\n').length - 1 }))
      .filter(({ lines }) => lines > LINES_MAX)
    expect(wrong).toEqual([])
  })

  it('a folder fits a screen', () => {
    const entries = new Map<string, Set<string>>()
    for (const path of [...sources, ...native]) {
      const parts = path.replace(/\.(h|cc)$/, '').split('/')
      for (let at = 1; at < parts.length; at++) {
        const folder = parts.slice(0, at).join('/')
        entries.set(folder, (entries.get(folder) ?? new Set()).add(parts[at]!))
      }
    }
    const wide = [...entries].filter(([folder, names]) => {
      return names.size > ENTRIES_MAX && !(folder in MAY_BE_WIDE)
    })
    expect(wide.map(([folder, names]) => `${folder}: ${names.size}`)).toEqual([])
  })

  it('nothing is left to be done', () => {
    const todo = new RegExp(`\\b(${'TO'}${'DO'}|${'FIX'}${'ME'}|${'XX'}${'X'})\\b`)
    expect(ours.flatMap((path) => matches(path, todo, text(path)))).toEqual([])
  })

  it('no file of src/ is dead', () => {
    const packageJson = JSON.parse(text('package.json'))
    const exported = Object.values<string | { default: string }>(packageJson.exports)
    const modules = exported.flatMap((entry) => (typeof entry === 'string' ? [] : entry.default))
    const built = [packageJson.bin.ottla as string, ...modules]
    const scripts = Object.values(packageJson.scripts as Record<string, string>)
    const run = scripts.flatMap((script) => script.match(/src\/[\w/]+\.ts/g) ?? [])
    const entries = built.map((path) => path.replace(/^(\.\/)?dist\/(.*)\.js$/, 'src/$2.ts'))
    const roots = new Set([...entries, ...run, ...Object.keys(TEST_ONLY_ROOTS)])
    expect([...roots].filter((path) => !exists(path))).toEqual([])
    const alive = new Set<string>()
    const visit = (path: string): void => {
      if (alive.has(path)) return
      alive.add(path)
      for (const name of importsOf(path)) if (name.startsWith('src/')) visit(name)
    }
    for (const root of roots) visit(root)
    expect(sources.filter((path) => !alive.has(path))).toEqual([])
  })

  it('no header of native/ is dead', () => {
    const included = new Set(
      [...native, ...files('test', '.cc', '.h'), ...files('bench', '.cc')].flatMap(includesOf),
    )
    const dead = native.filter((path) => path.endsWith('.h') && !included.has(path))
    expect(dead).toEqual([])
  })

  it('no row of the tables is dead', () => {
    const rows = [
      ...Object.keys(MAY_BE_LONG),
      ...Object.keys(MAY_BE_WIDE),
      ...Object.keys(MAY_WAIT),
      ...Object.keys(MAY_INCLUDE).map((row) => row.split(' ')[0]!),
      ...Object.keys(MAY_CATCH),
      ...Object.keys(MAY_IMPORT_MODULES),
    ]
    const unused = Object.keys(MAY_CATCH).filter(
      (row) => !files(...place(row)).some((path) => /\bcatch\b/.test(code(path))),
    )
    expect([...rows.filter((row) => !exists(row)), ...unused]).toEqual([])
  })

  it('no file names a machine', () => {
    const words = new RegExp(
      ['/work/', '/home/\\w', '/Users/\\w', '/root/', 'localhost:\\d+/(npm|pypi)'].join('|'),
    )
    const texts = files().filter(
      (path) =>
        /\.(ts|mjs|cc|h|md|json|ya?ml|sh|gyp|txt|java)$|^(Dockerfile|\.ci\/|\.githooks\/)/.test(
          path,
        ) && !isUnder(path, ['test/golden', 'test/tidy.test.ts']),
    )
    expect(texts.flatMap((path) => matches(path, words, text(path)))).toEqual([])
    const lock = JSON.parse(text('package-lock.json')).packages as Record<string, object>
    expect(Object.keys(lock).filter((name) => 'resolved' in lock[name]!)).toEqual([])
  })

  it('nothing of ours is ignored by git: a clone has what we have', () => {
    const folders = ['src', 'native', 'test', 'docs', 'bench']
    const { stdout } = spawnSync('git', ['status', '--porcelain', '--ignored', '--', ...folders], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    // In a container there is no git, and nothing to compare with.
    expect((stdout ?? '').split('\n').filter((line) => line.startsWith('!!'))).toEqual([])
  })

  it('the root stays near twenty entries', () => {
    const entries = new Set(files().map((path) => path.split('/')[0]))
    expect(entries.size).toBeLessThanOrEqual(24)
  })
})

/** A row that ends in a slash is a folder. */
function place(row: string): [string, ...string[]] {
  return row.endsWith('/') ? [row.slice(0, -1)] : [posix.dirname(row), `/${basename(row)}`]
}
