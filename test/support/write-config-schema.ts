import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configJsonSchema } from '../../shared/contract/config.ts'

// Writes docs/mailsluice.schema.json, by which editors complete and check mailsluice.yaml.

const file = fileURLToPath(new URL('../../docs/mailsluice.schema.json', import.meta.url))
writeFileSync(file, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`)
