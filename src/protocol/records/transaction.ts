// Records of `__transaction_state`. Kafka: TransactionLog; KIP-98, KIP-890 for the tagged fields.

import { array, coordinatorRecord, int8, int16, int32, int64, string } from '../dsl.ts'

export const TransactionLog = coordinatorRecord(
  0,
  'TransactionLog',
  { valid: '0-1', flexible: '1+' },
  {
    key: {
      transactionalId: string(),
    },
    value: {
      producerId: int64(),
      previousProducerId: int64({ v: '1+', tag: 0, default: -1 }),
      nextProducerId: int64({ v: '1+', tag: 1, default: -1 }),
      producerEpoch: int16(),
      nextProducerEpoch: int16({ v: '1+', tag: 3, default: -1 }),
      transactionTimeoutMs: int32(),
      transactionStatus: int8(),
      transactionPartitions: array(
        {
          topic: string(),
          partitionIds: array(int32()),
        },
        { nullable: true },
      ),
      transactionLastUpdateTimestampMs: int64(),
      transactionStartTimestampMs: int64(),
      clientTransactionVersion: int16({ v: '1+', tag: 2 }),
    },
  },
)
