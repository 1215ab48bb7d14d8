// `ottla cluster`: what its commands take. cluster_actions.ts does them.
// Kafka: ClusterTool, MetadataQuorumCommand, FeatureCommand, LogDirsCommand, BrokerApiVersionsCommand.

import type { Command } from 'commander'
import { type ConnectOptions, remoteOptions } from '../connect.ts'
import type { Outcome } from '../output/problems.ts'
import { countOption } from './values.ts'

export interface BrokerOptions extends ConnectOptions {
  broker?: number
}

export interface LogDirsOptions extends BrokerOptions {
  replicas?: boolean
}

/** Declares the commands. */
export function addClusterCommands(program: Command, outcome: Outcome): void {
  const cluster = program
    .command('cluster')
    .description('show brokers, quorum, features, log directories, api versions')
  remoteOptions(
    cluster
      .command('describe', { isDefault: true })
      .description("show the cluster's id and brokers"),
  ).action(async (options: ConnectOptions) => {
    const { describeClusterCommand } = await import('./cluster_actions.ts')
    outcome.code = await describeClusterCommand(options)
  })
  remoteOptions(
    cluster.command('quorum').description('show the voters and observers of the metadata log'),
  ).action(async (options: ConnectOptions) => {
    const { quorumCommand } = await import('./cluster_actions.ts')
    outcome.code = await quorumCommand(options)
  })
  remoteOptions(
    cluster.command('features').description('show feature levels: finalized, and supported'),
  ).action(async (options: ConnectOptions) => {
    const { featuresCommand } = await import('./cluster_actions.ts')
    outcome.code = await featuresCommand(options)
  })
  addOfBrokers(cluster, outcome)
}

function addOfBrokers(cluster: Command, outcome: Outcome): void {
  const broker = ['--broker <id>', 'one broker', countOption(0)] as const
  remoteOptions(
    cluster
      .command('log-dirs')
      .description('show log directories: space, and what they hold')
      .option(...broker)
      .option('-r, --replicas', 'show every replica'),
  ).action(async (options: LogDirsOptions) => {
    const { logDirsCommand } = await import('./cluster_actions.ts')
    outcome.code = await logDirsCommand(options)
  })
  remoteOptions(
    cluster
      .command('api-versions')
      .description('show which versions of which apis brokers speak')
      .option(...broker),
  ).action(async (options: BrokerOptions) => {
    const { apiVersionsCommand } = await import('./cluster_actions.ts')
    outcome.code = await apiVersionsCommand(options)
  })
}
