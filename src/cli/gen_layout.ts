// The seam's memory as a C++ header: native/gen/layout.h, from the tables of plane/layout.ts. C++ reads kinds,
// columns and offsets by the names TypeScript uses (`fact::kHighWatermark`, `column::kLogEndOffset`), so the two
// sides cannot disagree. Committed, because compilers need files; test/unit/cli/gen_layout.test.ts compares.
import {
  counterColumn,
  counterColumns,
  DisconnectReason,
  FactFlag,
  FactKind,
  factBytes,
  factOffset,
  LookupKind,
  partitionColumn,
  partitionColumns,
  partitionRowsPerChunk,
  RetireMode,
  ringHeaderBytes,
  ringOffset,
  TopicOperation,
} from '../plane/layout.ts'

/** Where the header lives, from the repository's root. */
export const layoutHeaderPath = 'native/gen/layout.h'

type Table = Readonly<Record<string, number>>

/** The whole header, ready to be written. */
export function emitLayoutHeader(): string {
  return [
    '// Written by `npm run gen` from src/plane/layout.ts, where the meaning of each row is. Do not edit.',
    '#pragma once',
    '',
    '#include <cstddef>',
    '#include <cstdint>',
    '',
    'namespace ottla {',
    '',
    emitNamespace('fact', 'uint16_t', FactKind),
    emitNamespace('fact_offset', 'size_t', factOffset),
    emitNamespace('fact_flag', 'uint16_t', FactFlag),
    emitNamespace('ring_offset', 'size_t', ringOffset),
    emitNamespace('column', 'size_t', partitionColumn),
    emitNamespace('counter', 'size_t', counterColumn),
    emitNamespace('lookup', 'int32_t', LookupKind),
    emitNamespace('retire', 'int32_t', RetireMode),
    emitNamespace('topic_operation', 'int32_t', TopicOperation),
    emitEnum('DisconnectReason', 'int32_t', DisconnectReason),
    `constexpr size_t kFactBytes = ${factBytes};`,
    `constexpr size_t kRingHeaderBytes = ${ringHeaderBytes};`,
    `constexpr size_t kPartitionColumns = ${partitionColumns};`,
    `constexpr int32_t kPartitionRowsPerChunk = ${partitionRowsPerChunk};`,
    `constexpr size_t kCounterColumns = ${counterColumns};`,
    '',
    emitAssertions(),
    '',
    '}  // namespace ottla',
    '',
  ].join('\n')
}

function emitNamespace(name: string, type: string, table: Table): string {
  const rows = Object.entries(table).map(
    ([key, value]) => `constexpr ${type} ${constantName(key)} = ${value};`,
  )
  return `namespace ${name} {\n${rows.join('\n')}\n}  // namespace ${name}\n`
}

function emitEnum(name: string, type: string, table: Table): string {
  const rows = Object.entries(table).map(([key, value]) => `  ${constantName(key)} = ${value},`)
  return `enum class ${name} : ${type} {\n${rows.join('\n')}\n};\n`
}

function emitAssertions(): string {
  const largest = (table: Table) => Math.max(...Object.values(table))
  return [
    `static_assert(${largest(factOffset)} + sizeof(double) <= kFactBytes, "a fact holds its fields");`,
    `static_assert(${largest(ringOffset)} + 64 <= kRingHeaderBytes, "cursors have lines of their own");`,
    `static_assert(${largest(partitionColumn)} < kPartitionColumns, "a row holds its columns");`,
    `static_assert(${largest(counterColumn)} < kCounterColumns, "a row holds its counters");`,
  ].join('\n')
}

function constantName(key: string): string {
  return `k${key.charAt(0).toUpperCase()}${key.slice(1)}`
}
