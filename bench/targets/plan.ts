// What has to be measured for a set of targets: by group, each side once a round, and which sides are measured twice.

import { APART, again, noiseSide, type Side, type Target } from './table.ts'

export interface Planned {
  readonly group: string
  readonly sides: readonly Side[]
  /** In every other round, under `name`. */
  readonly twice: readonly { readonly side: Side; readonly name: string }[]
  readonly isApart: boolean
}

const isSame = (a: Side, b: Side): boolean => a.arm === b.arm && a.workload === b.workload

/** Groups in the order of their targets; starts are measured by themselves. */
export function planOf(targets: readonly Target[]): Planned[] {
  const groups = [...new Set(targets.map(({ group }) => group))]
  return groups.flatMap((group) => {
    const sides: Side[] = []
    const twice: Side[] = []
    const add = (list: Side[], side: Side) => {
      if (!list.some((known) => isSame(known, side))) list.push(side)
    }
    for (const { evidence, isShownOnly } of targets.filter((target) => target.group === group)) {
      if (evidence.kind === 'start') continue
      // What something is held against comes first: memory that grew does not shrink again.
      add(sides, evidence.to)
      add(sides, evidence.of)
      if (evidence.kind !== 'ratio' || APART.has(group) || isShownOnly === true) continue
      add(twice, noiseSide(evidence))
      if (evidence.isLooseAsNoise === true) add(twice, evidence.to)
    }
    if (sides.length === 0) return []
    const named = twice.map((side) => ({ side, name: again(side).arm }))
    return [{ group, sides, twice: named, isApart: APART.has(group) }]
  })
}
