// kafkajs 2.2.4 as an ordinary client. It carries no tests that run elsewhere, so the checks are ours; they go through
// everything public: admin, producer with every codec, consumer, groups. It knows no static members.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { runChecks } from '../checks.ts'
import { adminChecks } from '../kafkajs/admin.ts'
import { consumerChecks } from '../kafkajs/consumer.ts'
import { groupChecks } from '../kafkajs/groups.ts'
import { producerChecks } from '../kafkajs/producer.ts'
import type { Suite } from '../suite.ts'

const VERSION = '2.2.4'
const CHECKS = [...adminChecks, ...producerChecks, ...consumerChecks, ...groupChecks]

export const suite: Suite = {
  name: 'kafkajs',
  about: 'checks through the whole public surface of kafkajs',
  version: VERSION,
  async install() {
    const file = createRequire(import.meta.url).resolve('kafkajs/package.json')
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
    if (version !== VERSION) throw new Error(`kafkajs ${VERSION} is wanted, ${version} is here`)
  },
  run: (target, only, report) => runChecks(CHECKS, target, only, report),
}
