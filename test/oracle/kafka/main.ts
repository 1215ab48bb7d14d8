// Apache Kafka by hand: `install`, `start DIRECTORY [PORT]` (formats it first when new; Ctrl-C ends it), or
// `tool MAIN_CLASS ARGUMENT...`.

import { installKafka, kafkaTool, startKafka } from './kafka.ts'

const [verb, ...rest] = process.argv.slice(2)
if (verb === 'install') {
  console.log(await installKafka())
} else if (verb === 'start' && rest[0] !== undefined) {
  const port = rest[1] === undefined ? undefined : Number(rest[1])
  const kafka = await startKafka({ directory: rest[0], port })
  console.log(`Apache Kafka listens on ${kafka.address}`)
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => kafka.server.child.kill('SIGTERM'))
  await kafka.server.exited
} else if (verb === 'tool' && rest[0] !== undefined) {
  const done = await kafkaTool(rest[0], rest.slice(1), { mayFail: true, timeoutMs: 600_000 })
  process.stdout.write(done.stdout)
  process.stderr.write(done.stderr)
  process.exitCode = done.code ?? 1
} else {
  console.error('usage: main.ts install | start DIRECTORY [PORT] | tool MAIN_CLASS ARGUMENT...')
  process.exitCode = 2
}
