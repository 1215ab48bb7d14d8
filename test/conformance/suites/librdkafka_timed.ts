// The four of librdkafka's tests that measure rebalances: alone, and with Apache Kafka's own initial rebalance delay,
// on which they count. One of them takes eleven minutes.

import { timedPrograms } from '../librdkafka/programs.ts'
import { installRunner, LIBRDKAFKA_VERSION, runPrograms } from '../librdkafka/runner.ts'
import type { Suite } from '../suite.ts'

let folder = ''

export const suite: Suite = {
  name: 'librdkafka_timed',
  about:
    "librdkafka's tests that time rebalances: poll intervals, static members, cooperative groups",
  version: LIBRDKAFKA_VERSION,
  config: { 'num.partitions': '4', 'group.initial.rebalance.delay.ms': '3000' },
  async install(cache) {
    folder = cache.replace(/librdkafka_timed$/, 'librdkafka') // one build for both suites
    await installRunner(folder)
  },
  run: runPrograms(() => folder, timedPrograms, 1),
}
