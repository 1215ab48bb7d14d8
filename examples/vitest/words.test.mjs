// vitest with a broker per worker, as a fixture. Tests of a file share it; `topic` is new for each test.
// npm i -D ottla vitest && npx vitest run

import { test } from 'ottla/vitest'
import { expect } from 'vitest'

test('what is written is read', async ({ broker, topic }) => {
  await broker.produce(topic, ['first', { key: 'k', value: 'light' }])
  const words = await broker.consume(topic, { max: 2 })
  expect(words.map(({ value }) => value)).toEqual(['first', 'light'])
})

test('an empty broker', async ({ emptyBroker }) => {
  await emptyBroker.createTopic('words', { config: { 'cleanup.policy': 'compact' } })
  expect(await emptyBroker.consume('words')).toEqual([])
})
