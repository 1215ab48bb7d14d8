#!/usr/bin/env node
// The command line's door: argv becomes one command. A problem that has words gets them on stderr and an exit code
// (docs/HACKING.md lists them); anything else is a bug and shows its stack.
//
// What V8 compiled is kept beside the addon, where this process may write there, and the next start does not compile it
// again; hence everything else is imported later.

import module from 'node:module'
import { fileURLToPath } from 'node:url'

// Node 22.0 has none.
module.enableCompileCache?.(fileURLToPath(new URL('../build/compiled', import.meta.url)))
const { run } = await import('./cli/program.ts')
process.exitCode = await run(process.argv)
