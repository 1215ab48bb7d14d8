// node test/conformance/kafka_tools/compare.ts [NAME,…]: every command of the checks on Apache Kafka and on Ottla, each
// with the same server.properties, and what they print side by side. Prints the commands whose normalised output
// differs without an explanation, and fails on them and on explanations that explain nothing. What is compared is all
// that a tool prints, not what a check asks.

import { type Side, startSides } from '../../oracle/differential/sides.ts'
import { installKafka } from '../../oracle/kafka/kafka.ts'
import { wanted } from '../suite.ts'
import { toolChecks } from './checks.ts'
import { explain, idleExplanations } from './explained.ts'
import { Session, type Spoken } from './session.ts'

const PREFIX = 'kt-'
const LINES_SHOWN = 20

/** What is measured, counted before, or named by chance. */
const CHANCE: readonly (readonly [RegExp, string | ((found: string) => string)])[] = [
  [/(console|perf)-consumer-\d+/g, '$1-consumer-<n>'],
  [/test-group-<ms>/g, 'test-group-<n>'],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d+/g, '<time>'],
  [/\b\d+\.\d+(E-?\d+)?\b/g, '<x>'],
  [/^(<time>, .*<x>), \d+, \d+, <x>/gm, '$1, <n>, <n>, <x>'],
  [/^Percentiles: .*$/gm, 'Percentiles: <n>'],
  [/\b\d+ ms\b/g, '<n> ms'],
  [/(Epoch:|HighWatermark:|LeaderEpoch:|crc:|producerId:|MaxFollowerLagTimeMs:) ?\d+/g, '$1 <n>'],
  [/"(incarnationId|brokerEpoch|port|rand)":("[^"]*"|\d+)/g, '"$1":<n>'],
  // Bytes of times that are written short.
  [/"size":[1-9]\d*/g, '"size":<n>'],
  [/tries=\d+|after \d+ attempt/g, '<tries>'],
  [/(?<=^|[\s"=,])\/[^\s",}]*?(kafka-tools-\w+|\/[ko]\/data)(?=[\s/",}]|$)/gm, '<dir>'],
  [/^(\S+ <id>) \d+ /gm, '$1 <n> '],
  [/clientId=[\w-]+/g, 'clientId=<client>'],
  [/((?:Ongoing|Complete\w+) \d+ <ms>) \d+/g, '$1 <n>'],
  [/"time":"[^"]*"/g, '"time":<time>'],
  [/"partitionIds":\[[\d,]*\]/g, inOrder],
  [/adminclient-\d+/g, 'adminclient-<n>'],
]

/**
 * Left out: groups named by chance, sizes that follow from them, time indexes, which follow from the clock, and the
 * group whose static member's session may end while the rest runs.
 */
const NOT_OWN = [
  /(console|perf)-consumer-(<n>|<uuid>)/,
  /"__consumer_offsets-\d+","size"/,
  /^timestamp: <ms> offset/,
  /"group":"kt-g-static"/,
  /^isvalid: true/,
  /"stage":"ProcessLoop"/,
]

const only = process.argv[2]?.split(',') ?? []
const libs = await installKafka()
await using stack = new AsyncDisposableStack()
const [kafkaSide, ottlaSide] = await startSides({}, stack)
const kafka = await speak(kafkaSide)
const ottla = await speak(ottlaSide)
let differences = 0
let commands = 0
for (const [check, theirs] of kafka) {
  const ours = ottla.get(check) ?? []
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    commands++
    differences += compare(check, theirs[i], ours[i])
  }
}
const idle = only.length === 0 ? idleExplanations() : []
for (const why of idle) console.log(`explains nothing: ${why}`)
console.log(`${commands} commands, ${differences} with unexplained differences`)
process.exitCode = differences > 0 || idle.length > 0 ? 1 : 0

/** Runs the commands of all checks. A check that fails has said what it said until then. */
async function speak({ name, port }: Side): Promise<Map<string, Spoken[]>> {
  const target = { name, address: `127.0.0.1:${port}`, host: '127.0.0.1', port }
  await using session = new Session(target, libs, PREFIX)
  const failed: string[] = []
  for (const { name: check, run } of toolChecks) {
    if (!wanted(check, only)) continue
    session.check = check
    await run(session).catch(() => failed.push(check))
  }
  console.log(`${name}: ${failed.length} checks failed${failed.map((check) => `\n  ${check}`)}`)
  return Map.groupBy(session.spoken, ({ check }) => check)
}

function compare(check: string, theirs: Spoken | undefined, ours: Spoken | undefined): number {
  const command = theirs?.command ?? ours?.command ?? ''
  const [gone, come] = difference(linesOf(theirs), linesOf(ours))
  const isOpen = (line: string) => !explain(check, command, line)
  const open = [
    ...gone.filter(isOpen).map((line) => `kafka ${line}`),
    ...come.filter(isOpen).map((line) => `ottla ${line}`),
  ]
  if (open.length === 0) return 0
  console.log(`\n${check}\n  ${command.slice(0, 200)}`)
  for (const line of open.slice(0, LINES_SHOWN)) console.log(`    ${line.slice(0, 400)}`)
  if (open.length > LINES_SHOWN) console.log(`    and ${open.length - LINES_SHOWN} more`)
  return 1
}

function linesOf(spoken: Spoken | undefined): string[] {
  if (spoken === undefined) return ['(not run)']
  let text = `${spoken.out}\n${spoken.err}\n(ended with ${spoken.code})`
  for (const [pattern, word] of CHANCE) {
    text =
      typeof word === 'string' ? text.replaceAll(pattern, word) : text.replaceAll(pattern, word)
  }
  return pieces(text, spoken.command).filter((line) => line !== '')
}

/** Lines, and what is a thing of its own within a line: order and neighbours are often nobody's promise. */
function pieces(text: string, command: string): string[] {
  const lines = text.replaceAll('}{', '}\n{').split('\n')
  if (command.startsWith('LogDirs')) {
    return lines
      .flatMap((line) => line.split(/(?<=\[)(?=\{)|(?<=\}),(?=\{)|(?<=\})(?=\])/))
      .filter(isOwn)
  }
  if (/-decoder/.test(command)) {
    return lines
      .flatMap((line) => line.match(/(key|payload): .*|isvalid: \w+$/)?.[0] ?? [])
      .filter(isOwn)
  }
  return lines.map(sorted).filter(isOwn)
}

function isOwn(line: string): boolean {
  return !NOT_OWN.some((pattern) => pattern.test(line))
}

/** A set of numbers in the order of its hashes. */
function inOrder(list: string): string {
  return list.replace(/[\d,]+(?=\])/, (numbers) => numbers.split(',').sort().join(','))
}

/** Sets that Java prints in an order of its own. */
function sorted(line: string): string {
  const [, head, list] = line.match(/^(.*Valid (?:states|types) are: )(.*)$/) ?? []
  return head === undefined ? line : head + list!.split(', ').sort().join(', ')
}

/** Lines that only one of the two has, however often and wherever. */
function difference(theirs: readonly string[], ours: readonly string[]): [string[], string[]] {
  const gone = [...theirs]
  const come: string[] = []
  for (const line of ours) {
    const at = gone.indexOf(line)
    if (at === -1) come.push(line)
    else gone.splice(at, 1)
  }
  return [gone, come]
}
