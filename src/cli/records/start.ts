// Where `ottla consume` begins, as people write it.

import { InvalidArgumentError } from 'commander'
import type { StartAt } from '../../client/start_offsets.ts'
import { parseDuration, parseTime } from '../admin/values.ts'

const WORDS: Readonly<Record<string, StartAt>> = {
  earliest: 'earliest',
  beginning: 'earliest',
  start: 'earliest',
  latest: 'latest',
  end: 'latest',
}

/** Reads `earliest`, `latest`, `42`, `-10`, `2026-01-31T12:00:00Z`, `@1769860800000` or `@-1h`. */
export function parseStart(text: string, nowMs: number): StartAt {
  const word = WORDS[text]
  if (word !== undefined) return word
  if (/^\d{1,16}$/.test(text)) return { offset: Number(text) }
  if (/^-\d{1,16}$/.test(text)) return { last: Number(text.slice(1)) }
  const time = text.startsWith('@') ? text.slice(1) : text
  const agoMs = text.startsWith('@-') ? parseDuration(text.slice(2)) : null
  const timestamp = agoMs === null ? parseTime(time) : nowMs - agoMs
  if (timestamp !== null) return { timestamp }
  throw new InvalidArgumentError(
    'It takes earliest, latest, an offset, -N, a time such as 2026-01-31T12:00:00Z, or @-1h.',
  )
}
