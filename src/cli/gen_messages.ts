// Protocol tables → native/gen/messages.h: what C++ reads and writes itself, as structs with straight-line
// readers and writers. Reading is pull: a struct holds views into the frame, an Array iterates in place,
// and nothing allocates. Writing is by parts, so that a caller may put file slices where records go.
// A table may use what is emitted here; what is not (nullable structs, say) fails the generator.

import { assert } from '../lib/assert.ts'
import { apis } from '../protocol/apis.ts'
import type { AnyField, Fields, ItemType, Message, Versions } from '../protocol/dsl.ts'
import { RequestHeader, ResponseHeader } from '../protocol/headers.ts'
import { ApiVersions } from '../protocol/messages/metadata.ts'
import { OffsetForLeaderEpoch } from '../protocol/messages/offsets.ts'
import { Fetch, Produce } from '../protocol/messages/produce_fetch.ts'
import { shapeOf, typeBytesMin } from '../protocol/shape.ts'
import { messagesPrelude } from './gen_messages_prelude.ts'
import {
  boundOf,
  condition,
  cppDefault,
  cppType,
  fixedBytes,
  flexibleOf,
  guarded,
  indent,
  integerOf,
  intersect,
  isCallersPart,
  isText,
  isUuid,
  listOf,
  literal,
  type Row,
  type Struct,
  snakeCase,
  spanParameter,
  structName,
  sum,
  taggedBoundOf,
  taggedRows,
  usesFlexible,
  usesVersion,
} from './gen_messages_words.ts'

/** Where the header lives, from the repository's root. */
export const messagesHeaderPath = 'native/gen/messages.h'

/** The messages C++ reads or writes, in the order of the header. */
export const NATIVE_MESSAGES: readonly Message[] = [
  RequestHeader,
  ResponseHeader,
  Produce.request,
  Produce.response,
  Fetch.request,
  Fetch.response,
  OffsetForLeaderEpoch.request,
  OffsetForLeaderEpoch.response,
]

/** The whole header, ready to be written. */
export function emitMessagesHeader(): string {
  const parts = [messagesPrelude, emitApis(), ...NATIVE_MESSAGES.map(emitMessage), headerReader]
  return [...parts, '}  // namespace ottla::gen', ''].join('\n')
}

function emitApis(): string {
  const rows = [...apis.values()]
  assert(
    rows.every((api, i) => api.key === i),
    'api keys leave no gap',
  )
  const constants = rows.map((api) => `inline constexpr int16_t k${api.name}Key = ${api.key};`)
  const table = rows.map(({ name, valid, flexible }) => {
    const [min, max] = valid.max < valid.min ? [0, -1] : [valid.min, valid.max]
    const since = flexible.max < flexible.min ? 'kNeverFlexible' : flexible.min
    return `    {${min}, ${max}, ${since}},  // ${name}`
  })
  return `${constants.join('\n')}

// Versions of every api by key; those with version_max below version_min are gone for good.
struct ApiRange {
  int16_t version_min;
  int16_t version_max;
  int16_t flexible_since;
};
inline constexpr int16_t kNeverFlexible = INT16_MAX;
inline constexpr int16_t kApiCount = ${rows.length};
inline constexpr ApiRange kApis[kApiCount] = {
${table.join('\n')}
};

// Header versions. A key we do not know has the old form, which is all a refusal needs.
constexpr int16_t request_header_version(int16_t api_key, int16_t version) {
  if (api_key < 0 || api_key >= kApiCount) return 1;
  return version >= kApis[api_key].flexible_since ? 2 : 1;
}
constexpr int16_t response_header_version(int16_t api_key, int16_t version) {
  if (api_key == k${ApiVersions.name}Key) return 0;  // the client cannot know more yet
  return static_cast<int16_t>(request_header_version(api_key, version) - 1);
}
`
}

// ---- one message ----

