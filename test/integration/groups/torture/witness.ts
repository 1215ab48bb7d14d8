// The witness stands between clients and broker, passes every byte on, and writes down what was said about the group:
// which member was given what in which generation, and which offsets were committed, acknowledged and told.
//
// It knows clients by the client id of their requests, so it hears of all libraries alike. It can also cut one off:
// to the coordinator that client is dead, without a word. Invariant: a fact's `from` and `to` are taken from one
// counter when the request and the response pass, so of two facts that do not overlap it knows which came first.

import { connect, createServer, type Server, type Socket } from 'node:net'
import { Reader } from '../../../../src/lib/bytes.ts'
import { decodeFrom } from '../../../../src/protocol/codec.ts'
import type { Api, RequestOf, ResponseOf } from '../../../../src/protocol/dsl.ts'
import { decodeAssignment } from '../../../../src/protocol/embedded.ts'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import {
  decodeRequestHeader,
  peekApi,
  ResponseHeader,
  responseHeaderVersion,
} from '../../../../src/protocol/headers.ts'
import { Heartbeat, JoinGroup, SyncGroup } from '../../../../src/protocol/messages/classic_group.ts'
import { ConsumerGroupHeartbeat } from '../../../../src/protocol/messages/consumer_group.ts'
import { OffsetCommit, OffsetFetch } from '../../../../src/protocol/messages/offsets.ts'

/** A member was told its partitions; in a consumer group its epoch stands for the generation. */
export interface Given {
  readonly who: string
  readonly generation: number
  readonly partitions: readonly number[]
}

/** An offset was committed. `to` is infinite until it was acknowledged; a refused one is not here. */
export interface Commit {
  readonly who: string
  readonly partition: number
  readonly offset: number
  readonly from: number
  to: number
}

/** A client asked where to go on; -1 when nothing is committed. */
export interface Told {
  readonly who: string
  readonly partition: number
  readonly offset: number
  readonly from: number
  readonly to: number
}

const WITNESSED = new Map<number, Api>(
  [JoinGroup, SyncGroup, Heartbeat, ConsumerGroupHeartbeat, OffsetCommit, OffsetFetch].map(
    (api) => [api.key, api as Api],
  ),
)

interface Asked {
  readonly api: Api
  readonly version: number
  readonly body: object
  readonly from: number
  /** Commits that this request made, until its answer says what became of them. */
  readonly commits: Commit[]
}

/** The proxy of one group and one topic. */
export class Witness implements AsyncDisposable {
  readonly given: Given[] = []
  readonly commits: Commit[] = []
  readonly told: Told[] = []
  /** The offsets that a member was told of a partition: `member partition` → offsets. */
  readonly toldTo = new Map<string, Set<number>>()
  /** Answers by api and error code. */
  readonly answers = new Map<string, number>()
  /** Generations in which a member was given no bytes at all, and what their leaders had been asked and had said. */
  readonly unassigned = new Map<number, string[]>()
  private readonly leaders = new Map<number, string>()
  generation = 0
  private clock = 1
  private readonly groupId: string
  private readonly target: { host: string; port: number }
  private readonly server: Server
  private readonly links = new Set<Link>()
  private readonly outcasts = new Set<string>()

  private constructor(server: Server, groupId: string, target: { host: string; port: number }) {
    this.server = server
    this.groupId = groupId
    this.target = target
    server.on('connection', (client) => this.accept(client))
  }

  static async start(options: { port: number; target: number; groupId: string }): Promise<Witness> {
    const server = createServer({ noDelay: true })
    const { groupId, target } = options
    const witness = new Witness(server, groupId, { host: '127.0.0.1', port: target })
    await new Promise<void>((resolve) => server.listen(options.port, '127.0.0.1', resolve))
    return witness
  }

  /** From now on nobody hears of this client, and it hears of nobody. */
  cutOff(who: string): void {
    this.outcasts.add(who)
    for (const link of this.links) if (link.who === who) link.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    for (const link of this.links) link.end()
    await closed
  }

  private accept(client: Socket): void {
    const link: Link = new Link(client, connect({ ...this.target, noDelay: true }), {
      mayPass: (who) => !this.outcasts.has(who),
      asked: (who, frame) => this.asked(who, frame),
      answered: (who, asked, frame) => this.answered(who, asked, frame),
      ended: () => this.links.delete(link),
    })
    this.links.add(link)
  }

