// ConfigCommand and ClientMetricsCommand: settings of topics, brokers, groups and client metrics.

import assert from 'node:assert/strict'
import type { Printed } from './driver.ts'
import { printed, refused, type Session, type ToolCheck } from './session.ts'

/** `  name=value sensitive=… synonyms={…}` lines as a map of name to the rest. */
function settings(t: Session, what: Printed): Map<string, string> {
  const lines = t
    .plain(what.out)
    .split('\n')
    .filter((line) => line.includes(' sensitive='))
  return new Map(lines.map((line) => [line.trim().split('=', 1)[0]!, line.trim()]))
}

const topic = (name: string) => ['--entity-type', 'topics', '--entity-name', name]
const broker = (id: string) => ['--entity-type', 'brokers', '--entity-name', id]
const DEFAULT_BROKER = ['--entity-type', 'brokers', '--entity-default']

export const configChecks: readonly ToolCheck[] = [
  {
    name: 'configs: a topic: alter, describe, delete',
    async run(t) {
      const name = await t.topic('conf')
      printed(
        t,
        await t.configs(
          ...topic(name),
          '--alter',
          '--add-config',
          'retention.ms=5000,cleanup.policy=[compact,delete]',
        ),
        `Completed updating config for topic ${name}.`,
      )
      const set = settings(t, await t.configs(...topic(name), '--describe'))
      assert.deepEqual([...set].sort(), [
        [
          'cleanup.policy',
          'cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, ' +
            'DEFAULT_CONFIG:log.cleanup.policy=delete}',
        ],
        [
          'retention.ms',
          'retention.ms=5000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=5000}',
        ],
      ])
      await t.configs(...topic(name), '--alter', '--delete-config', 'retention.ms,cleanup.policy')
      printed(
        t,
        await t.configs('--topic', name, '--describe'),
        `Dynamic configs for topic ${name} are:`,
      )
    },
  },
  {
    name: 'configs: a topic: append and subtract',
    async run(t) {
      const name = await t.topic('conf-list', '--config', 'cleanup.policy=compact')
      // The tool sets whole lists; what it set is what it shows.
      for (const policy of ['[compact,delete]', '[delete]', '[compact]']) {
        await t.configs(...topic(name), '--alter', '--add-config', `cleanup.policy=${policy}`)
        const set = settings(t, await t.configs(...topic(name), '--describe'))
        assert.match(
          set.get('cleanup.policy')!,
          new RegExp(`cleanup.policy=${policy.slice(1, -1)} `),
        )
      }
    },
  },
  {
    name: 'configs: a topic: all settings with their defaults',
    async run(t) {
      const name = await t.topic('conf-all')
      const what = await t.configs(...topic(name), '--describe', '--all')
      assert.match(what.out, new RegExp(`^All configs for topic ${name} are:`))
      const all = settings(t, what)
      const ofKafka = [...all.keys()].filter((key) => !key.startsWith('ottla.'))
      assert.equal(ofKafka.length, 33)
      assert.deepEqual(
        ['cleanup.policy', 'max.message.bytes', 'retention.ms', 'segment.bytes'].map((key) =>
          all.get(key),
        ),
        [
          'cleanup.policy=delete sensitive=false synonyms={DEFAULT_CONFIG:log.cleanup.policy=delete}',
          'max.message.bytes=1048588 sensitive=false synonyms={DEFAULT_CONFIG:message.max.bytes=1048588}',
          'retention.ms=604800000 sensitive=false synonyms={}',
          'segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}',
        ],
      )
      const names = [...all.keys()]
      assert.deepEqual(names, [...names].sort())
    },
  },
  {
    name: 'configs: a topic: mistakes',
    async run(t) {
      const name = await t.topic('conf-bad')
      const add = (what: string) => t.configs(...topic(name), '--alter', '--add-config', what)
      refused(
        t,
        await add('foo=1'),
        'InvalidConfigurationException: Unknown topic config name: foo',
      )
      refused(
        t,
        await add('retention.ms=abc'),
        'Invalid value abc for configuration retention.ms: Not a number of type LONG',
      )
      refused(
        t,
        await add('min.insync.replicas=0'),
        'Invalid value 0 for configuration min.insync.replicas: Value must be at least 1',
      )
      printed(
        t,
        await t.configs(...topic(name), '--describe'),
        `Dynamic configs for topic ${name} are:`,
      )
    },
  },
  {
    name: 'configs: a topic: deleting what is not set',
    async run(t) {
      const name = await t.topic('conf-unset')
      const done = `Completed updating config for topic ${name}.`
      printed(
        t,
        await t.configs(...topic(name), '--alter', '--delete-config', 'retention.ms'),
        done,
      )
      printed(t, await t.configs(...topic(name), '--alter', '--delete-config', 'foo'), done)
    },
  },
  {
    name: 'configs: a topic that is not there',
    async run(t) {
      const name = t.name('conf-absent')
      printed(
        t,
        await t.configs(...topic(name), '--describe'),
        `The topic '${name}' doesn't exist and doesn't have dynamic config.`,
      )
      refused(
        t,
        await t.configs(...topic(name), '--alter', '--add-config', 'retention.ms=1'),
        `UnknownTopicOrPartitionException: The topic '${name}' does not exist.`,
      )
    },
  },
  {
    name: 'configs: a topic: takes effect',
    async run(t) {
      const name = await t.topic('conf-effect')
      await t.configs(...topic(name), '--alter', '--add-config', 'max.message.bytes=200')
      const sent = await t.run(
        'ConsoleProducer',
        [...t.server, '--topic', name, '--sync', '--command-property', 'retries=0'],
        `${'x'.repeat(500)}\n`,
      )
      assert.match(
        sent.err,
        /RecordTooLargeException|MESSAGE_TOO_LARGE|too large|larger than the max/,
      )
      printed(t, await t.offsets('--topic', name), `${name}:0:0`)
      await t.configs(...topic(name), '--alter', '--delete-config', 'max.message.bytes')
      await t.produce(name, ['x'.repeat(500)])
      printed(t, await t.offsets('--topic', name), `${name}:0:1`)
    },
  },
  {
    name: 'configs: a broker: alter, describe, delete',
    async run(t) {
      const none = 'Dynamic configs for broker 1 are:'
      printed(
        t,
        await t.configs(...broker('1'), '--alter', '--add-config', 'log.cleaner.threads=2'),
        'Completed updating config for broker 1.',
      )
      await t.until(
        'kafka.admin.ConfigCommand',
        [...broker('1'), '--describe'],
        /log\.cleaner\.threads=2/,
      )
      const set = settings(t, await t.configs(...broker('1'), '--describe'))
      assert.equal(
        set.get('log.cleaner.threads'),
        'log.cleaner.threads=2 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.cleaner.threads=2, ' +
          'DEFAULT_CONFIG:log.cleaner.threads=1}',
      )
      await t.configs(...broker('1'), '--alter', '--delete-config', 'log.cleaner.threads')
      const after = await t.until(
        'kafka.admin.ConfigCommand',
        [...broker('1'), '--describe'],
        (text) => !text.includes('log.cleaner.threads'),
      )
      assert.ok(t.plain(after.out).startsWith(none))
    },
  },
  {
    name: 'configs: a broker: all settings',
    async run(t) {
      const all = settings(t, await t.configs(...broker('1'), '--describe', '--all'))
      assert.ok(all.size > 200, `${all.size} settings`)
      for (const [key, row] of Object.entries({
        'auto.create.topics.enable':
          'auto.create.topics.enable=true sensitive=false synonyms={DEFAULT_CONFIG:auto.create.topics.enable=true}',
        'message.max.bytes':
          'message.max.bytes=1048588 sensitive=false synonyms={DEFAULT_CONFIG:message.max.bytes=1048588}',
        'group.initial.rebalance.delay.ms':
          'group.initial.rebalance.delay.ms=0 sensitive=false ' +
          'synonyms={STATIC_BROKER_CONFIG:group.initial.rebalance.delay.ms=0, ' +
          'DEFAULT_CONFIG:group.initial.rebalance.delay.ms=3000}',
      })) {
        assert.equal(all.get(key), row)
      }
    },
  },
  {
    name: 'configs: defaults of all brokers reach topics',
    async run(t) {
      const name = await t.topic('conf-default')
      printed(
        t,
        await t.configs(...DEFAULT_BROKER, '--alter', '--add-config', 'log.retention.ms=777777'),
        'Completed updating default config for brokers in the cluster.',
      )
      try {
        const describing = [...DEFAULT_BROKER, '--describe']
        const now = await t.until('kafka.admin.ConfigCommand', describing, /log\.retention\.ms=/)
        const shown = settings(t, now)
        assert.equal(
          shown.get('log.retention.ms'),
          'log.retention.ms=777777 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=777777}',
        )
        await t.until(
          'kafka.admin.ConfigCommand',
          [...topic(name), '--describe', '--all'],
          /retention\.ms=777777/,
        )
        const all = settings(t, await t.configs(...topic(name), '--describe', '--all'))
        assert.equal(
          all.get('retention.ms'),
          'retention.ms=777777 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=777777, ' +
            'DEFAULT_CONFIG:log.retention.hours=168}',
        )
      } finally {
        await t.configs(...DEFAULT_BROKER, '--alter', '--delete-config', 'log.retention.ms')
      }
      await t.until(
        'kafka.admin.ConfigCommand',
        [...topic(name), '--describe', '--all'],
        /retention\.ms=604800000/,
      )
    },
  },
  {
    name: 'configs: a broker: mistakes',
    async run(t) {
      const add = (what: string) => t.configs(...broker('1'), '--alter', '--add-config', what)
      refused(
        t,
        await add('node.id=7'),
        'InvalidRequestException: Cannot update these configs dynamically: [node.id]',
      )
      refused(
        t,
        await add('log.cleaner.threads=abc'),
        'InvalidRequestException: Invalid value abc for configuration log.cleaner.threads: Not a number of type INT',
      )
      printed(
        t,
        await t.configs(...broker('7'), '--describe'),
        "The broker '7' doesn't exist and doesn't have dynamic config.",
      )
    },
  },
  {
    name: 'configs: groups: alter, describe, delete',
    async run(t) {
      const name = t.name('conf-group')
      const group = ['--entity-type', 'groups', '--entity-name', name]
      const done = `Completed updating config for group ${name}.`
      printed(
        t,
        await t.configs(...group, '--alter', '--add-config', 'consumer.session.timeout.ms=50000'),
        done,
      )
      const set = settings(t, await t.configs(...group, '--describe'))
      assert.match(
        set.get('consumer.session.timeout.ms')!,
        /^consumer\.session\.timeout\.ms=50000 sensitive=false synonyms=\{DYNAMIC_GROUP_CONFIG:consumer\.session\.timeout\.ms=50000/,
      )
      const all = settings(t, await t.configs(...group, '--describe', '--all'))
      assert.ok(all.has('consumer.heartbeat.interval.ms'))
      printed(
        t,
        await t.configs(...group, '--alter', '--delete-config', 'consumer.session.timeout.ms'),
        done,
      )
      refused(
        t,
        await t.configs(...group, '--alter', '--add-config', 'consumer.session.timeout.ms=1'),
        'consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms',
      )
    },
  },
  {
    name: 'configs: client metrics: alter, list, describe, delete',
    async run(t) {
      const name = t.name('cm')
      const entity = ['--entity-type', 'client-metrics', '--entity-name', name]
      printed(
        t,
        await t.configs(
          ...entity,
          '--alter',
          '--add-config',
          'interval.ms=5000,metrics=org.apache,match=[client_id=abc]',
        ),
        `Completed updating config for client-metric ${name}.`,
      )
      const lines = (await t.tool('ClientMetricsCommand', '--list')).out.split('\n')
      assert.ok(lines.includes(name), lines.join())
      printed(
        t,
        await t.tool('ClientMetricsCommand', '--describe', '--name', name),
        `Client metrics configs for ${name} are:`,
        ' interval.ms=5000',
        ' match=client_id=abc',
        ' metrics=org.apache',
      )
      printed(
        t,
        await t.tool('ClientMetricsCommand', '--delete', '--name', name),
        `Deleted client metrics config for ${name}.`,
      )
      assert.ok(!(await t.tool('ClientMetricsCommand', '--list')).out.includes(name))
      refused(
        t,
        await t.configs(...entity, '--alter', '--add-config', 'foo=1'),
        'Unknown client metrics configuration: foo',
      )
    },
  },
  {
    name: 'configs: loggers of a broker',
    async run(t) {
      const loggers = ['--entity-type', 'broker-loggers', '--entity-name', '1']
      const what = await t.configs(...loggers, '--describe')
      assert.match(t.plain(what.out), /^Dynamic configs for broker-logger 1 are:/)
      refused(
        t,
        await t.configs(...loggers, '--alter', '--add-config', 'no.such.logger=DEBUG'),
        'Invalid broker logger(s): no.such.logger',
      )
    },
  },
]