function emitMessage(message: Message): string {
  const structs: Struct[] = []
  const hasTags = message.flexible.max >= message.flexible.min
  const collector = { message, structs, hasTags }
  const root = collect(collector, message.name, message.fields, message.valid)
  const inner = structs.filter((struct) => struct !== root)
  assert(new Set(inner.map(({ name }) => name)).size === inner.length, `${message.name}: names`)
  const lines = [
    `struct ${root.name} {`,
    ...(message.kind === 'header' ? [] : [`static constexpr int16_t kApiKey = ${message.key};`]),
    `static constexpr int16_t kVersionMin = ${message.valid.min};`,
    `static constexpr int16_t kVersionMax = ${message.valid.max};`,
    `static constexpr int16_t kFlexibleSince = ${hasTags ? message.flexible.min : 'kNeverFlexible'};`,
    'static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }',
    '',
    ...inner.flatMap((struct) => [`struct ${struct.name} {`, ...emitBody(struct, false), '};', '']),
    ...emitBody(root, true),
    '};',
    '',
  ]
  return indent(lines.join('\n').split('\n'))
}

interface Collector {
  readonly message: Message
  readonly structs: Struct[]
  readonly hasTags: boolean
}

function collect(
  into: Collector,
  name: string,
  fields: Fields,
  parent: Versions,
  inTag = false,
): Struct {
  const rows = Object.entries(fields).map(([key, field]): Row => {
    const present = intersect(field.versions, parent)
    const item: ItemType = field.type.kind === 'array' ? field.type.element : field.type
    const struct =
      item.kind === 'struct'
        ? collect(into, structName(key), item.fields, present, field.tag !== null)
        : null
    assert(
      !(item.kind === 'struct' && field.type.kind === 'struct' && field.nullable.max >= 0),
      key,
    )
    return {
      field,
      name: snakeCase(key),
      when: condition(present, parent),
      nullable: condition(intersect(field.nullable, present), present) || 'true',
      struct,
      isArray: field.type.kind === 'array',
      bytesMin: elementBytesMin(into.message, field),
    }
  })
  const struct = { name, rows, hasTags: into.hasTags, inTag }
  into.structs.push(struct)
  return struct
}

// The fewest bytes an element takes in any version of the message.
function elementBytesMin(message: Message, field: AnyField): number {
  let least = Number.POSITIVE_INFINITY
  for (let version = message.valid.min; version <= message.valid.max; version++) {
    const visit = (shape: ReturnType<typeof shapeOf>): void => {
      for (const { field: candidate, type, compact } of shape.slots) {
        const item = type.kind === 'array' ? type.element : type
        if (candidate === field) least = Math.min(least, typeBytesMin(item, compact))
        if (item.kind === 'struct') visit(item.shape)
      }
    }
    visit(shapeOf(message, version))
  }
  return Math.max(1, least)
}

function emitBody(struct: Struct, isRoot: boolean): string[] {
  return [
    ...struct.rows.map((row) => `${cppType(row)} ${row.name}${cppDefault(row)};`),
    '',
    ...emitRead(struct, isRoot),
    ...(struct.inTag ? ['', ...emitSize(struct), '', ...emitIsDefault(struct)] : []),
    '',
    ...emitWrite(struct),
  ]
}

// ---- reading ----

function emitRead(struct: Struct, isRoot: boolean): string[] {
  const inLine = struct.rows.filter((row) => row.field.tag === null)
  const read = inLine.flatMap((row) => guarded(row.when, [readCode(row, 'in')]))
  const body = [`*this = ${struct.name}{};`, ...read, ...readTags(struct), 'return in.ok();']
  const flexible = usesFlexible(body) ? ['const bool flexible = is_flexible(version);'] : []
  if (!isRoot) {
    const unused = usesVersion(body) || flexible.length > 0 ? [] : ['(void)version;']
    return ['bool read(ByteReader& in, int16_t version) {', ...flexible, ...unused, ...body, '}']
  }
  return [
    '// Reads and checks everything; false when malformed. Views point into the bytes of `in`.',
    'bool read(ByteReader& in, int16_t version) {',
    'if (version < kVersionMin || version > kVersionMax) return false;',
    ...flexible,
    ...body,
    '}',
  ]
}

