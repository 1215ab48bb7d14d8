// Builds the addon: build/Release/ottla.node, through cmake-js and node-api-headers, with no download.
// `node native/build.mjs` does nothing when the addon is newer than every native source; `--check` only says
// (exit code 1: stale); `--force` builds always. Plain JavaScript for Node 20: it runs before anything is
// installed but the dependencies. This is also the package's install script.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const addon = join(root, 'build', 'Release', 'ottla.node')
const roundsMax = 3
const packages = 'libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev'

// Directories count too: a removed file changes its directory only.
const changedSince = (ms) =>
  readdirSync(join(root, 'native'), { recursive: true })
    .map((name) => join(root, 'native', name))
    .concat(join(root, 'CMakeLists.txt'))
    .filter((path) => {
      const info = statSync(path, { throwIfNoEntry: false })
      const counts = info?.isDirectory() || /\.(cc|h|map|txt)$/.test(path)
      return info && counts && info.mtimeMs > ms
    })
const isFresh = () => existsSync(addon) && changedSince(statSync(addon).mtimeMs).length === 0

const refuse = (what, line) => {
  console.error(`ottla: the native addon cannot be built: ${what}`)
  if (line) console.error(`On Debian and Ubuntu type: ${line}`)
  process.exit(1)
}

const requireTools = () => {
  const runs = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
  if (!runs('cmake')) refuse('cmake is missing.', 'apt-get install -y cmake')
  if (!runs(process.env.CXX ?? 'c++') && !runs('g++') && !runs('clang++')) {
    refuse('a C++20 compiler is missing.', 'apt-get install -y g++')
  }
}

const cmakeJs = () => {
  const require = createRequire(join(root, 'package.json'))
  try {
    return join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js')
  } catch {
    return refuse('cmake-js is not installed; run npm install first.')
  }
}

const run = (verb, more = []) => {
  const options = ['--directory', root, '--out', join(root, 'build'), '--log-level', 'error', ...more]
  const done = spawnSync(process.execPath, [cmakeJs(), verb, ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  })
  if (done.status === 0) return
  console.error(done.stdout + done.stderr)
  const codec = /lib\w+\.a is missing/.exec(done.stderr + done.stdout)
  if (codec) refuse(`${codec[0]}.`, `apt-get install -y ${packages}`)
  refuse(`cmake-js ${verb} failed; the compiler's words are above.`)
}

const wants = process.argv.slice(2)
if (wants.includes('--check')) process.exit(isFresh() ? 0 : 1)
if (wants.includes('--force') || !isFresh()) {
  requireTools()
  console.error('ottla: building the native addon (about a minute, once)')
  for (let round = 0; round < roundsMax; round += 1) {
    const began = Date.now()
    run('configure')
    run('build', ['--parallel', String(availableParallelism())])
    // A source saved while it was being compiled looks older than its object: make it newer, once more.
    const changed = changedSince(began).filter((path) => statSync(path).isFile())
    if (changed.length === 0) break
    const now = new Date()
    for (const path of changed) utimesSync(path, now, now)
  }
  if (!isFresh()) utimesSync(addon, new Date(), new Date())  // a changed directory links nothing anew
}
