import { readFileSync } from 'node:fs'
import { eventJsonSchema } from '../../shared/contract/event.ts'
import type { Schema } from './json-schema.ts'

// docs/events.md, from the schema of the events and from events that were recorded.

const INTRODUCTION = `# Events

<!-- Written by \`npm run schemas\`, from the schema of the events. -->

What Mailsluice puts on SQS: one JSON object in each message, structured CloudEvents 1.0, ASCII alone, at most 64 KiB. As a schema:
[event.schema.json](event.schema.json) (JSON Schema 2020-12); as a document for tools: [asyncapi.json](asyncapi.json) (AsyncAPI 3). How to consume
them, with a kit for JavaScript and TypeScript: [consumers.md](consumers.md). What goes to which queue: [routes.md](routes.md).

An event may come twice, always with the same \`id\`: after a crash, a lost answer, or when it is announced again on purpose. Standard queues keep
no order; FIFO queues keep that of a mailbox.

## The envelope

The same for every type.

`

const RULES = `## What may change

The type of an event ends with the version of its contract. Within a version

- fields may be added, and are optional for ever: ignore what you do not know;
- a field that is always there stays; no field is removed, renamed, or changes its type or meaning;
- values may be added where "…" ends a list of them: have a branch for the others. Other lists of values are closed;
- lists may be cut and texts be shortened to keep an event below 64 KiB, which is marked; limits may be raised, but for those 64 KiB;
- types may be added: leave alone, or set aside, an event whose type you do not know.

Anything else is a new version, with a type of its own that is announced beside the old one for a while. Events that earlier versions announced stay
readable: recorded ones are read with the code of today, and events of today with the schema of then (\`test/contract/compatibility.test.ts\`).

`

/** The text of docs/events.md. */
export function eventsMarkdown(): string {
  const types = (eventJsonSchema() as Schema).oneOf ?? []
  const [first] = types
  if (!first) throw new TypeError('the schema has no events')
  const { type, data: _, ...attributes } = first.properties ?? {}
  return [
    INTRODUCTION,
    table(rows({ ...first, properties: { ...attributes, type: { ...type, const: '…' } } })),
    `| \`data\` | object | always | What has happened, by type. |\n\n`,
    RULES,
    ...types.map(section),
  ].join('')
}

function section(schema: Schema): string {
  const { type, data } = schema.properties ?? {}
  const name = String(type?.const)
  return `## ${name}

${schema.description}

${table(rows(data ?? {}))}
\`\`\`json
${JSON.stringify(example(name), undefined, 2)}
\`\`\`

`.replace(/\n\n$/, '\n')
}

/** A recorded event of the type. */
function example(type: string): unknown {
  const kind = type.split('.').slice(1, -1).join('-')
  const file = { 'message-archived': 'archived-invoice' }[kind] ?? kind.replace(/^\w+-/, '')
  return JSON.parse(readFileSync(new URL(`../fixtures/events/v1-${file}.json`, import.meta.url), 'utf8'))
}

function table(lines: readonly string[]): string {
  return `| Field | Type | | |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`
}

/** A row for each field, and after it for those in it. */
function rows(schema: Schema, path = '', shown: Map<string, string> = new Map()): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const here = path + name
    const always = schema.required?.includes(name) ? 'always' : ''
    // What has the same parts as something above is not said again.
    const parts = field.items?.properties && JSON.stringify(field.items.properties)
    const alike = parts === undefined ? undefined : shown.get(parts)
    if (parts !== undefined) shown.set(parts, alike ?? here)
    const about = [
      field.description ?? field.items?.description,
      valuesText(field),
      alike && `Parts as in \`${alike}\`.`,
    ]
    const row = `| \`${here}\` | ${typeText(field)} | ${always} | ${about.filter(Boolean).map(cell).join(' ')} |`
    const inner = alike ? [] : rows(field.items ?? {}, `${here}[].`, shown)
    return [row, ...rows(field, `${here}.`, shown), ...inner]
  })
}

function cell(text: string | undefined): string {
  return (text ?? '').replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

function typeText({ type, anyOf, items, additionalProperties, ...schema }: Schema): string {
  if (items) return `list of ${typeText(items)}`
  if (additionalProperties?.type) return `map of ${typeText(additionalProperties)}`
  return schema.const === undefined ? (type ?? anyOf?.[0]?.type ?? 'object') : 'string'
}

/** Closed lists of values, and those that may grow. */
function valuesText(schema: Schema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``
  const growing = schema.anyOf?.find((form) => form.enum)
  const values = schema.enum ?? growing?.enum ?? schema.items?.enum
  if (!values) return ''
  return `One of ${values.map((value) => `\`${value}\``).join(', ')}${growing ? ', …' : ''}.`
}