  private asked(who: string, frame: Uint8Array): Asked | null {
    const { key, version } = peekApi(new Reader(frame))
    const api = WITNESSED.get(key)
    if (api === undefined) return null
    const reader = new Reader(frame)
    decodeRequestHeader(api, version, reader)
    const body = decodeFrom(api.request, version, reader) as object
    const asked: Asked = { api, version, body, from: this.clock++, commits: [] }
    if (api.key === OffsetCommit.key) this.committing(who, asked)
    if (api.key === SyncGroup.key) this.syncing(who, body as never)
    return asked
  }

  private answered(who: string, asked: Asked, frame: Uint8Array): void {
    const { api, version, body } = asked
    const reader = new Reader(frame)
    decodeFrom(ResponseHeader, responseHeaderVersion(api, version), reader)
    const response = decodeFrom(api.response, version, reader) as object
    if (api.key === OffsetCommit.key) this.committed(asked, response as never)
    else if (api.key === OffsetFetch.key) this.fetched(who, asked, response as never)
    else this.count(api.name, (response as { errorCode: number }).errorCode)
    if (api.key === JoinGroup.key) this.joined(who, response as never)
    if (api.key === SyncGroup.key) this.synced(who, body as never, response as never)
    if (api.key === ConsumerGroupHeartbeat.key) this.beaten(who, body as never, response as never)
  }

  private count(name: string, errorCode: number): void {
    const what = `${name} ${errorCode}`
    this.answers.set(what, (this.answers.get(what) ?? 0) + 1)
  }

  private joined(who: string, response: ResponseOf<typeof JoinGroup>): void {
    const { errorCode, generationId, leader, memberId, members } = response
    if (errorCode !== ErrorCode.NONE || leader !== memberId) return
    this.leaders.set(generationId, `${who} leads ${members.length}`)
  }

  private syncing(who: string, request: RequestOf<typeof SyncGroup>): void {
    const { generationId, assignments } = request
    const before = this.leaders.get(generationId) ?? ''
    if (assignments.length === 0 && !before.startsWith(`${who} `)) return
    const whole = assignments.filter(({ assignment }) => assignment.length > 0).length
    this.leaders.set(generationId, `${before}; ${who} assigns to ${whole}`)
  }

  private synced(
    who: string,
    { groupId, generationId }: RequestOf<typeof SyncGroup>,
    { errorCode, assignment }: ResponseOf<typeof SyncGroup>,
  ): void {
    if (groupId !== this.groupId || errorCode !== ErrorCode.NONE) return
    if (assignment.length === 0) {
      const known = this.unassigned.get(generationId) ?? [this.leaders.get(generationId) ?? '']
      this.unassigned.set(generationId, [...known, who])
    }
    const topics = assignment.length === 0 ? [] : decodeAssignment(assignment).assignedPartitions
    const partitions = topics.flatMap((topic) => topic.partitions).sort((a, b) => a - b)
    this.generation = Math.max(this.generation, generationId)
    this.given.push({ who, generation: generationId, partitions })
  }

  private beaten(
    who: string,
    { groupId }: RequestOf<typeof ConsumerGroupHeartbeat>,
    { errorCode, memberEpoch, assignment }: ResponseOf<typeof ConsumerGroupHeartbeat>,
  ): void {
    if (groupId !== this.groupId || errorCode !== ErrorCode.NONE) return
    this.generation = Math.max(this.generation, memberEpoch)
    if (assignment === null) return
    const partitions = assignment.topicPartitions.flatMap((topic) => topic.partitions)
    this.given.push({ who, generation: memberEpoch, partitions: partitions.sort((a, b) => a - b) })
  }

  private committing(who: string, { body, from, commits }: Asked): void {
    const { groupId, topics } = body as RequestOf<typeof OffsetCommit>
    if (groupId !== this.groupId) return
    for (const { partitions } of topics) {
      for (const { partitionIndex: partition, committedOffset } of partitions) {
        const offset = Number(committedOffset)
        commits.push({ who, partition, offset, from, to: Number.POSITIVE_INFINITY })
      }
    }
    this.commits.push(...commits)
  }

  private committed({ commits }: Asked, { topics }: ResponseOf<typeof OffsetCommit>): void {
    const to = this.clock++
    const errors = new Map<number, number>()
    for (const { partitions } of topics) {
      for (const { partitionIndex, errorCode } of partitions) errors.set(partitionIndex, errorCode)
    }
    const refused = new Set<Commit>()
    for (const commit of commits) {
      const errorCode = errors.get(commit.partition) ?? ErrorCode.UNKNOWN_SERVER_ERROR
      this.count('OffsetCommit', errorCode)
      if (errorCode === ErrorCode.NONE) commit.to = to
      else if (isCertain(errorCode)) refused.add(commit)
    }
    for (const commit of refused) this.commits.splice(this.commits.lastIndexOf(commit), 1)
  }

