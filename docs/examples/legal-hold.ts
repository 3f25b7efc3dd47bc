import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PutObjectLegalHoldCommand, S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { type ArchivedData, type Event, MESSAGE_ARCHIVED, wholeData } from 'mailsluice/consumer'
import { openS3Objects } from 'mailsluice/consumer/s3'
import { consumeQueue } from 'mailsluice/consumer/sqs'

// Legal hold: new mail of or to custodians of open cases is held in the archive, and each case gets a list of what it holds. For a system of cases
// that is not Mailsluice's; it needs a route that sends it everything, and a role of its own with s3:PutObjectLegalHold on raw/*, which no drain has.
//
//   QUEUE_URL=… CASES=cases.json FOLDER=./cases node legal-hold.mjs
//
// cases.json: [{ "name": "acme-v-globex", "custodians": ["anna@acme.example", "@globex.example"], "since": "2026-01-01" }]

interface Case {
  readonly name: string
  /** Addresses, or domains after an @; in lower case. */
  readonly custodians: readonly string[]
  readonly since?: string
}

const { QUEUE_URL = '', CASES = 'cases.json', FOLDER = 'cases' } = process.env

const cases = JSON.parse(readFileSync(CASES, 'utf8')) as Case[]
const s3 = new S3Client()
const sqs = new SQSClient()
const open = openS3Objects(s3)

mkdirSync(FOLDER, { recursive: true })
await consumeQueue(sqs, QUEUE_URL, hold, { untilEmpty: true })
sqs.destroy()
s3.destroy()

/** May be done twice: a hold that is set is set again, and the list gets the same line a second time. */
async function hold(event: Event): Promise<void> {
  if (event.type !== MESSAGE_ARCHIVED) return
  const { raw } = event.data
  // Long lists of recipients are cut in the event: a custodian may be the last of a thousand.
  const data = await wholeData(event.data, open)
  const meant = cases.filter((each) => concerns(each, data))
  if (meant.length === 0) return
  await s3.send(
    new PutObjectLegalHoldCommand({
      Bucket: raw.bucket,
      Key: raw.key,
      VersionId: raw.versionId,
      LegalHold: { Status: 'ON' },
    }),
  )
  for (const { name } of meant) {
    const { uri, versionId, sha256, octets } = raw
    const { messageId, subject, date } = data.message
    const line = { eventId: event.id, uri, versionId, sha256, octets, messageId, subject, date }
    appendFileSync(join(FOLDER, `${name}.ndjson`), `${JSON.stringify(line)}\n`)
  }
}

/** In doubt it does: one message too many is held, and none too few. A Date is a sender's to choose, so it is not asked; when it arrived is. */
function concerns({ custodians, since }: Case, { message, mailbox }: ArchivedData): boolean {
  const arrived = mailbox.internalDate
  if (since !== undefined && arrived !== undefined && Date.parse(arrived) < Date.parse(since)) return false
  if (message.truncated) return true
  const { from, sender, replyTo, to, cc, bcc, deliveredTo } = message
  const addresses = [...from, ...sender, ...replyTo, ...to, ...cc, ...bcc].map(({ address = '' }) => address)
  return [...addresses, ...deliveredTo].some((written) => {
    const address = written.toLowerCase().replace(/^\s*<|>\s*$/g, '')
    return custodians.some((each) => (each.startsWith('@') ? address.endsWith(each) : address === each))
  })
}
