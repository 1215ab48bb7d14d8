// Makes few files of many: what tsc wrote into dist/, a file per module, becomes a file per door (each `bin` and each of
// the `exports` of package.json) and one per part that doors share or import later. Node finds, reads and links every file by itself:
// three hundred of them were half of a broker's start and a tenth of its memory.
//
// Invariant: a module is in one file, so that everybody has the same; types and the names of the doors stay as they are, and
// so does the way from a part to the package's root (`../../`, as from src/cli/). Other packages are not taken in.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dist = resolve(process.argv[2] ?? join(root, 'dist'))

/** Paths within dist/ without their ending. */
function doors() {
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const files = [...Object.values(bin), ...Object.values(exports).map((door) => door.default)]
  return files.flatMap((file) => /^(?:\.\/)?dist\/(.+)\.js$/.exec(file ?? '')?.[1] ?? [])
}

const bundle = await rolldown({
  input: Object.fromEntries(doors().map((door) => [door, join(dist, `${door}.js`)])),
  platform: 'node',
  external: /^[^./]/,
})
const { output } = await bundle.generate({
  format: 'esm',
  comments: false,
  entryFileNames: '[name].js',
  chunkFileNames: 'parts/[name].js',
})
await bundle.close()
for (const path of readdirSync(dist, { recursive: true })) {
  if (path.endsWith('.js')) rmSync(join(dist, path))
}
for (const { fileName, code } of output) {
  const path = join(dist, fileName)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, code)
}
