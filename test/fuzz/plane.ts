// Differential fuzzer: the same verbs and frames to two planes; every response, answer and row must agree.
// Usage: node test/fuzz/plane.ts [seed] [steps] [other]. Without a seed, or with 0, it goes on from 1 until it finds
// something; steps are dealt to seeds from the given one on.
// The other plane: sim (the native core in its simulated world), native (real sockets), uring (the same by io_uring),
// or model: two models prove the fuzzer and the model's determinism, and are what runs where the addon is not built.

import { isDeepStrictEqual } from 'node:util'
import { Random } from '../../src/lib/random.ts'
import type { PlaneOptions } from '../../src/plane/plane.ts'
import type { PlaneHarness } from '../plane/harness.ts'
import { modelHarness } from '../plane/harness_model.ts'
import { harnesses } from '../plane/harnesses.ts'
import { Generator } from './plane_ops.ts'
import { type Observation, type Op, REPLICAS, World } from './plane_world.ts'

const RECENT = 8
/** Many lives find more than a long one: more steps than this are several seeds. */
const RUN_STEPS = 1000
/** Batches carry fixed times, and the planes' clocks differ: producers must not expire. */
const FOREVER = {
  producerIdExpirationMs: Number.MAX_SAFE_INTEGER,
  connectionsMaxIdleMs: 1_000_000_000,
}

/** Where two planes disagreed. */
export interface Difference {
  readonly seed: number
  readonly step: number
  readonly recent: readonly Op[]
  readonly one: Observation
  readonly other: Observation
}

/** One run; null: no difference. */
export async function comparePlanes(
  pair: readonly [PlaneHarness, PlaneHarness],
  seed: number,
  steps: number,
): Promise<Difference | null> {
  const random = new Random(seed)
  const isTimeVirtual = pair.every((harness) => harness.hasVirtualTime)
  const generator = new Generator(random, isTimeVirtual)
  const options: Partial<PlaneOptions> = {
    ...FOREVER,
    verdicts: random.ratio(1, 4) ? 'ask' : 'allow',
    produceValidation: random.ratio(1, 4) ? 'full' : 'header',
  }
  const configs = REPLICAS.map(() => generator.config())
  const [one, other] = (await Promise.all(
    pair.map(async (harness) => {
      const sees = { syncs: isTimeVirtual, bytes: !generator.compacts }
      return new World(await harness.open(options), configs, sees)
    }),
  )) as [World, World]
  await one.start()
  await other.start()
  const recent: Op[] = []
  try {
    for (let step = 0; step < steps; step++) {
      const rows = REPLICAS.map((_, slot) => one.under.plane.partition(slot))
      const op = generator.next(rows, one.sessions)
      recent.push(op)
      if (recent.length > RECENT) recent.shift()
      const seen = await one.apply(op)
      const seenToo = await other.apply(op)
      const isSound = [...seen.responses, ...seenToo.responses].every(
        (response) => (response as { isCanonical: boolean }).isCanonical,
      )
      if (!isSound || !isDeepStrictEqual(seen, seenToo)) {
        return { seed, step, recent, one: seen, other: seenToo }
      }
    }
  } finally {
    await one.close()
    await other.close()
  }
  return null
}

/** A run's differences in words. */
export function report(difference: Difference, names: readonly string[]): string {
  const { seed, step, recent, one, other } = difference
  const lines = [`seed ${seed}, step ${step}: ${names.join(' and ')} disagree after`]
  for (const op of recent) lines.push(`  ${print(op)}`)
  for (const key of ['responses', 'answers', 'questions', 'closed', 'rows'] as const) {
    if (isDeepStrictEqual(one[key], other[key])) continue
    lines.push(`${key} of ${names[0]}: ${print(one[key])}`)
    lines.push(`${key} of ${names[1]}: ${print(other[key])}`)
  }
  lines.push(`replay: node test/fuzz/plane.ts ${seed} ${step + 1}`)
  return lines.join('\n')
}

const print = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) => {
    if (field instanceof Uint8Array) return `hex:${Buffer.from(field).toString('hex')}`
    return typeof field === 'bigint' ? `${field}n` : field
  })

async function main(): Promise<void> {
  const all = harnesses()
  const name = process.argv[4] ?? (all.has('sim') ? 'sim' : 'model')
  const second = all.get(name)
  if (second === undefined) throw new Error(`no plane called ${name} can run here`)
  const seed = Number(process.argv[2] ?? 0)
  let left = seed === 0 ? Number.POSITIVE_INFINITY : Number(process.argv[3] ?? RUN_STEPS)
  for (let at = seed === 0 ? 1 : seed; left > 0; at++) {
    const steps = Math.min(left, RUN_STEPS)
    left -= steps
    const difference = await comparePlanes([modelHarness, second], at, steps)
    if (difference !== null) {
      console.error(report(difference, [modelHarness.name, second.name]))
      process.exitCode = 1
      return
    }
    console.log(`seed ${at}: ${steps} steps, ${modelHarness.name} and ${second.name} agree`)
  }
}

if (import.meta.main) await main()
