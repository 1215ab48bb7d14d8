// `ottla dump-log`: which files, what each is by its name, and the verdict over it.
//
// Invariant: the exit code is 0 only when every file that was named was read to its end and nothing was wrong.

import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Output } from '../output/output.ts'
import { CliProblem, EXIT } from '../output/problems.ts'
import type { DumpOptions } from './command.ts'
import { FileWindow } from './file_window.ts'
import { type Fields, type FileType, type Finding, problem } from './findings.ts'
import { dumpOffsetIndex, dumpTimeIndex, dumpTransactionIndex } from './indexes.ts'
import { printEnd, printFinding, printTitle } from './print.ts'
import { decoderOf } from './records.ts'
import { dumpSegment, type SegmentCounts } from './segment.ts'
import { dumpCheckpoint, dumpProducerSnapshot, dumpText } from './small_files.ts'

/** Shows every file; the exit code. */
export async function dumpCommand(paths: readonly string[], options: DumpOptions): Promise<number> {
  const out = new Output(options)
  let isDamaged = false
  for (const path of paths.flatMap(filesOf)) {
    const isWhole = await dumpFile(path, options, out)
    isDamaged ||= !isWhole
  }
  return isDamaged ? EXIT.damaged : EXIT.ok
}

/** A file, or those of a directory that are known by their names, in order. */
function filesOf(path: string): string[] {
  const entry = statSync(path, { throwIfNoEntry: false })
  if (entry === undefined) throw new CliProblem(`${path} does not exist`, EXIT.usage)
  if (!entry.isDirectory()) {
    if (typeOf(path) !== null) return [path]
    const hint =
      'Known are .log, .index, .timeindex, .txnindex, .snapshot, checkpoints and the like.'
    throw new CliProblem(`${path}: the name does not say what it is`, EXIT.usage, hint)
  }
  const names = readdirSync(path).filter((name) => typeOf(name) !== null)
  if (names.length === 0) throw new CliProblem(`${path} has no file of a log`, EXIT.usage)
  return names.sort().map((name) => join(path, name))
}

/** What a file is by its name; suffixes of files that come and go may stand behind. */
export function typeOf(path: string): FileType | null {
  const name = basename(path).replace(/\.(deleted|cleaned|swap|tmp|part)$/, '')
  if (/^\d{20}\.log$/.test(name)) return 'segment'
  if (/^\d{20}\.index$/.test(name)) return 'offset-index'
  if (/^\d{20}\.timeindex$/.test(name)) return 'time-index'
  if (/^\d{20}\.txnindex$/.test(name)) return 'transaction-index'
  if (/^\d{20}\.snapshot$/.test(name)) return 'producer-snapshot'
  if (/^(\d{20}-\d{10}|bootstrap)\.checkpoint$/.test(name)) return 'snapshot'
  if (/-checkpoint$/.test(name)) return 'checkpoint'
  const texts = ['partition.metadata', 'meta.properties', 'quorum-state', '.kafka_cleanshutdown']
  return texts.includes(name) ? 'text' : null
}

/** The topic of the directory a file is in: its name without partition and suffix. */
function topicOf(path: string): string | null {
  const name = basename(dirname(resolve(path))).replace(/\.[0-9a-f]{32}-(delete|future|stray)$/, '')
  return /^(.+)-\d+$/.exec(name)?.[1] ?? null
}

async function dumpFile(path: string, options: DumpOptions, out: Output): Promise<boolean> {
  const type = typeOf(path)!
  const counts: SegmentCounts = {
    batches: 0,
    records: 0,
    firstOffset: null,
    lastOffset: null,
    validBytes: 0,
  }
  let entries = 0
  let problems = 0
  let size = 0
  const tell = async (finding: Finding): Promise<void> => {
    if (finding.kind === 'problem') problems++
    if (finding.kind === 'entry') entries++
    if (options.quiet !== true || finding.kind === 'problem') {
      await printFinding(out, path, finding)
    }
  }
  try {
    using file = new FileWindow(path)
    size = file.length
    await printTitle(out, { path, type, size }, options.quiet === true)
    for (const finding of findingsOf(file, type, options, counts)) {
      await tell(finding)
      out.progress(() => `${path}: ${Math.floor((counts.validBytes / size) * 100)} %`)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    await tell(problem('unreadable', 0, (error as Error).message))
  }
  const isRecords = type === 'segment' || type === 'snapshot'
  const summary: Fields = isRecords ? { ...counts } : { entries }
  await printEnd(out, { path, type, size, ...summary, problems, isWhole: problems === 0 })
  return problems === 0
}

function findingsOf(
  file: FileWindow,
  type: FileType,
  options: DumpOptions,
  counts: SegmentCounts,
): Iterable<Finding> {
  const name = basename(file.path)
  const baseOffset = type === 'snapshot' ? 0 : Number(name.slice(0, 20))
  switch (type) {
    case 'segment':
    case 'snapshot': {
      const auto = type === 'snapshot' ? 'metadata' : decoderOf(topicOf(file.path))
      return dumpSegment(
        file,
        {
          baseOffset,
          records: options.records === true && options.quiet !== true,
          decoder: options.as === 'auto' ? auto : options.as,
          from: options.from ?? 0,
          to: options.to ?? Number.MAX_SAFE_INTEGER,
        },
        counts,
      )
    }
    case 'offset-index':
      return dumpOffsetIndex(file, baseOffset)
    case 'time-index':
      return dumpTimeIndex(file, baseOffset)
    case 'transaction-index':
      return dumpTransactionIndex(file)
    case 'producer-snapshot':
      return dumpProducerSnapshot(file)
    case 'checkpoint':
      return dumpCheckpoint(file, name)
    case 'text':
      return dumpText(file)
  }
}
