// What each kind of listener serves, all of it: the support matrix is read off these two lists.

import { Fetch, Produce } from '../protocol/messages/produce_fetch.ts'
import { ServedApis } from './dispatch.ts'
import { serveApiVersions } from './handlers/api_versions.ts'
import { serveDescribeCluster } from './handlers/cluster.ts'
import { serveConfigResources, serveConfigs } from './handlers/configs.ts'
import { serveConsumerGroups } from './handlers/consumer_groups.ts'
import { serveBrokers, serveForwarded } from './handlers/controller.ts'
import { serveDeleteRecords } from './handlers/delete_records.ts'
import { serveFindCoordinator } from './handlers/find_coordinator.ts'
import { serveGroupOffsets } from './handlers/group_offsets.ts'
import { serveGroups } from './handlers/groups.ts'
import { serveLogDirs } from './handlers/log_dirs.ts'
import { serveMetadata } from './handlers/metadata.ts'
import { serveOffsets } from './handlers/offsets.ts'
import { serveProducers } from './handlers/producers.ts'
import { serveDescribeQuorum, serveRaft } from './handlers/quorum.ts'
import { serveTransactionAdmin } from './handlers/transaction_admin.ts'
import { serveTransactions } from './handlers/transactions.ts'
import type { BrokerNode } from './node.ts'

/** The apis of a broker listener. Produce and Fetch never come up: the data plane serves them. */
export function brokerApis(node: BrokerNode): ServedApis {
  const served = new ServedApis()
  served.servedBelow(Produce, '3-13', '0-13').servedBelow(Fetch, '4-18')
  serveMetadata(served, node)
  serveOffsets(served, node)
  serveForwarded(served, node)
  serveConfigs(served, node)
  serveConfigResources(served, node)
  serveDescribeCluster(served, node)
  serveDescribeQuorum(served, node)
  serveProducers(served, node)
  serveLogDirs(served, node)
  serveDeleteRecords(served, node)
  serveFindCoordinator(served, node)
  serveGroups(served, node)
  serveConsumerGroups(served, node)
  serveGroupOffsets(served, node)
  serveTransactions(served, node)
  serveTransactionAdmin(served, node)
  serveApiVersions(served, node)
  return served
}

/** The apis of a controller listener. */
export function controllerApis(node: BrokerNode): ServedApis {
  const served = new ServedApis()
  serveRaft(served, node)
  serveBrokers(served, node)
  serveForwarded(served, node)
  serveConfigs(served, node)
  serveDescribeCluster(served, node)
  serveDescribeQuorum(served, node)
  serveApiVersions(served, node)
  return served
}
