// A decoded response as a flat list of paths and values, so that two of them compare row by row. Elements of arrays
// are named by what identifies them and not by their place, because Kafka answers out of hash maps. What each node is
// free to choose is replaced by its kind: ids, ports, paths, clocks, the wording of errors.

import { ZERO_UUID } from '../../../src/lib/uuid.ts'
import { batchesOf } from '../../../src/protocol/record_batch.ts'
import type { Side } from './sides.ts'

export type Flat = Map<string, string>

/** Fields that identify an element among its siblings. */
const IDENTITY = [
  'apiKey',
  'name',
  'topic',
  'topicName',
  'topicId',
  'feature',
  'resourceType',
  'resourceName',
  'partitionIndex',
  'partitionId',
  'partition',
  'index',
  'nodeId',
  'brokerId',
  'replicaId',
  'source',
  'batchIndex',
  'producerEpoch',
  'groupId',
  'key',
]
const CLOCKS = new Set([
  'lastFetchTimestamp',
  'lastCaughtUpTimestamp',
  'logAppendTimeMs',
  'lastTimestamp',
  'transactionStartTimeMs',
])
const GIVEN = new Set([
  'totalBytes',
  'usableBytes',
  'producerId',
  'brokerEpoch',
  'producerIdStart',
  'finalizedFeaturesEpoch',
])
const TEXTS = new Set(['errorMessage', 'batchIndexErrorMessage', 'documentation'])
const IDS = new Set(['topicId', 'replicaDirectoryId', 'voterDirectoryId'])

/** Topics that are sent what one side may take and the other refuse, and each node's own log: offsets drift apart. */
const DOUBTFUL = /doubtful|__cluster_metadata/
const PLACES = new Set([
  'baseOffset',
  'partitionSize',
  'offset',
  'highWatermark',
  'lastStableOffset',
  'logEndOffset',
  'endOffset',
  'size',
])

/** The rows of a response of one side. */
export function flatten(side: Side, value: unknown): Flat {
  const rows: Flat = new Map()
  learn(side, value)
  walk(side, '', '', value, rows)
  return rows
}

/** Every topic that an answer names with its id. */
function learn(side: Side, value: unknown): void {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return
  const { topicId, name } = value as Record<string, unknown>
  if (typeof topicId === 'string' && typeof name === 'string' && topicId !== ZERO_UUID) {
    if (name !== '') side.names.set(topicId, name)
  }
  for (const item of Object.values(value)) learn(side, item)
}

function walk(side: Side, path: string, key: string, value: unknown, rows: Flat): void {
  if (value instanceof Uint8Array && DOUBTFUL.test(path)) {
    rows.set(path, value.length === 0 ? 'none' : 'some')
  } else if (value instanceof Uint8Array) {
    const { whole, isCut } = batches(value)
    rows.set(path, whole)
    rows.set(`${path}.isCut`, String(isCut))
  } else if (Array.isArray(value)) {
    rows.set(`${path}.length`, String(value.length))
    const seen = new Map<string, number>()
    if (value.length > 0 && typeof value[0] !== 'object') rows.set(path, value.join(','))
    else {
      for (const item of value) {
        const name = identityOf(side, item as object)
        const count = (seen.get(name) ?? 0) + 1
        seen.set(name, count)
        const element = `${path}[${name}${count > 1 ? `#${count}` : ''}]`
        rows.set(element, 'there')
        walk(side, element, key, item, rows)
      }
    }
  } else if (value !== null && typeof value === 'object') {
    for (const [name, item] of Object.entries(value)) {
      walk(side, path === '' ? name : `${path}.${name}`, name, item, rows)
    }
  } else if (DOUBTFUL.test(path) && PLACES.has(key)) {
    rows.set(path, Number(value) < 0 ? String(value) : 'given')
  } else rows.set(path, scalar(side, key, value))
}

function identityOf(side: Side, item: object): string {
  const fields = item as Record<string, unknown>
  const parts: string[] = []
  for (const name of IDENTITY) {
    const value = fields[name]
    if (value === undefined || typeof value === 'object') continue
    const text = scalar(side, name, value)
    if (text !== 'none' && text !== '') parts.push(text)
  }
  return parts.join(' ')
}

function scalar(side: Side, key: string, value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (TEXTS.has(key)) return value === '' ? 'empty' : 'text'
  if (CLOCKS.has(key)) return Number(value) < 0 ? String(value) : 'a time'
  if (GIVEN.has(key)) return Number(value) < 0 ? String(value) : 'given'
  if (key === 'sessionId') return value === 0 ? '0' : 'given'
  if (typeof value === 'number') return key === 'port' ? portName(side, value) : String(value)
  if (typeof value !== 'string') return String(value)
  if (IDS.has(key)) {
    if (value === ZERO_UUID) return 'none'
    const name = side.names.get(value)
    return name === undefined ? 'an id' : `id of ${name}`
  }
  return value
    .replaceAll(side.directory, 'DIR')
    .replaceAll(String(side.port + 1), 'CONTROLLER_PORT')
    .replaceAll(String(side.port), 'BROKER_PORT')
}

function portName(side: Side, port: number): string {
  if (port === side.port) return 'BROKER_PORT'
  return port === side.port + 1 ? 'CONTROLLER_PORT' : String(port)
}

/** Batches as their headers; a log append time is a clock, and so are the sums over it. */
function batches(bytes: Uint8Array): { whole: string; isCut: boolean } {
  const rows: string[] = []
  let end = 0
  for (const batch of batchesOf(bytes, true)) {
    const { baseOffset, lastOffset, partitionLeaderEpoch, attributes, count, crc } = batch
    const { position, sizeInBytes, producerEpoch, baseSequence, producerId } = batch
    const producer = producerId < 0 ? '' : ` producer ${producerEpoch}/${baseSequence}`
    const sum = batch.logAppendTime || producerId >= 0 ? '' : ` crc ${crc}`
    rows.push(
      `${baseOffset}-${lastOffset} epoch ${partitionLeaderEpoch} attributes ${attributes} ` +
        `count ${count} bytes ${sizeInBytes}${producer}${sum}`,
    )
    end = position + sizeInBytes
  }
  return { whole: `[${rows.join('; ')}]`, isCut: end < bytes.length }
}
