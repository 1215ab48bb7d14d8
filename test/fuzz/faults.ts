// Fault fuzzer: random histories of a partition on a disk that fails, against a model of what must survive: as it is
// (test/native/faults/history.h), compacted between (compaction.h), of raft (raft.h), with bits that flip (rot.h).
// Usage: node test/fuzz/faults.ts [seed] [runs] [disk | compacted | raft | bits]: so many seeds of each
// kind, or of one. The program is built through CMake without sanitizers, for their number; OTTLA_TRACE=1 with one run
// tells its story.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const folder = join('build', 'native')
const program = 'partition_faults_test'
/** The kinds of history, by the tests that run them. */
const KINDS = new Map([
  ['disk', 'whatever the disk does, what was acknowledged'],
  ['compacted', 'a log that is compacted'],
  ['raft', "raft's log"],
  ['bits', 'whatever bits flip'],
])

function run(command: string, args: string[], env: Record<string, string> = {}): void {
  const done = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (done.status === 0) return
  if (done.error !== undefined) console.error(done.error.message)
  process.exit(1)
}

const [seed = '1', runs = '1000', kind] = process.argv.slice(2)
const names = kind === undefined ? [...KINDS.values()] : [KINDS.get(kind)]
if (!/^\d+$/.test(seed) || !/^\d+$/.test(runs) || names[0] === undefined) {
  console.error(`node test/fuzz/faults.ts [seed] [runs] [${[...KINDS.keys()].join(' | ')}]`)
  process.exit(2)
}
run('cmake', ['-S', '.', '-B', folder])
run('cmake', ['--build', folder, '-j', '2', '--target', program])
for (const name of names) {
  run(join(folder, program), [name!], { OTTLA_SEED: seed, OTTLA_SEEDS: runs })
}
