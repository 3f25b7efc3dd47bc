import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Parser } from '@asyncapi/parser'
import { eventSchema, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { SCHEMAS, schemaFile, WRITTEN } from '../support/write-schemas.ts'

for (const [name, text] of Object.entries(WRITTEN))
  test(`docs/${name} is what the code says; npm run schemas writes it`, () => {
    assert.equal(readFileSync(schemaFile(name), 'utf8'), text())
  })

for (const name of Object.keys(SCHEMAS))
  test(`docs/${name} is a JSON Schema of 2020-12 in which every field is described by a type`, () => {
    const written = JSON.parse(readFileSync(schemaFile(name), 'utf8')) as Record<string, unknown>
    assert.equal(written.$schema, 'https://json-schema.org/draft/2020-12/schema')
    assert.deepEqual(untyped(written), [])
  })

test('docs/asyncapi.json is an AsyncAPI 3 document, by the parser of AsyncAPI, and has every type of event', async () => {
  const written = readFileSync(schemaFile('asyncapi.json'), 'utf8')
  const { document, diagnostics } = await new Parser().parse(written)

  assert.deepEqual(
    diagnostics
      .filter(({ severity }) => severity <= 1)
      .map(({ message, path }) => `${path.join('.')}: ${message}`),
    [],
  )
  assert.equal(document?.version(), '3.0.0')
  const types = eventSchema.options.map(({ shape }) => shape.type.value)
  const sent = (channel: string) =>
    document
      ?.channels()
      .get(channel)
      ?.messages()
      .all()
      .map((message) => message.name())
  assert.deepEqual(sent('default'), types)
  assert.deepEqual(sent('routed'), [MESSAGE_ARCHIVED])
})

test('what is wrong in an AsyncAPI document is found', async () => {
  const written = JSON.parse(readFileSync(schemaFile('asyncapi.json'), 'utf8')) as {
    operations: Record<string, object>
  }
  const operations = {
    ...written.operations,
    announceByRoute: { action: 'announce', channel: { $ref: '#/channels/nowhere' } },
  }
  const { document } = await new Parser().parse(JSON.stringify({ ...written, operations }))

  assert.equal(document, undefined)
})

/** Paths of properties that anything may stand in. */
function untyped(node: unknown, path = ''): string[] {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([name, value]) => {
    const here = `${path}/${name}`
    if (name !== 'properties') return untyped(value, here)
    return Object.entries(value as object).flatMap(([property, schema]: [string, object]) => {
      const typed = ['type', 'enum', 'const', 'oneOf', 'anyOf', '$ref'].some((key) => key in schema)
      return [...(typed ? [] : [`${here}/${property}`]), ...untyped(schema, `${here}/${property}`)]
    })
  })
}
