// Conversations of classic consumers, as the text files beside this one have them.

import { transcripts } from '../folder.ts'
import { converse } from './conversation.ts'

transcripts('group', import.meta.url, converse)
