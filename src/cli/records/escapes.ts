// Escapes that people type where a shell hands over a backslash as it is: \n, \t, \r, \0, \\ and \xHH.

import { InvalidArgumentError } from 'commander'

const NAMED: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  '\\': '\\',
}

/** The text with its escapes replaced; a lone or unknown one is a mistake of the command line. */
export function unescaped(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|[\s\S]?)/g, (whole, code: string) => {
    if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    const char = NAMED[code]
    if (char === undefined) throw new InvalidArgumentError(`${whole} is no escape.`)
    return char
  })
}
