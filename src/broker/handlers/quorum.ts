// The metadata quorum: raft's conversations on a controller listener, DescribeQuorum on both.
// Kafka: ControllerApis, KafkaRaftClient; KIP-595, KIP-630, KIP-836.

import type { Api } from '../../protocol/dsl.ts'
import { Fetch } from '../../protocol/messages/produce_fetch.ts'
import {
  BeginQuorumEpoch,
  DescribeQuorum,
  EndQuorumEpoch,
  FetchSnapshot,
  Vote,
} from '../../protocol/messages/quorum.ts'
import type { RaftApi, RaftRequest } from '../../raft/contract.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import type { BrokerNode } from '../node.ts'

function ask<A extends Api>(node: BrokerNode, name: RaftApi): Handler<A> {
  return (request, { version, session }) =>
    node.raft.request(
      name,
      version,
      session.listener.name,
      request as unknown as RaftRequest<typeof name>,
    ) as ReturnType<Handler<A>>
}

export function serveDescribeQuorum(served: ServedApis, node: BrokerNode): void {
  served.serve(DescribeQuorum, '0-2', ask(node, 'DescribeQuorum'))
}

/** What voters and observers ask of each other. */
export function serveRaft(served: ServedApis, node: BrokerNode): void {
  served
    .serve(Fetch, '4-18', ask(node, 'Fetch'))
    .serve(FetchSnapshot, '0-1', ask(node, 'FetchSnapshot'))
    .serve(Vote, '0-2', ask(node, 'Vote'))
    .serve(BeginQuorumEpoch, '0-1', ask(node, 'BeginQuorumEpoch'))
    .serve(EndQuorumEpoch, '0-1', ask(node, 'EndQuorumEpoch'))
}
