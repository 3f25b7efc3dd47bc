import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deploymentSchema, eventQueueOutput, OUTPUTS } from '../../shared/contract/deployment.ts'
import { templates, yaml } from '../support/stacks.ts'

const DOCUMENT = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'deployment.md'), 'utf8')

test('docs/deployment.md explains every setting of the section aws', () => {
  const rows = DOCUMENT.split('\n').filter((line) => line.startsWith('| `'))
  for (const setting of Object.keys(deploymentSchema.shape))
    assert.ok(
      rows.some(
        (row) => new RegExp(`^\\| [^|]*\`${setting}\\b`).test(row) || row.includes(`, \`${setting}\``),
      ),
      setting,
    )
})

test('docs/deployment.md names every output, and the stacks have them', () => {
  const names = Object.values(OUTPUTS).flatMap((outputs) => Object.values(outputs))
  for (const name of names) assert.ok(DOCUMENT.includes(`\`${name}\``), name)

  const key = 'arn:aws:kms:eu-west-1:444455556666:key/11111111-2222-3333-4444-555555555555'
  const everything = templates(
    yaml({
      aws: `network: { staticAddress: true }\nreplication: { bucket: "arn:aws:s3:::copies", key: "${key}" }`,
    }),
  )
  const outputs = everything.templates.flatMap(({ Outputs = {} }) =>
    Object.keys(Outputs).filter((name) => !name.startsWith('ExportsOutput')),
  )
  const queues = ['default', 'invoices', 'tickets'].map(eventQueueOutput)
  assert.deepEqual(outputs.sort(), [...names, ...queues].sort())
  assert.deepEqual(queues, ['EventQueueUrlDefault', 'EventQueueUrlInvoices', 'EventQueueUrlTickets'])
})
