// A quorum of two: one controller is Apache Kafka 4.3.1, the other is our raft machine behind plain
// sockets. Each must elect, follow, commit and hand over with the other; needs JDK 17 and the jars
// under .cache/kafka-4.3.1/libs.
//   node test/oracle/raft/quorum.ts
//
// Our side appends nothing but control records; what Kafka's controller appends is loaded into our
// image below the high watermark. It ends when both have led and committed, or fails after a minute.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Reader } from '../../../src/lib/bytes.ts'
import { Random } from '../../../src/lib/random.ts'
import { MetadataImage } from '../../../src/metadata/image.ts'
import { decodeMetadataRecord } from '../../../src/metadata/record.ts'
import { decodeFrom } from '../../../src/protocol/codec.ts'
import { encodeControlBatch } from '../../../src/protocol/control_records.ts'
import type { Api } from '../../../src/protocol/dsl.ts'
import {
  decodeRequestHeader,
  encodeRequestFrame,
  encodeResponseFrame,
  peekApi,
  ResponseHeader,
  responseHeaderVersion,
} from '../../../src/protocol/headers.ts'
import { batchesOf, recordsOf } from '../../../src/protocol/record_batch.ts'
import { encodeQuorumState } from '../../../src/raft/quorum_state.ts'
import { Raft, type RaftEffect, type RaftInput } from '../../../src/raft/raft.ts'
import { VoterSet } from '../../../src/raft/voters.ts'
import { Disk } from '../../sim/raft/disk.ts'
import { apis, configOf, directory } from '../../unit/raft/node.ts'

const libs = fileURLToPath(new URL('../../../.cache/kafka-4.3.1/libs/', import.meta.url))
const JAVA = ['-Xmx300m', '-cp', `${libs}*`]
const CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw'
const LISTENER = 'CONTROLLER'
const [KAFKA_PORT, OUR_PORT] = [39193, 39194]
const DEADLINE_MS = 90_000

const endpoint = (port: number) => [{ name: LISTENER, host: '127.0.0.1', port }]
const voters = new VoterSet(
  [KAFKA_PORT, OUR_PORT].map((port, index) => ({
    id: index + 1,
    directoryId: directory(index + 1),
    endpoints: endpoint(port),
    kraftVersions: { min: 0, max: 1 },
  })),
)
const servable = new Map(Object.values(apis).map((api) => [api.key, api as unknown as Api]))

/** Our controller: the machine, a simulated disk, real time and real sockets. */
class Ours {
  readonly disk = new Disk({
    offset: 0,
    epoch: 0,
    bytes: 300,
    quorum: [
      { type: 'kraftVersion', value: { version: 0, kRaftVersion: 1 } },
      { type: 'voters', value: voters.toRecord() },
    ],
  })
  readonly raft: Raft
  readonly image = new MetadataImage()
  readonly leaders = new Map<number, number>()
  readonly server = createServer((socket) => this.accept(socket))
  isDeaf = false
  /** Called after each step; the clock steps every ten milliseconds. */
  onStep: () => void = () => {}
  private readonly answers = new Map<number, (response: object) => void>()
  private readonly started = performance.now()
  private readonly startedMs = Date.now()
  private nextTicket = 1
  private timer: ReturnType<typeof setInterval> | null = null
  private peer: Socket | null = null
  private readonly waiting = new Map<number, { api: Api; requestId: number }>()
  private applied = 0

  constructor() {
    const config = configOf(2, {
      clusterId: CLUSTER_ID,
      directoryId: directory(2),
      listeners: endpoint(OUR_PORT),
    })
    this.raft = new Raft(config, new Random(Date.now()))
  }

  start(): void {
    this.server.listen(OUR_PORT, '127.0.0.1')
    this.give(this.disk.boot())
    this.timer = setInterval(() => this.give({ kind: 'timer' }), 10)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.peer?.destroy()
    this.server.close()
  }

  give(input: RaftInput): void {
    const out: RaftEffect[] = []
    this.raft.step(input, this.startedMs + (performance.now() - this.started), out)
    for (const effect of out) this.carryOut(effect)
    this.onStep()
  }

