import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lambdaRecord, recordedEvent } from './recorded-events.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** Packs the repository as it is into a folder, for which npm builds the consumer kit (prepack); the path of the tarball. */
export function packInto(folder: string): string {
  const pack = ['pack', ROOT, '--pack-destination', folder, '--loglevel', 'error', '--offline']
  const { stdout, stderr } = spawnSync('npm', pack, { cwd: ROOT, encoding: 'utf8' })
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  assert.ok(tarball, `npm pack made no tarball\n${stdout}${stderr}`)
  return join(folder, tarball)
}

/** Runs a command in a folder to its end; what it wrote on stdout. */
export function runIn(folder: string, command: string, ...arguments_: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, arguments_, { cwd: folder, encoding: 'utf8' })
  assert.equal(status, 0, `${command} ${arguments_.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

/** A consumer of the package in a folder of its own, as a Lambda would be: handles a batch of two records, of which one is no event. */
export function writeConsumer(folder: string): string {
  const Records = [lambdaRecord(recordedEvent('archived-invoice'), '1'), lambdaRecord('x', '2')]
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const file = join(folder, 'consumer.mjs')
  writeFileSync(
    file,
    `import { consumeBatch, MESSAGE_ARCHIVED, openMemoryState, rememberEvents } from 'mailsluice/consumer'
import schema from 'mailsluice/event.schema.json' with { type: 'json' }
const seen = rememberEvents(openMemoryState(), { consumer: 'invoices' })
const answer = await consumeBatch(${JSON.stringify({ Records })}, (event) => {
  if (event.type === MESSAGE_ARCHIVED) console.log(event.data.message.subject)
}, { seen, failed: (error, id) => console.log(id, error.code) })
console.log(JSON.stringify(answer), schema.title)
`,
  )
  return file
}

/** What it says. */
export const CONSUMER_SAYS =
  '2 EVENT_INVALID\nRechnung 2026-0042 € 119\n{"batchItemFailures":[{"itemIdentifier":"2"}]} Events of Mailsluice\n'
