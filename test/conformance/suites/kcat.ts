// kcat 1.7.1 (Debian's), the client of shell scripts: what it prints is compared, never only its exit code. It stands
// on librdkafka 2.0 as distributions ship it, so this is also the suite of a client that is a few years old.

import { runCommand } from '../../integration/support/commands.ts'
import { runChecks } from '../checks.ts'
import { kcatChecks } from '../kcat/checks.ts'
import type { Suite } from '../suite.ts'

export const suite: Suite = {
  name: 'kcat',
  about: 'checks of what kcat prints: metadata, producing, consuming, groups, offsets by time',
  version: '1.7.1',
  config: { 'num.partitions': '3' },
  async install() {
    const { stdout } = await runCommand('kcat', ['-V'])
    if (!stdout.toString().includes('1.7.1')) throw new Error(`kcat 1.7.1 is wanted:\n${stdout}`)
  },
  run: (target, only, report) => runChecks(kcatChecks, target, only, report),
}
