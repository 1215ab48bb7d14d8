// What is served, and the committed scores of test/conformance/ → docs/reference/conformance.md: what of Apache Kafka
// a client finds here, and how other people's tests of it end. Scores are measured by `npm run conformance`.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServedApis } from '../broker/dispatch.ts'
import { brokerApis } from '../broker/served.ts'
import { apis } from '../protocol/apis.ts'
import type { Api } from '../protocol/dsl.ts'

/** Where the reference lives, from the repository's root. */
export const conformancePath = 'docs/reference/conformance.md'

const results = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  'test/conformance/results',
)

/** A suite's score, as its run wrote it and as it is committed. */
export interface Score {
  readonly suite: string
  readonly version: string
  readonly about: string
  readonly kafka: string
  readonly date: string
  /** Of the counted tests. */
  readonly passed: number
  readonly of: number
  readonly failed: readonly string[]
  /** Failed in the row and passed when run once more. */
  readonly passed_alone: readonly string[]
  /** Tests that Apache Kafka passes and that are not counted. */
  readonly left_out: number
}

/** The scores by suite, what fails in each, and the versions of each api. */
export function emitConformance(): string {
  const scores = readScores()
  // Handlers only keep the node; none looks at it before a request.
  const served = brokerApis({} as never)
  return `# Conformance

Generated from \`src/broker/served.ts\` and \`test/conformance/results/\` by \`npm run gen\`; do not edit.

## Clients

Other people's tests, and other people's clients and tools, run by \`npm run conformance -- SUITE\`. A score is what
passes here of what Apache Kafka passes with the same command on the same machine. Skipped, timed out and missing count
as failed. Tests are left out only for an API that is not built, which \`denominator.json\` beside each suite names;
\`FINDINGS.md\` beside it explains each failure. "Alone" counts the tests that failed in the row and passed when run once
more.

| Suite | Version | What | Passed | Of Kafka's | Score | Alone | Left out | Kafka | Date |
|---|---|---|---:|---:|---:|---:|---:|---|---|
${scores.map(scoreRow).join('\n')}

${scores.map(failures).join('')}## APIs

The versions that a broker listener serves, beside those of Apache Kafka 4.3. Empty: not served, and not advertised.
Both advertise Produce from 0, which old clients want, and refuse 0 to 2.

| Key | API | Ottla | Apache Kafka |
|---:|---|---|---|
${[...apis.values()]
  .filter(({ listeners, valid }) => listeners.includes('broker') && valid.max >= valid.min)
  .map((api) => `| ${api.key} | ${api.name} | ${servedRange(served, api.key)} | ${stable(api)} |`)
  .join('\n')}
`
}

function readScores(): Score[] {
  if (!existsSync(results)) return []
  return readdirSync(results)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(results, name), 'utf8')) as Score)
}

function scoreRow(score: Score): string {
  const { suite, version, about, passed, of, passed_alone, left_out, kafka, date } = score
  const percent = of === 0 ? '' : `${((100 * passed) / of).toFixed(1)} %`
  const cells = [suite, version, about, passed, of, percent, passed_alone.length, left_out]
  return `| ${[...cells, kafka, date].join(' | ')} |`
}

function failures({ suite, failed }: Score): string {
  if (failed.length === 0) return ''
  return `### Not passed: ${suite}\n\n${failed.map((name) => `- ${name}\n`).join('')}\n`
}

function servedRange(served: ServedApis, key: number): string {
  const row = served.rows().find(({ apiKey }) => apiKey === key)
  return row === undefined ? '' : range(row.minVersion, row.maxVersion)
}

function stable({ valid, latestUnstable }: Api): string {
  const max = latestUnstable ? valid.max - 1 : valid.max
  return max < valid.min ? 'not stable' : range(valid.min, max)
}

function range(min: number, max: number): string {
  return min === max ? String(min) : `${min}–${max}`
}
