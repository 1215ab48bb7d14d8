// @platformatic/kafka as an ordinary client. Its own tests want a cluster with three brokers, SASL and a registry; the
// checks are ours and go through everything public: admin, producer with every codec, streams, groups.

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChecks } from '../checks.ts'
import { adminChecks } from '../platformatic/admin.ts'
import { consumerChecks } from '../platformatic/consumer.ts'
import { groupChecks } from '../platformatic/groups.ts'
import { producerChecks } from '../platformatic/producer.ts'
import type { Suite } from '../suite.ts'

const VERSION = '1.35.0'
const CHECKS = [...adminChecks, ...producerChecks, ...consumerChecks, ...groupChecks]

export const suite: Suite = {
  name: 'platformatic',
  about: 'checks through the whole public surface of @platformatic/kafka',
  version: VERSION,
  async install() {
    const main = fileURLToPath(import.meta.resolve('@platformatic/kafka'))
    const { version } = JSON.parse(
      readFileSync(join(dirname(main), '../package.json'), 'utf8'),
    ) as {
      version: string
    }
    if (version !== VERSION) {
      throw new Error(`@platformatic/kafka ${VERSION} is wanted, ${version} is here`)
    }
  },
  run: (target, only, report) => runChecks(CHECKS, target, only, report),
}
