// The conversations beside this file say what they said when they were last written.
// `WRITE_TRANSCRIPTS=1` writes them anew; the change is then reviewed as prose.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { converse } from './conversation.ts'

const folder = new URL('./', import.meta.url)
const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))

describe('group: transcripts', () => {
  for (const name of names) {
    test(`group: transcripts: ${name.replace('.txt', '').replaceAll('_', ' ')}`, () => {
      const file = new URL(name, folder)
      const script = readFileSync(file, 'utf8')
      const said = converse(script)
      if (process.env['WRITE_TRANSCRIPTS'] === '1') writeFileSync(file, said)
      else expect(said).toBe(script)
    })
  }
})
