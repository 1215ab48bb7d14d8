// One raft machine with its disk and clock, for tests: effects are kept, completions given by hand.

import { Reader } from '../../../src/lib/bytes.ts'
import { Random } from '../../../src/lib/random.ts'
import { decodeRequest, encodeRequest } from '../../../src/protocol/codec.ts'
import { ApiVersions } from '../../../src/protocol/messages/metadata.ts'
import { Fetch } from '../../../src/protocol/messages/produce_fetch.ts'
import * as quorum from '../../../src/protocol/messages/quorum.ts'
import { readBatches } from '../../../src/raft/batches.ts'
import {
  type BootInput,
  RAFT_DEFAULTS,
  Raft,
  type RaftApi,
  type RaftConfig,
  type RaftEffect,
  type RaftInput,
  type RaftRequest,
} from '../../../src/raft/raft.ts'
import type { Voter } from '../../../src/raft/voters.ts'

export const directory = (id: number): string => `${'D'.repeat(20)}${id}A`.slice(-22)

export const listener = 'CONTROLLER'

export const voter = (id: number): Voter => ({
  id,
  directoryId: directory(id),
  endpoints: [{ name: listener, host: `node${id}`, port: 9093 }],
  kraftVersions: { min: 0, max: 1 },
})

export function configOf(id: number, fields: Partial<RaftConfig> = {}): RaftConfig {
  return {
    ...RAFT_DEFAULTS,
    clusterId: 'cluster',
    nodeId: id,
    directoryId: directory(id),
    canVote: true,
    listeners: voter(id).endpoints,
    listenerName: listener,
    staticVoters: [],
    bootstrapServers: [],
    readBatches,
    ...fields,
  }
}

export const emptyDisk: BootInput = {
  kind: 'boot',
  quorumState: null,
  logStartOffset: 0,
  logEndOffset: 0,
  epochs: [],
  snapshots: [],
  quorumRecords: [],
}

export const apis = { ...quorum, Fetch, ApiVersions }

/** A request with every field, defaults filled in as the decoder would. */
export function question<A extends RaftApi>(
  api: A,
  version: number,
  fields: object,
): RaftRequest<A> {
  const table = apis[api] as unknown as typeof quorum.Vote
  const bytes = encodeRequest(table, version, fields as never)
  return decodeRequest(table, version, new Reader(bytes)) as unknown as RaftRequest<A>
}

/** A machine, its clock, and what it asked for since the last look. */
export class Node {
  readonly raft: Raft
  nowMs = 1000
  private effects: RaftEffect[] = []

  constructor(config: RaftConfig, seed = 1) {
    this.raft = new Raft(config, new Random(seed))
  }

  give(input: RaftInput): RaftEffect[] {
    this.raft.step(input, this.nowMs, this.effects)
    return this.take()
  }

  /** Lets time pass to the next deadline and fires it. */
  wait(ms: number): RaftEffect[] {
    this.nowMs += ms
    return this.give({ kind: 'timer' })
  }

  ask<A extends RaftApi>(api: A, version: number, fields: object, ticket = 1): RaftEffect[] {
    const request = question(api, version, fields)
    return this.give({ kind: 'request', ticket, api, version, listener, request } as RaftInput)
  }

  private take(): RaftEffect[] {
    const effects = this.effects
    this.effects = []
    return effects
  }
}

/** The effects of one kind. */
export function only<K extends RaftEffect['kind']>(
  effects: RaftEffect[],
  kind: K,
): Extract<RaftEffect, { kind: K }>[] {
  return effects.filter((effect) => effect.kind === kind) as Extract<RaftEffect, { kind: K }>[]
}