function readTags(struct: Struct): string[] {
  if (!struct.hasTags) return []
  const tagged = taggedRows(struct)
  if (tagged.length === 0) return ['if (flexible) skip_tags(in);']
  const cases = tagged.flatMap((row) => [
    `case ${row.field.tag}:`,
    ...(row.when === '' ? [] : [`if (!(${row.when})) continue;`]),
    readCode(row, 'field'),
    'break;',
  ])
  return [
    'if (flexible) {',
    'for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {',
    'const uint32_t tag = in.uvarint();',
    'ByteReader field(in.take(in.uvarint()));',
    'switch (tag) {',
    ...cases,
    'default:',
    'continue;',
    '}',
    'if (!field.ok() || field.left() != 0) in.fail();',
    '}',
    '}',
  ]
}

function readCode(row: Row, from: string): string {
  const flexible = flexibleOf(row)
  if (row.isArray) {
    return `read_array(${from}, version, ${flexible}, ${row.nullable}, ${row.bytesMin}, &${row.name});`
  }
  switch (row.field.type.kind) {
    case 'struct':
      return `if (!${row.name}.read(${from}, version)) return false;`
    case 'string':
      return `${row.name} = read_string(${from}, ${flexible}, ${row.nullable});`
    case 'bytes':
    case 'records':
      return `${row.name} = read_bytes(${from}, ${flexible}, ${row.nullable});`
    case 'uuid':
      return `${row.name} = read_uuid(${from});`
    case 'bool':
      return `${row.name} = ${from}.u8() != 0;`
    default:
      return `${row.name} = ${from}.${integerOf(row).method}();`
  }
}

// ---- writing ----

// A struct is written in parts: each ends with the count or length of what the caller writes next.
function emitWrite(struct: Struct): string[] {
  const parts: { name: string; rows: Row[]; last: Row | null }[] = []
  let rows: Row[] = []
  for (const row of struct.rows.filter(({ field }) => field.tag === null)) {
    if (isCallersPart(row)) {
      parts.push({ name: `write_to_${row.name}`, rows, last: row })
      rows = []
    } else {
      rows.push(row)
    }
  }
  parts.push({ name: parts.length === 0 ? 'write' : 'write_rest', rows, last: null })
  return parts.flatMap(({ name, rows, last }, i) => {
    const code = rows.flatMap((row) => guarded(row.when, [writeCode(row)]))
    const bound = rows.map(boundOf)
    const parameters: string[] = rows.filter((row) => row.isArray).map(spanParameter)
    if (last !== null) {
      const isRecords = last.field.type.kind === 'records'
      const size = isRecords ? 'records_bytes' : `${last.name}.count`
      if (isRecords) parameters.push('int32_t records_bytes')
      code.push(...guarded(last.when, [`p = put_length32(p, ${flexibleOf(last)}, ${size});`]))
      bound.push('5')
    } else if (struct.hasTags) {
      const tagged = taggedRows(struct)
      parameters.push(...tagged.filter((row) => row.isArray).map(spanParameter))
      code.push(...writeTags(tagged))
      bound.push('5', ...tagged.map(taggedBoundOf))
    }
    if (code.length === 0) return []
    return [
      ...(i > 0 ? [''] : []),
      'template <typename Sink>',
      `bool ${name}(${['Sink& sink', 'int16_t version', ...parameters].join(', ')}) const {`,
      ...(usesFlexible(code) ? ['const bool flexible = is_flexible(version);'] : []),
      ...(usesFlexible(code) || usesVersion(code) ? [] : ['(void)version;']),
      `uint8_t* p = sink.reserve(${sum(bound)});`,
      'if (p == nullptr) return false;',
      ...code,
      'sink.commit(p);',
      'return true;',
      '}',
    ]
  })
}

