// kcat -G: balanced consumer groups, read by one run after the other and by members that are there together.

import assert from 'node:assert/strict'
import type { Check } from '../checks.ts'
import { fresh, groupReads, kcat, member, produce } from './kcat.ts'

/** What kcat says of eager and of incremental rebalances. */
const HAS_SOME = /(assigned|\bassignment of .*): \S/
const GAVE_UP_SOME = /revoked: |revoke of /

export const groupChecks: readonly Check[] = [
  {
    name: '-G reads all partitions and goes on where it was',
    async run(target) {
      const [topic, group] = [fresh('group'), fresh('group')]
      for (const partition of ['0', '1', '2']) {
        await produce(target, topic, [`p${partition}`], '-p', partition)
      }
      const first = await groupReads(target, group, topic)
      assert.deepEqual(first.sort(), ['p0', 'p1', 'p2'])
      assert.deepEqual(await groupReads(target, group, topic), [])
      await produce(target, topic, ['more'], '-p', '1')
      assert.deepEqual(await groupReads(target, group, topic), ['more'])
    },
  },
  {
    name: '-G: groups do not disturb each other',
    async run(target) {
      const topic = fresh('groups')
      await produce(target, topic, ['a', 'b'], '-p', '0')
      for (const group of [fresh('one'), fresh('two')]) {
        assert.deepEqual(await groupReads(target, group, topic), ['a', 'b'])
      }
    },
  },
  {
    name: '-G reads several topics',
    async run(target) {
      const topics = [fresh('left'), fresh('right')]
      for (const topic of topics) await produce(target, topic, [topic], '-p', '0')
      const earliest = ['-X', 'auto.offset.reset=earliest']
      const args = ['-q', '-e', ...earliest, '-G', fresh('group'), ...topics]
      const { out } = await kcat(target, args)
      assert.deepEqual(out.trim().split('\n').sort(), topics.sort())
    },
  },
  {
    name: '-G with a pattern finds the topics',
    async run(target) {
      const topic = fresh('pattern')
      await produce(target, topic, ['a'], '-p', '0')
      assert.deepEqual(await groupReads(target, fresh('group'), `^${topic.slice(0, -1)}.$`), ['a'])
    },
  },
  {
    name: '-C -o stored reads what the group committed',
    async run(target) {
      const [topic, group] = [fresh('stored'), fresh('group')]
      await produce(target, topic, ['a', 'b'], '-p', '0')
      await groupReads(target, group, topic)
      await produce(target, topic, ['c'], '-p', '0')
      const stored = ['-C', '-q', '-e', '-t', topic, '-p', '0', '-o', 'stored']
      const { out } = await kcat(target, [...stored, '-X', `group.id=${group}`])
      assert.equal(out, 'c\n')
    },
  },
  ...['range', 'roundrobin', 'cooperative-sticky'].map((strategy) => ({
    name: `-G: a second member takes its share and gives it back (${strategy})`,
    run: async (target: Parameters<Check['run']>[0]) => {
      const [topic, group] = [fresh('share'), fresh('group')]
      await produce(target, topic, ['a'], '-p', '0')
      const settings = ['-X', `partition.assignment.strategy=${strategy}`, topic]
      const first = member(target, group, ...settings)
      try {
        await first.hears(assigned(topic, 3))
        const second = member(target, group, ...settings)
        await second.hears(HAS_SOME)
        await first.hears(GAVE_UP_SOME)
        const taken = [...second.said.matchAll(/\[(\d)\]/g)].length
        assert.ok(taken >= 1 && taken <= 2, `the second member has ${taken} of three`)
        first.said = ''
        assert.equal(await second.end('SIGINT'), 0)
        await first.hears(strategy === 'cooperative-sticky' ? HAS_SOME : assigned(topic, 3))
      } finally {
        await first.end('SIGINT')
      }
    },
  })),
  {
    name: '-G: a static member comes back without a rebalance of the others',
    async run(target) {
      const [topic, group] = [fresh('static'), fresh('group')]
      await produce(target, topic, ['a'], '-p', '0')
      const as = (id: string) => member(target, group, '-X', `group.instance.id=${id}`, topic)
      const first = as('one')
      try {
        await first.hears(assigned(topic, 3))
        const second = as('two')
        await second.hears(HAS_SOME)
        await first.hears(GAVE_UP_SOME)
        await first.hears(/revoked: (.|\n)*assigned: \S/)
        first.said = ''
        await second.end('SIGKILL')
        const again = as('two')
        await again.hears(HAS_SOME)
        assert.doesNotMatch(first.said, /rebalanced/)
        await again.end('SIGINT')
      } finally {
        await first.end('SIGINT')
      }
    },
  },
]

/** kcat's line when a member has so many partitions of the topic. */
function assigned(topic: string, partitions: number): RegExp {
  return new RegExp(`(assigned|assignment of .*): (${topic} \\[\\d\\](, )?){${partitions}}`)
}
