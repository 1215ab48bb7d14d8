// Defaults that differ from Kafka's on purpose, by key of the broker: docs/divergences.md says why.

interface Differing {
  readonly kafka: string
  readonly ours: string
}

const OUR_DEFAULTS: Readonly<Record<string, Differing>> = {
  'socket.send.buffer.bytes': { kafka: '102400', ours: '204800' },
  'socket.receive.buffer.bytes': { kafka: '102400', ours: '-1' },
}

/** What Kafka says of a key of the broker, with our default in place of its own where they differ. */
export function withOurDefault(key: string, said: string): string {
  const differing = OUR_DEFAULTS[key]
  return differing === undefined ? said : said.replaceAll(differing.kafka, differing.ours)
}
