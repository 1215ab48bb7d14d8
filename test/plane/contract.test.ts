// One contract, every plane (DESIGN §7 rule 8): here on the model; native_contract.test.ts has the others.

import { describe } from 'vitest'
import { cleanSuite } from './clean_suite.ts'
import { connectionSuite } from './connection_suite.ts'
import { copySuite } from './copy_suite.ts'
import { directorySuite } from './directory_suite.ts'
import { fetchSuite } from './fetch_suite.ts'
import { modelHarness } from './harness_model.ts'
import { logSuite } from './log_suite.ts'
import { pressureSuite } from './pressure_suite.ts'
import { produceSuite } from './produce_suite.ts'
import { recompressionSuite } from './recompression_suite.ts'
import { replicationSuite } from './replication_suite.ts'
import { retentionSuite } from './retention_suite.ts'
import { transactionsSuite } from './transactions_suite.ts'

describe('plane: model: connection', () => connectionSuite(modelHarness))
describe('plane: model: produce', () => produceSuite(modelHarness))
describe('plane: model: fetch', () => fetchSuite(modelHarness))
describe('plane: model: replication', () => replicationSuite(modelHarness))
describe('plane: model: log', () => logSuite(modelHarness))
describe('plane: model: compaction', () => cleanSuite(modelHarness))
describe('plane: model: recompression', () => recompressionSuite(modelHarness))
describe('plane: model: copy', () => copySuite(modelHarness))
describe('plane: model: directory', () => directorySuite(modelHarness))
describe('plane: model: pressure', () => pressureSuite(modelHarness))
describe('plane: model: retention', () => retentionSuite(modelHarness))
describe('plane: model: transactions', () => transactionsSuite(modelHarness))
