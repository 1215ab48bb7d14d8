// librdkafka's own tests, those of one broker and classic groups: the client under most of the world's clients.

import { programs } from '../librdkafka/programs.ts'
import { installRunner, LIBRDKAFKA_VERSION, runPrograms } from '../librdkafka/runner.ts'
import type { Suite } from '../suite.ts'

let folder = ''

export const suite: Suite = {
  name: 'librdkafka',
  about:
    "librdkafka's tests of one broker: produce, consume, classic groups, admin; with sub-tests",
  version: LIBRDKAFKA_VERSION,
  config: { 'num.partitions': '4' }, // some tests count on what their authors' brokers do
  async install(cache) {
    folder = cache
    await installRunner(cache)
  },
  run: runPrograms(() => folder, programs, 2),
}
