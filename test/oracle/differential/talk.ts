// The conversation: one question goes to both sides, both answers are flattened and compared row by row, and each
// row that differs is looked up among the explained ones. What nobody explained is a finding.

import type { Api, EncodableOf, Versions } from '../../../src/protocol/dsl.ts'
import { versions } from '../../../src/protocol/dsl.ts'
import { ApiVersions } from '../../../src/protocol/messages/metadata.ts'
import { ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { EXPLAINED, type Explanation } from './explained.ts'
import { type Flat, flatten } from './flatten.ts'
import type { Listener, Outcome, Side } from './sides.ts'

type Body<A extends Api> = A extends { request: infer M } ? EncodableOf<M> : never
/** A body for a version; `side` where it takes what only that side knows. */
export type Bodies<A extends Api> = Body<A> | ((version: number, side: Side) => Body<A>)

export interface Difference {
  api: string
  version: number
  label: string
  path: string
  kafka: string
  ottla: string
  explained: Explanation | null
}

/** What answers out of an image that lags behind what was done: asked again for a while before it counts. */
const READS = new Set([
  'ApiVersions',
  'DescribeCluster',
  'DescribeConfigs',
  'ListConfigResources',
  'Metadata',
])

interface Count {
  calls: number
  equal: number
  explained: number
  unexplained: number
}

/** What was asked and what came of it. */
export class Talk {
  readonly kafka: Side
  readonly ottla: Side
  readonly counts = new Map<string, Count>()
  readonly differences: Difference[] = []
  /** Says every question as it is asked. */
  isVerbose = false

  constructor(kafka: Side, ottla: Side) {
    this.kafka = kafka
    this.ottla = ottla
  }

  /** One question at every version of a range. The answers of the last. */
  async ask<A extends Api>(
    label: string,
    api: A,
    range: string,
    bodies: Bodies<A>,
    listener: Listener = 'broker',
  ): Promise<{ kafka: Outcome; ottla: Outcome }> {
    const asked: Versions = versions(range)
    let last: { kafka: Outcome; ottla: Outcome } | undefined
    for (let version = asked.min; version <= asked.max; version++) {
      const bodyOf = (side: Side) =>
        typeof bodies === 'function' ? bodies(version, side) : (bodies as Body<A>)
      const name = `${label}${listener === 'controller' ? ' @controller' : ''}`
      for (let left = READS.has(api.name) ? 15 : 0; ; left--) {
        last = await this.both((side) => side.ask(api, version, bodyOf(side) as object, listener))
        const found = this.compare(api.name, version, name, last)
        if (left === 0 || found.every(({ explained }) => explained !== null)) break
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      this.note(api.name, version, name, last)
    }
    return last!
  }

  /** A Produce with acks=0: does the connection serve on? */
  async send<A extends Api>(label: string, api: A, version: number, bodies: Bodies<A>) {
    const outcome = await this.both((side) => {
      const body = typeof bodies === 'function' ? bodies(version, side) : bodies
      return side.send(api, version, body as object, ApiVersions as unknown as Api)
    })
    this.note(api.name, version, label, outcome)
  }

  /** Bytes as they are, on a connection of their own; `asked` says how to read an answer. */
  async bytes(
    label: string,
    bytes: Uint8Array,
    correlationId: number,
    listener: Listener = 'broker',
    asked?: readonly [api: Api, version: number],
  ) {
    const outcome = await this.both((side) => side.bytes(bytes, correlationId, listener, asked))
    this.note('bytes', 0, `${label}${listener === 'controller' ? ' @controller' : ''}`, outcome)
  }

  /** Waits until a question has the same answer on both sides, without counting: state settles in its own time. */
  async settle<A extends Api>(
    api: A,
    version: number,
    bodies: Bodies<A>,
    isThere: (value: never) => boolean,
  ) {
    for (const side of [this.kafka, this.ottla]) {
      for (let left = 100; ; left--) {
        const body = typeof bodies === 'function' ? bodies(version, side) : bodies
        const outcome = await side.ask(api, version, body as object, 'broker')
        if (outcome.end === 'answered' && isThere(outcome.value as never)) {
          flatten(side, outcome.value)
          break
        }
        if (left === 0) throw new Error(`${side.name} does not settle: ${JSON.stringify(outcome)}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }

  /** Creates topics, not counted, and waits until their partitions are served. */
  async haveTopics(
    topics: readonly {
      name: string
      numPartitions: number
      configs?: Readonly<Record<string, string>>
    }[],
  ): Promise<void> {
    const wanted = topics.map(({ configs = {}, ...topic }) => ({
      ...topic,
      replicationFactor: 1,
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }))
    const body = { topics: wanted, timeoutMs: 10_000 }
    const isMade = ({ topics: made }: { topics: { errorCode: number }[] }) =>
      made.every(({ errorCode }) => errorCode === 0)
    await this.settle(CreateTopics, 7, body, isMade)
    const asked = topics.map(({ name, numPartitions }) => ({
      name,
      partitions: Array.from({ length: numPartitions }, (_, partitionIndex) => ({
        partitionIndex,
        timestamp: -1n,
      })),
    }))
    const isServed = (answer: { topics: { partitions: { errorCode: number }[] }[] }) =>
      answer.topics.every(({ partitions }) => partitions.every(({ errorCode }) => errorCode === 0))
    await this.settle(ListOffsets, 5, { replicaId: -1, topics: asked }, isServed)
  }

  private async both(ask: (side: Side) => Promise<Outcome>) {
    const [kafka, ottla] = await Promise.all([ask(this.kafka), ask(this.ottla)])
    return { kafka, ottla }
  }

  private compare(
    api: string,
    version: number,
    label: string,
    { kafka, ottla }: { kafka: Outcome; ottla: Outcome },
  ): Difference[] {
    const theirs = rowsOf(this.kafka, kafka)
    const ours = rowsOf(this.ottla, ottla)
    const found: Difference[] = []
    const missing: string[] = []
    for (const path of new Set([...theirs.keys(), ...ours.keys()])) {
      // What a missing element would hold is missing with it.
      if (missing.some((element) => path.startsWith(element))) continue
      const difference = {
        api,
        version,
        label,
        path,
        kafka: theirs.get(path) ?? 'absent',
        ottla: ours.get(path) ?? 'absent',
      }
      if (difference.kafka === difference.ottla) continue
      const values = [difference.kafka, difference.ottla]
      if (values.includes('there') || path === 'end') missing.push(path === 'end' ? '' : path)
      found.push({ ...difference, explained: explain(difference) })
    }
    return found
  }

  private note(
    api: string,
    version: number,
    label: string,
    outcome: { kafka: Outcome; ottla: Outcome },
  ): void {
    const found = this.compare(api, version, label, outcome)
    this.differences.push(...found)
    const count = this.counts.get(api) ?? { calls: 0, equal: 0, explained: 0, unexplained: 0 }
    this.counts.set(api, count)
    count.calls++
    if (found.length === 0) count.equal++
    else if (found.every(({ explained }) => explained !== null)) count.explained++
    else count.unexplained++
    if (this.isVerbose)
      console.log(`${api} ${version} ${label}: ${outcome.kafka.end} ${found.length}`)
  }
}

function rowsOf(side: Side, outcome: Outcome): Flat {
  if (outcome.end !== 'answered') return new Map([['end', outcome.end]])
  return new Map([['end', 'answered'], ...flatten(side, outcome.value)])
}

function explain(difference: Omit<Difference, 'explained'>): Explanation | null {
  for (const row of EXPLAINED) {
    if (row.api !== undefined && row.api !== difference.api) continue
    if (row.label !== undefined && !row.label.test(difference.label)) continue
    if (row.path !== undefined && !row.path.test(difference.path)) continue
    if (row.kafka !== undefined && !row.kafka.test(difference.kafka)) continue
    if (row.ottla !== undefined && !row.ottla.test(difference.ottla)) continue
    row.used = true
    return row
  }
  return null
}
