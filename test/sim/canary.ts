// Planted bugs: what a careless program would leave out of a durable write, and coordinators that keep half of what they
// promise. Each must be found within its seeds, by a run that without the bug breaks nothing; a simulator that does not
// find them is broken itself.

import { TransactionCoordinator } from '../../src/broker/transaction_coordinator.ts'
import { ConsumerGroup } from '../../src/group/consumer/consumer_group.ts'
import { GroupShard } from '../../src/group/shard.ts'
import { GroupTruth } from '../../src/group/truth.ts'
import { TransactionShard } from '../../src/transaction/shard.ts'
import { everyOperation } from './every_operation.ts'
import type { MachineOptions } from './machine.ts'
import { commandOf, optionsOf, runSeed } from './run.ts'
import { scenarioOf } from './scenarios/all.ts'

export interface Canary {
  readonly name: string
  readonly bugs?: MachineOptions['bugs']
  /** Makes the program itself careless; gives back what ends that. */
  readonly plant?: () => () => void
  /** What it shows in; the one that loses power most when left out. */
  readonly scenario?: string
  /** What the finding must speak of. */
  readonly finding: RegExp
}

export const CANARIES: readonly Canary[] = [
  {
    name: 'answers to flushes that never happened',
    bugs: { skipsFlush: true },
    finding: /committed/,
  },
  {
    name: 'quorum-state that is not written',
    bugs: { forgets: 'quorum-state' },
    finding: /epoch \d+ is led/,
  },
  {
    name: 'files replaced without a sync of their bytes',
    bugs: { skipsFileSync: true },
    finding: /CorruptMetadata|DirectoryError/,
  },
  {
    name: 'files replaced without a sync of their directory',
    bugs: { skipsDirectorySync: true },
    finding: /DirectoryError|epoch \d+ is led|committed/,
  },
  {
    name: 'a coordinator that answers before it has written',
    bugs: { answersEarly: true },
    scenario: 'groups',
    finding: /was acknowledged last|both own|and its log says/,
  },
  {
    name: 'a coordinator of consumer groups that answers before it has written',
    bugs: { answersEarly: true },
    scenario: 'consumer-groups',
    finding: /was acknowledged last|both own|and its log says|was given it|was answered/,
  },
  {
    name: 'partitions of a consumer group that are given before they are given up',
    plant: () => replaced(ConsumerGroup.prototype, 'ownerOf', () => undefined),
    scenario: 'consumer-groups',
    finding: /was given it/,
  },
  {
    name: 'markers that are answered and not written',
    bugs: { skipsMarkers: true },
    scenario: 'transactions',
    finding: /has committed \d+, and the output has/,
  },
  {
    name: 'a transaction coordinator that does not go on after a restart with what it owes',
    plant: () =>
      replaced(TransactionShard.prototype, 'handle', function (this: TransactionShard, ...asked) {
        handle.call(this, ...asked)
        const [request, , , { effects }] = asked
        if (request.kind === 'activate') effects.length = 0
      }),
    scenario: 'transactions',
    finding: /not answered after all faults had ended/,
  },
  {
    name: 'a leader that asks nobody whether a transaction is open',
    plant: () => replaced(TransactionCoordinator.prototype, 'enter', () => Promise.resolve(0)),
    scenario: 'transactions',
    finding: /and the output has|is there|was told|was answered/,
  },
  {
    name: 'offsets that count before their transaction has ended',
    plant: () =>
      replaced(GroupShard.prototype, 'replay', function (this: GroupShard, record, offset) {
        this.truth.replay(record, offset)
      }),
    scenario: 'transactions',
    finding: /was told|and its log says/,
  },
  {
    name: 'offsets of a transaction that was aborted',
    plant: () =>
      replaced(GroupTruth.prototype, 'endTransaction', function (this: GroupTruth, producerId) {
        return endTransaction.call(this, producerId, true)
      }),
    scenario: 'transactions',
    finding: /was told/,
  },
]

const { endTransaction } = GroupTruth.prototype
const { handle } = TransactionShard.prototype

/** Puts another method in the place of one; what is given back puts it back. */
function replaced<T extends object, K extends keyof T>(owner: T, name: K, by: T[K]): () => void {
  const before = owner[name]
  owner[name] = by
  return () => {
    owner[name] = before
  }
}

/** What found it: a command, or the operation that the first life ended before. */
export interface Finding {
  readonly by: string
  readonly violation: string
}

const SEEDS = 2
const DURATION_MS = 4000

/** Tries seeds of its scenario, then every operation; null when the bug was not found. */
export async function find(canary: Canary): Promise<Finding | null> {
  const restore = canary.plant?.()
  try {
    return await hunt(canary)
  } finally {
    restore?.()
  }
}

async function hunt({ bugs = {}, scenario: name }: Canary): Promise<Finding | null> {
  const scenario = scenarioOf(name ?? 'admin')!
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { durationMs, ...drawn } = optionsOf(scenario, seed)
    // Groups need time to form.
    const options = { ...drawn, bugs, durationMs: name === undefined ? DURATION_MS : durationMs }
    const verdict = await runSeed(scenario, seed, { options })
    if (verdict.violation !== null) return { by: commandOf(verdict), violation: verdict.violation }
  }
  if (name !== undefined) return null
  const { broken } = await everyOperation({ bugs, powerSeeds: 2 })
  if (broken === null) return null
  return {
    by: `${broken.ending} before operation ${broken.operation}`,
    violation: broken.violation,
  }
}
