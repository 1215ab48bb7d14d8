// Java's .properties syntax, all of it, so that a server.properties of Apache Kafka reads the same
// here.
//
// Comments begin with # or ! where a line begins; a line that ends in an odd number of backslashes
// goes on; a key ends at the first unescaped '=', ':' or white space; \t \n \r \f and \uXXXX are
// escapes and any other escaped character stands for itself. Line numbers are kept so that a
// mistake can be pointed at.
// Java: java.util.Properties.load(Reader).

/** One entry of a file: the last of equal keys wins, so entries are kept in order. */
export interface Property {
  readonly key: string
  readonly value: string
  readonly line: number
}

/** What could not be read, and where. */
export interface PropertiesProblem {
  readonly line: number
  readonly problem: string
}

/** The entries of a text in order, with the lines that make no sense. */
export interface PropertiesText {
  readonly entries: readonly Property[]
  readonly problems: readonly PropertiesProblem[]
}

/** Reads a whole .properties text. */
export function parseProperties(text: string): PropertiesText {
  const entries: Property[] = []
  const problems: PropertiesProblem[] = []
  for (const { content, line } of logicalLines(text)) {
    const { key, value } = splitEntry(content)
    const plainKey = unescaped(key)
    const plainValue = unescaped(value)
    if (plainKey === null || plainValue === null) {
      problems.push({ line, problem: 'a \\u must be followed by four hexadecimal digits' })
    } else {
      entries.push({ key: plainKey, value: plainValue, line })
    }
  }
  return { entries, problems }
}

interface LogicalLine {
  readonly content: string
  readonly line: number
}

const LEADING_SPACE = /^[ \t\f]+/

function logicalLines(text: string): LogicalLine[] {
  const lines: LogicalLine[] = []
  let pending: LogicalLine | null = null
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const trimmed: string = raw.replace(LEADING_SPACE, '')
    if (pending === null && (trimmed === '' || trimmed[0] === '#' || trimmed[0] === '!')) continue
    const joined: LogicalLine =
      pending === null
        ? { content: trimmed, line: index + 1 }
        : { content: pending.content + trimmed, line: pending.line }
    const goesOn = trailingBackslashes(trimmed) % 2 === 1
    pending = goesOn ? { content: joined.content.slice(0, -1), line: joined.line } : null
    if (!goesOn) lines.push(joined)
  }
  if (pending !== null) lines.push(pending)
  return lines
}

function trailingBackslashes(text: string): number {
  let count = 0
  while (text[text.length - 1 - count] === '\\') count++
  return count
}

function splitEntry(content: string): { key: string; value: string } {
  let end = 0
  while (end < content.length && !' \t\f=:'.includes(content[end]!)) {
    end += content[end] === '\\' ? 2 : 1
  }
  const key = content.slice(0, end)
  const value = content.slice(end).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '')
  return { key, value }
}

const CONTROL: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescaped(text: string): string | null {
  if (!text.includes('\\')) return text
  let plain = ''
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '\\') {
      plain += text[at]
      continue
    }
    const escaped = text[++at]
    if (escaped === undefined) break
    if (escaped !== 'u') {
      plain += CONTROL[escaped] ?? escaped
      continue
    }
    const digits = text.slice(at + 1, at + 5)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) return null
    plain += String.fromCharCode(Number.parseInt(digits, 16))
    at += 4
  }
  return plain
}
