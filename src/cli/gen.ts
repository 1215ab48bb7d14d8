// `npm run gen`: tables → the committed files made from them. Without arguments the files are written;
// `--check` writes nothing and fails, naming the files that differ. To add one, add a row.
// test/unit/cli/gen.test.ts holds the committed files against this list.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  apisReferencePath,
  emitApisReference,
  emitErrorsReference,
  errorsReferencePath,
} from './gen_apis.ts'
import { emitConfigReference } from './gen_configs.ts'
import { conformancePath, emitConformance } from './gen_conformance.ts'
import { emitErrorsHeader, errorsHeaderPath } from './gen_errors.ts'
import { emitLayoutHeader, layoutHeaderPath } from './gen_layout.ts'
import { emitMessagesHeader, messagesHeaderPath } from './gen_messages.ts'
import { emitRecordsReference, recordsReferencePath } from './gen_records.ts'
import { emitCommandLineReference } from './tree/reference.ts'

/** A file that is made from tables. */
export interface Output {
  /** From the repository's root. */
  readonly path: string
  readonly emit: () => string
}

/** Every generated file. */
export const outputs: readonly Output[] = [
  { path: errorsHeaderPath, emit: emitErrorsHeader },
  { path: layoutHeaderPath, emit: emitLayoutHeader },
  { path: messagesHeaderPath, emit: emitMessagesHeader },
  { path: apisReferencePath, emit: emitApisReference },
  { path: 'docs/reference/configs.md', emit: emitConfigReference },
  { path: conformancePath, emit: emitConformance },
  { path: errorsReferencePath, emit: emitErrorsReference },
  { path: recordsReferencePath, emit: emitRecordsReference },
  { path: 'docs/reference/command_line.md', emit: emitCommandLineReference },
]

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The generated files whose committed text is not what the tables give. */
export function staleOutputs(): string[] {
  return outputs.filter(({ path, emit }) => !isWritten(path, emit())).map(({ path }) => path)
}

function isWritten(path: string, text: string): boolean {
  const file = join(root, path)
  return existsSync(file) && readFileSync(file, 'utf8') === text
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const stale = staleOutputs()
    if (stale.length > 0) {
      console.error(`out of date, run npm run gen: ${stale.join(', ')}`)
      process.exitCode = 1
    }
  } else {
    for (const { path, emit } of outputs) writeFileSync(join(root, path), emit())
  }
}
