// Keys that no table holds: a suggestion for a slip of the pen, and a refusal where ignoring it
// would promise security that is not there.

import { nodeTable } from './config.ts'

// Read by Kafka's authorizer and login modules, not by its broker, so they are in no table of its
// own.
const SECURITY_KEYS = new Set(['super.users', 'allow.everyone.if.no.acl.found'])
const SECURITY_PREFIXES = ['sasl.', 'ssl.', 'authorizer.', 'delegation.token.', 'config.providers.']

/** True when the key, although unknown, can only be meant to protect something. */
export function isSecurityKey(key: string): boolean {
  return SECURITY_KEYS.has(key) || SECURITY_PREFIXES.some((prefix) => key.startsWith(prefix))
}

/** The known key that is most like this one; null when none is close. */
export function nearestKey(key: string): string | null {
  let nearest: string | null = null
  let least = Math.floor(key.length / 4) + 1
  for (const [known, row] of Object.entries(nodeTable)) {
    if (row.internal || Math.abs(known.length - key.length) >= least) continue
    const distance = editDistance(key, known, least)
    if (distance < least) {
      least = distance
      nearest = known
    }
  }
  return nearest
}

// Levenshtein by rows, given up once a whole row has reached `limit`.
function editDistance(a: string, b: string, limit: number): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(change, previous[j]! + 1, row[j - 1]! + 1))
    }
    if (Math.min(...row) >= limit) return limit
    previous = row
  }
  return previous[b.length]!
}
