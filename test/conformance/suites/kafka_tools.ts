// Apache Kafka's own command-line tools, as its administrators use them: what they print is read, not how they end.
// Most of them run in one JVM that is ours (kafka_tools/Driver.java); some in processes of their own.

import { installKafka, KAFKA_VERSION } from '../../oracle/kafka/kafka.ts'
import { runChecks } from '../checks.ts'
import { toolChecks } from '../kafka_tools/checks.ts'
import { Session } from '../kafka_tools/session.ts'
import type { Suite } from '../suite.ts'

export const suite: Suite = {
  name: 'kafka_tools',
  about:
    "checks of what Apache Kafka's command-line tools print: topics, configs, console, groups, offsets, cluster, files",
  version: KAFKA_VERSION,
  async install() {
    await installKafka()
  },
  async run(target, only, report) {
    // A broker that was there before keeps what earlier runs made: names of this run begin with its own word.
    const prefix = `kt${Date.now().toString(36)}-`
    await using session = new Session(target, await installKafka(), prefix)
    const checks = toolChecks.map(({ name, run }) => ({
      name,
      run: async () => {
        session.check = name
        await run(session)
      },
    }))
    await runChecks(checks, target, only, report)
  },
}
