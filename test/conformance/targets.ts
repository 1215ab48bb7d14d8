// Whom a suite is run against: a fresh Ottla from the sources, a fresh Apache Kafka, or whoever listens at an address.
// Fresh ones live in a temporary folder on free ports and are gone afterwards; both get the same settings.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerProcess } from '../integration/support/broker_process.ts'
import { freePorts } from '../integration/support/commands.ts'
import { formatKafka, Kafka, writeProperties } from '../oracle/kafka/kafka.ts'
import type { Target } from './suite.ts'

/** A target with its end. */
export interface RunningTarget extends AsyncDisposable {
  readonly target: Target
  /** What the broker wrote last, for a reader after a failure. */
  said(): string
}

type Settings = Readonly<Record<string, string>>

/** What every suite gets, on both brokers; a suite's own settings win. */
const SETTINGS: Settings = { 'group.initial.rebalance.delay.ms': '0' }

/** Starts, or finds, what the command line names: nothing for Ottla, `kafka`, or `host:port`. */
export async function openTarget(
  where: string | undefined,
  wants: Settings,
): Promise<RunningTarget> {
  const config = { ...SETTINGS, ...wants }
  if (where === undefined) return await startOttla(config)
  if (where === 'kafka') return await startApacheKafka(config)
  const [, host, port] = where.match(/^(.+):(\d+)$/) ?? []
  if (host === undefined) throw new Error(`not an address, and not kafka: ${where}`)
  return {
    target: { address: where, host, port: Number(port), name: 'other' },
    said: () => '',
    async [Symbol.asyncDispose]() {},
  }
}

async function startOttla(config: Settings): Promise<RunningTarget> {
  const broker = await BrokerProcess.start({ config })
  const restart = async () => {
    await broker.stop()
    await broker.start()
  }
  return {
    target: { ...at(broker.port), name: 'ottla', restart },
    said: () => broker.said,
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  }
}

async function startApacheKafka(config: Settings): Promise<RunningTarget> {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-kafka-'))
  const port = await freePorts()
  const file = writeProperties({ directory, port, config })
  await formatKafka(file, 'MkU3OEVBNTcwNTJENDM2Qk')
  let kafka = await Kafka.start(file, port, '1G')
  const restart = async () => {
    await kafka.stop()
    kafka = await Kafka.start(file, port, '1G')
  }
  return {
    target: { ...at(port), name: 'kafka', restart },
    said: () => kafka.server.said,
    async [Symbol.asyncDispose]() {
      await kafka.kill()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function at(port: number): { address: string; host: string; port: number } {
  return { address: `127.0.0.1:${port}`, host: '127.0.0.1', port }
}
