// The native programs of the benchmark, built by CMake into a folder that git ignores: the load generator, the bare pipe.
// About half a minute the first time; nothing when no source has changed.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Paths of what was built. */
export interface Programs {
  readonly load: string
  readonly barePipe: string
  readonly loadTest: string
}

const run = (...args: string[]) =>
  execFileSync('cmake', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })

/** Builds them; throws with the compiler's words. */
export function buildPrograms(): Programs {
  const folder = join(ROOT, 'build', 'bench')
  run('-S', join(ROOT, 'bench', 'load'), '-B', folder)
  run('--build', folder, '-j', '2')
  return {
    load: join(folder, 'load'),
    barePipe: join(folder, 'bare_pipe'),
    loadTest: join(folder, 'load_test'),
  }
}

/** Builds native/micro.cc with the whole native core, optimized: minutes the first time. */
export function buildMicro(): string {
  const folder = join(ROOT, 'build', 'bench-native')
  run('-S', ROOT, '-B', folder, '-DOTTLA_BENCH=ON', '-DCMAKE_BUILD_TYPE=Release')
  run('--build', folder, '--target', 'micro', '-j', '2')
  return join(folder, 'micro')
}
