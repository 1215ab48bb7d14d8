// kill -9 while groups commit: after the restart every group has what it was told, or what it sent last.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { DescribeGroups, FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { OffsetCommit, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/raw_client.ts'

const ROUNDS = 3
const GROUPS = Array.from({ length: 6 }, (_, i) => `group-${i}`)
const COMMITS_BEFORE_KILL = 150

/** A simple consumer that commits 1, 2, 3 … as fast as it is answered. */
class Committer {
  readonly groupId: string
  sent = 0n
  acknowledged = 0n

  constructor(groupId: string) {
    this.groupId = groupId
  }

  async run(client: RawClient): Promise<void> {
    for (;;) {
      this.sent++
      const { topics } = await client.ask(OffsetCommit, 8, {
        groupId: this.groupId,
        topics: [
          {
            name: 't',
            partitions: [
              { partitionIndex: 0, committedOffset: this.sent, committedMetadata: `${this.sent}` },
            ],
          },
        ],
      })
      expect(topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.NONE)
      this.acknowledged = this.sent
    }
  }
}

/** A connection, once every group is served. */
async function connected(address: string): Promise<RawClient> {
  return await eventually(async () => {
    const client = await RawClient.open(address)
    await client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: GROUPS })
    const { groups } = await client.ask(DescribeGroups, 5, { groups: GROUPS })
    if (groups.every(({ errorCode }) => errorCode === ErrorCode.NONE)) return client
    client.close()
    return undefined
  })
}

test('groups: crash: what was committed is there after kill -9', async () => {
  await using broker = await BrokerProcess.start({ config: { 'offsets.topic.num.partitions': 3 } })
  await createTopic(broker.address, 't')
  const committers = GROUPS.map((groupId) => new Committer(groupId))
  for (let round = 1; round <= ROUNDS; round++) {
    const clients = await Promise.all(GROUPS.map(() => connected(broker.address)))
    const goals = committers.map(({ acknowledged }) => acknowledged + BigInt(COMMITS_BEFORE_KILL))
    const running = committers.map((committer, i) => committer.run(clients[i]!).catch(() => {}))
    await eventually(
      async () => committers.every(({ acknowledged }, i) => acknowledged >= goals[i]!) || undefined,
    )
    await broker.kill()
    await Promise.all(running)
    await broker.start()
    const client = await connected(broker.address)
    const { groups } = await client.ask(OffsetFetch, 8, {
      groups: GROUPS.map((groupId) => ({ groupId, topics: null })),
    })
    for (const [i, { groupId, topics }] of groups.entries()) {
      const { committedOffset, metadata } = topics[0]!.partitions[0]!
      const { acknowledged, sent } = committers[i]!
      expect(groupId).toBe(GROUPS[i])
      expect([acknowledged, sent]).toContain(committedOffset)
      expect(metadata).toBe(`${committedOffset}`)
      committers[i]!.sent = committedOffset
      committers[i]!.acknowledged = committedOffset
    }
    client.close()
  }
})
