// `ottla config`, and `ottla topic config`.
//
// Invariant: a value is own to a resource when it was set for that very resource; the cluster says so, not we.
// Kafka: ConfigCommand; KIP-226 sources and synonyms, KIP-339.

import {
  type ConfigDescription,
  type ConfigEdit,
  type ConfigEntry,
  type ConfigResource,
  describeConfigs,
  incrementalAlterConfigs,
  listConfigResources,
} from '../../client/admin_configs.ts'
import { listGroups } from '../../client/admin_groups.ts'
import { listTopics } from '../../client/admin_topics.ts'
import type { Cluster } from '../../client/cluster.ts'
import { ListConfigResources } from '../../protocol/messages/configs.ts'
import { type ConnectOptions, withCluster } from '../connect.ts'
import type { Json, Output } from '../output/output.ts'
import { CliProblem, EXIT } from '../output/problems.ts'
import type { Cell } from '../output/table.ts'
import { printable } from '../output/text.ts'
import type { DescribeConfigOptions, EditConfigOptions, Resource } from './config.ts'
import { type Result, tellResults } from './results.ts'
import type { TopicConfigOptions } from './topic.ts'
import { parsePairs } from './values.ts'

/** The broker whose name stands for all of them. */
const EVERY_BROKER = 'default'

function resourceOf(type: Resource, name: string): ConfigResource {
  if (type !== 'broker' && type !== 'broker-logger') return { type, name }
  if (type === 'broker' && name === EVERY_BROKER) return { type, name: '' }
  if (/^\d{1,10}$/.test(name)) return { type, name }
  const also = type === 'broker' ? `, or ${EVERY_BROKER} for all of them` : ''
  throw new CliProblem(`a ${type} is named by its id${also}, not ${name}`)
}

function nameOf({ type, name }: ConfigResource): string {
  return type === 'broker' && name === '' ? EVERY_BROKER : name
}

/** Whether somebody set it for this very resource, while the cluster runs. */
function isOwn({ source }: ConfigEntry, { type, name }: ConfigResource): boolean {
  if (type === 'broker') {
    return source === (name === '' ? 'dynamic-default-broker' : 'dynamic-broker')
  }
  return source === (type === 'broker-logger' ? 'dynamic-broker-logger' : type)
}

/** Whether the value is other than the default, whoever said so. */
function isChanged({ source }: ConfigEntry): boolean {
  return source !== 'default'
}

function byName(a: ConfigEntry, b: ConfigEntry): number {
  return a.name < b.name ? -1 : 1
}

/** Lists what has settings of its own; the exit code. */
export function listConfigsCommand(
  type: Resource | undefined,
  options: ConnectOptions,
): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const types: Resource[] = type === undefined ? ['topic', 'broker', 'group'] : [type]
    const resources = (await Promise.all(types.map((each) => resourcesOf(cluster, each)))).flat()
    const described = await describeConfigs(cluster, resources)
    const errors = described.flatMap(({ error }) => (error === null ? [] : [error]))
    const rows = described.flatMap(({ resource, entries }) => {
      const own = entries.filter((entry) => isOwn(entry, resource)).sort(byName)
      return own.length === 0 ? [] : [{ resource, own }]
    })
    if (out.isJson) {
      out.json(
        rows.map(({ resource, own }) => ({
          type: resource.type,
          name: nameOf(resource),
          configs: Object.fromEntries(own.map(({ name, value }) => [name, value])),
        })),
      )
    } else {
      const cells = rows.flatMap(({ resource, own }) =>
        own.map((entry): Cell[] => [
          resource.type,
          nameOf(resource),
          entry.name,
          shownValue(entry),
        ]),
      )
      const titles = ['TYPE', 'NAME', 'KEY', 'VALUE'].map((title) => ({ title }))
      out.table(titles, cells, 'Nothing has settings of its own.')
    }
    for (const error of errors) out.problem(error.message)
    return errors.length > 0 ? EXIT.answer : EXIT.ok
  })
}

async function resourcesOf(cluster: Cluster, type: Resource): Promise<ConfigResource[]> {
  switch (type) {
    case 'topic': {
      const topics = await listTopics(cluster, { isInternalIncluded: true })
      return topics.map(({ name }) => ({ type, name }))
    }
    case 'broker':
    case 'broker-logger': {
      await cluster.refresh()
      const brokers = cluster.brokers.map(({ nodeId }) => ({ type, name: String(nodeId) }))
      return type === 'broker' ? [{ type, name: '' }, ...brokers] : brokers
    }
    case 'group':
    case 'client-metrics': {
      const connection = await cluster.connection()
      const version = connection.versions.get(ListConfigResources.key)?.max ?? -1
      if (version >= (type === 'group' ? 1 : 0)) return await listConfigResources(cluster, [type])
      if (type === 'client-metrics') return []
      return (await listGroups(cluster)).map(({ groupId }) => ({ type, name: groupId }))
    }
  }
}

