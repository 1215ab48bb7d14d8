// Making topics on an arm, however many partitions, and deleting them. What one request may ask of a controller is bounded
// (Kafka: QuorumController.MAX_RECORDS_PER_USER_OP), so a large topic grows by steps. Each time on a connection of its own:
// an arm may wait for its turn longer than a broker keeps an idle one.

import { CreatePartitions, CreateTopics, DeleteTopics } from '../../src/protocol/messages/topics.ts'
import { RawClient } from '../../test/integration/support/raw_client.ts'

const PARTITIONS_A_REQUEST = 5000
const TIMEOUT_MS = 60_000
/** Old enough for other brokers. */
const CREATE_VERSION = 5
const GROW_VERSION = 1
/** The one that the bare pipe has, too. */
const DELETE_VERSION = 1

/** Throws when the broker refuses. */
export async function createTopic(
  address: string,
  name: string,
  partitions: number,
): Promise<void> {
  const numPartitions = Math.min(partitions, PARTITIONS_A_REQUEST)
  await connected(address, async (client) => {
    const { topics } = await client.ask(CreateTopics, CREATE_VERSION, {
      topics: [{ name, numPartitions, replicationFactor: 1 }],
      timeoutMs: TIMEOUT_MS,
    })
    check(name, topics[0]!)
    for (let count = numPartitions; count < partitions; ) {
      count = Math.min(partitions, count + PARTITIONS_A_REQUEST)
      const { results } = await client.ask(CreatePartitions, GROW_VERSION, {
        topics: [{ name, count, assignments: null }],
        timeoutMs: TIMEOUT_MS,
        validateOnly: false,
      })
      check(name, results[0]!)
    }
  })
}

/** Its files may be there for a moment longer. */
export async function deleteTopic(address: string, name: string): Promise<void> {
  await connected(address, async (client) => {
    await client.ask(DeleteTopics, DELETE_VERSION, { topicNames: [name], timeoutMs: TIMEOUT_MS })
  })
}

async function connected(
  address: string,
  use: (client: RawClient) => Promise<void>,
): Promise<void> {
  const client = await RawClient.open(address)
  try {
    await use(client)
  } finally {
    client.close()
  }
}

function check(name: string, result: { errorCode: number; errorMessage: string | null }): void {
  if (result.errorCode !== 0) throw new Error(`${name}: ${result.errorMessage}`)
}
