// A start of the broker as a user sees it: from the exec of the process to the first produce that is acknowledged, on an
// empty directory, with the topic created in between; then what it costs while nobody asks anything of it.

import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Produce } from '../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../src/protocol/messages/topics.ts'
import { encodeBatch } from '../../src/protocol/record_batch.ts'
import { freePorts, Server } from '../../test/integration/support/commands.ts'
import { RawClient } from '../../test/integration/support/raw_client.ts'
import { ottlaCommand } from '../arms/brokers.ts'
import { usageOf } from '../harness/processes.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const START_MS_MAX = 30_000
/** After the first produce, until what it left to do is done. */
const SETTLE_MS = 2000

/** One start. The last two are measured in some starts only, because they take a while. */
export interface StartRow {
  readonly round: number
  readonly firstAckMs: number
  readonly residentMib?: number
  readonly wakeUpsPerSecond?: number
}
export type StartFigure = 'firstAckMs' | 'residentMib' | 'wakeUpsPerSecond'

/** Resolves once somebody listens; tries again at once. */
async function listening(port: number): Promise<void> {
  const deadline = performance.now() + START_MS_MAX
  while (performance.now() < deadline) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isThere) return
    await pause(1)
  }
  throw new Error(`nobody listens on port ${port} after ${START_MS_MAX} ms`)
}

async function produceOne(port: number): Promise<void> {
  const client = await RawClient.open(`127.0.0.1:${port}`)
  try {
    const name = 'first'
    const asked = { topics: [{ name, numPartitions: 1, replicationFactor: 1 }], timeoutMs: 10_000 }
    const { topics } = await client.ask(CreateTopics, 7, asked)
    const records = encodeBatch({
      timestamp: Date.now(),
      records: [{ value: new Uint8Array(1024) }],
    })
    const { responses } = await client.ask(Produce, 12, {
      acks: 1,
      timeoutMs: 10_000,
      topicData: [{ name, partitionData: [{ index: 0, records }] }],
    })
    const errorCode = topics[0]!.errorCode || responses[0]!.partitionResponses[0]!.errorCode
    if (errorCode !== 0) throw new Error(`the first produce was refused: ${errorCode}`)
  } finally {
    client.close()
  }
}

/** Starts a broker on an empty `directory`, and measures it; `idleSeconds` 0: only until the first acknowledgement. */
export async function measureStart(
  directory: string,
  round: number,
  idleSeconds: number,
): Promise<StartRow> {
  const data = join(directory, `start-${round}`)
  const port = await freePorts()
  const command = ottlaCommand(ROOT, data, port)
  const fromMs = performance.now()
  const server = new Server(process.execPath, command)
  try {
    await listening(port)
    await produceOne(port)
    const firstAckMs = performance.now() - fromMs
    if (idleSeconds === 0) return { round, firstAckMs }
    await pause(SETTLE_MS)
    const before = usageOf(server.pid)
    await pause(idleSeconds * 1000)
    const { contextSwitches, residentMib } = usageOf(server.pid)
    const wakeUpsPerSecond = (contextSwitches - before.contextSwitches) / idleSeconds
    return { round, firstAckMs, residentMib, wakeUpsPerSecond }
  } finally {
    await server.end('SIGTERM', 30_000)
    rmSync(data, { recursive: true, force: true })
  }
}
