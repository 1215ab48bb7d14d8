// node:test with one broker for the file.
// npm i ottla && node --test node_test.test.mjs

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testBroker, uniqueName } from 'ottla/node-test'

const broker = await testBroker()

test('what is written is read', async () => {
  const topic = uniqueName()
  await broker.produce(topic, ['first', 'light'])
  const words = await broker.consume(topic, { max: 2 })
  assert.deepEqual(
    words.map(({ value }) => value),
    ['first', 'light'],
  )
})

test('a broker of its own, with a setting', async (t) => {
  const own = await testBroker({ context: t, config: { 'auto.create.topics.enable': false } })
  await assert.rejects(own.produce('missing', ['x']), { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
})
