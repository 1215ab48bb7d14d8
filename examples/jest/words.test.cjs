/**
 * jest, CommonJS, with a broker of this file's own as the global `broker`.
 * npm i -D ottla jest jest-environment-node && npx jest
 *
 * @jest-environment ottla/jest-environment
 */

test('what is written is read', async () => {
  await broker.createTopic('words')
  await broker.produce('words', ['first', 'light'])
  const words = await broker.consume('words', { max: 2 })
  expect(words.map(({ value }) => value)).toEqual(['first', 'light'])
})
