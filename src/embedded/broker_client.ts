// What an embedded broker does for the program around it: topics, records, and a clean slate. Everything goes over a
// connection to the broker's own listener with the client of src/client/, as any other program's requests would.
//
// The connection is made when it is first needed and closed with the broker; one broker has one.

import {
  type ConfigResource,
  type ConfigSource,
  describeConfigs,
  incrementalAlterConfigs,
  listConfigResources,
} from '../client/admin_configs.ts'
import { createTopics, deleteTopics, listTopics } from '../client/admin_topics.ts'
import { ClientError } from '../client/client_error.ts'
import { Cluster } from '../client/cluster.ts'
import { Consumer } from '../client/consumer.ts'
import { Producer } from '../client/producer.ts'
import type { ConsumerRecord, ProducerRecord } from '../client/record_data.ts'
import { later } from '../client/timing.ts'

/** How a topic is created. */
export interface TopicOptions {
  /** The broker's num.partitions (1) when left out. */
  readonly partitions?: number
  /** Topic configs by Kafka's names, such as `{ 'cleanup.policy': 'compact' }`. */
  readonly config?: Readonly<Record<string, string | number | boolean>>
}

/** A record to be produced; a string is a record with that value. */
export type RecordToProduce = string | Omit<ProducerRecord, 'topic'>

/** Where a record was written. */
export interface WrittenRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/** Where to begin in each partition: an edge, an offset, the first record since a time, or so many before the end. */
export type ReadFrom =
  | 'earliest'
  | 'latest'
  | { readonly offset: number }
  | { readonly timestamp: number }
  | { readonly last: number }

/** How the bytes of keys, values and headers are shown. */
export type RecordForm = 'text' | 'bytes'

/** A record that was read. */
export interface ReadRecord<Data = string> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970; -1 when it has none. */
  readonly timestamp: number
  readonly key: Data | null
  readonly value: Data | null
  /** Of headers with the same name the last. */
  readonly headers: Readonly<Record<string, Data | null>>
}

/** What is read, and how. */
export interface ReadOptions<Form extends RecordForm = 'text'> {
  /** Where to begin in every partition; 'earliest' when left out. */
  readonly from?: ReadFrom
  /** `text` (UTF-8, the default) or `bytes`. */
  readonly as?: Form
}

/** What is read, how, and when it is enough. */
export interface ConsumeOptions<Form extends RecordForm = 'text'> extends ReadOptions<Form> {
  /** Waits for so many records. Without it, whatever is there when reading begins is enough. */
  readonly max?: number
  /** How long `max` may take before it is an error; 10,000 when left out. */
  readonly timeoutMs?: number
}

type DataOf<Form extends RecordForm> = Form extends 'bytes' ? Uint8Array : string

/** What fixtures and programs use of a broker besides its address. */
export interface Conveniences {
  /** Creates a topic. Throws ClientError, such as TOPIC_ALREADY_EXISTS. */
  createTopic(topic: string, options?: TopicOptions): Promise<void>
  /** Produces with acks=all; resolves when all are written, in their order. A missing topic is created. */
  produce(topic: string, records: Iterable<RecordToProduce>): Promise<WrittenRecord[]>
  /** Reads a topic, without a group. Throws ClientError REQUEST_TIMED_OUT where `max` records do not come. */
  consume<Form extends RecordForm = 'text'>(
    topic: string,
    options?: ConsumeOptions<Form>,
  ): Promise<ReadRecord<DataOf<Form>>[]>
  /** Reads a topic for as long as the loop goes on, without a group. */
  stream<Form extends RecordForm = 'text'>(
    topic: string,
    options?: ReadOptions<Form>,
  ): AsyncIterable<ReadRecord<DataOf<Form>>>
  /** Removes all topics, records, groups, offsets and dynamic configs. Connections and addresses stay. */
  reset(): Promise<void>
}

/** A way to a broker that somebody else started; closing it ends the way only. */
export interface BrokerConnection extends Conveniences, AsyncDisposable {
  /** host:port, what a client's bootstrap setting takes. */
  readonly address: string
  close(): Promise<void>
}

const CONSUME_TIMEOUT_MS = 10_000

const decoder = new TextDecoder()

/** The conveniences, over a connection to `address`. */
export class BrokerClient implements BrokerConnection {
  readonly address: string
  #cluster: Promise<Cluster> | null = null
  #producer: Producer | null = null
  readonly #readers = new Set<Promise<Cluster>>()
  #isClosed = false

  constructor(address: string) {
    this.address = address
  }

  async createTopic(topic: string, { partitions, config = {} }: TopicOptions = {}): Promise<void> {
    const configs = Object.fromEntries(Object.entries(config).map(([k, v]) => [k, String(v)]))
    const cluster = await this.#connected()
    const [created] = await createTopics(cluster, [
      { name: topic, numPartitions: partitions, configs },
    ])
    if (created?.error) throw created.error
  }

