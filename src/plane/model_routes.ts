// What TypeScript pushed ahead of need: topics and who leads them, endpoints by listener, verdicts.
// Invariant: a name and an id lead to the same route, and a forgotten topic is unknown by both.
// Kafka: MetadataCache as KafkaApis uses it; the verdicts are Authorizer's answers.

import { ZERO_UUID } from '../lib/uuid.ts'
import type { BrokerEndpoint, TopicRoute } from './plane.ts'

/** A verdict, 'ask' when none was pushed: the request parks. */
export type Verdict = 'allowed' | 'denied' | 'ask'

/** Routes, endpoints and verdicts of one plane. */
export class ModelRoutes {
  readonly #byHandle = new Map<number, TopicRoute>()
  readonly #byName = new Map<string, TopicRoute>()
  readonly #byId = new Map<string, TopicRoute>()
  readonly #endpoints = new Map<number, ReadonlyMap<number, BrokerEndpoint>>()
  readonly #verdicts = new Map<string, boolean>()
  readonly #asksAlways: boolean

  constructor(verdicts: 'allow' | 'ask') {
    this.#asksAlways = verdicts === 'ask'
  }

  route(topic: TopicRoute): void {
    this.forget(topic.handle)
    const kept = { ...topic, partitions: topic.partitions.map((partition) => ({ ...partition })) }
    this.#byHandle.set(topic.handle, kept)
    this.#byName.set(topic.name, kept)
    this.#byId.set(topic.topicId, kept)
  }

  forget(handle: number): void {
    const old = this.#byHandle.get(handle)
    if (old === undefined) return
    this.#byHandle.delete(handle)
    // A recreated topic has taken the name over already: its route stays.
    if (this.#byName.get(old.name) === old) this.#byName.delete(old.name)
    if (this.#byId.get(old.topicId) === old) this.#byId.delete(old.topicId)
  }

  byName(name: string): TopicRoute | undefined {
    return this.#byName.get(name)
  }

  byId(topicId: string): TopicRoute | undefined {
    return topicId === ZERO_UUID ? undefined : this.#byId.get(topicId)
  }

  brokers(listener: number, endpoints: readonly BrokerEndpoint[]): void {
    this.#endpoints.set(listener, new Map(endpoints.map((endpoint) => [endpoint.id, endpoint])))
  }

  endpoint(listener: number, brokerId: number): BrokerEndpoint | undefined {
    return this.#endpoints.get(listener)?.get(brokerId)
  }

  setVerdict(principal: number, handle: number, operation: number, isAllowed: boolean): void {
    this.#verdicts.set(`${principal}/${handle}/${operation}`, isAllowed)
  }

  verdict(principal: number, handle: number, operation: number): Verdict {
    if (!this.#asksAlways) return 'allowed'
    const known = this.#verdicts.get(`${principal}/${handle}/${operation}`)
    if (known === undefined) return 'ask'
    return known ? 'allowed' : 'denied'
  }
}
