// Kafka Streams and its own smoke test, pinned: installed from Maven into a folder that git ignores. Programs of ours
// are single Java files that run on its class path without being compiled first.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, runCommand } from '../../integration/support/commands.ts'
import { KAFKA_VERSION } from './kafka.ts'

const HOME = join(ROOT, '.cache', `kafka-streams-${KAFKA_VERSION}`)
const LIBS = join(HOME, 'libs')

/** What the smoke test needs: Streams, its tests, the clients' tests that those use, and a logger. */
const ARTIFACTS = [
  ['org.apache.kafka', 'kafka-streams', KAFKA_VERSION, null],
  ['org.apache.kafka', 'kafka-streams', KAFKA_VERSION, 'test'],
  ['org.apache.kafka', 'kafka-clients', KAFKA_VERSION, 'test'],
  ['org.slf4j', 'slf4j-simple', '1.7.36', null],
] as const

/** The class path of Kafka Streams; fetches it once. */
export async function installStreams(): Promise<string> {
  const isComplete = ARTIFACTS.every(([, name, version, classifier]) =>
    existsSync(join(LIBS, `${name}-${version}${classifier === null ? '' : `-${classifier}`}.jar`)),
  )
  if (!isComplete) {
    mkdirSync(HOME, { recursive: true })
    writeFileSync(join(HOME, 'pom.xml'), projectFile())
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime']
    const options = { cwd: HOME, timeoutMs: 600_000 }
    await runCommand('mvn', ['-q', '-B', ...goal, '-DoutputDirectory=libs'], options)
  }
  return `${LIBS}/*`
}

function projectFile(): string {
  const dependencies = ARTIFACTS.map(
    ([group, name, version, classifier]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version>` +
      `${classifier === null ? '' : `<classifier>${classifier}</classifier>`}</dependency>`,
  )
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    '<groupId>ottla</groupId><artifactId>streams</artifactId><version>1</version>\n' +
    `<dependencies>\n${dependencies.join('\n')}\n</dependencies></project>\n`
  )
}

/** The command line of a Java file on that class path. */
export async function streamsProgram(file: string, args: readonly string[]): Promise<string[]> {
  const libs = await installStreams()
  const memory = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  return ['java', ...memory, quiet, '-cp', libs, file, ...args]
}
