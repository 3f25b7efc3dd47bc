import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SCHEMAS, schemaFile, schemaText } from '../support/write-schemas.ts'

for (const [name, schema] of Object.entries(SCHEMAS)) {
  test(`docs/${name} is what the code says; npm run schemas writes it`, () => {
    assert.equal(readFileSync(schemaFile(name), 'utf8'), schemaText(schema()))
  })

  test(`docs/${name} is a JSON Schema of 2020-12 in which every field is described by a type`, () => {
    const written = JSON.parse(readFileSync(schemaFile(name), 'utf8')) as Record<string, unknown>
    assert.equal(written.$schema, 'https://json-schema.org/draft/2020-12/schema')
    assert.deepEqual(untyped(written), [])
  })
}

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
