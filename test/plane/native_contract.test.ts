// The contract on the native plane: over real sockets and files, and in its simulated world.

import { describe } from 'vitest'
import { cleanSuite } from './clean_suite.ts'
import { connectionSuite } from './connection_suite.ts'
import { copySuite } from './copy_suite.ts'
import { directorySuite } from './directory_suite.ts'
import { fetchSuite } from './fetch_suite.ts'
import { isUringAllowed, nativeHarness } from './harness_native.ts'
import { simHarness } from './harness_sim.ts'
import { logSuite } from './log_suite.ts'
import { pressureSuite } from './pressure_suite.ts'
import { produceSuite } from './produce_suite.ts'
import { recompressionSuite } from './recompression_suite.ts'
import { replicationSuite } from './replication_suite.ts'
import { retentionSuite } from './retention_suite.ts'
import { transactionsSuite } from './transactions_suite.ts'

const all = [nativeHarness(1), nativeHarness(3), nativeHarness(1, { transport: 'copy' })]
// How sockets are served is seen by connections, and by what they ask of partitions.
const byUring = isUringAllowed() ? [nativeHarness(2, { ioBackend: 'io_uring' })] : []
for (const harness of byUring) {
  describe(`plane: ${harness.name}: connection`, () => connectionSuite(harness))
  describe(`plane: ${harness.name}: produce`, () => produceSuite(harness))
  describe(`plane: ${harness.name}: fetch`, () => fetchSuite(harness))
  describe(`plane: ${harness.name}: directory`, () => directorySuite(harness))
}
for (const harness of [...all, simHarness(1), simHarness(2)]) {
  describe(`plane: ${harness.name}: connection`, () => connectionSuite(harness))
  describe(`plane: ${harness.name}: produce`, () => produceSuite(harness))
  describe(`plane: ${harness.name}: fetch`, () => fetchSuite(harness))
  describe(`plane: ${harness.name}: replication`, () => replicationSuite(harness))
  describe(`plane: ${harness.name}: log`, () => logSuite(harness))
  describe(`plane: ${harness.name}: compaction`, () => cleanSuite(harness))
  describe(`plane: ${harness.name}: recompression`, () => recompressionSuite(harness))
  describe(`plane: ${harness.name}: copy`, () => copySuite(harness))
  describe(`plane: ${harness.name}: directory`, () => directorySuite(harness))
  describe(`plane: ${harness.name}: pressure`, () => pressureSuite(harness))
  describe(`plane: ${harness.name}: retention`, () => retentionSuite(harness))
  describe(`plane: ${harness.name}: transactions`, () => transactionsSuite(harness))
}
