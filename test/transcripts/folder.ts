// A folder of conversations (`*.txt`) that say what they said when they were last written.
// `WRITE_TRANSCRIPTS=1` writes them anew; the change is then reviewed as prose.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

/** Tests every conversation beside the test that calls this; `converse` runs a script and prints what happens. */
export function transcripts(about: string, here: string, converse: (script: string) => string) {
  const folder = new URL('./', here)
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  describe(`${about}: transcripts`, () => {
    for (const name of names) {
      test(`${about}: transcripts: ${name.replace('.txt', '').replaceAll('_', ' ')}`, () => {
        const file = new URL(name, folder)
        const script = readFileSync(file, 'utf8')
        const said = converse(script)
        if (process.env['WRITE_TRANSCRIPTS'] === '1') writeFileSync(file, said)
        else expect(said).toBe(script)
      })
    }
  })
}

/** Runs the blocks of a script: commands, which `run` answers in lines, and what was said last time. */
export function answered(script: string, run: (line: string) => string[], silence: string): string {
  const blocks = script.split(/\n\n+/).filter((block) => block.trim() !== '')
  return `${blocks.map((block) => answer(block, run, silence)).join('\n\n')}\n`
}

function answer(block: string, run: (line: string) => string[], silence: string): string {
  const lines = block.trimEnd().split('\n')
  const end = lines.indexOf('----')
  const commands = end < 0 ? lines : lines.slice(0, end)
  if (commands.every((line) => line.startsWith('#'))) return commands.join('\n')
  const said = commands.flatMap((line) => (line.startsWith('#') ? [] : run(line)))
  return [...commands, '----', ...(said.length > 0 ? said : [silence])].join('\n')
}