  private fetched(
    who: string,
    { body, from }: Asked,
    response: ResponseOf<typeof OffsetFetch>,
  ): void {
    const to = this.clock++
    const { groupId, groups } = body as RequestOf<typeof OffsetFetch>
    if (groupId !== this.groupId && groups[0]?.groupId !== this.groupId) return
    const group = response.groups[0]
    const errorCode = group?.errorCode ?? response.errorCode
    this.count('OffsetFetch', errorCode)
    if (errorCode !== ErrorCode.NONE) return
    for (const { partitions } of group?.topics ?? response.topics) {
      for (const { partitionIndex: partition, committedOffset, errorCode: problem } of partitions) {
        if (problem !== ErrorCode.NONE) continue
        const offset = Number(committedOffset)
        this.told.push({ who, partition, offset, from, to })
        const key = `${who} ${partition}`
        this.toldTo.set(key, (this.toldTo.get(key) ?? new Set()).add(offset))
      }
    }
  }
}

/** After these nothing was written; after others nobody knows. */
function isCertain(errorCode: number): boolean {
  return (
    errorCode === ErrorCode.ILLEGAL_GENERATION ||
    errorCode === ErrorCode.UNKNOWN_MEMBER_ID ||
    errorCode === ErrorCode.REBALANCE_IN_PROGRESS ||
    errorCode === ErrorCode.FENCED_INSTANCE_ID ||
    errorCode === ErrorCode.STALE_MEMBER_EPOCH ||
    errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
  )
}

interface Ears {
  mayPass(who: string): boolean
  asked(who: string, frame: Uint8Array): Asked | null
  answered(who: string, asked: Asked, frame: Uint8Array): void
  ended(): void
}

/** One client's connection and the one to the broker that belongs to it. */
class Link {
  who = ''
  private readonly sockets: readonly [Socket, Socket]
  private readonly asked = new Map<number, Asked>()

  constructor(client: Socket, broker: Socket, ears: Ears) {
    this.sockets = [client, broker]
    const requests = new Frames((frame) => {
      this.who ||= nameOf(frame)
      if (!ears.mayPass(this.who)) return this.end()
      const asked = ears.asked(this.who, frame)
      if (asked !== null) this.asked.set(correlationOf(frame, 4), asked)
    })
    const responses = new Frames((frame) => {
      const correlationId = correlationOf(frame, 0)
      const asked = this.asked.get(correlationId)
      if (asked === undefined || !ears.mayPass(this.who)) return
      this.asked.delete(correlationId)
      ears.answered(this.who, asked, frame)
    })
    // A fact is written down before those whom it is about can act on it.
    const pass = (from: Socket, to: Socket, frames: Frames) => {
      from.on('data', (bytes) => {
        frames.take(bytes)
        if (!to.destroyed && !to.write(bytes)) from.pause()
      })
      to.on('drain', () => from.resume())
      from.on('error', () => {})
      from.on('close', () => {
        this.end()
        ears.ended()
      })
    }
    pass(client, broker, requests)
    pass(broker, client, responses)
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy()
  }
}

/** Cuts a stream into frames. */
class Frames {
  private buffered: Buffer = Buffer.alloc(0)
  private readonly heard: (frame: Buffer) => void

  constructor(heard: (frame: Buffer) => void) {
    this.heard = heard
  }

  take(bytes: Buffer): void {
    this.buffered = this.buffered.length === 0 ? bytes : Buffer.concat([this.buffered, bytes])
    while (this.buffered.length >= 4) {
      const end = 4 + this.buffered.readInt32BE(0)
      if (this.buffered.length < end) return
      this.heard(this.buffered.subarray(4, end))
      this.buffered = this.buffered.subarray(end)
    }
  }
}

function correlationOf(frame: Uint8Array, at: number): number {
  return new DataView(frame.buffer, frame.byteOffset).getInt32(at)
}

/** The client id: it is at the same place in every header. */
function nameOf(frame: Buffer): string {
  const length = frame.readInt16BE(8)
  return length < 0 ? '' : frame.toString('utf8', 10, 10 + length)
}
