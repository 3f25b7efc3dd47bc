import { createWriteStream } from 'node:fs'
import { appendFile, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import {
  type ArchivedData,
  type Attachment,
  type Event,
  MESSAGE_ARCHIVED,
  openAttachment,
  openFileObjects,
  openFileState,
  rememberEvents,
} from 'mailsluice/consumer'
import { openS3Objects } from 'mailsluice/consumer/s3'
import { consumeQueue } from 'mailsluice/consumer/sqs'

// Invoices: every PDF and XML file that comes by mail, in a folder, with a manifest. It works until the queue is empty; run it by a clock.
//
//   QUEUE_URL=… FOLDER=./invoices node invoices.mjs
//
// On one machine, beside `mailsluice events serve --local`: AWS_ENDPOINT_URL_SQS as that says, and LOCAL=.mailsluice.

const { QUEUE_URL = '', FOLDER = 'invoices', LOCAL } = process.env

/** Mail that machines write about mail: what it has attached is no invoice. */
const NO_MAIL = ['bounce', 'auto-reply', 'read-receipt', 'complaint', 'dmarc-report']
const DOCUMENTS = /^application\/(pdf|x-pdf|xml)$|\/xml$|\+xml$/

const open = LOCAL === undefined ? openS3Objects(new S3Client()) : openFileObjects(LOCAL)
const seen = rememberEvents(openFileState(join(FOLDER, '.seen')), { consumer: 'invoices' })
const sqs = new SQSClient()

await mkdir(FOLDER, { recursive: true })
await consumeQueue(sqs, QUEUE_URL, take, { seen, untilEmpty: true })
sqs.destroy()

async function take(event: Event): Promise<void> {
  if (event.type !== MESSAGE_ARCHIVED || NO_MAIL.includes(event.data.class)) return
  for (const attachment of event.data.attachments)
    if (isDocument(attachment)) await keep(attachment, event.id, event.data)
}

function isDocument({ contentType, detectedType = contentType, invoice }: Attachment): boolean {
  return invoice !== undefined || DOCUMENTS.test(contentType) || DOCUMENTS.test(detectedType)
}

/** Done twice it is done once, but for a second line in the manifest: the same event and SHA-256. */
async function keep(attachment: Attachment, eventId: string, data: ArchivedData): Promise<void> {
  const { name = 'document', contentType, octets, sha256, invoice } = attachment
  // What a stranger named; the digest before it keeps two of one name apart.
  const file = `${sha256.slice(0, 16)}-${name.replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(-100)}`
  const part = join(FOLDER, `.${file}.part`)
  try {
    await pipeline(await openAttachment(data, attachment, open), createWriteStream(part))
    await rename(part, join(FOLDER, file))
  } finally {
    await rm(part, { force: true })
  }
  const { from, subject, date } = data.message
  const line = { eventId, from: from[0]?.address, subject, date, file, contentType, octets, sha256, invoice }
  await appendFile(join(FOLDER, 'manifest.ndjson'), `${JSON.stringify(line)}\n`)
}
