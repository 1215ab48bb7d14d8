// Which of kgo's tests touch a broker without SASL or share groups. The rest of the package are unit tests.

/** Run together, in parallel. */
export const BROKER_TESTS: readonly string[] = [
  'TestAddRemovePartitions',
  'TestClient_Produce',
  'TestClient_ProduceLargeMessages',
  'TestConsumeRegex',
  'TestDirectPartitionPurge',
  'TestGroupETL',
  'TestGroupSimple',
  'TestHookPollStart',
  'TestIssue1034',
  'TestIssue325',
  'TestIssue337',
  'TestIssue434',
  'TestIssue523',
  'TestIssue648',
  'TestIssue769',
  'TestIssue810',
  'TestIssue831',
  'TestIssue865',
  'TestIssueProduceSyncManualPartitionNegativeDoesNotPanic',
  'TestPauseIssue489',
  'TestPauseIssueOct2023',
  'TestPing',
  'TestPooling',
]

/** Run alone, and only against a broker that advertises the API: without it they wait for minutes. */
export const LATER_TESTS: readonly { name: string; key: number; api: string }[] = [
  { name: 'TestTxnEtl', key: 26, api: 'EndTxn' },
]
