// The two that are asked: Apache Kafka and Ottla, each a fresh single node with the same server.properties but for
// directory and ports. A side opens a connection when it needs one, says how a question ended (answered, closed,
// silence), and remembers what later questions build on: ids of topics, sessions, producers.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Reader } from '../../../src/lib/bytes.ts'
import { ONE_UUID } from '../../../src/lib/uuid.ts'
import { decodeFrom } from '../../../src/protocol/codec.ts'
import type { Api } from '../../../src/protocol/dsl.ts'
import { ResponseHeader, responseHeaderVersion } from '../../../src/protocol/headers.ts'
import { BrokerProcess } from '../../integration/support/broker_process.ts'
import { freePorts, ROOT, runCommand } from '../../integration/support/commands.ts'
import { RawClient } from '../../integration/support/raw_client.ts'
import { formatKafka, Kafka, writeProperties } from '../kafka/kafka.ts'

const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg'
const PATIENCE_MS = 4_000
/** How long nothing must come before a question counts as not answered. */
const SILENCE_MS = 1_500

export type Listener = 'broker' | 'controller'

/** How a question ended; `value` is the decoded response. */
export type Outcome =
  | { end: 'answered'; value: object }
  | { end: 'closed' }
  | { end: 'silence' }
  | { end: 'undecodable'; value: string }

type Running = AsyncDisposable & { readonly said: string }

/** One of the two. */
export class Side implements AsyncDisposable {
  readonly name: 'kafka' | 'ottla'
  readonly port: number
  readonly directory: string
  /** Names of topics by id, learned from every answer. */
  readonly names = new Map([[ONE_UUID, '__cluster_metadata']])
  /** What a chapter keeps for its later questions. */
  readonly kept = new Map<string, number>()
  private readonly process: Running
  private readonly clients = new Map<Listener, RawClient>()

  constructor(name: Side['name'], port: number, directory: string, process: Running) {
    this.name = name
    this.port = port
    this.directory = directory
    this.process = process
  }

  /** The id of a topic, or one that is nobody's. */
  idOf(topic: string): string {
    for (const [id, name] of this.names) if (name === topic) return id
    return 'bm8tc3VjaC10b3BpYy1pZA'
  }

  async connect(listener: Listener): Promise<RawClient> {
    const port = listener === 'broker' ? this.port : this.port + 1
    try {
      return await RawClient.open(`127.0.0.1:${port}`)
    } catch (problem) {
      throw new Error(`${this.name} does not listen:\n${this.process.said.slice(-6000)}`, {
        cause: problem,
      })
    }
  }

  /** One question on the side's own connection to a listener. */
  async ask(api: Api, version: number, body: object, listener: Listener): Promise<Outcome> {
    const client = await this.client(listener)
    const frame = await within(client.askFrame(api, version, body as never), client, PATIENCE_MS)
    if (!(frame instanceof Uint8Array)) {
      this.clients.delete(listener)
      return frame
    }
    try {
      return { end: 'answered', value: decodeResponse(api, version, frame) }
    } catch (problem) {
      return { end: 'undecodable', value: (problem as Error).message }
    }
  }

  /** A question that nobody answers; whether the connection still serves afterwards. */
  async send(api: Api, version: number, body: object, ping: Api): Promise<Outcome> {
    const client = await this.client('broker')
    client.send(api, version, body as never)
    const frame = await within(client.askFrame(ping, 0, {} as never), client, PATIENCE_MS)
    return frame instanceof Uint8Array ? { end: 'answered', value: {} } : frame
  }

  /** Bytes on a connection of their own; the answer is that of `asked`, where it is one that can be read. */
  async bytes(
    bytes: Uint8Array,
    correlationId: number,
    listener: Listener,
    asked?: readonly [api: Api, version: number],
  ): Promise<Outcome> {
    const client = await this.connect(listener)
    const frame = await within(client.askBytes(bytes, correlationId), client, SILENCE_MS)
    client.close()
    if (!(frame instanceof Uint8Array)) return frame
    if (asked !== undefined) {
      return { end: 'answered', value: decodeResponse(asked[0], asked[1], frame) }
    }
    return { end: 'answered', value: { bytes: Buffer.from(frame).toString('hex') } }
  }

  /** What the process said that was an error to it. */
  get complaints(): string[] {
    return this.process.said.split('\n').filter((line) => line.includes('"level":"error"'))
  }

  /** A new connection in the place of the one in use. */
  reconnect(): void {
    for (const client of this.clients.values()) client.close()
    this.clients.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reconnect()
    await this.process[Symbol.asyncDispose]()
  }

  private async client(listener: Listener): Promise<RawClient> {
    const open = this.clients.get(listener)
    if (open !== undefined && !open.isClosed) return open
    const client = await this.connect(listener)
    this.clients.set(listener, client)
    return client
  }
}

export function decodeResponse(api: Api, version: number, frame: Uint8Array): object {
  const reader = new Reader(frame)
  decodeFrom(ResponseHeader, responseHeaderVersion(api, version), reader)
  const response = decodeFrom(api.response, version, reader)
  reader.finish()
  return response as object
}

async function within(
  answer: Promise<Uint8Array>,
  client: RawClient,
  patienceMs: number,
): Promise<Uint8Array | Outcome> {
  answer.catch(() => {})
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ end: 'silence' }), patienceMs)
  })
  const closed = client.ended().then((): Outcome => ({ end: 'closed' }))
  const frame = answer.catch((): Outcome => ({ end: 'closed' }))
  const first = await Promise.race([frame, closed, late])
  clearTimeout(timer)
  if (!(first instanceof Uint8Array)) client.close()
  return first
}

/** Formats and starts both; they are gone, and their files, when the stack is disposed. */
export async function startSides(
  config: Readonly<Record<string, string | number>>,
  stack: AsyncDisposableStack,
): Promise<[kafka: Side, ottla: Side]> {
  const root = mkdtempSync(join(tmpdir(), 'differential-'))
  stack.defer(() => rmSync(root, { recursive: true, force: true }))
  const [kafka, ottla] = await Promise.all([
    startKafka(join(root, 'k'), config),
    startOttla(join(root, 'o'), config),
  ])
  stack.use(kafka)
  stack.use(ottla)
  return [kafka, ottla]
}

async function startKafka(directory: string, config: Record<string, string | number>) {
  const port = await freePorts()
  const file = writeProperties({ directory, port, config })
  await formatKafka(file, CLUSTER_ID)
  const kafka = await Kafka.start(file, port)
  const process: Running = {
    get said() {
      return kafka.server.said
    },
    [Symbol.asyncDispose]: () => kafka.kill(),
  }
  return new Side('kafka', port, directory, process)
}

async function startOttla(directory: string, config: Record<string, string | number>) {
  const port = await freePorts()
  mkdirSync(directory, { recursive: true })
  const file = writeProperties({ directory, port, config })
  const main = join(ROOT, 'src/main.ts')
  await runCommand(process.execPath, [main, 'format', '-t', CLUSTER_ID, '-c', file])
  return new Side('ottla', port, directory, await BrokerProcess.start({ file, port }))
}
