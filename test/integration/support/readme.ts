// The walks of README.md, as data: each section under "Five minutes" is what a stranger types, so a test can type it.
//
// The second word of a fence says what it is: `sh install`, `sh serve` (runs until stopped), `sh run` (runs to its end),
// or a file's name. Blocks without a second word are not run.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './commands.ts'

/** One way from an empty folder to a first record. */
export interface Walk {
  readonly title: string
  /** Packages that npm is asked for. */
  readonly packages: readonly string[]
  readonly files: readonly { readonly name: string; readonly text: string }[]
  readonly serve: string | null
  readonly run: string
}

const SECTIONS = /^### (.+)\n([\s\S]*?)(?=^##|(?![\s\S]))/gm
const BLOCKS = /^```(\w+) (\S+)\n([\s\S]*?)^```$/gm

/** The walks, in order. Throws when README.md is not as this file says. */
export function readmeWalks(): Walk[] {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const chapter = /^## Five minutes\n([\s\S]*?)^## /m.exec(text)?.[1]
  if (chapter === undefined) throw new Error('README.md has no chapter "Five minutes"')
  return [...chapter.matchAll(SECTIONS)].map(([, title, body]) => {
    const blocks = [...body!.matchAll(BLOCKS)].map(([, language, what, code]) => {
      return { isShell: language === 'sh', what: what!, code: code! }
    })
    const shell = (what: string) =>
      blocks.find((block) => block.isShell && block.what === what)?.code
    const install = /^npm install (?:--save-dev )?(.+)\n$/.exec(shell('install') ?? '')
    const run = shell('run')
    if (install === null || run === undefined) {
      throw new Error(`README.md: "${title}" lacks an install or a run`)
    }
    return {
      title: title!,
      packages: install[1]!.split(' '),
      files: blocks
        .filter(({ isShell }) => !isShell)
        .map(({ what, code }) => ({ name: what, text: code })),
      serve: shell('serve') ?? null,
      run,
    }
  })
}
