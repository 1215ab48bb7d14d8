// Every client that writes and every client that reads without a group, those that need a Java machine or a build of
// their own among them.

import { afterAll, beforeAll, describe, test } from 'vitest'
import { Bench } from '../support/harness.ts'
import { confluentReader, confluentWriter, installConfluent } from './confluent.ts'
import { javaReader, javaWriter } from './java.ts'
import { kafkajsWriter } from './kafkajs.ts'
import { kcatReader, kcatWriter } from './kcat.ts'
import { everyShape, expectRead, TOPIC_CONFIG } from './matrix.ts'
import { platformaticReader, platformaticWriter } from './platformatic.ts'
import { rawReader } from './raw.ts'

const WRITERS = [javaWriter, confluentWriter, kcatWriter, kafkajsWriter, platformaticWriter]
const READERS = [rawReader, javaReader, confluentReader, kcatReader, platformaticReader]

let bench: Bench
beforeAll(async () => {
  await installConfluent()
  bench = await Bench.start()
}, 1_500_000)
afterAll(() => bench[Symbol.asyncDispose]())

describe.each(WRITERS)('clients: $name writes', (writer) => {
  test.each(writer.codecs)('%s, and every client reads the same', async (codec) => {
    const topic = `${writer.name}-${codec}`
    await bench.createTopic(topic, 1, TOPIC_CONFIG)
    const place = { address: bench.broker.address, topic, partition: 0 }
    const from = Date.now()
    const written = everyShape(from).map(writer.express)
    await writer.write(place, written, codec)
    await expectRead(READERS, place, written, { from, to: Date.now() })
  })
})
