// Kafka Streams' own smoke test: a topology of windows, joins, suppressions and aggregates with its state in changelog
// and repartition topics, verified by its authors' driver; at least once and exactly once, with clients that come and
// go, and with a broker that is restarted in between.

import { join } from 'node:path'
import { ROOT } from '../../integration/support/commands.ts'
import { KAFKA_VERSION } from '../../oracle/kafka/kafka.ts'
import { installStreams, streamsProgram } from '../../oracle/kafka/streams.ts'
import { type Check, runChecks } from '../checks.ts'
import { runLines } from '../lines.ts'
import type { Suite, Target } from '../suite.ts'

const SMOKE = join(ROOT, 'test/conformance/kafka_streams/Smoke.java')
const TIMEOUT_MS = 480_000

async function smoke(
  target: Target,
  guarantee: string,
  clients: string,
  whenFlowing: () => Promise<void> = async () => {},
): Promise<void> {
  const [java, ...args] = await streamsProgram(SMOKE, [target.address, guarantee, clients])
  const said: string[] = []
  let meanwhile = Promise.resolve()
  const options = { cwd: ROOT, timeoutMs: TIMEOUT_MS }
  const { stderr } = await runLines(java!, args, options, (line) => {
    said.push(line)
    if (line === 'FLOWING') meanwhile = whenFlowing()
  })
  await meanwhile
  if (!said.includes('VERDICT passed')) {
    throw new Error(`${said.slice(-25).join('\n')}\n${stderr.slice(-1000)}`)
  }
}

const checks: readonly Check[] = ['at_least_once', 'exactly_once_v2'].flatMap((guarantee) => [
  { name: `smoke test: ${guarantee}`, run: (target) => smoke(target, guarantee, 'one') },
  {
    name: `smoke test: ${guarantee}, clients come and go`,
    run: (target) => smoke(target, guarantee, 'bounce'),
  },
  {
    name: `smoke test: ${guarantee}, the broker is restarted`,
    run: (target: Target) =>
      smoke(target, guarantee, 'one', async () => {
        if (target.restart === undefined) throw new Error('a broker of others is not restarted')
        await target.restart()
      }),
  },
])

export const suite: Suite = {
  name: 'kafka_streams',
  about:
    "Kafka Streams' smoke test: at least once, exactly once, with clients and broker that leave",
  version: KAFKA_VERSION,
  async install() {
    await installStreams()
  },
  run: (target, only, report) => runChecks(checks, target, only, report),
}
