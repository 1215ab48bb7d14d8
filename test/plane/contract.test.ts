// One contract, every plane (DESIGN §7 rule 8). A new plane joins by a harness file; suites stay the same.

import { describe } from 'vitest'
import { connectionSuite } from './connection_suite.ts'
import { fetchSuite } from './fetch_suite.ts'
import { harnesses } from './harnesses.ts'
import { logSuite } from './log_suite.ts'
import { produceSuite } from './produce_suite.ts'
import { replicationSuite } from './replication_suite.ts'

for (const harness of await harnesses()) {
  describe(`plane: ${harness.name}: connection`, () => connectionSuite(harness))
  describe(`plane: ${harness.name}: produce`, () => produceSuite(harness))
  describe(`plane: ${harness.name}: fetch`, () => fetchSuite(harness))
  describe(`plane: ${harness.name}: replication`, () => replicationSuite(harness))
  describe(`plane: ${harness.name}: log`, () => logSuite(harness))
}
