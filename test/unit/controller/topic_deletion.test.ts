// DeleteTopics: what stands once, twice, by name, by id, and by both.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ControllerBench } from './bench.ts'

const NONE = 'AAAAAAAAAAAAAAAAAAAAAA'
const UNKNOWN = 'bm8tc3VjaC10b3BpYy1pZA'

type Wanted = { name: string | null; topicId: string }

function deletion(wanted: (id: string) => Wanted[]) {
  const bench = new ControllerBench()
  bench.addBroker(1)
  const topic = {
    name: 'gone',
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }
  bench.ask('createTopics', { topics: [topic], timeoutMs: 1, validateOnly: false })
  const { id } = bench.image.topics.byName('gone')!
  const request = { topicNames: [], topics: wanted(id), timeoutMs: 1 }
  const { response } = bench.ask('deleteTopics', request)
  return {
    codes: response.responses!.map(({ errorCode }) => errorCode),
    isGone: bench.image.topics.byName('gone') === undefined,
  }
}

const byName = (name: string): Wanted => ({ name, topicId: NONE })
const byId = (topicId: string): Wanted => ({ name: null, topicId })
const { INVALID_REQUEST, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode

test.each([
  ['a name', () => [byName('gone')], [ErrorCode.NONE], true],
  ['an id', (id: string) => [byId(id)], [ErrorCode.NONE], true],
  ['a name twice', () => [byName('gone'), byName('gone')], [INVALID_REQUEST], false],
  ['an id twice', (id: string) => [byId(id), byId(id)], [INVALID_REQUEST], false],
  ['a name and its id', (id: string) => [byName('gone'), byId(id)], [INVALID_REQUEST], false],
  ['an id and its name', (id: string) => [byId(id), byName('gone')], [INVALID_REQUEST], false],
  ['both in one', (id: string) => [{ name: 'gone', topicId: id }], [INVALID_REQUEST], false],
  ['neither', () => [byId(NONE), byId(NONE)], [INVALID_REQUEST, INVALID_REQUEST], false],
  ['an unknown id', () => [byId(UNKNOWN)], [UNKNOWN_TOPIC_ID], false],
  ['an unknown name', () => [byName('nowhere')], [UNKNOWN_TOPIC_OR_PARTITION], false],
])('controller: topics: deletion of %s', (_, wanted, codes, isGone) => {
  expect(deletion(wanted)).toEqual({ codes, isGone })
})
