// Every check of the suite kafka-tools, in the order in which they run.

import { clusterChecks } from './cluster.ts'
import { configChecks } from './configs.ts'
import { consoleChecks } from './console.ts'
import { consumerGroupChecks } from './consumer_groups.ts'
import { fileChecks } from './files.ts'
import { groupChecks } from './groups.ts'
import { laterChecks } from './later.ts'
import { offsetChecks } from './offsets.ts'
import { programChecks } from './programs.ts'
import type { ToolCheck } from './session.ts'
import { topicChecks } from './topics.ts'
import { transactionChecks } from './transactions.ts'

export const toolChecks: readonly ToolCheck[] = [
  ...topicChecks,
  ...configChecks,
  ...consoleChecks,
  ...groupChecks,
  ...consumerGroupChecks,
  ...offsetChecks,
  ...clusterChecks,
  ...programChecks,
  ...transactionChecks,
  ...fileChecks,
  ...laterChecks,
]
