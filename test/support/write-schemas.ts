import { writeFileSync } from 'node:fs'
import { configJsonSchema } from '../../shared/contract/config.ts'
import { eventJsonSchema } from '../../shared/contract/event.ts'

// The JSON Schemas in docs/, for consumers and editors: `npm run schemas` writes them, test/contract/schemas.test.ts says when that is due.

/** By the name of the file in docs/. */
export const SCHEMAS: Readonly<Record<string, () => object>> = {
  'event.schema.json': eventJsonSchema,
  'mailsluice.schema.json': configJsonSchema,
}

export function schemaFile(name: string): URL {
  return new URL(`../../docs/${name}`, import.meta.url)
}

export function schemaText(schema: object): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`
}

if (import.meta.main)
  for (const [name, schema] of Object.entries(SCHEMAS)) writeFileSync(schemaFile(name), schemaText(schema()))
