// What others published about themselves and each other: shown on the page beside what was measured here, and never compared
// with it. Machines, clients, replication and flushing differ; a source may have an interest in its result, so each row says whose it is.

/** One claim as its source makes it. */
export interface Published {
  readonly about: string
  readonly claim: string
  /** Machines, load and settings, as far as the source says. */
  readonly conditions: string
  /** Who measured. */
  readonly by: string
  readonly source: string
}

const VANLIGHTLY = 'https://jack-vanlightly.com/analyses/2023/5/15/kafka-vs-redpanda-performance'

export const PUBLISHED: readonly Published[] = [
  {
    about: 'Redpanda against Apache Kafka 3.2',
    claim: 'p99.99 end to end at least 10 times lower, on up to three times fewer nodes',
    conditions:
      'OpenMessaging Benchmark, same machines, up to 1 GB/s; Kafka made to flush every message to disk',
    by: 'Redpanda, 2022',
    source: 'https://redpanda.com/blog/redpanda-vs-kafka-performance-benchmark',
  },
  {
    about: 'Apache Kafka against Redpanda, keyed records',
    claim:
      '500 MB/s were asked: Kafka reached them with 100 producers, Redpanda 330 MB/s; of 1 GB/s with up to 400 producers Kafka reached some 200 MB/s more',
    conditions: "Redpanda's own benchmark repeated, keys handed out in turns",
    by: 'J. Vanlightly of Confluent, 2023',
    source: `${VANLIGHTLY}-part-4-impact-of-record-keys`,
  },
  {
    about: 'Redpanda at its retention limit',
    claim: 'latency rises by a step once old segments are deleted; Kafka’s does not',
    conditions: 'hours of medium and high load, 20 % and 50 % of the drive in use',
    by: 'J. Vanlightly of Confluent, 2023',
    source: `${VANLIGHTLY}-part-3-hitting-the-retention-limit`,
  },
  {
    about: 'Apache Kafka, Pulsar, RabbitMQ (mirrored)',
    claim:
      'peaks of 605, 305 and 38 MB/s; p99 end to end 5 and 25 ms at 200 MB/s, RabbitMQ 1 ms at 30 MB/s',
    conditions: 'OpenMessaging Benchmark, three brokers in a cloud',
    by: 'Confluent, 2020',
    source: 'https://www.confluent.io/blog/kafka-fastest-messaging-system/',
  },
  {
    about: 'Apache Iggy 0.7 (its own protocol)',
    claim: 'p99 1.5–2.1 ms, p99.99 6.5–12 ms at 1 GB/s',
    conditions: 'thread per core, io_uring; each benchmark’s conditions on its page',
    by: 'Apache Iggy, 2026',
    source: 'https://benchmarks.iggy.apache.org',
  },
]
