// A mocha reporter: one JSON object per test, as it ends, for the suite node_rdkafka. A hook that fails is reported
// under its own title; the tests that it kept from running are then missing, and missing is not passed. When all is
// said the process goes at once: a client that a failed test left open would hold up its exit for ever.
'use strict'

module.exports = class Lines {
  constructor(runner) {
    const say = (test, outcome, problem) => {
      const name = test.titlePath().join('/')
      const detail = problem === undefined ? undefined : String(problem.stack ?? problem)
      process.stdout.write(
        `\n${JSON.stringify({ name, outcome, ms: test.duration ?? 0, detail })}\n`,
      )
    }
    runner.on('pass', (test) => say(test, 'passed'))
    runner.on('pending', (test) => say(test, 'skipped'))
    runner.on('fail', (test, problem) => {
      const isLate = problem.code === 'ERR_MOCHA_TIMEOUT'
      say(test, isLate ? 'timed out' : 'failed', problem)
    })
    runner.on('end', () => process.kill(process.pid, 'SIGKILL'))
  }
}
