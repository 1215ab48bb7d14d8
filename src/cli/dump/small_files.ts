// The small files of a log and of a log directory: producer snapshots, checkpoints, and files of a few lines.
// Kafka: ProducerStateManager, CheckpointFile, PartitionMetadataFile, MetaProperties, FileQuorumStateStore.

import { crc32c } from '../../lib/crc32c.ts'
import { parseJson } from '../../protocol/json.ts'
import type { FileWindow } from './file_window.ts'
import { type Finding, problem } from './findings.ts'

const SNAPSHOT_HEADER_BYTES = 10
const PRODUCER_BYTES = 46
const CRC_START = 6
const SMALL_BYTES_MAX = 64 << 20

/** Producers of a `.snapshot`. */
export function* dumpProducerSnapshot(file: FileWindow): Generator<Finding> {
  if (file.length > SMALL_BYTES_MAX) return yield tooLarge(file)
  const bytes = file.view(0, file.length)
  if (bytes.length < SNAPSHOT_HEADER_BYTES) {
    return yield problem('torn', 0, `${bytes.length} bytes are no producer snapshot`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const version = view.getInt16(0)
  if (version !== 1) return yield problem('malformed', 0, `version ${version}, where 1 is known`)
  if (crc32c(bytes, CRC_START) !== view.getUint32(2)) {
    yield problem('crc', 2, 'the checksum of the snapshot does not match')
  }
  const count = view.getInt32(6)
  const whole = SNAPSHOT_HEADER_BYTES + count * PRODUCER_BYTES
  if (count < 0 || whole !== bytes.length) {
    return yield problem('torn', 6, `${count} producers take ${whole} bytes, not ${bytes.length}`)
  }
  for (let at = SNAPSHOT_HEADER_BYTES; at < bytes.length; at += PRODUCER_BYTES) {
    yield { kind: 'entry', fields: producerAt(view, at) }
  }
}

function producerAt(view: DataView, at: number) {
  return {
    producerId: view.getBigInt64(at),
    producerEpoch: view.getInt16(at + 8),
    lastSequence: view.getInt32(at + 10),
    lastOffset: view.getBigInt64(at + 14),
    offsetDelta: view.getInt32(at + 22),
    timestamp: view.getBigInt64(at + 26),
    coordinatorEpoch: view.getInt32(at + 34),
    currentTransactionFirstOffset: view.getBigInt64(at + 38),
  }
}

/** Lines of a checkpoint: of offsets by partition, or of start offsets by leader epoch. */
export function* dumpCheckpoint(file: FileWindow, name: string): Generator<Finding> {
  if (file.length > SMALL_BYTES_MAX) return yield tooLarge(file)
  const lines = Buffer.from(file.view(0, file.length)).toString('utf8').split('\n')
  const [version, count] = [Number(lines[0]), Number(lines[1])]
  if (version !== 0 || !Number.isInteger(count) || count < 0) {
    return yield problem('malformed', 0, 'the first two lines are not version 0 and a count')
  }
  const items = lines.slice(2).filter((line) => line !== '')
  const epochs = name.startsWith('leader-epoch-checkpoint')
  let last = { epoch: -1, startOffset: -1 }
  for (const line of items) {
    const match = (epochs ? /^(\d+) (\d+)$/ : /^(\S+) (\d+) (\d+)$/).exec(line)
    if (match === null) return yield problem('malformed', 0, `not a line of a checkpoint: ${line}`)
    if (!epochs) {
      const [, topic, partition, offset] = match
      const fields = { topic: topic!, partition: Number(partition), offset: Number(offset) }
      yield { kind: 'entry', fields }
      continue
    }
    const entry = { epoch: Number(match[1]), startOffset: Number(match[2]) }
    yield { kind: 'entry', fields: { ...entry } }
    if (entry.epoch <= last.epoch || entry.startOffset < last.startOffset) {
      yield problem('order', 0, `epoch ${entry.epoch} from ${entry.startOffset} does not grow`)
    }
    last = entry
  }
  if (items.length !== count) {
    yield problem('torn', 0, `${items.length} lines, where the file says ${count}`)
  }
}

/** Files of a few lines: properties, or JSON. */
export function* dumpText(file: FileWindow): Generator<Finding> {
  if (file.length > SMALL_BYTES_MAX) return yield tooLarge(file)
  const text = Buffer.from(file.view(0, file.length)).toString('utf8')
  if (text.trim() === '') return
  if (text.startsWith('{')) {
    try {
      const value = parseJson(text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        yield { kind: 'entry', fields: value as { [name: string]: typeof value } }
        return
      }
    } catch {
      // told below: whatever it is, it is not JSON
    }
    return yield problem('malformed', 0, 'the file is not JSON')
  }
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([^#!\s][^=:\s]*)\s*[=:]\s*(.*)$/.exec(line)
    if (match !== null) yield { kind: 'entry', fields: { key: match[1]!, value: match[2]! } }
  }
}

function tooLarge(file: FileWindow): Finding {
  return problem('malformed', 0, `${file.length} bytes are more than such a file ever has`)
}
