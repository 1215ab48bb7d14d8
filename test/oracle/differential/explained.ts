// Differences that are meant. Each row says which rows of which answers it covers and why; the reasons stand in
// docs/divergences.md or docs/not_implemented.md. A row that nothing needs any more fails the run.

/** What a row leaves out fits everything. */
export interface Explanation {
  readonly why: string
  readonly api?: string
  readonly label?: RegExp
  readonly path?: RegExp
  readonly kafka?: RegExp
  readonly ottla?: RegExp
  used?: boolean
}

export const EXPLAINED: Explanation[] = [
  {
    why: 'Kafka lists aborted transactions up to the end of the log, above the last stable offset',
    api: 'Fetch',
    label: /^story .*: read$/,
    path: /abortedTransactions(\.length|\[#?\d*\])$/,
  },
  {
    why: 'partitions of a transaction are told in order; in Kafka in that of a hash',
    api: 'DescribeTransactions',
    label: /story/,
    path: /partitions$/,
  },
  {
    why: 'EndTxn 5 of an epoch before the present one is a retry to Kafka whoever ended the transaction; here if it was an EndTxn 5',
    api: 'EndTxn',
    label: /^story \d+, step \d+(, old epoch)?: end/,
    kafka: /^(\d+|given)$/,
    ottla: /^(90|-1)$/,
  },
  {
    why: 'not_implemented: what is not served is not advertised',
    path: /^apiKeys(\.length|\[\d+\])$/,
    ottla: /^(absent|\d+)$/,
  },
  { why: 'settings of our own', path: /configs(\.length|\[ottla\..*\])$/ },
  {
    why: 'Kafka does not look for collisions within one request',
    api: 'CreateTopics',
    label: /collide in one request/,
  },
  {
    why: 'Kafka fails with UNKNOWN_SERVER_ERROR where there are too many partitions',
    api: 'CreatePartitions',
    label: /to (10003|20000)/,
    kafka: /-1|null/,
  },
  {
    why: 'Kafka fails on a topic without name and id',
    api: 'Metadata',
    label: /null name, zero id/,
  },
  {
    why: 'Kafka fails on an empty name',
    api: 'DescribeTopicPartitions',
    label: /unknown and bad/,
  },
  {
    why: 'Kafka fails on an unknown operation',
    api: 'IncrementalAlterConfigs',
    label: /(unknown|negative) operation/,
    kafka: /-1|null/,
  },
  {
    why: 'Kafka leaves the values of a broker to the broker that is asked; its controller takes anything',
    api: 'IncrementalAlterConfigs',
    label: /(default|broker): .*@controller/,
    kafka: /^(0|null)$/,
  },
  {
    why: 'listener.security.protocol.map is refused while it runs',
    label: /only per broker|with broker settings/,
    path: /listener\.security\.protocol\.map|responses\[4 1\]/,
  },
  {
    why: 'Kafka has no documentation for the keys of replication quotas',
    api: 'DescribeConfigs',
    path: /leader\.replication\.throttled\.rate\]\.documentation/,
  },
  {
    why: 'divergences: larger buffers of sockets',
    api: 'DescribeConfigs',
    path: /\[socket\.(send|receive)\.buffer\.bytes\]\.(value|synonyms)/,
  },
  {
    why: 'Kafka cannot append to the lists of client metrics',
    label: /metrics( of none)?: append|in the end: metrics/,
    path: /responses\[16|configs\[metrics\]/,
  },
  {
    why: 'Kafka does not answer when a resource stands twice',
    api: 'AlterConfigs',
    label: /a resource twice/,
    kafka: /silence/,
  },
  {
    why: 'refused without a sentence',
    api: 'Produce',
    label: /txn: produce (not added|after the end)/,
    path: /errorMessage$/,
  },
  {
    why: 'Kafka does not answer null records',
    api: 'Produce',
    label: /null records/,
    kafka: /silence/,
  },
  {
    why: 'refused without a sentence',
    api: 'Produce',
    label: /magic (3|-1)|length (0|-1|13)$/,
    path: /errorMessage/,
  },
  {
    why: 'Kafka fails with UNKNOWN_SERVER_ERROR on a codec or a length that cannot be',
    api: 'Produce',
    label: /codec [57]|length huge/,
  },
  {
    why: 'compressed batches are not opened',
    api: 'Produce',
    label: /(gzip|zstd) that is none/,
    kafka: /-1/,
  },
  {
    why: 'every topic and partition of a Produce is taken and answered, repeated and empty ones too',
    api: 'Produce',
    label: /no partition|a partition twice|a topic twice/,
  },
  {
    why: 'Kafka fails on isolation levels other than 0 and 1; here they are 0',
    label: /isolation (2|-1)/,
    path: /^(topics|responses|errorCode)/,
  },
  {
    why: 'Kafka fails on negative limits; here they are 0',
    api: 'Fetch',
    label: /at most -1/,
  },
  { why: 'only whole batches', api: 'Fetch', path: /records\.isCut$/, ottla: /false/ },
  {
    why: 'no record has a time: none has the largest',
    api: 'ListOffsets',
    label: /special -3 of 2/,
  },
  {
    why: 'a feature that stands twice is refused; Kafka takes the last',
    api: 'UpdateFeatures',
    label: /twice/,
  },
  {
    why: 'raft: a Fetch of the metadata log by name is served; Kafka insists on the id',
    api: 'Fetch',
    label: /raft fetch/,
    path: /^(errorCode|responses\.length|responses\[__cluster_metadata\])$/,
  },
  {
    why: 'raft: a refused Fetch tells the high watermark',
    api: 'Fetch',
    label: /raft fetch/,
    path: /highWatermark$/,
    kafka: /-1/,
  },
  {
    why: 'Kafka cannot encode a refused FetchSnapshot',
    api: 'FetchSnapshot',
    path: /^(errorCode|topics|nodeEndpoints)/,
    kafka: /^(-1|0|absent)$/,
  },
]
