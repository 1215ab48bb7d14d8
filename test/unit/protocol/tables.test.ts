// Our tables are Kafka's: every message, field, type, version, tag, default and nullability of
// messages.json is in src/protocol, and nothing else is. Both sides are brought to one plain form, in which
// versions are spelled out one by one, and compared as wholes.

import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { advertised, apis, apisOf } from '../../../src/protocol/apis.ts'
import { contains, type Fields, type Message, versions } from '../../../src/protocol/dsl.ts'
import { ErrorCode, errors } from '../../../src/protocol/errors.ts'
import { messages } from '../../../src/protocol/registry.ts'
import { defaultOf } from '../../../src/protocol/shape.ts'

interface KafkaField {
  name: string
  type: string
  versions?: string
  nullableVersions?: string
  taggedVersions?: string
  flexibleVersions?: string
  tag?: number
  default?: unknown
  ignorable?: boolean
  fields?: KafkaField[]
}
interface KafkaMessage {
  type: string
  apiKey?: number
  validVersions: string
  flexibleVersions?: string
  listeners?: string[]
  fields: KafkaField[]
  commonStructs?: { name: string; versions: string; fields: KafkaField[] }[]
}
interface Plain {
  name: string
  type: string
  present: number[]
  nullable: number[]
  tagged: number[]
  tag: number | null
  default: string
  ignorable: boolean
  rigid: boolean
  fields: Plain[]
}

const facts = new URL('../../../../shared/kafka/', import.meta.url)

function fact(name: string): string {
  const file = new URL(name, facts)
  if (!existsSync(file)) {
    throw new Error(
      `the judge is missing: ../shared/kafka/${name}, seen from the repository's root`,
    )
  }
  return readFileSync(file, 'utf8')
}

const rows = (name: string): string[][] =>
  fact(name)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split('\t'))

const within = (range: string | undefined, among: number[]): number[] =>
  range === undefined ? [] : among.filter((version) => contains(versions(range), version))

function plainKafka(message: KafkaMessage, fields: KafkaField[], parent: number[]): Plain[] {
  return fields.map((field) => {
    const present = within(field.versions ?? field.taggedVersions, parent)
    const isArray = field.type.startsWith('[]')
    const base = isArray ? field.type.slice(2) : field.type
    const isStruct = /^[A-Z]/.test(base)
    const shared = message.commonStructs?.find(({ name }) => name === base)
    const inner = field.fields ?? shared?.fields ?? []
    return {
      name: field.name[0]!.toLowerCase() + field.name.slice(1),
      type: `${isArray ? '[]' : ''}${isStruct ? 'struct' : base}`,
      present,
      nullable: within(field.nullableVersions, present),
      tagged: within(field.taggedVersions, present),
      tag: field.tag ?? null,
      default: plainDefault(field.default, isArray ? 'array' : isStruct ? 'struct' : base),
      ignorable: field.ignorable ?? false,
      rigid: field.flexibleVersions === 'none',
      fields: isStruct ? plainKafka(message, inner, within(shared?.versions ?? '0+', present)) : [],
    }
  })
}

function plainDefault(value: unknown, type: string): string {
  if (type === 'records' || value === 'null') return 'null'
  if (type === 'struct' || type === 'array' || type === 'bytes') return 'empty'
  if (type === 'string') return JSON.stringify(value ?? '')
  if (type === 'bool') return String(value === true || value === 'true')
  if (type === 'uuid') return 'zero'
  return BigInt((value ?? 0) as number | string).toString()
}

function plainOurs(fields: Fields, parent: number[]): Plain[] {
  return Object.entries(fields).map(([name, field]) => {
    const isArray = field.type.kind === 'array'
    const item = field.type.kind === 'array' ? field.type.element : field.type
    const present = parent.filter((version) => contains(field.versions, version))
    const value = defaultOf(field)
    const kind = item.kind === 'int64Wide' ? 'int64' : item.kind
    return {
      name,
      type: `${isArray ? '[]' : ''}${kind}`,
      present,
      nullable: present.filter((version) => contains(field.nullable, version)),
      tagged: field.tag === null ? [] : present,
      tag: field.tag,
      default:
        value === null
          ? 'null'
          : typeof value === 'object'
            ? 'empty'
            : kind === 'uuid'
              ? 'zero'
              : kind === 'string'
                ? JSON.stringify(value)
                : String(value),
      ignorable: field.ignorable,
      rigid: field.rigid,
      fields: item.kind === 'struct' ? plainOurs(item.fields, present) : [],
    }
  })
}

const spelled = (range: { min: number; max: number }, limit: number): number[] =>
  Array.from({ length: limit + 1 }, (_, version) => version).filter((v) => contains(range, v))

const VERSION_LIMIT = 40

describe('protocol: tables', () => {
  const judged = new Map<string, KafkaMessage>(
    Object.values(
      JSON.parse(fact('messages.json')) as Record<string, Record<string, KafkaMessage>>,
    ).flatMap((group) => Object.entries(group)),
  )

  test('name the messages that Kafka has, and no other', () => {
    expect([...messages.keys()].sort()).toEqual([...judged.keys()].sort())
  })

  test.each([...judged])('%s is Kafka’s', (name, theirs) => {
    const ours = messages.get(name) as Message
    const valid = spelled(versions(theirs.validVersions), VERSION_LIMIT)
    expect(spelled(ours.valid, VERSION_LIMIT)).toEqual(valid)
    expect(spelled(ours.flexible, VERSION_LIMIT)).toEqual(
      spelled(versions(theirs.flexibleVersions ?? 'none'), VERSION_LIMIT),
    )
    expect(ours.kind).toBe(theirs.type)
    expect(ours.key).toBe(theirs.apiKey ?? null)
    expect(plainOurs(ours.fields, valid)).toEqual(plainKafka(theirs, theirs.fields, valid))
  })

  test('requests say which listeners may serve them', () => {
    for (const api of apis.values()) {
      const theirs = judged.get(`${api.name}Request`)!
      expect([...api.listeners].sort(), api.name).toEqual([...(theirs.listeners ?? [])].sort())
    }
  })

  test('apis are those of apis.tsv', () => {
    const ours = [...apis.values()].map((api) => [
      String(api.key),
      api.name,
      String(Math.max(api.valid.min, 0)),
      String(api.valid.max),
      `[${api.listeners.map((listener) => listener.toUpperCase()).join(', ')}]`,
      String(api.clusterAction),
      String(api.forwarded),
      String(api.latestUnstable),
    ])
    expect(ours).toEqual(rows('apis.tsv'))
  })

  test('an unstable newest version is advertised only on demand', () => {
    const unstable = [...apis.values()].filter((api) => api.latestUnstable)
    expect(unstable.map(({ name }) => name)).toEqual(['InitProducerId'])
    expect(advertised(unstable[0]!, false)).toEqual({ min: 0, max: 5 })
    expect(advertised(unstable[0]!, true)).toEqual({ min: 0, max: 6 })
  })

  test('apis of a listener leave out those without a version', () => {
    expect(apisOf('broker').some(({ name }) => name === 'LeaderAndIsr')).toBe(false)
    expect(apisOf('controller').map(({ name }) => name)).toContain('Vote')
    expect(apisOf('broker').map(({ name }) => name)).not.toContain('Vote')
  })

  test('errors are those of errors.tsv', () => {
    const ours = errors.map(({ code, name, retriable }) => [String(code), name, String(retriable)])
    expect(ours).toEqual(rows('errors.tsv'))
    expect(ErrorCode.NOT_LEADER_OR_FOLLOWER).toBe(6)
  })
})
