import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { providersMarkdown } from './providers-markdown.ts'

// Writes docs/providers.md from what is known of providers and refusals.

writeFileSync(fileURLToPath(new URL('../../docs/providers.md', import.meta.url)), providersMarkdown())