function writeTags(tagged: readonly Row[]): string[] {
  if (tagged.length === 0) return ['if (flexible) *p++ = 0;']
  const conditions = tagged.map((row) => {
    const differs = row.isArray
      ? `!${listOf(row)}.empty()`
      : row.struct !== null
        ? `!${row.name}.is_default()`
        : isUuid(row)
          ? `!${row.name}.is_zero()`
          : isText(row)
            ? `${row.name}.data() != nullptr`
            : `${row.name} != ${literal(row)}`
    return `const bool has_${row.name} = ${row.when === '' ? '' : `${row.when} && `}${differs};`
  })
  const count = tagged.map((row) => `has_${row.name}`).join(' + ')
  const writes = tagged.flatMap((row) => [
    `if (has_${row.name}) {`,
    `p = put_uvarint(p, ${row.field.tag});`,
    ...writeTagPayload(row),
    '}',
  ])
  return ['if (flexible) {', ...conditions, `p = put_uvarint(p, ${count});`, ...writes, '}']
}

function writeTagPayload(row: Row): string[] {
  if (row.isArray) {
    return [
      `size_t size = uvarint_bytes(${listOf(row)}.size() + 1);`,
      `for (const ${row.struct!.name}& element : ${listOf(row)}) size += element.size();`,
      'p = put_uvarint(p, static_cast<uint32_t>(size));',
      `p = put_uvarint(p, static_cast<uint32_t>(${listOf(row)}.size()) + 1);`,
      `for (const ${row.struct!.name}& element : ${listOf(row)}) p = element.put(p, version);`,
    ]
  }
  const size =
    row.struct !== null
      ? `${row.name}.size()`
      : isText(row)
        ? `uvarint_bytes(${row.name}.size() + 1) + ${row.name}.size()`
        : `${fixedBytes(row)}`
  return [`p = put_uvarint(p, static_cast<uint32_t>(${size}));`, writeCode(row)]
}

function writeCode(row: Row): string {
  const flexible = flexibleOf(row)
  if (row.isArray) return `p = put_array(p, ${flexible}, ${listOf(row)});`
  if (row.struct !== null) return `p = ${row.name}.put(p, version);`
  switch (row.field.type.kind) {
    case 'string':
      return `p = put_string(p, ${flexible}, ${row.nullable}, ${row.name});`
    case 'bytes':
      return `p = put_bytes(p, ${flexible}, ${row.name});`
    case 'uuid':
      return `p = put_uuid(p, ${row.name});`
    case 'bool':
      return `p = put_i8(p, ${row.name} ? 1 : 0);`
    default:
      return `p = put_${integerOf(row).method}(p, ${row.name});`
  }
}

// Structs inside tagged fields: written whole, with their size in front. Tagged means flexible.
function emitSize(struct: Struct): string[] {
  const sizes = struct.rows.map((row) =>
    isText(row) ? `uvarint_bytes(${row.name}.size() + 1) + ${row.name}.size()` : fixedBytes(row),
  )
  const code = struct.rows.map((row) => {
    assert(row.when === '' && row.field.tag === null && !row.isArray, `${row.name}: in a tag`)
    return writeCode(row)
  })
  const text = code.join('\n').replaceAll('flexible', 'true')
  return [
    '// Bytes of the flexible form, and the form itself at `p`, where they fit.',
    'size_t size() const {',
    `return ${sum([...sizes, '1'])};`,
    '}',
    'uint8_t* put(uint8_t* p, int16_t) const {',
    ...text.split('\n'),
    '*p++ = 0;',
    'return p;',
    '}',
  ]
}

function emitIsDefault(struct: Struct): string[] {
  const equal = struct.rows.map((row) =>
    isText(row) ? `${row.name}.empty()` : `${row.name} == ${literal(row)}`,
  )
  return [`bool is_default() const { return ${equal.join(' && ')}; }`]
}

const headerReader = `// Reads the header of a request frame (without its length). False when malformed. The api key and
// version may be ones we do not serve: ask kApis.
inline bool read_request_header(ByteReader& in, RequestHeader* header) {
  if (in.left() < 4) return false;
  const int16_t key = load_i16(in.at());
  const int16_t version = load_i16(in.at() + 2);
  return header->read(in, request_header_version(key, version));
}
`
