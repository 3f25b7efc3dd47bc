import { writeFileSync } from 'node:fs'
import { asyncApiDocument } from '../../shared/contract/asyncapi.ts'
import { configJsonSchema } from '../../shared/contract/config.ts'
import { eventJsonSchema } from '../../shared/contract/event.ts'
import { eventsMarkdown } from './events-markdown.ts'

// What docs/ has of the contract, for consumers, editors and readers: `npm run schemas` writes it, test/contract/schemas.test.ts says when that is due.

/** The JSON Schemas, by the name of the file in docs/. */
export const SCHEMAS: Readonly<Record<string, () => object>> = {
  'event.schema.json': eventJsonSchema,
  'mailsluice.schema.json': configJsonSchema,
}

/** The text of every file that is written, by its name in docs/. */
export const WRITTEN: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, () => json(schema())])),
  'asyncapi.json': () => json(asyncApiDocument()),
  'events.md': eventsMarkdown,
}

export function schemaFile(name: string): URL {
  return new URL(`../../docs/${name}`, import.meta.url)
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

if (import.meta.main)
  for (const [name, text] of Object.entries(WRITTEN)) writeFileSync(schemaFile(name), text())
