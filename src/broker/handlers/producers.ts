// DescribeProducers: what partitions know of producers, and where their transactions begin. KIP-664.

import { invalidTopicName } from '../../controller/topics.ts'
import { ErrorCode, errorOf } from '../../protocol/errors.ts'
import { DescribeProducers } from '../../protocol/messages/transaction.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import { type BrokerNode, findLeader } from '../node.ts'

const ROW_BYTES = 48

export function serveProducers(served: ServedApis, node: BrokerNode): void {
  served.serve(DescribeProducers, '0', describeProducers(node))
}

function describeProducers(node: BrokerNode): Handler<typeof DescribeProducers> {
  return async (request) => {
    const topics = request.topics.map(async ({ name, partitionIndexes }) => ({
      name,
      partitions: await Promise.all(
        partitionIndexes.map((index) => describePartition(node, name, index)),
      ),
    }))
    return { topics: await Promise.all(topics) }
  }
}

async function describePartition(node: BrokerNode, name: string, partitionIndex: number) {
  const invalid = invalidTopicName(name)
  if (invalid !== null) {
    const errorCode = ErrorCode.INVALID_TOPIC_EXCEPTION
    return { partitionIndex, errorCode, errorMessage: `Topic name is invalid: ${invalid}` }
  }
  const topic = node.image.topics.byName(name)
  const found = findLeader(node, topic, partitionIndex)
  if ('errorCode' in found) {
    const { errorCode } = found
    const errorMessage = topic === undefined ? errorOf(errorCode).text : null
    return { partitionIndex, errorCode, errorMessage }
  }
  const { errorCode, bytes } = await node.tickets.read((plane, ticket) =>
    plane.producers(found.local.slot, ticket),
  )
  return { partitionIndex, errorCode, activeProducers: rowsOf(bytes) }
}

/** Rows as plane.ts describes them. */
function rowsOf(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const out = []
  for (let at = 0; at + ROW_BYTES <= bytes.length; at += ROW_BYTES) {
    out.push({
      producerId: view.getFloat64(at, true),
      lastTimestamp: BigInt(view.getFloat64(at + 8, true)),
      currentTxnStartOffset: view.getFloat64(at + 16, true),
      producerEpoch: view.getInt32(at + 24, true),
      lastSequence: view.getInt32(at + 28, true),
      coordinatorEpoch: view.getInt32(at + 32, true),
    })
  }
  return out
}
