// The broker was started by vitest.config.mjs; names are unique because other files use it at the same time.
// npm i -D ottla vitest && npx vitest run

import { sharedBroker, uniqueName } from 'ottla/vitest'
import { afterAll, expect, test } from 'vitest'

const broker = sharedBroker()
afterAll(() => broker.close())

test('what is written is read', async () => {
  const topic = uniqueName('words')
  await broker.produce(topic, ['first', 'light'])
  expect(await broker.consume(topic, { max: 2 })).toHaveLength(2)
})
