// vitest with one broker for the whole run, whatever the number of workers.

import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { globalSetup: ['ottla/vitest-global-setup'] } })
