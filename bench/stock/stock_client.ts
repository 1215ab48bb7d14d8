// Builds bench/stock/stock_client.cc against the librdkafka whose sources come in an npm package, into a folder that git
// ignores. Takes about two minutes the first time, nothing afterwards.

import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const PACKAGE = '@confluentinc/kafka-javascript@1.10.1'
const LIBRARIES = ['curl', 'sasl2', 'ssl', 'crypto', 'z', 'zstd', 'lz4', 'dl', 'pthread', 'm']

/** The path of the built client. */
export function stockClient(root: string): string {
  const home = join(root, '.cache', 'bench')
  const program = join(home, 'stock_client')
  if (existsSync(program)) return program
  mkdirSync(join(home, 'include', 'librdkafka'), { recursive: true })
  const run = (command: string, args: readonly string[], cwd: string) =>
    execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  const source = join(home, 'package', 'deps', 'librdkafka')
  if (!existsSync(join(source, 'src', 'librdkafka.a'))) {
    run('npm', ['pack', '--silent', PACKAGE], home)
    const archive = readdirSync(home).find((name) => name.endsWith('.tgz'))!
    run('tar', ['xzf', archive, 'package/deps/librdkafka'], home)
    run('sh', ['-c', 'chmod +x configure lds-gen.py && ./configure && make -j2 libs'], source)
  }
  copyFileSync(join(source, 'src', 'rdkafka.h'), join(home, 'include', 'librdkafka', 'rdkafka.h'))
  const libraries = [join(source, 'src', 'librdkafka.a'), ...LIBRARIES.map((name) => `-l${name}`)]
  const options = ['-std=c++20', '-O2', '-isystem', join(home, 'include')]
  const code = join(root, 'bench', 'stock', 'stock_client.cc')
  run('g++', [...options, code, '-o', program, ...libraries], home)
  return program
}
