// Configuration from environment variables, under our prefix and under that of Kafka's image.
//
// After the prefix, lower-cased: `_` is a dot, `__` an underscore, `___` a dash. So OTTLA_LOG_DIRS
// and KAFKA_LOG_DIRS both set log.dirs, and ours wins when both are there. A name that is one of
// our own keys without its prefix sets that key: OTTLA_REACTOR_THREADS is ottla.reactor.threads.
// Kafka: the docker wrapper of the apache/kafka image.

import type { Setting } from '../config.ts'
import { nodeTable } from '../config.ts'

/** Variables of Kafka's image and scripts that are not configuration. */
const NOT_CONFIGURATION = new Set([
  'KAFKA_VERSION',
  'KAFKA_HOME',
  'KAFKA_HEAP_OPTS',
  'KAFKA_OPTS',
  'KAFKA_DEBUG',
  'KAFKA_JMX_OPTS',
  'KAFKA_JMX_PORT',
  'KAFKA_JMX_HOSTNAME',
  'KAFKA_GC_LOG_OPTS',
  'KAFKA_JVM_PERFORMANCE_OPTS',
  'KAFKA_LOG4J_OPTS',
  'KAFKA_LOG4J_LOGGERS',
  'KAFKA_LOG4J_ROOT_LOGLEVEL',
  'KAFKA_TOOLS_LOG4J_LOGLEVEL',
  'KAFKA_LOG4J_CMD_OPTS',
])

/** The settings found in an environment, Kafka's prefix first so that ours is the stronger. */
export function parseEnvironment(env: Readonly<Record<string, string | undefined>>): Setting[] {
  const names = Object.keys(env).sort()
  return ['KAFKA_', 'OTTLA_'].flatMap((prefix) =>
    names
      .filter((name) => name.startsWith(prefix) && name !== prefix && !NOT_CONFIGURATION.has(name))
      .flatMap((name) => {
        const value = env[name]
        if (value === undefined) return []
        const key = ownKey(environmentKey(name.slice(prefix.length)))
        return [{ key, value, source: `environment ${name}` }]
      }),
  )
}

/** The key that a variable's name stands for, its prefix taken off. */
export function environmentKey(name: string): string {
  const marks: Readonly<Record<string, string>> = { _: '.', __: '_', ___: '-' }
  return name.toLowerCase().replace(/_{1,3}/g, (run) => marks[run]!)
}

function ownKey(key: string): string {
  const own = `ottla.${key}`
  return Object.hasOwn(nodeTable, own) ? own : key
}
