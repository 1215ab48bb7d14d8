// Fault fuzzer: random histories of a partition on a disk that fails, against a model of what must survive
// (test/native/fault_history.h). Usage: node test/fuzz/faults.ts [seed] [runs]. The program is built through CMake
// without sanitizers, for their number; OTTLA_TRACE=1 with one run tells its story.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const folder = join('build', 'native')
const program = 'partition_faults_test'

function run(command: string, args: string[], env: Record<string, string> = {}): void {
  const done = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (done.status === 0) return
  if (done.error !== undefined) console.error(done.error.message)
  process.exit(1)
}

const [seed = '1', runs = '1000'] = process.argv.slice(2)
if (!/^\d+$/.test(seed) || !/^\d+$/.test(runs)) {
  console.error('node test/fuzz/faults.ts [seed] [runs]')
  process.exit(2)
}
run('cmake', ['-S', '.', '-B', folder])
run('cmake', ['--build', folder, '-j', '2', '--target', program])
run(join(folder, program), ['whatever the disk does'], { OTTLA_SEED: seed, OTTLA_SEEDS: runs })
