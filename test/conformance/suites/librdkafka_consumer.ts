// librdkafka's own tests whose consumers join groups, once more with the new group protocol (KIP-848): the programs are
// the same, `group.protocol` is not. The sub-tests that run are not all the same either.

import { consumerPrograms } from '../librdkafka/programs.ts'
import { installRunner, LIBRDKAFKA_VERSION, runPrograms } from '../librdkafka/runner.ts'
import type { Suite } from '../suite.ts'

let folder = ''

export const suite: Suite = {
  name: 'librdkafka_consumer',
  about: "librdkafka's tests of consumers with the new group protocol (KIP-848); with sub-tests",
  version: LIBRDKAFKA_VERSION,
  config: { 'num.partitions': '4' },
  async install(cache) {
    folder = cache.replace(/librdkafka_consumer$/, 'librdkafka') // one build for three suites
    await installRunner(folder)
  },
  run: runPrograms(() => folder, consumerPrograms, 2, { TEST_CONSUMER_GROUP_PROTOCOL: 'consumer' }),
}
