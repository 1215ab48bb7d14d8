// Tools that need APIs of later chapters. They are checked against Apache Kafka, and left out of the score, each with
// the API as its reason, until that API is served.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printed, refused, type ToolCheck } from './session.ts'

export const laterChecks: readonly ToolCheck[] = [
  {
    name: 'reassignments: list',
    async run(t) {
      printed(
        t,
        await t.tool('reassign.ReassignPartitionsCommand', '--list'),
        'No partition reassignments found.',
      )
    },
  },
  {
    name: 'reassignments: generate',
    async run(t) {
      const topic = await t.topic('moves')
      const directory = mkdtempSync(join(tmpdir(), 'kafka-tools-'))
      try {
        const file = join(directory, 'topics.json')
        writeFileSync(file, JSON.stringify({ version: 1, topics: [{ topic }] }))
        const args = ['--generate', '--topics-to-move-json-file', file, '--broker-list', '1']
        const { out } = await t.tool('reassign.ReassignPartitionsCommand', ...args)
        assert.match(out, /^Current partition replica assignment\n/)
        assert.ok(
          out.includes(
            'Proposed partition reassignment configuration\n' +
              `{"version":1,"partitions":[{"topic":"${topic}","partition":0,"replicas":[1],"log_dirs":["any"]}]}`,
          ),
        )
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
  },
  {
    name: 'acls: refused without an authorizer',
    async run(t) {
      refused(
        t,
        await t.tool('AclCommand', '--list'),
        'SecurityDisabledException: No Authorizer is configured',
      )
    },
  },
  {
    name: 'tokens: refused without security',
    async run(t) {
      const directory = mkdtempSync(join(tmpdir(), 'kafka-tools-'))
      try {
        const file = join(directory, 'client.properties')
        writeFileSync(file, 'security.protocol=PLAINTEXT\n')
        const what = await t.tool('DelegationTokenCommand', '--describe', '--command-config', file)
        assert.match(
          t.plain(what.out + what.err),
          /DelegationTokenDisabledException|UnsupportedByAuthenticationException/,
        )
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
  },
  {
    name: 'share groups: list',
    async run(t) {
      printed(t, await t.tool('consumer.group.ShareGroupCommand', '--list'))
    },
  },
  {
    name: 'streams groups: list',
    async run(t) {
      printed(t, await t.tool('streams.StreamsGroupCommand', '--list'))
    },
  },
  {
    name: 'quotas: set, describe, delete',
    async run(t) {
      const client = ['--entity-type', 'clients', '--entity-name', t.name('client')]
      const done = `Completed updating config for client ${t.name('client')}.`
      printed(
        t,
        await t.configs(...client, '--alter', '--add-config', 'producer_byte_rate=1000'),
        done,
      )
      const said = t.plain((await t.configs(...client, '--describe')).out)
      assert.equal(
        said,
        `Quota configs for client-id '${t.name('client')}' are producer_byte_rate=1000.0`,
      )
      printed(
        t,
        await t.configs(...client, '--alter', '--delete-config', 'producer_byte_rate'),
        done,
      )
      printed(t, await t.configs(...client, '--describe'))
    },
  },
  {
    name: 'scram: describe users',
    async run(t) {
      const user = ['--entity-type', 'users', '--entity-name', t.name('user')]
      printed(t, await t.configs(...user, '--describe'))
    },
  },
]
