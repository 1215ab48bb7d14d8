// Messages as JSON beyond what the corpus shows: mistakes are named by their place, and numbers that a
// double cannot hold survive the text.

import { describe, expect, test } from 'vitest'
import {
  Float,
  formatJson,
  fromJson,
  type Json,
  parseJson,
  toJson,
} from '../../../src/protocol/json.ts'
import { OffsetCommit } from '../../../src/protocol/messages/offsets.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { QuorumStateData } from '../../../src/protocol/records/files.ts'

describe('protocol: json', () => {
  test('the quorum-state file reads as Kafka wrote it', () => {
    const text =
      '{"leaderId":1,"leaderEpoch":7,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA"}'
    const value = fromJson(QuorumStateData, 1, parseJson(text))
    expect(value).toMatchObject({ leaderId: 1, leaderEpoch: 7, votedId: -1 })
    expect(formatJson(toJson(QuorumStateData, 1, value))).toBe(text)
  })

  test('a mistake is named by its place', () => {
    const topic = {
      name: 't',
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }
    const request = (topics: Json): Json => ({ topics, timeoutMs: 1, validateOnly: false })
    const cases: [Json, string][] = [
      [null, 'CreateTopicsRequest: expected an object'],
      [{ topics: [], timeoutMs: 1 }, 'CreateTopicsRequest.validateOnly: missing'],
      [request(null), 'CreateTopicsRequest.topics: may not be null'],
      [request({}), 'CreateTopicsRequest.topics: expected an array'],
      [request([topic, 7]), 'CreateTopicsRequest.topics[1]: expected an object'],
      [request([{ ...topic, name: 7 }]), 'CreateTopicsRequest.topics[0].name: expected a string'],
      [
        request([{ ...topic, numPartitions: 1.5 }]),
        'CreateTopicsRequest.topics[0].numPartitions: expected an integer',
      ],
    ]
    for (const [json, mistake] of cases) {
      expect(fromJson(CreateTopics.request, 5, json)).toEqual({ mistake })
    }
    expect(fromJson(CreateTopics.request, 5, request([topic]))).not.toHaveProperty('mistake')
  })

  test('64-bit integers survive the text', () => {
    const value = {
      groupId: 'g',
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 2n ** 63n - 1n }] }],
    }
    const text = formatJson({
      big: 2n ** 63n - 1n,
      small: -1,
      half: new Float(0.5),
      whole: new Float(2),
    })
    expect(text).toBe('{"big":9223372036854775807,"small":-1,"half":0.5,"whole":2.0}')
    expect(parseJson(text)).toEqual({ big: 2n ** 63n - 1n, small: -1, half: 0.5, whole: 2 })
    const json = parseJson(
      '{"groupId":"g","generationIdOrMemberEpoch":0,"memberId":"","groupInstanceId":null,"topics":[' +
        '{"name":"t","partitions":[{"partitionIndex":0,"committedOffset":9223372036854775807,' +
        '"committedLeaderEpoch":-1,"committedMetadata":null}]}]}',
    )
    expect(fromJson(OffsetCommit.request, 8, json)).toMatchObject(value)
  })
})
