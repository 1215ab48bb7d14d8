// Why an output of Apache Kafka's tools differs where it does; each row is also in docs/divergences.md or
// docs/not_implemented.md. A row that explains nothing any more has to go.

interface Explanation {
  readonly why: string
  readonly check?: RegExp
  readonly command?: RegExp
  readonly line: RegExp
  used?: boolean
}

const EXPLAINED: Explanation[] = [
  {
    why: 'APIs that are not built',
    command: /^BrokerApiVersionsCommand/,
    line: /^ [A-Z]\w+\(\d+\): (UNSUPPORTED|\d)/,
  },
  {
    why: 'tools of APIs that are not built',
    check: /^(reassignments: list|acls|tokens|quotas|scram)/,
    line: /./,
  },
  {
    why: 'the compatibility test is told whether ACLs are served',
    command: /^ClientCompatibilityTest/,
    line: /SUCCESS|DescribeAcls|describeAcls|DESCRIBE_ACLS|ended with/,
  },
  {
    why: 'no loggers are listed',
    command: /broker-loggers .*--describe/,
    line: /^ \S+=[A-Z]+ sensitive=false synonyms=\{\}$/,
  },
  { why: 'settings of our own', command: /(brokers|topics) .*--describe --all/, line: /^ ottla\./ },
  {
    why: 'registrations list features in an order of their own, and say that nothing is cordoned in themselves',
    command: /cluster-metadata-decoder/,
    line: /"type":"(REGISTER_BROKER|BROKER_REGISTRATION_CHANGE)_RECORD"/,
  },
  {
    why: 'a quorum of one writes no NoOpRecord',
    command: /cluster-metadata-decoder/,
    line: /NO_OP_RECORD/,
  },
  {
    why: 'controllers do not register: ControllerRegistration is not built',
    command: /cluster-metadata-decoder/,
    line: /REGISTER_CONTROLLER_RECORD/,
  },
]

/** Whether a line that only one of the two printed has an explanation. */
export function explain(check: string, command: string, line: string): boolean {
  const found = EXPLAINED.find(
    (row) =>
      row.line.test(line) &&
      (row.check === undefined || row.check.test(check)) &&
      (row.command === undefined || row.command.test(command)),
  )
  if (found !== undefined) found.used = true
  return found !== undefined
}

/** Explanations that no line needed. */
export function idleExplanations(): string[] {
  return EXPLAINED.filter(({ used }) => used !== true).map(({ why }) => why)
}
