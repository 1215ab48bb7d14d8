// What `--json` writes, by command: the contract with scripts. Fields are added, never renamed or taken away.
// The reference is made from this table, and test/integration/cli holds real output against it.
//
// A shape is a type's name, alternatives in between bars, an array of one shape, or an object of shapes; a key that
// ends in `?` is there only when it was asked for, and `*` stands for any key.

/** The shape of a JSON value. */
export type Shape = string | readonly [Shape] | { readonly [key: string]: Shape }

const error = '{ code: string, message: string, isRetriable: boolean } | null'
const bytes = 'string | { base64: string } | null'
const topicPartition = { topic: 'string', partition: 'number' }

const replica = {
  id: 'number',
  directoryId: 'string',
  logEndOffset: 'number | null',
  lag: 'number | null',
  lastFetchTimestamp: 'number | null',
  lastCaughtUpTimestamp: 'number | null',
}

const configEdit: Shape = [{ type: 'string', name: 'string', changed: 'boolean', error }]

const configDescription: Shape = {
  type: 'string',
  name: 'string',
  configs: [
    {
      name: 'string',
      value: 'string | null',
      source: 'string',
      default: 'string | null',
      type: 'string',
      isReadOnly: 'boolean',
      isSensitive: 'boolean',
      synonyms: [{ name: 'string', value: 'string | null', source: 'string' }],
      documentation: 'string | null',
    },
  ],
}

/** Commands that write an object a line, as long as there is something to tell. */
export const LINE_SHAPES: Readonly<Record<string, Shape>> = {
  consume: {
    ...topicPartition,
    offset: 'number',
    timestamp: 'number',
    key: bytes,
    value: bytes,
    headers: [{ key: 'string', value: bytes }],
  },
}

/** The shape of each command's output. */
export const JSON_SHAPES: Readonly<Record<string, Shape>> = {
  'topic list': [
    {
      name: 'string',
      topicId: 'string',
      isInternal: 'boolean',
      partitions: 'number',
      replicationFactor: 'number',
    },
  ],
  'topic describe': [
    {
      name: 'string',
      topicId: 'string',
      isInternal: 'boolean',
      configs: { '*': 'string | null' },
      partitions: [
        {
          partition: 'number',
          leader: 'number',
          leaderEpoch: 'number',
          replicas: ['number'],
          isr: ['number'],
          offlineReplicas: ['number'],
          eligibleLeaderReplicas: 'number[] | null',
          lastKnownElr: 'number[] | null',
          'earliest?': 'number | null',
          'latest?': 'number | null',
          'size?': 'number | null',
        },
      ],
    },
  ],
  'topic create': [
    {
      name: 'string',
      topicId: 'string',
      partitions: 'number',
      replicationFactor: 'number',
      created: 'boolean',
      error,
    },
  ],
  'topic alter': [{ name: 'string', partitions: 'number', error }],
  'topic config': configDescription,
  'topic delete': [{ name: 'string', deleted: 'boolean', error }],
  'topic delete-records': [{ ...topicPartition, lowWatermark: 'number', error }],
  'group list': [{ groupId: 'string', state: 'string', type: 'string', protocolType: 'string' }],
  'group describe': [
    {
      groupId: 'string',
      type: 'string',
      state: 'string',
      protocolType: 'string',
      protocol: 'string',
      coordinator: 'number',
      members: [
        {
          memberId: 'string',
          groupInstanceId: 'string | null',
          clientId: 'string',
          clientHost: 'string',
          assignment: [topicPartition],
        },
      ],
      offsets: [
        {
          ...topicPartition,
          committed: 'number | null',
          earliest: 'number | null',
          latest: 'number | null',
          lag: 'number | null',
          leaderEpoch: 'number | null',
          metadata: 'string',
          memberId: 'string | null',
        },
      ],
    },
  ],
  'group reset-offsets': [
    {
      groupId: 'string',
      ...topicPartition,
      from: 'number | null',
      to: 'number',
      executed: 'boolean',
      error,
    },
  ],
  'group delete': [{ name: 'string', deleted: 'boolean', error }],
  'group delete-offsets': [{ groupId: 'string', ...topicPartition, error }],
  'config list': [{ type: 'string', name: 'string', configs: { '*': 'string | null' } }],
  'config describe': configDescription,
  'config set': configEdit,
  'config unset': configEdit,
  'config append': configEdit,
  'config subtract': configEdit,
  offsets: [
    {
      ...topicPartition,
      'earliest?': 'number | null',
      'latest?': 'number | null',
      'offset?': 'number | null',
      'timestamp?': 'number | null',
      'leaderEpoch?': 'number | null',
      error,
    },
  ],
  'cluster describe': {
    clusterId: 'string | null',
    controller: 'number | null',
    brokers: [
      { id: 'number', host: 'string', port: 'number', rack: 'string | null', isFenced: 'boolean' },
    ],
  },
  'cluster quorum': {
    leader: 'number',
    leaderEpoch: 'number',
    highWatermark: 'number',
    voters: [replica],
    observers: [replica],
  },
  'cluster features': {
    epoch: 'number',
    features: [
      {
        feature: 'string',
        finalized: 'number | null',
        supportedMin: 'number',
        supportedMax: 'number',
      },
    ],
  },
  'cluster log-dirs': [
    {
      broker: 'number',
      path: 'string',
      totalBytes: 'number | null',
      usableBytes: 'number | null',
      room: 'string | null',
      size: 'number',
      replicas: [{ ...topicPartition, size: 'number', offsetLag: 'number', isFuture: 'boolean' }],
      error,
    },
  ],
  'cluster api-versions': [
    {
      broker: 'number',
      address: 'string',
      apis: [{ key: 'number', name: 'string | null', min: 'number', max: 'number' }],
    },
  ],
}

