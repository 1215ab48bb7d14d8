// Which of librdkafka's test programs run: those that touch one broker and pass with Apache Kafka; those with consumers
// run once more with groups of the new protocol. A program is a number; 0081, 0103 and 0137 are split by the functions
// of their sub-tests, since their first failure would hide the rest.

/** One process: the programs whose names contain `test`, or only their sub-tests that contain `part`. */
export interface Program {
  readonly test: string
  readonly part?: string
  /** Milliseconds until it is ended. */
  readonly deadline: number
}

const NUMBERS =
  '0001 0002 0003 0005 0007 0011 0012 0013 0014 0015 0017 0018 0019 0020 0021 0022 0026 0029 0030 0031 0033 0034 ' +
  '0035 0036 0038 0039 0040 0041 0042 0044 0045 0048 0050 0051 0053 0054 0055 0056 0057 0059 0060 0061 0063 0064 ' +
  '0065 0067 0069 0070 0073 0082 0083 0084 0085 0086 0090 0091 0093 0099 0110 0112 0114 0122 0123 0125 0127 0129 ' +
  '0130 0132 0140'

const ADMIN =
  'unclean_destroy CreateTopics DeleteTopics CreatePartitions CreateAcls DescribeAcls DeleteAcls AlterConfigs ' +
  'IncrementalAlterConfigs DescribeConfigs DescribeConfigs_groups DeleteRecords ListConsumerGroups ' +
  'DescribeConsumerGroups DescribeTopics DescribeCluster DeleteGroups DeleteConsumerGroupOffsets ListOffsets ' +
  'AlterConsumerGroupOffsets ListConsumerGroupOffsets UserScramCredentials'

/** The functions of 0081 that need a consumer. */
const GROUP_ADMIN =
  'DescribeConfigs_groups ListConsumerGroups DeleteGroups DeleteConsumerGroupOffsets AlterConsumerGroupOffsets ' +
  'ListConsumerGroupOffsets'

/** Programs with a consumer that joins groups. */
const CONSUMERS =
  '0018 0019 0022 0026 0029 0030 0033 0034 0042 0045 0050 0051 0056 0057 0059 0060 0061 0064 0065 0067 0069 0083 ' +
  '0085 0089 0091 0093 0099 0102 0112 0118 0122 0127 0129 0130 0140'

const BATCHES =
  'with_seek store_offset with_pause_and_resume_different_batch with_pause_and_resume_same_batch control_msgs eof_position'

const TRANSACTIONS =
  'misuse_txn basic_producer_txn consumer_producer_txn fenced_txn fatal_idempo_error_without_kip360 empty_txn ' +
  'wmark_isolation_level txn_abort_control_message_leader_epoch'

const DEADLINE = 240_000

const parts = (test: string, start: string, names: string): Program[] =>
  names.split(' ').map((name) => ({ test, part: `${start}${name}:`, deadline: DEADLINE }))

/** The programs that run in any company. */
export const programs: readonly Program[] = [
  ...NUMBERS.split(' ').map((test) => ({ test, deadline: DEADLINE })),
  // `do_test_X:` and its line: the colon keeps X from matching XY.
  ...parts('0081', 'do_test_', ADMIN),
  ...parts('0103', 'do_test_', TRANSACTIONS),
  ...parts('0137', 'do_test_consume_batch_', BATCHES),
]

/** With `TEST_CONSUMER_GROUP_PROTOCOL=consumer`. */
export const consumerPrograms: readonly Program[] = [
  ...CONSUMERS.split(' ').map((test) => ({ test, deadline: DEADLINE })),
  ...parts('0081', 'do_test_', GROUP_ADMIN),
  ...parts('0103', 'do_test_', 'consumer_producer_txn empty_txn wmark_isolation_level'),
  ...parts('0137', 'do_test_consume_batch_', BATCHES),
  { test: '0113', deadline: 1_200_000 },
]

/** The programs that measure time: alone, and with Kafka's own rebalance delay. */
export const timedPrograms: readonly Program[] = [
  { test: '0089', deadline: 300_000 },
  { test: '0102', deadline: 300_000 },
  { test: '0113', deadline: 1_200_000 },
  { test: '0118', deadline: 240_000 },
]
