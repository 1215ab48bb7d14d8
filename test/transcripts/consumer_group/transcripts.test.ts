// Conversations of KIP-848 consumers, as the text files beside this one have them.

import { transcripts } from '../folder.ts'
import { converse } from './conversation.ts'

transcripts('consumer group', import.meta.url, converse)
