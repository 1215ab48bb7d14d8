// `npm run integration [-- NAME…]`: the integration tests that take minutes, Apache Kafka among them; a name is part
// of a path. Fast ones run in `npm test`.

import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { installKafka } from '../oracle/kafka/kafka.ts'
import { ROOT } from './support/commands.ts'

await installKafka()
// What users run is compiled: startup.slow.ts measures that.
const built = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
if (built.status !== 0) process.exit(1)
const vitest = join(
  dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
  'vitest.mjs',
)
const config = join(ROOT, 'test/integration/slow_config.ts')
const args = [vitest, 'run', '--root', ROOT, '--config', config, ...process.argv.slice(2)]
process.exitCode = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }).status ?? 1
