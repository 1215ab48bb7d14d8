// A program that copies transactionally by some library (copier.mjs, copier.go), in processes that follow each other: one that
// gives up is replaced at once, under the same name, so that it takes over what the last one left open.

import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CONFLUENT_HOME, installConfluent, SYSTEM_PATH } from '../../clients/confluent.ts'
import { ROOT, runCommand } from '../../support/commands.ts'

export const LIBRARIES = ['kafkajs', 'librdkafka', 'franz-go'] as const
export type Library = (typeof LIBRARIES)[number]

const FOLDER = join(ROOT, 'test/integration/crash/copiers')
const GO_HOME = join(ROOT, '.cache/copiers')
const GO_PROGRAM = join(GO_HOME, 'copier')
const FRANZ_GO = 'github.com/twmb/franz-go@v1.21.5'

/** Compiles what a library needs, once. */
export async function install(library: Library): Promise<void> {
  if (library === 'librdkafka') await installConfluent()
  if (library !== 'franz-go') return
  const source = join(FOLDER, 'copier.go')
  const built = statSync(GO_PROGRAM, { throwIfNoEntry: false })
  if (built !== undefined && built.mtimeMs > statSync(source).mtimeMs) return
  mkdirSync(GO_HOME, { recursive: true })
  writeFileSync(join(GO_HOME, 'go.mod'), 'module copier\n\ngo 1.25\n')
  copyFileSync(source, join(GO_HOME, 'main.go'))
  const options = {
    cwd: GO_HOME,
    env: { GOFLAGS: '-mod=mod -buildvcs=false' },
    timeoutMs: 1_200_000,
  }
  await runCommand('go', ['get', FRANZ_GO], options)
  await runCommand('go', ['build', '-p', '2', '-o', GO_PROGRAM, '.'], options)
}

/** One copier, in one process after the other. */
export class Copier implements AsyncDisposable {
  readonly library: Library
  /** Its group and its transactional id. */
  readonly name: string
  readonly output: string
  commits = 0
  aborts = 0
  /** Transactions it had to give up. */
  failures = 0
  processes = 0
  /** What processes said that gave up. */
  readonly complaints: string[] = []
  private readonly address: string
  private readonly input: string
  private child: ChildProcess | null = null
  private isStopped = false

  constructor(library: Library, address: string, input: string) {
    this.library = library
    this.address = address
    this.input = input
    this.name = `copier-${library}`
    this.output = `output-${library}`
    this.start()
  }

  private start(): void {
    const { library, address, input, output, name } = this
    const args = [address, input, output, name]
    const program = join(FOLDER, 'copier.mjs')
    const [command, words, path] =
      library === 'franz-go'
        ? [GO_PROGRAM, args, process.env['PATH']]
        : library === 'kafkajs'
          ? [process.execPath, [program, library, ...args], process.env['PATH']]
          : ['node', [program, library, ...args, CONFLUENT_HOME], SYSTEM_PATH]
    this.processes++
    const child = spawn(command, words, {
      cwd: ROOT,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child = child
    let complaint = ''
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'commit') this.commits++
      else if (line === 'abort') this.aborts++
      else if (line === 'failed') this.failures++
    })
    child.stderr.on('data', (bytes) => {
      complaint = (complaint + bytes).slice(-2000)
    })
    child.once('exit', () => {
      if (this.isStopped) return
      this.complaints.push(complaint.trim().split('\n')[0] ?? '')
      this.start()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isStopped = true
    const { child } = this
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exit = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exit
  }
}
