// Where a run's results are, and writing them: JSON with every slice, the page, and, to be kept, a summary by commit.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Facts } from '../harness/store.ts'
import { drawCharts } from './charts.ts'
import { compare } from './compare.ts'
import { chartsOf, page, type Run, type Summary } from './report.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HISTORY = join(ROOT, 'bench', 'history')

/** A folder of its own for what is measured and each way of asking. */
export function resultsFolder(facts: Facts, asked: string, isFresh: boolean): string {
  const name = `${facts.sources}${facts.isClean ? '' : '-changed'}-${asked}`.replaceAll(
    /[^\w.-]+/g,
    '_',
  )
  const folder = join(ROOT, 'build', 'bench', 'results', name)
  if (isFresh) rmSync(folder, { recursive: true, force: true })
  return folder
}

/** What was kept of earlier commits, oldest first. */
export function readHistory(folder = HISTORY): Summary[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  const all = names.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Summary)
  return all.sort((a, b) => (a.at < b.at ? -1 : 1))
}

/** Writes report.json and report.html; `isKept`: a summary to bench/history/ too. */
export async function writeReport(run: Run, folder: string, isKept: boolean): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const { facts, settings, slices, arms, targets } = run
  if (isKept) {
    mkdirSync(HISTORY, { recursive: true })
    const summary: Summary = {
      at: new Date().toISOString(),
      facts,
      settings,
      compared: compare(slices, arms),
      ...(targets === undefined ? {} : { targets }),
    }
    const path = join(HISTORY, `${facts.commit}.json`)
    writeFileSync(path, `${JSON.stringify(summary, null, 1)}\n`)
  }
  writeFileSync(join(folder, 'report.json'), JSON.stringify(run))
  const charts = await drawCharts(chartsOf(run, readHistory()))
  writeFileSync(join(folder, 'report.html'), page(run, charts))
  const isVoid = slices.filter((slice) => slice.void.length > 0).length
  console.log(`${slices.length} slices, ${isVoid} void; the page: ${join(folder, 'report.html')}`)
}
