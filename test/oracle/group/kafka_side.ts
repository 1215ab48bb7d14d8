// Kafka's side of a story: a program beside this file (Shard.java and one of its kinds), compiled into the package of Kafka's classes, is told every command
// of the story and says what came of each; and a difference as a reader sees it, with what led to it.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const LIBS = fileURLToPath(new URL('../../../.cache/kafka-4.3.1/libs/', import.meta.url))
const HERE = fileURLToPath(new URL('.', import.meta.url))
/** Commands before a difference that are shown. */
const SHOWN_BEFORE = 12

/** A line of a story. */
export interface Line {
  readonly command: Readonly<Record<string, unknown>>
}

/** What `program` says of each command; a line of JSON for each. */
export function tellKafka<Heard>(
  program: 'Coordinator' | 'Consumers',
  told: readonly Line[],
): Heard[] {
  if (!existsSync(LIBS)) throw new Error(`the jars of Apache Kafka 4.3.1 are needed in ${LIBS}`)
  const classes = mkdtempSync(join(tmpdir(), 'ottla-group-'))
  const path = `${LIBS}*`
  const sources = [program, 'Shard'].map((name) => join(HERE, `${name}.java`))
  run('javac', ['-nowarn', '-cp', path, '-d', classes, ...sources], '')
  const script = told.map(({ command }) => JSON.stringify(command)).join('\n')
  const main = `org.apache.kafka.coordinator.group.${program}`
  const said = run('java', ['-Xmx512m', '-cp', `${classes}:${path}`, main], `${script}\n`)
  rmSync(classes, { recursive: true })
  const lines = said.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Heard)
}

function run(command: string, words: string[], input: string): string {
  const done = spawnSync(command, words, { input, encoding: 'utf8', maxBuffer: 2 ** 30 })
  if (done.status !== 0) throw new Error(done.stdout.slice(-2000) + done.stderr.slice(-4000))
  return done.stdout
}

/** Prints what the two sides say of the command at `index`. */
export function printDifference(
  told: readonly Line[],
  index: number,
  seed: number,
  ours: unknown,
  kafkas: unknown,
): void {
  const before = told.slice(Math.max(index - SHOWN_BEFORE, 0), index)
  for (const each of before) console.log(`  ${JSON.stringify(each.command)}`)
  console.log(`seed ${seed}: ${JSON.stringify(told[index]!.command)}`)
  console.log(`  ours:  ${JSON.stringify(ours)}`)
  console.log(`  Kafka: ${JSON.stringify(kafkas)}`)
}
