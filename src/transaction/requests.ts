// What a transaction shard is asked and what it answers. Producer ids come from the controller: where one is needed the
// answer is `producerIdNeeded`, and the caller asks again with a fresh one in hand.

import type { TopicPartitions, Transaction } from './records.ts'

/** Who speaks: a producer of a transactional id. */
export interface Producer {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
}

/** Which ids a ListTransactions wants. */
export interface TransactionFilter {
  readonly states: readonly string[]
  readonly producerIds: readonly number[]
  /** Open for longer than this; negative: however long. */
  readonly durationMs: number
  readonly matches: (transactionalId: string) => boolean
}

/** What the markers of a transaction that ends say, and where they go. */
export interface OwedMarkers extends Producer {
  readonly isCommit: boolean
  readonly transactionVersion: number
  readonly partitions: readonly TopicPartitions[]
}

export type TransactionRequest =
  | { readonly kind: 'activate' }
  | {
      readonly kind: 'initProducerId'
      readonly transactionalId: string
      readonly timeoutMs: number
      /** What the client believes it is (KIP-360); null: it begins. */
      readonly expected: { readonly producerId: number; readonly producerEpoch: number } | null
      readonly freshProducerId: number | null
    }
  | {
      readonly kind: 'addPartitions'
      readonly producer: Producer
      readonly topics: readonly TopicPartitions[]
      /** Only says whether they are in the transaction (KIP-890). */
      readonly verifyOnly: boolean
      /** 2: the partition's leader adds it, with the client's first write. */
      readonly transactionVersion: number
    }
  | {
      readonly kind: 'endTransaction'
      readonly producer: Producer
      readonly isCommit: boolean
      /** 2: each transaction has an epoch of its own. */
      readonly transactionVersion: number
      readonly freshProducerId: number | null
    }
  | { readonly kind: 'owedMarkers'; readonly transactionalId: string }
  | { readonly kind: 'markersWritten'; readonly producer: Producer }
  | { readonly kind: 'describe'; readonly transactionalId: string }
  | { readonly kind: 'list'; readonly filter: TransactionFilter }

interface Identity {
  readonly errorCode: number
  readonly producerId: number
  readonly producerEpoch: number
}

export type TransactionReply =
  | { readonly kind: 'activate' }
  | { readonly kind: 'producerIdNeeded' }
  | ({ readonly kind: 'initProducerId' } & Identity)
  | {
      readonly kind: 'addPartitions'
      /** Of all of them, or when it is NONE, of those named. */
      readonly errorCode: number
      readonly errors: readonly TopicErrors[]
    }
  | ({ readonly kind: 'endTransaction' } & Identity)
  | { readonly kind: 'owedMarkers'; readonly markers: OwedMarkers | null }
  | { readonly kind: 'markersWritten' }
  | { readonly kind: 'describe'; readonly transaction: Transaction | null }
  | {
      readonly kind: 'list'
      readonly transactions: readonly {
        readonly transactionalId: string
        readonly transaction: Transaction
      }[]
    }

/** Errors of single partitions. */
export interface TopicErrors {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[]
}

/** Said to others once the records are in the log: this id owes markers. */
export interface MarkersOwed {
  readonly kind: 'markersOwed'
  readonly transactionalId: string
}
