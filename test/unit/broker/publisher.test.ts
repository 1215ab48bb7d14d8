// A partition that finds no room, or no descriptors, when it is opened: it is tried again where it was, and recovered,
// and served from then on; one whose disk fails is not.

import { describe, expect, test } from 'vitest'
import { Publisher } from '../../../src/broker/publisher.ts'
import type { LogDirectories, Place } from '../../../src/host/log_directories.ts'
import { Tickets } from '../../../src/host/tickets.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { MetadataImage } from '../../../src/metadata/image.ts'
import type { MetadataRecord } from '../../../src/metadata/record.ts'
import type { CreatePartition, DataPlane, TopicRoute } from '../../../src/plane/plane.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { id, make } from '../metadata/every_record.ts'

const { NONE, KAFKA_STORAGE_ERROR } = ErrorCode
const [ENOSPC, EIO] = [28, 5]
const TOPIC_ID = id(1)
const RECORDS = [
  make('TopicRecord', { name: 'made', topicId: TOPIC_ID }),
  make('PartitionRecord', {
    partitionId: 0,
    topicId: TOPIC_ID,
    replicas: [1],
    isr: [1],
    leader: 1,
  }),
]

/** A publisher of one topic whose plane has not answered yet; the emptiest directory is another at every look. */
function begin() {
  const created: (CreatePartition & { ticket: number })[] = []
  const routes: TopicRoute[] = []
  const discarded: string[] = []
  const retired: number[] = []
  const plane = {
    create: (options: CreatePartition, ticket: number) => created.push({ ...options, ticket }),
    route: (route: TopicRoute) => routes.push(route),
    forget: () => {},
    lead: () => {},
    follow: () => {},
    flush: (_slot: number, ticket: number) => tickets.done(ticket, NONE, -1, -1, 0),
    retire: (_slot: number, _mode: number, ticket: number) => retired.push(ticket),
  } as unknown as DataPlane
  const tickets = new Tickets(plane)
  let looks = 0
  const directories = {
    place: (_topic: string, _partition: number, assignedId: string): Place => {
      looks++
      const path = /^id of (.*)/.exec(assignedId)?.[1] ?? `/disk-${looks}`
      const directory = { directory: path, isCleanShutdown: true }
      return { ...directory, recoveryPoint: 0, logStartOffset: 0, highWatermark: 0 }
    },
    idOf: (path: string) => `id of ${path}`,
    online: () => created.map(({ directory }) => ({ path: directory, id: `id of ${directory}` })),
    setAsideStrays: () => [],
    settleFutures: () => {},
    discard: (_topic: string, _partition: number, path: string) => discarded.push(path),
    removeLeftovers: async () => {},
    forget: () => {},
  } as unknown as LogDirectories
  const publisher = new Publisher({
    plane,
    tickets,
    directories,
    nodeId: 1,
    listeners: [],
    partitionConfig: () => ({}) as CreatePartition['config'],
    notOpened: (_directory, errno) => errno === ENOSPC,
    log: silentLog,
  })
  const image = new MetadataImage()
  const publish = (...records: MetadataRecord[]) => {
    for (const record of records) {
      image.apply(record, image.provenance.offset + 1, 1, 0)
    }
    publisher.publish(image.publish(), image)
  }
  publish(...RECORDS)
  const answer = (errorCode: number, errno: number) =>
    tickets.done(created.at(-1)!.ticket, errorCode, -1, -1, errno)
  const slots = () => routes.at(-1)?.partitions.map(({ slot }) => slot)
  const answerRetire = (errorCode: number) => tickets.done(retired.shift()!, errorCode, -1, -1, 0)
  return { publisher, publish, created, discarded, answer, answerRetire, slots }
}

test('publisher: a log that could not be closed in order is not trusted when it is opened again', async () => {
  const { publisher, created, answer, answerRetire } = begin()
  answer(NONE, 0)
  await publisher.settled()
  for (const errorCode of [KAFKA_STORAGE_ERROR, NONE]) {
    const known = created.length
    const local = publisher.openPartitions()[0]!
    const reopened = publisher.reopen(
      local,
      async () => {},
      () => {},
    )
    await new Promise(setImmediate)
    answerRetire(errorCode)
    await new Promise(setImmediate)
    expect(created).toHaveLength(known + 1)
    answer(NONE, 0)
    await reopened
  }
  expect(created.map(({ isCleanShutdown }) => isCleanShutdown)).toEqual([true, false, true])
})

describe('publisher: a partition that finds no room', () => {
  test('publisher: no room: it is opened where it was, once there is some', async () => {
    const { publisher, created, answer, slots } = begin()
    answer(KAFKA_STORAGE_ERROR, ENOSPC)
    await publisher.settled()
    expect(publisher.isOffline(TOPIC_ID, 0)).toBe(true)
    for (const errorCode of [KAFKA_STORAGE_ERROR, NONE]) {
      publisher.openWaiting()
      answer(errorCode, errorCode === NONE ? 0 : ENOSPC)
    }
    expect(created.map(({ directory }) => directory)).toEqual(['/disk-1', '/disk-1', '/disk-1'])
    // What a first try left is not taken on trust.
    expect(created.map(({ isCleanShutdown }) => isCleanShutdown)).toEqual([true, false, false])
    expect(new Set(created.map(({ incarnation }) => incarnation)).size).toBe(3)
    expect(slots()).toEqual([created[0]!.slot])
    expect(publisher.openPartitions()).toHaveLength(1)
    publisher.openWaiting()
    expect(created).toHaveLength(3)
  })

  test('publisher: no room: deleted while it waits, it leaves nothing', () => {
    const { publisher, publish, created, discarded, answer } = begin()
    answer(KAFKA_STORAGE_ERROR, ENOSPC)
    publish(make('RemoveTopicRecord', { topicId: TOPIC_ID }))
    publisher.openWaiting()
    expect(created).toHaveLength(1)
    expect(discarded).toEqual(['/disk-1'])
  })

  test('publisher: no room: a disk that fails is not tried again', () => {
    const { publisher, created, answer } = begin()
    answer(KAFKA_STORAGE_ERROR, EIO)
    publisher.openWaiting()
    expect(created).toHaveLength(1)
    expect(publisher.isOffline(TOPIC_ID, 0)).toBe(true)
  })
})
