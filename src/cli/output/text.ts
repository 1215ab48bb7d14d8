// Text for a terminal: its width in columns, its colours, and names that cannot play tricks.
//
// Invariant: what comes from a cluster or a file reaches the terminal without control characters. Colours are added
// by `Paint`, which adds none when they are off.

/** Escapes what a terminal would obey: control characters and direction marks. */
export function printable(text: string): string {
  return text.replace(CONTROL, (char) => {
    const named = NAMED[char]
    if (named !== undefined) return named
    const code = char.codePointAt(0)!
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

const CONTROL = /[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const ZERO = /^\p{M}$|^\p{Cf}$/u
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]$|^\p{Emoji_Presentation}$/u

/** How many columns a text without control characters takes. */
export function columnsOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let columns = 0
  for (const char of text) columns += ZERO.test(char) ? 0 : WIDE.test(char) ? 2 : 1
  return columns
}

/** The text cut to at most `columns`, with an ellipsis where something is missing. */
export function cut(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text
  let kept = ''
  let used = 1
  for (const char of text) {
    const width = columnsOf(char)
    if (used + width > columns) break
    kept += char
    used += width
  }
  return `${kept}…`
}

/** Colours by meaning; each returns its text as it is when colours are off. */
export interface Paint {
  readonly strong: (text: string) => string
  readonly faint: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
}

/** The colours of a stream: on when it is a terminal and nothing forbids them (NO_COLOR, TERM=dumb). */
export function paintFor(isTerminal: boolean, env: NodeJS.ProcessEnv = process.env): Paint {
  const forced = env['FORCE_COLOR'] !== undefined && !['', '0'].includes(env['FORCE_COLOR'])
  const forbidden = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
  const on = (isTerminal || forced) && !forbidden
  const code = (open: number, close: number) => (text: string) =>
    on ? `\x1b[${open}m${text}\x1b[${close}m` : text
  return {
    strong: code(1, 22),
    faint: code(2, 22),
    bad: code(31, 39),
    good: code(32, 39),
    warn: code(33, 39),
  }
}

/** 1536 → '1.5 KiB'. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** Milliseconds since the epoch as ISO 8601 in UTC; '-' for none, digits for what no calendar holds. */
export function formatTime(ms: number | bigint): string {
  if (Number(ms) < 0) return '-'
  const date = new Date(Number(ms))
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}
