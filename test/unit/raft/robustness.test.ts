// Whatever a peer sends, valid by its table but not by any sense, the machine answers and lives on.
import { describe, expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { decode, encode } from '../../../src/protocol/codec.ts'
import type { Api } from '../../../src/protocol/dsl.ts'
import type { BootInput, RaftApi, RaftEffect, RaftInput } from '../../../src/raft/raft.ts'
import { VoterSet } from '../../../src/raft/voters.ts'
import { apis, configOf, directory, emptyDisk, listener, Node, question, voter } from './node.ts'

const APIS: RaftApi[] = [
  'Vote',
  'BeginQuorumEpoch',
  'EndQuorumEpoch',
  'Fetch',
  'FetchSnapshot',
  'DescribeQuorum',
  'AddRaftVoter',
  'RemoveRaftVoter',
  'UpdateRaftVoter',
]

function disk(voters: number): BootInput {
  const set = new VoterSet(Array.from({ length: voters }, (_, index) => voter(index + 1)))
  return {
    ...emptyDisk,
    quorumState: { epoch: 3, leaderId: null, votedKey: null },
    logStartOffset: 5,
    logEndOffset: 20,
    epochs: [
      { epoch: 1, startOffset: 5 },
      { epoch: 3, startOffset: 12 },
    ],
    snapshots: [{ offset: 5, epoch: 1, bytes: 900 }],
    quorumRecords: [
      { offset: 4, record: { type: 'kraftVersion', value: { version: 0, kRaftVersion: 1 } } },
      { offset: 4, record: { type: 'voters', value: set.toRecord() } },
    ],
  }
}

/** Numbers near the ones that matter, and some that make no sense. */
class Nonsense {
  readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  number(): number {
    return this.random.pick([-1, 0, 1, 2, 3, 4, 5, 12, 19, 20, 21, 100, 2 ** 31 - 2])
  }

  fields(api: RaftApi): object {
    const { random } = this
    const epoch = random.pick([0, 2, 3, 4, 5, this.number()])
    const id = random.pick([1, 2, 3, this.number()])
    const partition = {
      replicaEpoch: epoch,
      replicaId: id,
      replicaDirectoryId: directory(random.pick([1, 2, 3])),
      voterDirectoryId: directory(random.pick([1, 2])),
      lastOffsetEpoch: this.number(),
      lastOffset: this.number(),
      preVote: random.ratio(1, 2),
      leaderId: id,
      leaderEpoch: epoch,
      preferredCandidates: [{ candidateId: id, candidateDirectoryId: directory(1) }],
      currentLeaderEpoch: epoch,
      fetchOffset: this.number(),
      lastFetchedEpoch: this.number(),
      highWatermark: BigInt(this.number()),
      snapshotId: { endOffset: this.number(), epoch: this.number() },
      position: this.number(),
      errorCode: random.pick([0, 0, 0, 6, 74, 75, 98, 125]),
      divergingEpoch: { epoch: random.pick([-1, this.number()]), endOffset: this.number() },
      currentLeader: { leaderId: id, leaderEpoch: epoch },
      voteGranted: random.ratio(1, 2),
      size: this.number(),
      unalignedRecords: new Uint8Array(random.pick([0, 10])),
      records: random.bytes(random.pick([0, 70])),
    }
    const names = { topicName: '__cluster_metadata', name: '__cluster_metadata' }
    const topic = { ...names, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions: [partition] }
    const topics = random.ratio(1, 10) ? [] : [topic]
    const responses = topics
    const nodeEndpoints = [{ nodeId: id, host: `node${Math.abs(id) % 4}`, port: 1 }]
    const all = {
      clusterId: random.pick([null, 'cluster', 'other']),
      voterId: id,
      voterDirectoryId: directory(random.pick([1, 2, 3])),
      currentLeaderEpoch: epoch,
      kRaftVersionFeature: {
        minSupportedVersion: random.pick([-1, 0, 1]),
        maxSupportedVersion: random.pick([0, 1, 2]),
      },
      listeners: random.ratio(1, 3) ? [] : [{ name: listener, host: 'node3', port: 1 }],
      errorCode: random.pick([0, 0, 0, 35, 41]),
      supportedFeatures: [{ name: 'kraft.version', minVersion: 0, maxVersion: 1 }],
      replicaId: id,
      replicaState: { replicaId: id, replicaEpoch: -1 },
      maxWaitMs: this.number(),
      maxBytes: this.number(),
      topics,
      responses,
      nodeEndpoints: random.ratio(1, 2) ? nodeEndpoints : [],
      leaderEndpoints: random.ratio(1, 2) ? [{ name: listener, host: 'node2', port: 1 }] : [],
    }
    return api === 'Fetch' ? { ...all, replicaId: -1 } : all
  }
}

interface Row {
  type: { kind: string; fields?: object }
  versions: { min: number; max: number }
}

/** Keeps of `fields` what the table of a message has at a version. */
function known(table: { fields: object }, fields: object, version: number): object {
  const out: Record<string, unknown> = {}
  const rows = table.fields as Record<string, Row>
  for (const [name, value] of Object.entries(fields)) {
    const type = rows[name]?.type as { kind: string; fields?: object; element?: typeof type }
    if (type === undefined) continue
    const { min, max } = rows[name]!.versions
    if (version < min || version > max) continue
    const inner = type.kind === 'array' ? type.element : type
    const isStruct = inner?.kind === 'struct'
    const trim = (each: object) => known(inner as { fields: object }, each, version)
    if (isStruct && Array.isArray(value)) out[name] = value.map(trim)
    else if (isStruct) out[name] = trim(value as object)
    else out[name] = type.kind === 'int64' ? Number(value) : value
  }
  return out
}

describe('raft: robustness', () => {
  test('raft: robustness: no request and no answer makes the machine fail or stay silent', () => {
    const roles = new Set<string>()
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed)
      const nonsense = new Nonsense(random)
      const voters = random.pick([1, 3])
      const node = new Node(configOf(1, { deferredFetchesMax: 3 }), seed)
      let sent: { requestId: number; api: string }[] = []
      const waiting = new Map<number, { api: RaftApi; version: number }>()
      const look = (effects: RaftEffect[]) => {
        for (const effect of effects) {
          if (effect.kind === 'send') sent.push(effect)
          if (effect.kind === 'flush') {
            look(node.give({ kind: 'flushed', logEndOffset: node.raft.logEndOffset }))
          }
          if (effect.kind === 'snapshotFinish') {
            const snapshot = { ...effect.id, bytes: 1 }
            look(node.give({ kind: 'snapshotInstalled', snapshot, quorumRecords: [] }))
          }
          if (effect.kind.startsWith('respond')) {
            const answer = effect as Extract<RaftEffect, { kind: 'respond' }>
            const { api, version } = waiting.get(answer.ticket)!
            waiting.delete(answer.ticket)
            encode((apis[api] as unknown as Api).response, version, answer.response as never)
          }
        }
        roles.add(node.raft.role)
      }
      look(node.give(disk(voters)))
      for (let ticket = 1; ticket <= 120; ticket++) {
        if (random.ratio(1, 5)) look(node.wait(random.nextInt(1, 1500)))
        const answered = sent.length > 0 && random.ratio(1, 2) ? random.pick(sent) : undefined
        if (answered !== undefined) {
          sent = sent.filter((each) => each !== answered)
          const api = answered.api as RaftApi
          const table = apis[api] as unknown as Api
          const fields = known(table.response, nonsense.fields(api), table.valid.max)
          const response = answerOf(table, fields)
          const { requestId } = answered
          look(node.give({ kind: 'response', requestId, api, response } as unknown as RaftInput))
          continue
        }
        const api = random.pick(APIS)
        const table = apis[api] as unknown as Api
        const version = random.nextInt(table.valid.min, table.valid.max + 1)
        const request = question(api, version, known(table.request, nonsense.fields(api), version))
        waiting.set(ticket, { api, version })
        look(node.give({ kind: 'request', ticket, api, version, listener, request } as RaftInput))
      }
      // Only fetches may still wait, and not for ever.
      look(node.give({ kind: 'resign', epoch: node.raft.epoch }))
      for (let step = 0; step < 3; step++) look(node.wait(5000))
      if (node.raft.role !== 'leader') expect(waiting.size).toBe(0)
    }
    expect([...roles].sort()).toEqual([
      'candidate',
      'follower',
      'leader',
      'prospective',
      'resigned',
      'unattached',
    ])
  })
})

/** An answer with every field, defaults filled in as the decoder would. */
function answerOf(table: Api, fields: object): object {
  const version = table.valid.max
  return decode(table.response, version, encode(table.response, version, fields as never)) as object
}
