// `npm run fuzz -- <target> [seed] [inputs]`: one fuzzer; `smoke` runs each of them briefly, `all` a million inputs each.
//
// Targets are found by their files: test/fuzz/*.ts run under Node, test/fuzz/native/*.cc under libFuzzer with
// sanitizers (clang++, built here through CMake). Each fuzzer prints what replays its finding.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../..')
const buildFolder = join(root, 'build', 'fuzz')

/** Inputs of a smoke run; native fuzzers are a few times faster. */
const SMOKE = { node: 20_000, native: 100_000 }
/** Inputs of a full run. */
const FULL = 1_000_000
/** Steps of one differential run are verbs of one cluster's life, so fewer make a run. */
const SLOW = new Set(['plane', 'faults'])
const SLOW_SHARE = 100

const names = (folder: string, ending: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(ending) && !name.startsWith('main.'))
    .map((name) => basename(name, ending))
    .sort()

/** A file of this folder that reads its arguments is a target; the others are parts of one. */
const nodeTargets = names(here, '.ts').filter((name) =>
  readFileSync(join(here, `${name}.ts`), 'utf8').includes('process.argv'),
)
const nativeTargets = names(join(here, 'native'), '.cc').map((name) => `native/${name}`)
const targets = [...nodeTargets, ...nativeTargets]

function run(command: string, args: string[]): void {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (done.error === undefined && done.status === 0) return
  console.error(done.error?.message ?? `failed: ${command} ${args.join(' ')}`)
  process.exit(1)
}

/** clang++ by the names Debian gives it; libFuzzer is part of clang. */
function clang(): string {
  const found = ['clang++', 'clang++-19', 'clang++-18', 'clang++-16', 'clang++-14'].find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  )
  if (found !== undefined) return found
  console.error('native fuzzers need clang; type: sudo apt-get install -y clang')
  process.exit(1)
}

let isConfigured = false
function build(name: string): string {
  if (!isConfigured) {
    const options = [`-DCMAKE_CXX_COMPILER=${clang()}`, '-DOTTLA_FUZZ=ON']
    run('cmake', ['-S', '.', '-B', buildFolder, ...options])
    isConfigured = true
  }
  run('cmake', ['--build', buildFolder, '-j', '2', '--target', `fuzz_${name}`])
  return join(buildFolder, `fuzz_${name}`)
}

function fuzz(target: string, seed: number, inputs: number, more: string[] = []): void {
  console.error(`fuzz: ${target}, seed ${seed}, ${inputs} inputs`)
  if (!target.startsWith('native/')) {
    run(process.execPath, [join(here, `${target}.ts`), String(seed), String(inputs), ...more])
    return
  }
  const name = basename(target)
  const program = build(name)
  // Interesting inputs are kept between runs; a finding is written beside them.
  const corpus = join(buildFolder, 'corpus', name)
  mkdirSync(corpus, { recursive: true })
  run(program, [
    corpus,
    `-seed=${seed}`,
    `-runs=${inputs}`,
    '-max_len=2048',
    '-timeout=10',
    '-print_final_stats=1',
    '-verbosity=0',
    '-entropic=0', // its bookkeeping costs more than short inputs do
    `-artifact_prefix=${join(buildFolder, `${name}-`)}`,
  ])
}

function inputsOf(target: string, mode: 'smoke' | 'all'): number {
  const inputs = mode === 'all' ? FULL : SMOKE[target.startsWith('native/') ? 'native' : 'node']
  return SLOW.has(target) ? inputs / SLOW_SHARE : inputs
}

const [target = '', seedText = '1', inputsText, ...more] = process.argv.slice(2)
const seed = Number(seedText)
const inputs = inputsText === undefined ? null : Number(inputsText)
const isWhole = target === 'smoke' || target === 'all'
if (!(isWhole || targets.includes(target)) || !Number.isInteger(seed) || Number.isNaN(inputs)) {
  console.error(`npm run fuzz -- <${['smoke', 'all', ...targets].join(' | ')}> [seed] [inputs]`)
  process.exit(2)
}
for (const each of isWhole ? targets : [target]) {
  fuzz(each, seed, inputs ?? inputsOf(each, target === 'smoke' ? 'smoke' : 'all'), more)
}
