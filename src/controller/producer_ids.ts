// Blocks of producer ids: a broker takes 1,000 at a time, and no id is ever handed out twice.
// Kafka: ProducerIdControlManager; KIP-730.

import type { MetadataRecord } from '../metadata/record.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { AllocateProducerIds } from '../protocol/messages/transaction.ts'
import type { ControllerState } from './state.ts'

/** Kafka: ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE. */
export const PRODUCER_ID_BLOCK = 1000

/** AllocateProducerIds: the next block, for a broker of this incarnation. */
export function allocateProducerIds(
  state: ControllerState,
  request: RequestOf<typeof AllocateProducerIds>,
  records: MetadataRecord[],
): EncodableOf<(typeof AllocateProducerIds)['response']> {
  const { brokerId, brokerEpoch } = request
  if (state.image.brokers.get(brokerId)?.brokerEpoch !== brokerEpoch) {
    return { errorCode: ErrorCode.STALE_BROKER_EPOCH }
  }
  const start = Math.max(0, state.image.producerIds.nextProducerId)
  if (start > Number.MAX_SAFE_INTEGER - PRODUCER_ID_BLOCK) {
    return { errorCode: ErrorCode.UNKNOWN_SERVER_ERROR }
  }
  const nextProducerId = start + PRODUCER_ID_BLOCK
  const value = { brokerId, brokerEpoch, nextProducerId }
  records.push({ name: 'ProducerIdsRecord', version: 0, value })
  return {
    errorCode: ErrorCode.NONE,
    producerIdStart: start,
    producerIdLen: PRODUCER_ID_BLOCK,
  }
}
