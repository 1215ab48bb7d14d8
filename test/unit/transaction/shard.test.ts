// The transaction coordinator's decisions, one conversation each, and what is left of them after a crash between any two
// records.

import { describe, expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { canMove, STATES, type TransactionState } from '../../../src/transaction/states.ts'
import { SETTINGS, TransactionBench } from './bench.ts'

const {
  NONE,
  CONCURRENT_TRANSACTIONS,
  INVALID_PRODUCER_ID_MAPPING,
  INVALID_TRANSACTION_TIMEOUT,
  INVALID_TXN_STATE,
  PRODUCER_FENCED,
  TRANSACTION_ABORTABLE,
} = ErrorCode
const NOBODY = [-1, -1]

describe('transaction: ids', () => {
  test('a new id gets a producer id and epoch 0, and each further call a bump', () => {
    const bench = new TransactionBench()
    expect(bench.init()).toEqual([NONE, 1000, 0])
    expect(bench.init()).toEqual([NONE, 1000, 1])
    expect(bench.get()).toMatchObject({ state: 'Empty', producerEpoch: 1, partitions: [] })
  })

  test('a timeout of nothing, or above the maximum, is refused', () => {
    const bench = new TransactionBench()
    expect(bench.init(null, 900_001)).toEqual([INVALID_TRANSACTION_TIMEOUT, ...NOBODY])
    expect(bench.init(null, 0)).toEqual([INVALID_TRANSACTION_TIMEOUT, ...NOBODY])
    expect(bench.log).toEqual([])
  })

  test('who says who it is goes on at the next epoch, may ask twice, and is fenced by others (KIP-360)', () => {
    const bench = new TransactionBench()
    bench.init()
    expect(bench.init([1000, 0])).toEqual([NONE, 1000, 1])
    expect(bench.init([1000, 0])).toEqual([NONE, 1000, 1])
    expect(bench.init()).toEqual([NONE, 1000, 2])
    expect(bench.init([1000, 1])).toEqual([PRODUCER_FENCED, ...NOBODY])
    expect(bench.init([999, 2])).toEqual([PRODUCER_FENCED, ...NOBODY])
  })

  test('what is open is aborted first, and the client comes back until that is done', () => {
    const bench = new TransactionBench()
    bench.serverVersion = 1
    bench.init()
    bench.add(1000, 0)
    expect(bench.init()).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    expect(bench.get()).toMatchObject({ state: 'PrepareAbort', producerEpoch: 1 })
    expect(bench.owed).toEqual(['tx'])
    expect(bench.init()).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    expect(bench.settle()).toMatchObject({ producerEpoch: 1, isCommit: false })
    expect(bench.init()).toEqual([NONE, 1000, 2])
    expect(bench.end(1000, 0, true)).toEqual([PRODUCER_FENCED, ...NOBODY])
  })

  test('when the epochs are used up another producer id takes over', () => {
    const bench = new TransactionBench()
    bench.init()
    for (let epoch = 0; epoch < 32_766; epoch++) bench.init([1000, epoch])
    expect(bench.get()).toMatchObject({ producerId: 1000, producerEpoch: 32_766 })
    expect(bench.init([1000, 32_766])).toEqual([NONE, 1001, 0])
    // It did not hear, and asks as who it was: no rotation, a bump.
    expect(bench.init([1000, 32_766])).toEqual([NONE, 1001, 0])
    expect(bench.init()).toEqual([NONE, 1001, 1])
  })
})

describe('transaction: partitions', () => {
  test('are added by their producer only, and once', () => {
    const bench = new TransactionBench()
    expect(bench.add(1000, 0)).toBe(INVALID_PRODUCER_ID_MAPPING)
    bench.init()
    expect(bench.add(999, 0)).toBe(INVALID_PRODUCER_ID_MAPPING)
    expect(bench.add(1000, 1)).toBe(PRODUCER_FENCED)
    expect(bench.add(1000, 0, 't', [0, 1])).toBe(NONE)
    const { length } = bench.log
    expect(bench.add(1000, 0, 't', [1])).toBe(NONE)
    expect(bench.log).toHaveLength(length)
    expect(bench.add(1000, 0, 'u', [3])).toBe(NONE)
    expect(bench.get()).toMatchObject({
      state: 'Ongoing',
      startedMs: bench.nowMs,
      partitions: [
        { topic: 't', partitionIds: [0, 1] },
        { topic: 'u', partitionIds: [3] },
      ],
    })
  })

  test('are verified one by one, and nothing is written for it', () => {
    const bench = new TransactionBench()
    bench.init()
    bench.add(1000, 0, 't', [0])
    const { length } = bench.log
    expect(bench.add(1000, 0, 't', [0, 1], true)).toEqual([NONE, TRANSACTION_ABORTABLE])
    expect(bench.add(1000, 1, 't', [0], true)).toBe(PRODUCER_FENCED)
    bench.end(1000, 0, true)
    expect(bench.add(1000, 0, 't', [0], true)).toBe(CONCURRENT_TRANSACTIONS)
    expect(bench.log).toHaveLength(length + 1)
  })
})

describe('transaction: ends', () => {
  test('version 1: prepared, told by markers, complete; the epoch stays', () => {
    const bench = new TransactionBench()
    bench.init()
    bench.add(1000, 0)
    expect(bench.end(1000, 0, true)).toEqual([NONE, 1000, 0])
    expect(bench.end(1000, 0, true)).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    // The other end as well, while markers are written: it is told that it cannot be when they are.
    expect(bench.end(1000, 0, false)).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    expect(bench.add(1000, 0)).toBe(CONCURRENT_TRANSACTIONS)
    expect(bench.settle()).toMatchObject({
      producerId: 1000,
      producerEpoch: 0,
      isCommit: true,
      transactionVersion: 0,
      partitions: [{ topic: 't', partitionIds: [0] }],
    })
    expect(bench.get()).toMatchObject({ state: 'CompleteCommit', partitions: [] })
    expect(bench.end(1000, 0, true)).toEqual([NONE, 1000, 0])
    expect(bench.end(1000, 0, false)).toEqual([INVALID_TXN_STATE, ...NOBODY])
  })

  test('version 2: every end bumps the epoch, and a retry is known by the one before', () => {
    const bench = new TransactionBench()
    bench.init()
    bench.add(1000, 0)
    expect(bench.end(1000, 0, true, 2)).toEqual([NONE, 1000, 1])
    expect(bench.end(1000, 0, true, 2)).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    // The client has its next epoch already, and may end what it could not begin: it comes back.
    expect(bench.add(1000, 1)).toBe(CONCURRENT_TRANSACTIONS)
    expect(bench.end(1000, 1, true, 2)).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    expect(bench.end(1000, 1, false, 2)).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    expect(bench.settle()).toMatchObject({ producerEpoch: 1, transactionVersion: 2 })
    expect(bench.end(1000, 0, true, 2)).toEqual([NONE, 1000, 1])
    expect(bench.end(1000, 0, false, 2)).toEqual([INVALID_TXN_STATE, ...NOBODY])
    // Of the present epoch it is another transaction, to which nothing was added.
    expect(bench.end(1000, 1, true, 2)).toEqual([INVALID_TXN_STATE, ...NOBODY])
    expect(bench.end(1000, 1, false, 2)).toEqual([NONE, 1000, 2])
    expect(bench.settle()).toMatchObject({ partitions: [] })
  })

  test('version 2: the last epoch hands over to another producer id', () => {
    const bench = new TransactionBench()
    bench.init()
    for (let epoch = 0; epoch < 32_766; epoch++) bench.init([1000, epoch])
    bench.add(1000, 32_766)
    expect(bench.end(1000, 32_766, true, 2)).toEqual([NONE, 1001, 0])
    // The client goes by its next id already, which is nobody's until the markers are written.
    expect(bench.add(1001, 0)).toBe(CONCURRENT_TRANSACTIONS)
    expect(bench.end(1001, 0, false, 2)).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    expect(bench.init([1001, 0])).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    expect(bench.settle()).toMatchObject({ producerId: 1000, producerEpoch: 32_767 })
    expect(bench.get()).toMatchObject({ producerId: 1001, producerEpoch: 0 })
    expect(bench.end(1000, 32_766, true, 2)).toEqual([NONE, 1001, 0])
    expect(bench.add(1001, 0)).toBe(NONE)
  })

  test('markers of another epoch end nothing', () => {
    const bench = new TransactionBench()
    bench.init()
    bench.add(1000, 0)
    bench.end(1000, 0, true)
    const producer = { transactionalId: 'tx', producerId: 1000, producerEpoch: 5 }
    bench.ask({ kind: 'markersWritten', producer })
    expect(bench.get()!.state).toBe('PrepareCommit')
  })
})

describe('transaction: time', () => {
  test('a transaction past its timeout is aborted, and its producer fenced before version 2', () => {
    const bench = new TransactionBench()
    bench.serverVersion = 1
    bench.restart()
    bench.init(null, 5000)
    bench.add(1000, 0)
    bench.nowMs += 5000
    bench.expire('abort')
    expect(bench.get()!.state).toBe('Ongoing')
    bench.nowMs += 1
    bench.expire('abort')
    expect(bench.get()).toMatchObject({ state: 'PrepareAbort' })
    expect(bench.owed).toEqual(['tx'])
    bench.settle()
    expect(bench.end(1000, 0, true)).toEqual([PRODUCER_FENCED, ...NOBODY])
    expect(bench.init([1000, 0])).toEqual([PRODUCER_FENCED, ...NOBODY])
    expect(bench.timers.get('abort')).toBe(bench.nowMs + SETTINGS.abortIntervalMs)
  })

  const timedOut = (bench: TransactionBench, epoch: number): void => {
    bench.add(1000, epoch)
    bench.nowMs += 5001
    bench.expire('abort')
    bench.settle()
  }

  test('version 2: a transaction past its timeout is aborted, and its producer may go on', () => {
    const bench = new TransactionBench()
    bench.restart()
    bench.init(null, 5000)
    timedOut(bench, 0)
    expect(bench.get()).toMatchObject({ state: 'CompleteAbort', producerEpoch: 1 })
    expect(bench.add(1000, 0)).toBe(PRODUCER_FENCED)
    expect(bench.end(1000, 0, true, 2)).toEqual([INVALID_TXN_STATE, ...NOBODY])
    expect(bench.end(1000, 0, false, 2)).toEqual([NONE, 1000, 1])
    timedOut(bench, 1)
    expect(bench.init([1000, 1], 5000)).toEqual([NONE, 1000, 2])
    // Another one takes the id: the first has no way back.
    bench.add(1000, 2)
    expect(bench.init()).toEqual([CONCURRENT_TRANSACTIONS, ...NOBODY])
    bench.settle()
    expect(bench.init()).toEqual([NONE, 1000, 4])
    expect(bench.init([1000, 2])).toEqual([PRODUCER_FENCED, ...NOBODY])
    expect(bench.end(1000, 2, false, 2)).toEqual([PRODUCER_FENCED, ...NOBODY])
  })

  test('version 2: timed out at its last epoch a producer is fenced, and the id goes on with another', () => {
    const bench = new TransactionBench()
    bench.restart()
    bench.init()
    for (let epoch = 0; epoch < 32_766; epoch++) bench.init([1000, epoch], 5000)
    timedOut(bench, 32_766)
    expect(bench.get()).toMatchObject({ state: 'CompleteAbort', producerEpoch: 32_767 })
    expect(bench.end(1000, 32_766, false, 2)).toEqual([PRODUCER_FENCED, ...NOBODY])
    expect(bench.init([1000, 32_766])).toEqual([PRODUCER_FENCED, ...NOBODY])
    expect(bench.init()).toEqual([NONE, 1001, 0])
  })

  test('the version of a client is in the log from its first write on', () => {
    const bench = new TransactionBench()
    bench.init()
    expect(bench.get()).toMatchObject({ clientTransactionVersion: 0 })
    bench.add(1000, 0)
    expect(bench.get()).toMatchObject({ clientTransactionVersion: 2 })
    bench.init()
    bench.settle()
    bench.init()
    expect(bench.get()).toMatchObject({ state: 'Empty', clientTransactionVersion: 2 })
  })

  test('an idle id is forgotten, one with something open is not', () => {
    const bench = new TransactionBench()
    bench.init()
    bench.init(null, 60_000, 'idle')
    bench.add(1000, 0)
    bench.nowMs += SETTINGS.expirationMs
    bench.expire('expiry')
    expect([...bench.shard.transactions.keys()]).toEqual(['tx'])
    expect(bench.log.at(-1)).toMatchObject({ key: { transactionalId: 'idle' }, value: null })
    expect(bench.timers.get('expiry')).toBe(bench.nowMs + SETTINGS.expiryIntervalMs)
  })
})

describe('transaction: log', () => {
  test('before transaction.version 1 records have no room for what comes with it', () => {
    const bench = new TransactionBench()
    bench.serverVersion = 0
    bench.init()
    expect(bench.log[0]!.version).toBe(0)
    bench.serverVersion = 1
    bench.init()
    expect(bench.log[1]!.version).toBe(1)
    bench.restart()
    expect(bench.get()).toMatchObject({ producerEpoch: 1, previousProducerId: 1000 })
  })

  test('random conversations, killed after every record: no end is taken back, none is told twice', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = new Random(seed)
      const bench = new TransactionBench()
      const states: TransactionState[] = []
      for (let step = 0; step < 60; step++) {
        const now = bench.get()
        const [id, epoch] = [now?.producerId ?? -1, now?.producerEpoch ?? -1]
        const version = random.ratio(1, 2) ? 2 : 0
        const before = bench.log.length
        switch (random.nextInt(6)) {
          case 0:
            bench.init(random.ratio(1, 2) ? null : [id, epoch])
            break
          case 1:
          case 2:
            bench.add(id, epoch, 't', [random.nextInt(3)])
            break
          case 3:
            bench.end(id, epoch - random.nextInt(2), random.ratio(1, 2), version)
            break
          case 4:
            bench.settle()
            break
          default:
            bench.nowMs += 70_000
            bench.expire('abort')
        }
        expect(bench.log.length - before, `seed ${seed}`).toBeLessThanOrEqual(1)
        const after = bench.get()
        if (after === undefined) continue
        const moved = bench.log.length > before
        if (moved) expect(canMove(now?.state ?? 'Empty', after.state), `seed ${seed}`).toBe(true)
        if (moved) states.push(after.state)
        if (now !== undefined && now.producerId === after.producerId) {
          expect(after.producerEpoch, `seed ${seed}`).toBeGreaterThanOrEqual(now.producerEpoch)
        }
        const isEnding = after.state === 'PrepareCommit' || after.state === 'PrepareAbort'
        const kept = bench.shard.transactions
        bench.restart()
        expect(bench.shard.transactions, `seed ${seed}`).toEqual(kept)
        expect(bench.owed, `seed ${seed}`).toEqual(isEnding ? ['tx'] : [])
      }
      // Every end that was decided is completed as decided, and before anything else happens.
      for (const [i, state] of states.entries()) {
        const next = states[i + 1]
        if (next === undefined) continue
        if (state === 'PrepareCommit') expect(next).toBe('CompleteCommit')
        if (state === 'PrepareAbort') expect(next).toBe('CompleteAbort')
      }
    }
  })

  test('the table of states: what is decided leads to its completion only', () => {
    const names = Object.keys(STATES) as TransactionState[]
    const reached = (from: TransactionState) => names.filter((to) => canMove(from, to))
    expect(reached('PrepareCommit')).toEqual(['CompleteCommit'])
    expect(reached('PrepareAbort')).toEqual(['CompleteAbort'])
    expect(reached('Ongoing')).toEqual(['Ongoing', 'PrepareCommit', 'PrepareAbort'])
    expect(reached('Dead')).toEqual([])
  })
})
