// Kafka's own tools on our groups: they consume in one, list, describe, reset, delete, and read __consumer_offsets.

import { expect, test } from 'vitest'
import { kafkaTool } from '../../oracle/kafka/kafka.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'

const FORMATTERS = 'org.apache.kafka.tools.consumer'

/** Lines of a table, each cut at its blanks. */
const rowsOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first !== '')

/** What Kafka's formatters print of our group: objects one after the other, with nothing between them. */
function jsonOf(text: string): { value: { data: Record<string, unknown> } | null }[] {
  const lines = text.replaceAll('}{', '}\n{').split('\n')
  return lines.filter((line) => line.includes('"group":"g"')).map((line) => JSON.parse(line))
}

test('groups: tools: Apache Kafka consumes in groups and administers them', {
  timeout: 300_000,
}, async () => {
  await using broker = await BrokerProcess.start()
  const server = ['--bootstrap-server', broker.address]
  await createTopic(broker.address, 't', 1)
  const tool = async (name: string, args: readonly string[], input?: string) => {
    const { stdout } = await kafkaTool(name, [...server, ...args], {
      timeoutMs: 120_000,
      ...(input === undefined ? {} : { input }),
    })
    return stdout.toString()
  }
  const groups = (...args: string[]) => tool('consumer.group.ConsumerGroupCommand', args)
  const consume = (...args: string[]) =>
    tool('consumer.ConsoleConsumer', [...args, '--from-beginning'])

  await tool('ConsoleProducer', ['--topic', 't'], '1\n2\n3\n4\n5\n')
  const read = await consume('--topic', 't', '--group', 'g', '--max-messages', '5')
  expect(rowsOf(read).flat()).toEqual(['1', '2', '3', '4', '5'])

  expect(rowsOf(await groups('--list'))).toContainEqual(['g'])
  const offsets = async () =>
    rowsOf(await groups('--describe', '--group', 'g')).find(([group]) => group === 'g')
  expect((await offsets())!.slice(0, 6)).toEqual(['g', 't', '0', '5', '5', '0'])
  const state = rowsOf(await groups('--describe', '--group', 'g', '--state'))
  expect(state.find(([group]) => group === 'g')).toEqual(expect.arrayContaining(['Empty', '0']))

  await groups('--group', 'g', '--reset-offsets', '--to-offset', '2', '--topic', 't', '--execute')
  expect((await offsets())!.slice(0, 6)).toEqual(['g', 't', '0', '2', '5', '3'])
  const again = await consume('--topic', 't', '--group', 'g', '--max-messages', '3')
  expect(rowsOf(again).flat()).toEqual(['3', '4', '5'])

  const log = ['--topic', '__consumer_offsets', '--timeout-ms', '5000', '--formatter']
  const committed = jsonOf(await consume(...log, `${FORMATTERS}.OffsetsMessageFormatter`))
  expect(committed.map(({ value }) => value?.data.offset)).toEqual(expect.arrayContaining([5, 2]))
  const described = jsonOf(await consume(...log, `${FORMATTERS}.GroupMetadataMessageFormatter`))
  const generations = described.map(({ value }) => [
    value?.data.protocolType,
    value?.data.generation,
  ])
  expect(generations).toContainEqual(['consumer', 1])

  await groups('--group', 'g', '--delete-offsets', '--topic', 't')
  await groups('--group', 'g', '--delete')
  expect(rowsOf(await groups('--list'))).not.toContainEqual(['g'])
})