/** Shows the settings of one thing; the exit code. */
export function describeConfigCommand(
  type: Resource,
  name: string,
  keys: string[],
  options: DescribeConfigOptions,
): Promise<number> {
  const resource = resourceOf(type, name)
  return withCluster(options, async (cluster, out) => {
    const names = keys.length === 0 ? undefined : keys
    const [described] = await describeConfigs(cluster, [{ ...resource, names }], {
      isSynonymsIncluded: true,
      isDocumentationIncluded: out.isJson || options.long === true || keys.length > 0,
    })
    const { entries, error } = described as ConfigDescription
    if (error !== null) throw error
    const unknown = keys.filter((key) => !entries.some((entry) => entry.name === key))
    if (unknown.length > 0) {
      const message = `${type} ${name} has no setting ${unknown.join(', ')}`
      throw new CliProblem(message, EXIT.answer, `ottla config describe ${type} ${name} --all`)
    }
    const shown = entries
      .filter((entry) => options.all === true || keys.length > 0 || isChanged(entry))
      .sort(byName)
    if (out.isJson) out.json({ type, name, configs: shown.map(entryJson) })
    else if (options.long === true || keys.length > 0) tellLong(out, shown)
    else tellShort(out, shown, `${type} ${name} has defaults alone; --all shows them.`)
    return undefined
  })
}

function defaultOf({ synonyms, source, value }: ConfigEntry): string | null {
  if (source === 'default') return value
  return synonyms.find((synonym) => synonym.source === 'default')?.value ?? null
}

function shownValue({ value, isSensitive }: ConfigEntry): string {
  if (isSensitive) return '(hidden)'
  return value ?? '-'
}

function entryJson(entry: ConfigEntry): Json {
  const { name, value, source, type, isReadOnly, isSensitive, synonyms, documentation } = entry
  return {
    name,
    value,
    source,
    default: defaultOf(entry),
    type,
    isReadOnly,
    isSensitive,
    synonyms: synonyms.map((synonym) => ({ ...synonym })),
    documentation,
  }
}

function tellShort(out: Output, entries: readonly ConfigEntry[], whenEmpty: string): void {
  const columns = [
    { title: 'KEY', shrinkTo: 20 },
    { title: 'VALUE', shrinkTo: 12 },
    { title: 'SOURCE' },
    { title: 'DEFAULT', shrinkTo: 8 },
  ]
  const rows = entries.map((entry): Cell[] => [
    entry.name,
    isChanged(entry) ? { text: shownValue(entry), paint: out.paint.strong } : shownValue(entry),
    entry.source,
    defaultOf(entry),
  ])
  out.table(columns, rows, whenEmpty)
}

function tellLong(out: Output, entries: readonly ConfigEntry[]): void {
  entries.forEach((entry, i) => {
    if (i > 0) out.line()
    out.line(out.paint.strong(printable(`${entry.name}=${shownValue(entry)}`)))
    const readOnly = entry.isReadOnly ? ', changes with a restart' : ''
    out.line(`  ${printable(`from ${entry.source}, ${entry.type}${readOnly}`)}`)
    out.line(`  default ${printable(defaultOf(entry) ?? '-')}`)
    for (const { name, value, source } of entry.synonyms) {
      out.line(`  ${out.paint.faint(printable(`${source}: ${name}=${value ?? '-'}`))}`)
    }
    const words = (entry.documentation ?? '').replace(/<[^>]*>/g, '').trim()
    if (words !== '') out.line(`  ${printable(words)}`)
  })
}

/** What an edit does, by the name of its command. */
type Verb = 'set' | 'unset' | 'append' | 'subtract'

/** Changes settings; the exit code. */
export function editConfigCommand(
  verb: Verb,
  type: Resource,
  name: string,
  settings: string[],
  options: EditConfigOptions,
): Promise<number> {
  const edits: ConfigEdit[] =
    verb === 'unset'
      ? settings.map((key) => ({ name: key, op: 'delete' }))
      : Object.entries(parsePairs(settings)).map(([key, value]) => ({ name: key, op: verb, value }))
  return edit(resourceOf(type, name), edits, options)
}

function edit(
  resource: ConfigResource,
  edits: readonly ConfigEdit[],
  options: EditConfigOptions,
): Promise<number> {
  return withCluster(options, async (cluster, out) => {
    const isDry = options.dryRun === true
    const change = { validateOnly: isDry }
    const results = await incrementalAlterConfigs(cluster, [{ resource, edits }], change)
    const name = nameOf(resource)
    return tellResults(
      out,
      results.map(({ error }): Result => {
        const done = isDry
          ? `dry run: would change ${resource.type} ${name}`
          : `changed ${resource.type} ${name}`
        const changed = error === null && !isDry
        return { done, fields: { type: resource.type, name, changed }, error }
      }),
    )
  })
}

/** Shows or changes the settings of a topic; the exit code. */
export function topicConfigCommand(
  name: string,
  settings: string[],
  options: TopicConfigOptions,
): Promise<number> {
  if (settings.length === 0 && options.unset.length === 0) {
    return describeConfigCommand('topic', name, [], options)
  }
  const edits: ConfigEdit[] = [
    ...Object.entries(parsePairs(settings)).map(
      ([key, value]): ConfigEdit => ({ name: key, op: 'set', value }),
    ),
    ...options.unset.map((key): ConfigEdit => ({ name: key, op: 'delete' })),
  ]
  return edit({ type: 'topic', name }, edits, options)
}
