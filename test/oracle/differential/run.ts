// Asks Apache Kafka 4.3.1 and Ottla the same questions and compares the answers; needs JDK 17, takes a few minutes.
//   node test/oracle/differential/run.ts [--only CHAPTER] [--verbose]
//
// Prints every difference that nobody explained, and a table of calls, equal, explained and unexplained answers.
// Fails when something is unexplained, or an explanation explains nothing.

import { CHAPTERS } from './chapters.ts'
import { EXPLAINED } from './explained.ts'
import { startSides } from './sides.ts'
import { type Difference, Talk } from './talk.ts'

const args = process.argv.slice(2)
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined

const ROWS_SHOWN = 12

/** Settings of both: small enough to reach limits with few bytes. */
const CONFIG = {
  'num.partitions': 2,
  'message.max.bytes': 20_000,
  'max.request.partition.size.limit': 7,
  'metadata.max.idle.interval.ms': 0,
}

await using stack = new AsyncDisposableStack()
const [kafka, ottla] = await startSides(CONFIG, stack)
const talk = new Talk(kafka, ottla)
talk.isVerbose = args.includes('--verbose')
for (const [name, chapter] of Object.entries(CHAPTERS)) {
  if (only !== undefined && !only.split(',').includes(name)) continue
  const began = Date.now()
  await chapter(talk).catch((problem: Error) => {
    console.error(problem)
    process.exitCode = 1
  })
  console.log(`${name}: ${Date.now() - began} ms`)
}
report(talk)
for (const line of ottla.complaints) console.log(line)

function report({ counts, differences }: Talk): void {
  const open = differences.filter(({ explained }) => explained === null)
  for (const [what, rows] of groups(open)) {
    const more = rows.length > ROWS_SHOWN ? [`and ${rows.length - ROWS_SHOWN} more`] : []
    console.log(`\n${what}\n  ${[...rows.slice(0, ROWS_SHOWN), ...more].join('\n  ')}`)
  }
  console.log('\nAPI                          calls  equal  explained  unexplained')
  let unexplained = 0
  for (const [api, count] of [...counts, ['all', total(counts)] as const]) {
    const cells = [count.calls, count.equal, count.explained, count.unexplained]
    const [calls, equal, explained, left] = cells.map(String) as [string, string, string, string]
    console.log(
      `${api.padEnd(28)} ${calls.padStart(5)}  ${equal.padStart(5)}  ${explained.padStart(9)}  ${left.padStart(11)}`,
    )
    unexplained = count.unexplained
  }
  const idle = only === undefined ? EXPLAINED.filter(({ used }) => used !== true) : []
  for (const { why, api, label, path } of idle) {
    console.log(`explains nothing: ${api ?? 'any'} ${label ?? ''} ${path ?? ''}: ${why}`)
  }
  if (unexplained > 0 || idle.length > 0) process.exitCode = 1
}

function total(counts: Talk['counts']) {
  const sum = { calls: 0, equal: 0, explained: 0, unexplained: 0 }
  for (const count of counts.values()) {
    sum.calls += count.calls
    sum.equal += count.equal
    sum.explained += count.explained
    sum.unexplained += count.unexplained
  }
  return sum
}

/** Differences by question, versions with the same rows together. */
function groups(differences: readonly Difference[]): Map<string, string[]> {
  const byRow = new Map<string, number[]>()
  for (const { api, label, path, kafka, ottla, version } of differences) {
    const general = path.replaceAll(`-${version}]`, '-V]')
    const row = JSON.stringify([`${api}: ${label}`, `${general}: kafka ${kafka} | ottla ${ottla}`])
    byRow.set(row, [...(byRow.get(row) ?? []), version])
  }
  const out = new Map<string, string[]>()
  for (const [key, versions] of byRow) {
    const [what, row] = JSON.parse(key) as [string, string]
    const range = versions.length === 1 ? versions[0] : `${versions[0]}-${versions.at(-1)}`
    out.set(what, [...(out.get(what) ?? []), `v${range} ${row}`])
  }
  return out
}
