// A folder of a user's with the package in it: compiled as users get it, under node_modules, so that what a test runs
// there finds `ottla` by its exports and nothing by accident. Other modules are links to what is installed here.

import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT, runCommand } from './commands.ts'

/** A temporary folder; disposing removes it. */
export interface UserFolder extends AsyncDisposable {
  readonly path: string
}

/** Makes the folder. `modules` are names of packages, or of one by its folder. */
export async function userFolder(
  modules: readonly (string | { name: string; at: string })[] = [],
): Promise<UserFolder> {
  const path = mkdtempSync(join(tmpdir(), 'ottla-user-'))
  const home = join(path, 'node_modules/ottla')
  mkdirSync(join(home, 'build/Release'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(home, 'package.json'))
  symlinkSync(join(ROOT, 'build/Release/ottla.node'), join(home, 'build/Release/ottla.node'))
  const link = (name: string, at: string) => {
    mkdirSync(dirname(join(path, 'node_modules', name)), { recursive: true })
    symlinkSync(at, join(path, 'node_modules', name))
  }
  for (const module of ['commander', ...modules]) {
    if (typeof module === 'string') link(module, join(ROOT, 'node_modules', module))
    else link(module.name, module.at)
  }
  const tsc = join(ROOT, 'node_modules/.bin/tsc')
  // Types are checked elsewhere.
  await runCommand(tsc, ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(home, 'dist')])
  await runCommand(process.execPath, [join(ROOT, '.ci/bundle.mjs'), join(home, 'dist')])
  return {
    path,
    [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
  }
}