  private carryOut(effect: RaftEffect): void {
    const { disk } = this
    switch (effect.kind) {
      case 'persistQuorumState':
        disk.quorumState = encodeQuorumState(effect.state, effect.version, effect.voterIds)
        return
      case 'append': {
        const { baseOffset, epoch, timestampMs } = effect
        disk.append(encodeControlBatch(effect.control!, { baseOffset, epoch, timestampMs }))
        return
      }
      case 'appendFetched':
        disk.append(effect.records)
        return
      case 'truncate':
        disk.truncate(effect.offset)
        return
      case 'flush':
        disk.flush()
        setImmediate(() => this.give({ kind: 'flushed', logEndOffset: disk.endOffset }))
        return
      case 'send':
        this.send(effect)
        return
      case 'respond':
        this.answer(effect.ticket, effect.response)
        return
      case 'respondFetch': {
        const records = disk.read(effect.offset, effect.endOffset, effect.bytesMax)
        const topic = effect.response.responses![0]!
        const partitions = [{ ...topic.partitions![0]!, records }]
        this.answer(effect.ticket, { ...effect.response, responses: [{ ...topic, partitions }] })
        return
      }
      case 'highWatermark':
        this.apply(effect.offset)
        return
      case 'leaderChanged':
        say(`epoch ${effect.epoch}, leader ${effect.leaderId ?? '-'}`)
        return
      case 'note':
        say(`notes: ${effect.text}`)
        return
      default:
        return
    }
  }

  private apply(highWatermark: number): void {
    for (const batch of this.disk.batches()) {
      if (batch.baseOffset < this.applied || batch.endOffset > highWatermark) continue
      for (const header of batchesOf(batch.bytes)) {
        for (const record of recordsOf(batch.bytes, header)) {
          if (header.isControl) this.image.advance(record.offset, batch.epoch)
          else this.image.apply(decodeMetadataRecord(record.value!), record.offset, batch.epoch)
        }
      }
      this.applied = batch.endOffset
    }
    if (this.raft.leaderId !== null) this.leaders.set(this.raft.epoch, this.raft.leaderId)
  }

  private send(effect: Extract<RaftEffect, { kind: 'send' }>): void {
    const { requestId } = effect
    if (this.isDeaf) return
    if (this.peer === null || this.peer.destroyed) {
      this.peer = connect(effect.to.port, effect.to.host)
      this.peer.on('error', () => this.lose())
      this.peer.on('close', () => this.lose())
      readFrames(this.peer, (frame) => this.hear(frame))
    }
    const api = apis[effect.api] as unknown as Api
    this.waiting.set(requestId, { api, requestId })
    const header = { correlationId: requestId, clientId: 'ottla' }
    this.peer.write(encodeRequestFrame(api, api.valid.max, header, effect.request as never))
  }

  private lose(): void {
    this.peer = null
    for (const { requestId } of [...this.waiting.values()]) {
      this.waiting.delete(requestId)
      setImmediate(() => this.give({ kind: 'sendFailed', requestId }))
    }
  }

  private hear(frame: Uint8Array): void {
    const id = new Reader(frame).int32()
    const sent = this.waiting.get(id)
    if (sent === undefined || this.isDeaf) return
    this.waiting.delete(id)
    const { api, requestId } = sent
    const reader = new Reader(frame)
    decodeFrom(ResponseHeader, responseHeaderVersion(api, api.valid.max), reader)
    const response = decodeFrom(api.response, api.valid.max, reader)
    this.give({ kind: 'response', requestId, api: api.name, response } as never)
  }

  private accept(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    readFrames(socket, (frame) => {
      if (this.isDeaf) return
      const reader = new Reader(frame)
      const { key, version } = peekApi(reader)
      const api = servable.get(key)
      if (api === undefined) {
        say(`an unserved request, key ${key}`)
        socket.destroy()
        return
      }
      const { correlationId } = decodeRequestHeader(api, version, reader)
      const reply = (response: object) =>
        socket.write(encodeResponseFrame(api, version, correlationId, response as never))
      if (api.name === 'ApiVersions') {
        reply(apiVersions())
        return
      }
      const request = decodeFrom(api.request, version, reader)
      const ticket = this.nextTicket++
      this.answers.set(ticket, reply)
      const input = { kind: 'request', ticket, api: api.name, version, listener: LISTENER, request }
      this.give(input as never)
    })
  }

  private answer(ticket: number, response: object): void {
    const reply = this.answers.get(ticket)
    this.answers.delete(ticket)
    if (!this.isDeaf) reply!(response)
  }
}

