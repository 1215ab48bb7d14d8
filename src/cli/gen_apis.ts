// protocol tables → docs/reference/apis.md and errors.md: what can be spoken, and what errors mean. What a
// node serves is registered beside its handlers and shown by ApiVersions, not here.

import { apis } from '../protocol/apis.ts'
import type { Api, Versions } from '../protocol/dsl.ts'
import { errors } from '../protocol/errors.ts'

/** Where the references live, from the repository's root. */
export const apisReferencePath = 'docs/reference/apis.md'
export const errorsReferencePath = 'docs/reference/errors.md'

/** The table of apis. */
export function emitApisReference(): string {
  const rows = [...apis.values()].map(
    (api) =>
      `| ${api.key} | ${api.name} | ${range(api.valid)} | ${range(api.flexible)} | ${api.listeners.join(', ')} | ${remarks(api)} |`,
  )
  return `# APIs

Generated from \`src/protocol/\` by \`npm run gen\`; do not edit.

Every api of the protocol with the versions our tables describe, which are those of Apache Kafka 4.3.
What is served is what a node answers to ApiVersions.

| Key | Name | Versions | Flexible | Listeners | Remarks |
|---:|---|---|---|---|---|
${rows.join('\n')}
`
}

/** The table of errors. */
export function emitErrorsReference(): string {
  const rows = errors.map(
    ({ code, name, retriable, text }) =>
      `| ${code} | ${name} | ${retriable ? 'yes' : ''} | ${text} |`,
  )
  return `# Errors

Generated from \`src/protocol/errors.ts\` by \`npm run gen\`; do not edit.

| Code | Name | Retriable | Meaning |
|---:|---|---|---|
${rows.join('\n')}
`
}

function range({ min, max }: Versions): string {
  if (max < min) return 'none'
  if (max === 0x7fff) return `${min}+`
  return min === max ? String(min) : `${min}–${max}`
}

function remarks(api: Api): string {
  const said: string[] = []
  if (api.clusterAction) said.push('needs CLUSTER_ACTION')
  if (api.forwarded) said.push('forwarded to the controller')
  if (api.latestUnstable) said.push(`version ${api.valid.max} is not stable`)
  return said.join('; ')
}
