// Conversations of raft machines, as the text files beside this one have them.

import { transcripts } from '../folder.ts'
import { converse } from './conversation.ts'

transcripts('raft', import.meta.url, converse)
