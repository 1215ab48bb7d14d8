// Findings of dump-log as lines: JSON as they are, or text with what matters first.

import { formatJson, type Json } from '../../protocol/json.ts'
import type { Output } from '../output/output.ts'
import { formatBytes, formatTime, printable } from '../output/text.ts'
import type { Fields, Finding } from './findings.ts'

/** The line before a file's findings. */
export async function printTitle(out: Output, file: Fields, isQuiet: boolean): Promise<void> {
  if (isQuiet) return
  if (out.isJson) return await out.write(`${formatJson({ kind: 'file', ...file })}\n`)
  const { path, type, size } = file as { path: string; type: string; size: number }
  const what = `${type}, ${formatBytes(size)}`
  await out.write(`${out.paint.strong(printable(path))}  ${what}\n`)
}

/** The verdict over a file. */
export async function printEnd(out: Output, file: Fields): Promise<void> {
  if (out.isJson) return await out.write(`${formatJson({ kind: 'end', ...file })}\n`)
  const { path, isWhole, problems } = file as { path: string; isWhole: boolean; problems: number }
  const verdict = isWhole
    ? out.paint.good('whole')
    : out.paint.bad(problems === 1 ? '1 problem' : `${problems} problems`)
  await out.write(`${printable(path)}: ${verdict}, ${extent(file)}\n`)
}

function extent(file: Fields): string {
  if (file['batches'] === undefined) return `${file['entries']} entries`
  const counted = `${file['batches']} batches, ${file['records']} records`
  if (file['firstOffset'] === null) return `${counted}`
  return `${counted}, offsets ${file['firstOffset']} to ${file['lastOffset']}`
}

/** One finding. */
export async function printFinding(out: Output, path: string, finding: Finding): Promise<void> {
  await out.write(`${out.isJson ? formatJson(asJson(path, finding)) : asText(out, finding)}\n`)
}

function asJson(path: string, finding: Finding): Json {
  if (!('fields' in finding)) return { ...finding, path }
  // Large files have many lines: the file is named before and behind them, not on each.
  return { kind: finding.kind, ...finding.fields }
}

function asText(out: Output, finding: Finding): string {
  switch (finding.kind) {
    case 'batch':
      return batchText(out, finding.fields)
    case 'record':
      return recordText(out, finding.fields)
    case 'entry':
      return `  ${pairs(finding.fields)}`
    case 'note':
      return `  ${out.paint.warn('note')} ${printable(finding.message)}`
    case 'problem':
      return `  ${out.paint.bad(finding.problem)} ${printable(finding.message)}`
  }
}

function batchText(out: Output, f: Fields): string {
  const isControl = f['isControl'] === true
  const parts = [
    `offsets ${f['baseOffset']} to ${f['lastOffset']}`,
    `${f['count']} records`,
    `${f['size']} bytes at ${f['position']}`,
    `epoch ${f['leaderEpoch']}`,
    f['timestampType'] === 'LogAppendTime' ? `append ${time(f)}` : time(f),
  ]
  if (f['compression'] !== 'none') parts.push(String(f['compression']))
  if (f['producerId'] !== -1) {
    const sequences =
      f['baseSequence'] === -1 ? '' : ` ${f['baseSequence']} to ${f['lastSequence']}`
    parts.push(`producer ${f['producerId']}:${f['producerEpoch']}${sequences}`)
  }
  if (f['isTransactional'] === true) parts.push('transactional')
  if (isControl) parts.push('control')
  const horizon = f['deleteHorizon'] as bigint | null
  if (horizon !== null) parts.push(`delete horizon ${formatTime(horizon)}`)
  parts.push(f['isIntact'] === true ? out.paint.faint('crc ok') : out.paint.bad('crc wrong'))
  return `  ${parts.join(', ')}`
}

function time(fields: Fields): string {
  return formatTime(fields['maxTimestamp'] as bigint)
}

function recordText(out: Output, f: Fields): string {
  const at = `    ${out.paint.faint(String(f['offset']))} ${formatTime(f['timestamp'] as bigint)}`
  const headers = f['headers'] as Fields[]
  const told = headers.length === 0 ? '' : `  headers ${headers.map(headerText).join(' ')}`
  const decoded = f['decoded'] as Fields | undefined
  if (decoded === undefined) return `${at}  ${bytes(f['key']!)}: ${bytes(f['value']!)}${told}`
  const { type = 'unreadable', ...rest } = decoded
  return `${at}  ${out.paint.strong(String(type))} ${pairs(rest)}${told}`
}

function headerText({ key, value }: Fields): string {
  return `${printable(String(key))}=${bytes(value!)}`
}

function bytes(value: Json): string {
  if (value !== null && typeof value === 'object' && 'base64' in value) {
    return `0x${Buffer.from(String(value.base64), 'base64').toString('hex')}`
  }
  return printable(formatJson(value))
}

function pairs(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${plain(name, value)}`)
    .join(', ')
}

function plain(name: string, value: Json): string {
  if (name === 'timestamp') return formatTime(value as bigint)
  return printable(typeof value === 'string' ? value : formatJson(value))
}
