import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { eventJsonSchema, eventSchema } from '../../shared/contract/event.ts'
import { surprises } from '../support/schema-changes.ts'

// What may change within a version of the events (docs/events.md), held to what earlier versions announced and published. What is in
// test/fixtures/events was recorded and is never written again: an event there that is no longer valid is a consumer who is no longer served.

const RECORDED = new URL('../fixtures/events/', import.meta.url)
const EVENTS = readdirSync(RECORDED).filter((name) => /^v1-.*\.json$/.test(name))
const SCHEMA = recorded('v1.schema.json')
const PUBLISHED = z.fromJSONSchema(eventJsonSchema() as Parameters<typeof z.fromJSONSchema>[0])

function recorded(name: string): object {
  return JSON.parse(readFileSync(new URL(name, RECORDED), 'utf8')) as object
}

describe('events that an earlier version announced', () => {
  test('are recorded of every type', () => {
    const types = EVENTS.map((name) => (recorded(name) as { type: string }).type)
    assert.deepEqual(new Set(types), new Set(eventSchema.options.map(({ shape }) => shape.type.value)))
  })

  for (const name of EVENTS)
    test(`${name} is read as it was, with the schema of today`, () => {
      const event = recorded(name)
      assert.deepEqual(eventSchema.parse(event), event)
      assert.deepEqual(PUBLISHED.parse(event), event)
    })
})

describe('the schema', () => {
  test('has nothing that would surprise a consumer who was written for the one that was first published', () => {
    assert.deepEqual(surprises(SCHEMA, eventJsonSchema()), [])
  })

  const archived = (change: (data: Properties) => void): object => {
    const schema = structuredClone(SCHEMA) as { oneOf: { properties: { data: Group } }[] }
    const data = schema.oneOf[0]?.properties.data
    assert.ok(data)
    change(data.properties)
    return schema
  }
  interface Group {
    properties: Properties
    required: string[]
    enum?: string[]
    type?: string
    anyOf?: { enum?: string[] }[]
  }
  type Properties = Record<string, Group>
  const changes: readonly [what: string, surprise: string, change: (data: Properties) => void][] = [
    ['a field that is gone', 'raw.versionId: gone', ({ raw }) => delete raw?.properties.versionId],
    [
      'a field of another type',
      'raw.octets: the type was integer and is string',
      ({ raw }) => Object.assign(raw?.properties.octets ?? {}, { type: 'string' }),
    ],
    [
      'a field that need not be there',
      'raw: key was always there and need not be',
      ({ raw }) => raw?.required.splice(raw.required.indexOf('key'), 1),
    ],
    [
      'a field that has to be there',
      'raw: bucket was optional and is required',
      ({ raw }) => raw?.required.push('bucket'),
    ],
    [
      'a value in a closed list',
      'mailbox.protocol: jmap came to a closed list of values',
      ({ mailbox }) => mailbox?.properties.protocol?.enum?.push('jmap'),
    ],
    [
      'a value that is gone',
      'class: list is no longer one of its values',
      ({ class: kind }) => kind?.anyOf?.[0]?.enum?.splice(7, 1),
    ],
  ]
  for (const [what, surprise, change] of changes)
    test(`with ${what} would`, () => {
      const found = surprises(SCHEMA, archived(change))
      assert.deepEqual(found, [`mailsluice.message.archived.v1.data.${surprise}`])
    })

  test('with an optional field, a value where lists grow, or another type of event more would not', () => {
    const added = archived((data) => {
      Object.assign(data, { language: { type: 'string' } })
      data.class?.anyOf?.[0]?.enum?.push('newsletter')
    }) as { oneOf: object[] }
    const further = {
      ...added,
      oneOf: [...added.oneOf, { properties: { type: { const: 'mailsluice.other.v1' } } }],
    }
    assert.deepEqual(surprises(SCHEMA, further), [])
  })
})
