// clang-format over native/ and test/native/: `--check` fails on a difference, without it files are rewritten.
// Generated headers are left alone. Where clang-format is missing the check says so and fails.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const sources = ['native', 'test/native', 'test/fuzz/native', 'bench']
  .flatMap((root) => {
    try {
      return readdirSync(root, { recursive: true }).map((name) => join(root, name))
    } catch {
      return []
    }
  })
  .filter((name) => /\.(h|cc)$/.test(name) && !name.startsWith(join('native', 'gen')))
if (sources.length === 0) process.exit(0)
const mode = process.argv.includes('--check') ? ['--dry-run', '-Werror'] : ['-i']
const run = spawnSync('clang-format', [...mode, '--style=file', ...sources], { stdio: 'inherit' })
if (run.error) {
  console.error('clang-format is missing; type: sudo apt-get install -y clang-format')
  process.exit(1)
}
process.exit(run.status ?? 1)
