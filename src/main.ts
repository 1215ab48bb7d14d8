#!/usr/bin/env node
// The command line's door: argv becomes one command. A problem that has words gets them on stderr and an exit code
// (docs/HACKING.md lists them); anything else is a bug and shows its stack.

import { run } from './cli/commands.ts'

process.exitCode = await run(process.argv)
