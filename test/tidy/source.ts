// What tidy reads: the repository's own files, and their code without comments and strings.
//
// Invariant: what is built, downloaded or somebody's data is never looked at (the names of .gitignore), so the same
// files are checked in a clone, in a working copy and in a container without git.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

const IGNORED = new Set([
  'node_modules',
  'build',
  'dist',
  'data',
  '.cache',
  '.git',
  '.vitest',
  'coverage',
])

function walk(directory: string, into: string[]): void {
  for (const entry of readdirSync(join(ROOT, directory), { withFileTypes: true })) {
    if (IGNORED.has(entry.name)) continue
    const path = posix.join(directory, entry.name)
    if (entry.isDirectory()) walk(path, into)
    else into.push(path)
  }
}

let all: string[] | null = null

/** Every file below `folder` whose name ends in one of `endings`; paths are relative to the root. */
export function files(folder = '.', ...endings: string[]): string[] {
  if (all === null) {
    const found: string[] = []
    walk('.', found)
    all = found.filter((path) => !/^[^/]*\.(tgz|log)$/.test(path)).sort()
  }
  return all.filter(
    (path) =>
      (folder === '.' || path.startsWith(`${folder}/`)) &&
      (endings.length === 0 || endings.some((ending) => path.endsWith(ending))),
  )
}

/** A file's text. */
export function text(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** True where a file or a folder of the repository has this path. */
export function exists(path: string): boolean {
  const clean = path.replace(/\/$/, '')
  return files().some((file) => file === clean || file.startsWith(`${clean}/`))
}

// In order: comments, strings (templates whole), regular expressions where a value may begin. C++ digit separators
// (1'000) are eaten as part of the number.
const NOT_CODE = new RegExp(
  [
    String.raw`\/\/[^\n]*`,
    String.raw`\/\*[\s\S]*?\*\/`,
    String.raw`\b\d[\w']*`,
    String.raw`"(?:\\.|[^"\\\n])*"`,
    String.raw`'(?:\\.|[^'\\\n])*'`,
    '`(?:\\\\[\\s\\S]|[^`\\\\])*`',
    String.raw`(?<=[(,=:[!&|?{};]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*`,
  ].join('|'),
  'g',
)

/** A file's code: comments are gone, strings are empty, line numbers stay. */
export function code(path: string): string {
  return text(path).replace(NOT_CODE, (found) => {
    if (/^\d/.test(found)) return found
    if (found[0] === '`') return templateCode(found)
    return found.replace(/[^\n]/g, ' ')
  })
}

/** What a template computes is code; what it says is not. */
function templateCode(template: string): string {
  let out = ''
  let depth = 0
  for (let at = 0; at < template.length; at++) {
    const char = template[at]!
    if (depth === 0 && char === '$' && template[at + 1] === '{') depth = 1
    else if (depth > 0 && char === '{' && template[at - 1] !== '$') depth++
    else if (depth > 0 && char === '}') depth--
    out += depth > 0 || char === '\n' ? char : ' '
  }
  return out
}

/** `path:line: line` for every match in the code of a file. */
export function matches(path: string, pattern: RegExp, of: string = code(path)): string[] {
  const lines = of.split('\n')
  return lines.flatMap((line, index) =>
    pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 100)}`] : [],
  )
}

/** The files a TypeScript file imports: repository paths for relative ones, else as written. */
export function importsOf(path: string): string[] {
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g
  return [...text(path).matchAll(pattern)].map(([, name]) =>
    name!.startsWith('.') ? posix.join(posix.dirname(path), name!) : name!,
  )
}

/** The repository's files that a C++ file includes; system headers as `<name>`. */
export function includesOf(path: string): string[] {
  return [...text(path).matchAll(/^\s*#\s*include\s+(?:"([^"]+)"|(<[^>]+>))/gm)].map(
    ([, quoted, system]) => {
      if (system !== undefined) return system
      const beside = posix.join(posix.dirname(path), quoted!)
      return exists(beside) ? beside : posix.join('native', quoted!)
    },
  )
}
