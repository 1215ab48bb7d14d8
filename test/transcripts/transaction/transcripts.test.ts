// Conversations of transactional producers, as the text files beside this one have them.

import { transcripts } from '../folder.ts'
import { converse } from './conversation.ts'

transcripts('transaction', import.meta.url, converse)