  async produce(topic: string, records: Iterable<RecordToProduce>): Promise<WrittenRecord[]> {
    const cluster = await this.#connected()
    this.#producer ??= new Producer(cluster)
    const whole = Array.from(records, (record) =>
      typeof record === 'string' ? { topic, value: record } : { ...record, topic },
    )
    return await this.#producer.sendAll(whole)
  }

  async consume<Form extends RecordForm = 'text'>(
    topic: string,
    options: ConsumeOptions<Form> = {},
  ): Promise<ReadRecord<DataOf<Form>>[]> {
    const { max, from = 'earliest', as = 'text', timeoutMs = CONSUME_TIMEOUT_MS } = options
    await using reading = await this.#reading()
    const until = max === undefined ? { until: 'end' as const } : {}
    const consumer = new Consumer(reading.cluster, { topics: [topic], from, ...until })
    const cancel = later(timeoutMs, () => void consumer.close())
    const found = await consumer.take(max ?? Number.MAX_SAFE_INTEGER).finally(cancel)
    if (max !== undefined && found.length < max) {
      const what = `${found.length} of ${max} records of topic '${topic}' came in ${timeoutMs} ms`
      throw new ClientError('REQUEST_TIMED_OUT', what)
    }
    return found.map((record) => shown<Form>(record, as))
  }

  async *stream<Form extends RecordForm = 'text'>(
    topic: string,
    options: ReadOptions<Form> = {},
  ): AsyncGenerator<ReadRecord<DataOf<Form>>> {
    const { from = 'earliest', as = 'text' } = options
    await using reading = await this.#reading()
    for await (const record of new Consumer(reading.cluster, { topics: [topic], from })) {
      yield shown<Form>(record, as)
    }
  }

  async reset(): Promise<void> {
    const cluster = await this.#connected()
    const topics = await listTopics(cluster, { isInternalIncluded: true })
    if (topics.length > 0) {
      const names = topics.map(({ name }) => name)
      for (const { error } of await deleteTopics(cluster, names)) if (error !== null) throw error
    }
    await this.#resetConfigs(cluster)
    // Its sequence numbers are of partitions that are gone.
    this.#producer = null
  }

  /** Ends the connections, if there ever were any. */
  async close(): Promise<void> {
    this.#isClosed = true
    const clusters = await Promise.allSettled([this.#cluster, ...this.#readers])
    for (const cluster of clusters) if (cluster.status === 'fulfilled') cluster.value?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #resetConfigs(cluster: Cluster): Promise<void> {
    const resources = (await listConfigResources(cluster)).filter(({ type }) => type !== 'topic')
    const described = await describeConfigs(cluster, resources)
    const changes = described.flatMap(({ resource, entries }) => {
      const own = entries.filter(({ source }) => source === dynamicSource(resource))
      const edits = own.map(({ name }) => ({ name, op: 'delete' as const }))
      return edits.length === 0 ? [] : [{ resource, edits }]
    })
    for (const { error } of await incrementalAlterConfigs(cluster, changes)) {
      if (error !== null) throw error
    }
  }

  #connected(): Promise<Cluster> {
    return (this.#cluster ??= this.#connect())
  }

  async #connect(): Promise<Cluster> {
    if (this.#isClosed) throw new ClientError('CLOSED', 'the broker was closed')
    return await Cluster.connect({ bootstrap: this.address })
  }

  /** A connection for one reader: its last fetch waits at the broker, and must hold up nobody when it is left. */
  async #reading(): Promise<{ cluster: Cluster } & AsyncDisposable> {
    const connecting = this.#connect()
    this.#readers.add(connecting)
    const cluster = await connecting
    const dispose = async () => {
      this.#readers.delete(connecting)
      cluster.close()
    }
    return { cluster, [Symbol.asyncDispose]: dispose }
  }
}

/** Where a resource's own values say that they come from. */
function dynamicSource({ type, name }: ConfigResource): ConfigSource {
  if (type === 'broker') return name === '' ? 'dynamic-default-broker' : 'dynamic-broker'
  return type === 'broker-logger' ? 'dynamic-broker-logger' : type
}

function shown<Form extends RecordForm>(
  record: ConsumerRecord,
  form: RecordForm,
): ReadRecord<DataOf<Form>> {
  const data = (bytes: Uint8Array | null) => {
    if (bytes === null) return null
    return (form === 'bytes' ? new Uint8Array(bytes) : decoder.decode(bytes)) as DataOf<Form>
  }
  const headers = record.headers.map(({ key, value }) => [key, data(value)] as const)
  const { topic, partition, offset, timestamp } = record
  const place = { topic, partition, offset, timestamp }
  return {
    ...place,
    key: data(record.key),
    value: data(record.value),
    headers: Object.fromEntries(headers),
  }
}
