// Every command and what it takes. Declaring them costs little: what a command needs is imported when it runs, so that
// `ottla --help` and a question to a cluster do not load the broker.

import type { Command } from 'commander'
import { addClusterCommands } from './admin/cluster.ts'
import { addConfigCommands } from './admin/config.ts'
import { addGroupCommands } from './admin/group.ts'
import { addOffsetsCommand } from './admin/offsets.ts'
import { addTopicCommands } from './admin/topic.ts'
import { addDumpCommand } from './dump/command.ts'
import type { Outcome } from './output/problems.ts'
import { addBrokerCommands, emptyProgram, finishProgram } from './program.ts'
import { addRecordCommands } from './records/command.ts'
import { addCompletionCommand } from './tree/completion.ts'

/** Every command, as data: for running, for completion and for the reference. */
export function buildProgram(outcome: Outcome): Command {
  const program = emptyProgram()
  program.commandsGroup('A broker:')
  addBrokerCommands(program, outcome)
  program.commandsGroup('A cluster, ours or another:')
  addRecordCommands(program, outcome)
  addTopicCommands(program, outcome)
  addGroupCommands(program, outcome)
  addConfigCommands(program, outcome)
  addOffsetsCommand(program, outcome)
  addClusterCommands(program, outcome)
  program.commandsGroup('Files:')
  addDumpCommand(program, outcome)
  program.commandsGroup('Others:')
  addCompletionCommand(program)
  return finishProgram(program)
}