function apiVersions(): object {
  const apiKeys = [...servable.values()].map((api) => ({
    apiKey: api.key,
    minVersion: api.valid.min,
    maxVersion: api.valid.max,
  }))
  const supportedFeatures = [
    { name: 'kraft.version', minVersion: 0, maxVersion: 1 },
    { name: 'metadata.version', minVersion: 7, maxVersion: 30 },
  ]
  return { apiKeys, supportedFeatures }
}

function readFrames(socket: Socket, onFrame: (frame: Uint8Array) => void): void {
  let held = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk as Buffer])
    while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
      const end = 4 + held.readInt32BE(0)
      const frame = new Uint8Array(held.subarray(4, end))
      held = held.subarray(end)
      onFrame(frame)
    }
  })
}

function formatKafka(home: string): string {
  if (!existsSync(libs)) throw new Error(`the jars of Apache Kafka 4.3.1 are needed in ${libs}`)
  const file = join(home, 'controller.properties')
  writeFileSync(
    file,
    [
      'process.roles=controller',
      'node.id=1',
      `controller.quorum.bootstrap.servers=127.0.0.1:${KAFKA_PORT},127.0.0.1:${OUR_PORT}`,
      `listeners=${LISTENER}://127.0.0.1:${KAFKA_PORT}`,
      `controller.listener.names=${LISTENER}`,
      `listener.security.protocol.map=${LISTENER}:PLAINTEXT`,
      `log.dirs=${join(home, 'data')}`,
    ].join('\n'),
  )
  const initial = [KAFKA_PORT, OUR_PORT]
    .map((port, index) => `${index + 1}@127.0.0.1:${port}:${directory(index + 1)}`)
    .join()
  const words = ['format', '--initial-controllers', initial, '-t', CLUSTER_ID, '-c', file]
  const done = spawnSync('java', [...JAVA, 'kafka.tools.StorageTool', ...words], {
    encoding: 'utf8',
  })
  if (done.status !== 0) throw new Error(done.stdout + done.stderr)
  return file
}

function launchKafka(file: string): ChildProcess {
  return spawn('java', [...JAVA, 'kafka.Kafka', file], { stdio: 'ignore' })
}

function say(text: string): void {
  process.stdout.write(`${new Date().toISOString().slice(14, 23)} ${text}\n`)
}

async function main(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'ottla-quorum-'))
  const file = formatKafka(home)
  let kafka = launchKafka(file)
  process.on('exit', () => kafka.kill('SIGKILL'))
  const ours = new Ours()
  ours.start()
  const deadline = performance.now() + DEADLINE_MS
  const until = (what: string, holds: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      ours.onStep = () => {
        if (performance.now() > deadline) reject(new Error(`not seen in time: ${what}`))
        if (!holds()) return
        ours.onStep = () => {}
        say(`seen: ${what}`)
        resolve()
      }
    })
  const leads = (id: number) => ours.leaders.get(ours.raft.epoch) === id
  const kafkaLeads = async (when: string) => {
    if (ours.raft.role === 'leader') ours.give({ kind: 'resign', epoch: ours.raft.epoch })
    await until(`Kafka leads and commits ${when}`, () => leads(1))
  }
  try {
    await until('a leader that commits', () => ours.leaders.size > 0)
    await kafkaLeads('at first')
    await until("Kafka's records in our image", () => ours.image.features.metadataVersion === 30)
    kafka.kill('SIGTERM')
    await until('we lead when Kafka shuts down', () => ours.raft.role === 'leader')
    await until('Kafka is gone', () => kafka.exitCode !== null || kafka.signalCode !== null)
    kafka = launchKafka(file)
    await until('Kafka is back and follows us', () => leads(2))
    await kafkaLeads('after our resignation')
    // Silence for longer than its check-quorum timeout: it resigns, and we cut what it never had.
    ours.isDeaf = true
    const quietUntil = performance.now() + 3500
    await until('silence', () => performance.now() > quietUntil)
    const { epoch } = ours.raft
    ours.isDeaf = false
    await until('a newer epoch commits', () => [...ours.leaders.keys()].some((e) => e > epoch))
    say(`leaders by epoch: ${JSON.stringify([...ours.leaders])}, log to ${ours.disk.endOffset}`)
  } finally {
    ours.stop()
    kafka.kill('SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
}

await main()
