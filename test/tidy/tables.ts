// The law of the house, as tables: who may import whom, what pure code may not say, where errors may be caught.
// Think hard about the layering before changing this file: a row added here is a wall taken down there.
// Origin: DESIGN §4 and §5, docs/STYLE.md. test/tidy.test.ts enforces it.

const TABLES = ['lib', 'protocol', 'config', 'metadata']
const MACHINES = ['coordinator', 'raft', 'controller', 'group', 'transaction', 'share', 'storage']
const BELOW = [...TABLES, ...MACHINES, 'replication', 'security', 'plane']

/** What a folder of src/ may import, besides itself. Machines never import each other: they speak in messages. */
export const MAY_IMPORT: Record<string, readonly string[]> = {
  lib: [],
  protocol: ['lib'],
  config: ['lib', 'protocol/errors.ts'],
  metadata: TABLES,
  coordinator: ['lib', 'protocol', 'metadata'],
  raft: ['lib', 'protocol'],
  controller: [...TABLES, 'coordinator'],
  group: [...TABLES, 'coordinator'],
  transaction: [...TABLES, 'coordinator'],
  share: [...TABLES, 'coordinator'],
  storage: ['lib'],
  replication: TABLES,
  security: TABLES,
  plane: ['lib', 'protocol', 'config'],
  client: ['lib', 'protocol', 'plane/native_codecs.ts'],
  embedded: ['client'],
  host: BELOW,
  broker: [...BELOW, 'host'],
  http: ['lib', 'config', 'metadata', 'broker', 'plane'],
  cli: ['*'],
  'node.ts': ['*'],
  'broker_options.ts': ['*'],
  'main.ts': ['*'],
  'index.ts': ['*'],
  fixtures: ['index.ts', 'client/timing.ts', 'config/parse.ts', 'config/text/environment.ts'],
}

/** Modules of Node or of npm that a folder may import; whoever is not here may import none. */
export const MAY_IMPORT_MODULES: Record<string, readonly string[]> = {
  'src/plane/model_codecs.ts': ['node:zlib'],
  'src/plane/native.ts': ['node:fs', 'node:module', 'node:path', 'node:url', 'node:util'],
  'src/client/connection.ts': ['node:net'],
  'src/client/timing.ts': ['node:events'],
  // RE2 is loaded when somebody first subscribes with a pattern: most brokers never need it.
  'src/broker/topic_regex.ts': ['node:module', 're2js'],
  'src/host/system.ts': ['*'],
  'src/cli': ['*'],
  'src/main.ts': ['*'],
  'src/index.ts': ['*'],
  'src/broker_options.ts': ['*'],
  'src/fixtures': ['node:module', 'node:test', 'vitest'],
}

/** No I/O, no clock, no chance, no waiting: time is an argument, randomness is injected, effects are values. */
export const PURE = [...TABLES, ...MACHINES, 'replication', 'security'] as const

/** What pure code may not say. */
export const IMPURE_WORDS =
  /\b(await|async|Promise|Date|setTimeout|setInterval|setImmediate|queueMicrotask|process|console|performance|crypto|globalThis)\b|\bMath\.random\b|\bnode:/

/** What nobody in src/ may say, because host/system.ts says it for all: clock, entropy, environment, terminal. */
export const SYSTEM_WORDS =
  /\b(setTimeout|setInterval|setImmediate|console|performance)\b|\bDate\.now\b|\bnew Date\b|\bMath\.random\b|\bprocess\.|\bcrypto\./
export const MAY_SAY_SYSTEM_WORDS = [
  'src/plane/native.ts', // the doorbell rings again in another turn of the loop
  'src/host/system.ts',
  'src/client/timing.ts', // a client has no host; its clock and its timers are here
  'src/cli/',
  'src/main.ts',
  'src/index.ts',
  'src/fixtures/jest_global_setup.ts', // the environment is how jest tells its workers
]

