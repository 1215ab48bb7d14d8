// What a fetch gave, opened: where records begin and end, control batches, aborted transactions, and damage.

import { expect, test } from 'vitest'
import { Chunk } from '../../../src/client/chunk.ts'
import { type BatchInput, encodeBatch } from '../../../src/protocol/record_batch.ts'

const at = { topic: 't', partition: 0 }
const bytes = (text: string) => new TextEncoder().encode(text)
const batch = (baseOffset: number, values: string[], rest: Partial<BatchInput> = {}) =>
  encodeBatch({ baseOffset, records: values.map((value) => ({ value: bytes(value) })), ...rest })
const transactional = (producerId: number) =>
  ({ producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true }) as const
const marker = (baseOffset: number, producerId: number, type: 0 | 1) =>
  encodeBatch({
    baseOffset,
    records: [{ key: new Uint8Array([0, 0, 0, type]), value: new Uint8Array(6) }],
    isControl: true,
    ...transactional(producerId),
    baseSequence: -1,
  })
const offsets = (chunk: Chunk) => [...chunk.records()].map(({ offset }) => offset)
const END = Number.POSITIVE_INFINITY

test('client: chunk: records from the offset asked for to the end; a batch cut short is left out', () => {
  const whole = Buffer.concat([batch(0, ['a', 'b', 'c']), batch(3, ['d', 'e'])])
  const chunk = new Chunk(at, whole, 1, 4, null)
  expect(chunk.nextOffset).toBe(5)
  expect(offsets(chunk)).toEqual([1, 2, 3])
  const cut = new Chunk(at, whole.subarray(0, -1), 0, END, null)
  expect(cut.nextOffset).toBe(3)
  expect(offsets(cut)).toEqual([0, 1, 2])
  expect(new Chunk(at, whole.subarray(0, 20), 0, END, null).nextOffset).toBe(-1)
})

test('client: chunk: aborted transactions are not read, nor markers, and what is not aborted is', () => {
  const log = Buffer.concat([
    batch(0, ['aborted'], transactional(7)),
    batch(1, ['committed'], transactional(8)),
    batch(2, ['plain']),
    marker(3, 7, 0),
    marker(4, 8, 1),
    batch(5, ['a second one of the same producer'], transactional(7)),
    marker(6, 7, 1),
  ])
  const aborted = [{ producerId: 7, firstOffset: 0 }]
  const committed = new Chunk(at, log, 0, END, aborted)
  expect(offsets(committed)).toEqual([1, 2, 5])
  expect(committed.nextOffset, 'markers are passed').toBe(7)
  expect(offsets(new Chunk(at, log, 0, END, null))).toEqual([0, 1, 2, 5])
})

test('client: chunk: damage names the partition and the batch', () => {
  const damaged = Buffer.concat([batch(0, ['a']), batch(1, ['b'])])
  damaged[damaged.length - 2]! ^= 1
  const chunk = new Chunk(at, damaged, 0, END, null)
  expect(() => offsets(chunk)).toThrow(/partition t-0, batch at offset 1: its checksum is wrong/)
  const old = batch(0, ['a'])
  old[16] = 1
  expect(() => new Chunk(at, old, 0, END, null)).toThrow(/magic 2, found 1/)
})
