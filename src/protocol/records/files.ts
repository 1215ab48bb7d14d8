// Small files in Kafka's message language: the quorum-state file of a voter (as JSON) and a partition's
// producer snapshot (as bytes behind a version and a CRC that the table includes).
// Kafka: FileQuorumStateStore, ProducerStateManager.

import { array, data, int16, int32, int64, int64Wide, string, uint32, uuid } from '../dsl.ts'

export const QuorumStateData = data(
  'QuorumStateData',
  { valid: '0-1', flexible: '0+' },
  {
    clusterId: string({ v: '0' }),
    leaderId: int32({ default: -1 }),
    leaderEpoch: int32({ default: -1 }),
    votedId: int32({ default: -1 }),
    votedDirectoryId: uuid({ v: '1+' }),
    appliedOffset: int64({ v: '0' }),
    currentVoters: array(
      {
        voterId: int32(),
      },
      { v: '0', nullable: true },
    ),
  },
)

export const ProducerSnapshot = data(
  'ProducerSnapshot',
  { valid: '1' },
  {
    crc: uint32(),
    producerEntries: array({
      producerId: int64(),
      epoch: int16(),
      lastSequence: int32(),
      lastOffset: int64(),
      offsetDelta: int32(),
      timestamp: int64Wide(),
      coordinatorEpoch: int32(),
      currentTxnFirstOffset: int64(),
    }),
  },
)