/** Lines of `dump-log --json`, by their `kind`. Every line of a file stands between its `file` and its `end`. */
export const DUMP_LINES: Readonly<Record<string, Shape>> = {
  file: { kind: 'string', path: 'string', type: 'string', size: 'number' },
  batch: {
    kind: 'string',
    position: 'number',
    size: 'number',
    baseOffset: 'number',
    lastOffset: 'number',
    count: 'number',
    leaderEpoch: 'number',
    timestampType: 'string',
    baseTimestamp: 'number | null',
    maxTimestamp: 'number',
    deleteHorizon: 'number | null',
    compression: 'string',
    crc: 'number',
    isIntact: 'boolean',
    producerId: 'number',
    producerEpoch: 'number',
    baseSequence: 'number',
    lastSequence: 'number',
    isTransactional: 'boolean',
    isControl: 'boolean',
  },
  record: {
    kind: 'string',
    offset: 'number',
    timestamp: 'number',
    keySize: 'number',
    valueSize: 'number',
    'key?': bytes,
    'value?': bytes,
    'decoded?': { '*': 'any' },
    headers: [{ key: 'string', value: bytes }],
  },
  entry: { kind: 'string', '*': 'any' },
  note: { kind: 'string', message: 'string', path: 'string' },
  problem: {
    kind: 'string',
    problem: 'string',
    position: 'number',
    message: 'string',
    path: 'string',
  },
  end: {
    kind: 'string',
    path: 'string',
    type: 'string',
    size: 'number',
    'batches?': 'number',
    'records?': 'number',
    'firstOffset?': 'number | null',
    'lastOffset?': 'number | null',
    'validBytes?': 'number',
    'entries?': 'number',
    problems: 'number',
    isWhole: 'boolean',
  },
}

/** What differs between a value and a shape, as paths; empty when it fits. */
export function misfits(value: unknown, shape: Shape, path = '$'): string[] {
  if (typeof shape === 'string') {
    return shape.split('|').some((each) => isOf(value, each.trim())) ? [] : [`${path}: ${shape}`]
  }
  if (isArrayShape(shape)) {
    if (!Array.isArray(value)) return [`${path}: an array`]
    return value.flatMap((item, i) => misfits(item, shape[0], `${path}[${i}]`))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [`${path}: an object`]
  }
  return misfitsOfObject(value as Record<string, unknown>, shape, path)
}

function misfitsOfObject(
  value: Readonly<Record<string, unknown>>,
  shape: { readonly [key: string]: Shape },
  path: string,
): string[] {
  const wrong: string[] = []
  for (const [key, item] of Object.entries(value)) {
    const known = shape[key] ?? shape[`${key}?`] ?? shape['*']
    if (known === undefined) wrong.push(`${path}.${key}: not documented`)
    else wrong.push(...misfits(item, known, `${path}.${key}`))
  }
  for (const key of Object.keys(shape)) {
    if (key !== '*' && !key.endsWith('?') && !(key in value)) wrong.push(`${path}.${key}: missing`)
  }
  return wrong
}

function isArrayShape(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape)
}

function isOf(value: unknown, type: string): boolean {
  if (type === 'any') return true
  if (type === 'null') return value === null
  if (type.startsWith('{')) return typeof value === 'object' && value !== null
  if (type.endsWith('[]')) {
    return Array.isArray(value) && value.every((item) => isOf(item, type.slice(0, -2)))
  }
  return typeof value === type
}

/** The shape as text, indented. */
export function formatShape(shape: Shape, indent = ''): string {
  if (typeof shape === 'string') return shape
  if (isArrayShape(shape)) return `[${formatShape(shape[0], indent)}]`
  const inner = `${indent}  `
  const lines = Object.entries(shape).map(
    ([key, each]) => `${inner}${key === '*' ? '[key]' : key}: ${formatShape(each, inner)}`,
  )
  return `{\n${lines.join('\n')}\n${indent}}`
}
