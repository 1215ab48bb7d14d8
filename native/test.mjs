// `npm run native -- [address|thread|plain] [name]`: the native tests under ASan with UBSan, and under TSan; plain, as
// `npm test` has them, on the very library that the addon is made of. Each kind has a build folder of its own; a name
// is a regular expression of test files. Two jobs at most: sanitized compiles are large. Plain JavaScript, like its
// neighbours.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const sanitizers = ['address', 'thread']
const kinds = [...sanitizers, 'plain']
const jobs = '2'

const [first, ...rest] = process.argv.slice(2)
const chosen = kinds.includes(first) ? [first] : sanitizers
const name = kinds.includes(first) ? rest[0] : first

const run = (command, options) => {
  const done = spawnSync(command, options, {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
    },
  })
  if (done.error) console.error(`${command} cannot be run: ${done.error.message}`)
  if (done.status !== 0) {
    console.error(`\nfailed: ${command} ${options.join(' ')}`)
    process.exit(1)
  }
}

for (const kind of chosen) {
  const folder = join('build', `native-${kind}`)
  console.error(`native: ${kind}`)
  if (kind === 'plain') run(process.execPath, [join('native', 'build.mjs')])
  const options =
    kind === 'plain'
      ? [
          `-DOTTLA_CORE=${join(root, 'build', 'libottla_core.a')}`,
          '-DCMAKE_BUILD_TYPE=None',
          '-DCMAKE_CXX_FLAGS=-Og',
        ]
      : [`-DOTTLA_SANITIZE=${kind}`, '-DCMAKE_BUILD_TYPE=RelWithDebInfo']
  run('cmake', ['-S', '.', '-B', folder, ...options])
  run('cmake', ['--build', folder, '-j', jobs])
  run('ctest', ['--test-dir', folder, '--output-on-failure', '-j', jobs, ...(name ? ['-R', name] : [])])
}
