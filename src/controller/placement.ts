// Which brokers get the replicas of new partitions: striped over racks and brokers from a random start, so
// that leaders and replicas spread evenly; fenced brokers are used last and never lead, and one whose log directories
// are all cordoned is not used at all.
// Kafka: StripedReplicaPlacer (KIP-455's placement rules as KRaft has them; KIP-1066).

import type { Random } from '../lib/random.ts'
import type { Broker } from '../metadata/brokers.ts'
import { hasUncordonedDirectory } from '../metadata/directories.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { Answer } from './answer.ts'
import { refuse } from './answer.ts'

/** Walks a ring of brokers; leaders and followers are counted apart, so that leaders spread too. */
class Ring {
  private readonly ids: readonly number[]
  private readonly taken = { leader: 0, follower: 0 }

  constructor(ids: readonly number[]) {
    this.ids = ids
  }

  /** The next broker that is not chosen yet, or null. */
  take(role: 'leader' | 'follower', chosen: ReadonlySet<number>): number | null {
    for (let tries = 0; tries < this.ids.length; tries++) {
      const id = this.ids[this.taken[role]++ % this.ids.length]!
      if (!chosen.has(id)) return id
    }
    return null
  }
}

class Rack {
  readonly active: Ring
  readonly fenced: Ring

  constructor(brokers: Broker[], random: Random) {
    const ids = (isFenced: boolean) => {
      const out = brokers.filter((broker) => broker.fenced === isFenced).map((b) => b.brokerId)
      random.shuffle(out)
      return out
    }
    this.active = new Ring(ids(false))
    this.fenced = new Ring(ids(true))
  }
}

/**
 * Replica lists for `count` new partitions. INVALID_REPLICATION_FACTOR when there are too few brokers.
 */
export function place(
  brokers: readonly Broker[],
  count: number,
  replicationFactor: number,
  random: Random,
): Answer<number[][]> {
  const usable = brokers.filter(
    (broker) => !broker.inControlledShutdown && hasUncordonedDirectory(broker),
  )
  if (!usable.some((broker) => !broker.fenced)) {
    return refuse(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      `Unable to replicate the partition ${replicationFactor} time(s): All brokers are currently ` +
        'fenced, or have all their log directories cordoned.',
    )
  }
  if (usable.length < replicationFactor) {
    return refuse(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      `Unable to replicate the partition ${replicationFactor} time(s): The target replication ` +
        `factor of ${replicationFactor} cannot be reached because only ${usable.length} broker(s) ` +
        'are registered or some brokers have all their log directories cordoned.',
    )
  }
  const racks = racksOf(usable, random)
  const out: number[][] = []
  let first = random.nextInt(racks.length)
  for (let index = 0; index < count; index++) {
    out.push(placeOne(racks, first, replicationFactor))
    first = (first + 1) % racks.length
  }
  return { value: out }
}

function racksOf(brokers: readonly Broker[], random: Random): Rack[] {
  const byName = new Map<string, Broker[]>()
  for (const broker of [...brokers].sort((a, b) => a.brokerId - b.brokerId)) {
    const name = broker.rack ?? ''
    const rack = byName.get(name)
    if (rack === undefined) byName.set(name, [broker])
    else rack.push(broker)
  }
  return [...byName.keys()].sort().map((name) => new Rack(byName.get(name)!, random))
}

/** One replica from each rack in turn: an active leader first, fenced brokers only when none is left. */
function placeOne(racks: Rack[], first: number, replicationFactor: number): number[] {
  const chosen = new Set<number>()
  for (const pick of ['active', 'fenced'] as const) {
    let misses = 0
    for (let at = first; chosen.size < replicationFactor && misses < racks.length; at++) {
      const ring = racks[at % racks.length]![pick]
      const id = ring.take(chosen.size === 0 ? 'leader' : 'follower', chosen)
      if (id === null) misses++
      else {
        misses = 0
        chosen.add(id)
      }
    }
  }
  return [...chosen]
}
