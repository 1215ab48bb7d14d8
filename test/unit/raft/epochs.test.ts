// The view of the log: where epochs end, who diverges, and what truncation and trimming leave.
import { describe, expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { LogView } from '../../../src/raft/epochs.ts'

const empty = { logStartOffset: 0, logEndOffset: 0, epochs: [], snapshots: [] }

/** The epoch of every record, by offset: the plain truth that LogView sums up. */
function modelEnd(epochs: readonly number[], epoch: number): { offset: number; epoch: number } {
  const last = epochs.at(-1) ?? 0
  if (epoch > last) return { offset: epochs.length, epoch: last }
  const higher = epochs.findIndex((each) => each > epoch)
  const offset = higher < 0 ? epochs.length : higher
  const floor = epochs[offset - 1]
  return { offset, epoch: floor ?? epoch }
}

describe('raft: log view', () => {
  test('raft: log view: ends of epochs agree with the records, under random use', () => {
    const random = new Random(11)
    for (let round = 0; round < 50; round++) {
      const log = new LogView(empty)
      const epochs: number[] = []
      for (let step = 0; step < 60; step++) {
        if (epochs.length > 0 && random.ratio(1, 6)) {
          const offset = random.nextInt(epochs.length + 1)
          log.truncate(offset)
          epochs.length = offset
        } else {
          const epoch = (epochs.at(-1) ?? 1) + (random.ratio(1, 4) ? random.nextInt(1, 4) : 0)
          const count = random.nextInt(1, 4)
          log.append(epoch, epochs.length, epochs.length + count)
          for (let i = 0; i < count; i++) epochs.push(epoch)
        }
        expect(log.end).toEqual({ offset: epochs.length, epoch: epochs.at(-1) ?? 0 })
        if (epochs.length === 0) continue
        const epoch = random.nextInt(1, epochs.at(-1)! + 3)
        expect(log.endOffsetForEpoch(epoch)).toEqual(modelEnd(epochs, epoch))
        const offset = random.nextInt(1, epochs.length + 3)
        const isOurs = epochs[offset - 1] === epoch
        if (isOurs) expect(log.validate(offset, epoch)).toEqual({ kind: 'valid' })
        else if (log.validate(offset, epoch).kind === 'valid') {
          // Only a position inside of an epoch that both logs have may pass.
          expect(modelEnd(epochs, epoch)).toMatchObject({ epoch })
        }
      }
    }
  })

  test('raft: log view: two logs meet at their last common record', () => {
    const random = new Random(12)
    for (let round = 0; round < 200; round++) {
      const [leader, follower] = [new LogView(empty), new LogView(empty)]
      const [leaderEpochs, followerEpochs]: [number[], number[]] = [[], []]
      const write = (log: LogView, epochs: number[], epoch: number, count: number) => {
        if (count === 0) return
        log.append(epoch, epochs.length, epochs.length + count)
        for (let i = 0; i < count; i++) epochs.push(epoch)
      }
      let epoch = 1
      for (let step = random.nextInt(5); step > 0; step--) {
        const count = random.nextInt(1, 4)
        write(leader, leaderEpochs, epoch, count)
        write(follower, followerEpochs, epoch, count)
        epoch += random.nextInt(1, 3)
      }
      const common = leaderEpochs.length
      // Past the common part an epoch is in one of the two logs only: it had one leader.
      for (let step = random.nextInt(1, 6); step > 0; step--) {
        const [log, epochs]: [LogView, number[]] = random.ratio(1, 2)
          ? [leader, leaderEpochs]
          : [follower, followerEpochs]
        write(log, epochs, epoch++, random.nextInt(1, 4))
      }
      for (let fetches = 0; ; fetches++) {
        expect(fetches).toBeLessThan(20)
        const position = leader.validate(follower.logEndOffset, follower.lastEpoch)
        if (position.kind !== 'diverging') break
        follower.truncate(follower.truncationOffset(position.end))
      }
      expect(follower.logEndOffset).toBe(common)
    }
  })

  test('raft: log view: truncate(31) on [10,30][31,100] leaves [10,30]', () => {
    const log = new LogView({
      logStartOffset: 10,
      logEndOffset: 101,
      epochs: [
        { epoch: 1, startOffset: 10 },
        { epoch: 2, startOffset: 31 },
      ],
      snapshots: [{ offset: 10, epoch: 1, bytes: 1 }],
    })
    log.truncate(31)
    expect([log.logStartOffset, log.end]).toEqual([10, { offset: 31, epoch: 1 }])
  })

  test('raft: log view: a trimmed log sends what is below its start to the latest snapshot', () => {
    const log = new LogView(empty)
    log.append(1, 0, 10)
    log.append(3, 10, 30)
    const [first, second] = [
      { offset: 5, epoch: 1, bytes: 1 },
      { offset: 20, epoch: 3, bytes: 1 },
    ]
    log.addSnapshot(second)
    log.addSnapshot(first)
    log.trim(5, [first, second])
    expect(log.validate(4, 1)).toEqual({ kind: 'snapshot', id: second })
    expect(log.validate(5, 1)).toEqual({ kind: 'valid' })
    expect(log.validate(5, 2)).toEqual({ kind: 'snapshot', id: second })
    expect(log.validate(12, 2)).toEqual({ kind: 'diverging', end: { offset: 10, epoch: 1 } })
    log.trim(20, [second])
    expect(log.validate(20, 3)).toEqual({ kind: 'valid' })
    expect(log.validate(25, 2)).toEqual({ kind: 'snapshot', id: second })
    log.reset({ offset: 50, epoch: 7, bytes: 1 })
    expect([log.end, log.flushedOffset]).toEqual([{ offset: 50, epoch: 7 }, 50])
    expect(() => log.append(6, 50, 51)).toThrow()
  })
})
