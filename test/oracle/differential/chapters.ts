// The chapters of the conversation, in the order in which they are held: later ones use what earlier ones made. The
// quorum comes first: some questions of the others make Kafka's controller give up its office and take it again.

import { configs } from './chapters/configs.ts'
import { deletions } from './chapters/deletions.ts'
import { fetch } from './chapters/fetch.ts'
import { frames } from './chapters/frames.ts'
import { groups } from './chapters/groups.ts'
import { metadata } from './chapters/metadata.ts'
import { nodes } from './chapters/nodes.ts'
import { offsets } from './chapters/offsets.ts'
import { produce } from './chapters/produce.ts'
import { quorum } from './chapters/quorum.ts'
import { stories } from './chapters/stories.ts'
import { times } from './chapters/times.ts'
import { topics } from './chapters/topics.ts'
import { transactions } from './chapters/transactions.ts'
import type { Talk } from './talk.ts'

export const CHAPTERS: Readonly<Record<string, (talk: Talk) => Promise<void>>> = {
  quorum,
  topics,
  metadata,
  configs,
  produce,
  fetch,
  offsets,
  deletions,
  times,
  groups,
  transactions,
  stories,
  nodes,
  frames,
}