/** Where something may be caught, and why. Elsewhere an error is a value, or a bug that ends the process. */
export const MAY_CATCH: Record<string, string> = {
  'src/broker/directories/checkpoints.ts':
    'a checkpoint that cannot be written costs a longer recovery',
  'src/broker/dispatch.ts': 'a malformed frame, or a bug in one handler, closes one connection',
  'src/broker/log_cleaner.ts': 'a checkpoint that cannot be written costs a compaction',
  'src/broker/lifecycle.ts': 'a heartbeat that failed is sent again',
  'src/broker/topic_regex.ts': 'what is no regular expression is an answer',
  'src/client/': 'a request that failed is sent again, or becomes the error of one item',
  'src/group/consumer/migration/embedded.ts': 'bytes that are no subscription are an answer',
  'src/host/log_directory.ts': 'what the system refuses is a failed directory, or a full disk',
  'src/host/raft_host.ts': 'a failed start of the metadata log ends the node in order',
  'src/host/shard_loader.ts': 'a log that holds what is no record fails one shard',
  'src/host/system.ts': 'what the system refuses becomes a value',
  'src/node.ts': 'a start that failed gives back what it took',
  'src/plane/model.ts': 'malformed bytes close one connection',
  'src/plane/model_batch.ts': 'malformed records are an answer',
  'src/plane/model_clean.ts': 'a batch that cannot be read is kept as it is',
  'src/plane/model_log.ts': 'a batch that cannot be read ends the walk',
  'src/plane/model_codecs.ts': 'bytes that do not decompress are an answer',
  'src/index.ts': 'a start that failed gives back what it took',
  'src/cli/': 'errors become exit codes',
}

/** The folders of native/, in order: each includes itself and those before it. */
export const NATIVE_ORDER = [
  'base',
  'gen',
  'io',
  'log',
  'partition',
  'request',
  'reactor',
  'plane',
  'addon',
] as const

/** System headers that only native/io includes: whoever has them can go around Io. */
export const IO_HEADERS =
  /^<(unistd\.h|fcntl\.h|dirent\.h|poll\.h|time\.h|ctime|chrono|filesystem|fstream|random|thread|future|sys\/.*|netinet\/.*|arpa\/.*|netdb\.h|linux\/.*)>$/
export const MAY_INCLUDE: Record<string, string> = {
  'native/base/crc32c.cc <sys/auxv.h>': 'asks the processor what it can; no call to the world',
  'native/log/append.cc <sys/uio.h>': 'the type iovec only',
  'native/reactor/worker_pool.h <thread>': 'the pool that opens logs owns its threads',
  'native/plane.h <thread>': 'the plane owns one thread per reactor',
  'native/addon.cc <poll.h>': 'asks whether anybody reads the standard output of a command',
  'native/addon.cc <thread>': 'counts the cores',
}

/** Calls to the world, whatever was included. */
export const WORLD_CALLS =
  /(^|[^\w.>:])::(open|openat|close|read|write|pread|pwrite|preadv|pwritev|socket|bind|listen|accept4?|connect|send|recv|rename|unlink|mkdir|fsync|stat|fstat)\s*\(|\b(epoll_\w+|clock_gettime|gettimeofday|getenv|nanosleep|usleep|sched_yield|fopen|fsync|fdatasync|sendfile|pwritev2?|preadv2?|getrandom|eventfd|timerfd_\w+|mmap|fallocate|ftruncate)\s*\(|\bstd::(chrono|this_thread|random_device|filesystem|rand|time)\b/
/** Lines a file may have (a reader's comfort is 300); longer ones say why. */
export const LINES_MAX = 800
export const MAY_BE_LONG: Record<string, string> = {
  'native/gen/messages.h': 'generated',
  'native/addon.cc': 'every exported function, in the order of plane.ts',
}

/** Entries a folder of src/ or native/ may have; a header and its source are one. */
export const ENTRIES_MAX = 20
export const MAY_BE_WIDE: Record<string, string> = {
  src: 'a folder per layer of the import law, and the four doors',
  'src/config': 'a table per scope, and each way of reading, judging and telling them',
  'src/plane': 'the seam is three files; the model of the plane, a noun per file, is the rest',
}

/** Tests wait for conditions, not for time. These talk to real processes and have deadlines. */
export const MAY_WAIT: Record<string, string> = {
  'test/oracle': 'programs beside Apache Kafka; no tests',
  'test/integration/support/eventually.ts':
    'looks at a condition of another process until it holds or its deadline is over',
}

/** Reached by tests and tools only. */
export const TEST_ONLY_ROOTS: Record<string, string> = {
  'src/plane/model.ts': 'the model plane: reference, simulation',
  'src/protocol/json.ts': "messages as Kafka's JSON: oracles compare with it",
}
