import { readHoldNewMailEnvironment } from '../shared/contract/environment.ts'
import type { MailboxId } from '../shared/contract/ids.ts'
import { parseObjectCreated } from '../shared/contract/messages.ts'
import { parseLedgerKey } from '../shared/contract/object-key.ts'
import { IngestError } from '../shared/errors.ts'
import { holdNewMail } from '../shared/operations/hold-new-mail.ts'
import { openAwsArchive, openAwsHolds, openAwsState } from './aws-buckets.ts'
import type { LambdaContext, SqsBatchResponse, SqsEvent, SqsRecord } from './lambda/events.ts'
import { levelOf, Telemetry } from './lambda/telemetry.ts'
import { errorFields } from './telemetry.ts'

// Holds new mail that an open case asks for. Its role sets holds and releases none; the drain has neither right.

const settings = readHoldNewMailEnvironment(process.env)
const telemetry = new Telemetry('hold-new-mail', settings.deployment)
const ports = {
  archive: openAwsArchive(settings.archiveBucket, process.env),
  custody: openAwsHolds(settings.archiveBucket, process.env),
  state: openAwsState(settings.stateBucket, process.env),
  now: () => new Date(),
}

/** Rejects with defects alone; a mailbox that could not be looked at comes back. */
export async function handler(event: SqsEvent, context: LambdaContext): Promise<SqsBatchResponse> {
  return telemetry.during(context, async () => {
    const failed = new Set<string>()
    for (const [mailbox, records] of byMailbox(event.Records))
      if (!(await compare(mailbox))) for (const { messageId } of records) failed.add(messageId)
    return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) }
  })
}

/** Several segments of a mailbox are one look. What is not of a segment concerns nobody. */
function byMailbox(records: readonly SqsRecord[]): Map<MailboxId, SqsRecord[]> {
  const found = new Map<MailboxId, SqsRecord[]>()
  for (const record of records) {
    const mailbox = parseLedgerKey(parseObjectCreated(record.body).key)?.mailbox
    if (mailbox) found.set(mailbox, [...(found.get(mailbox) ?? []), record])
  }
  return found
}

async function compare(mailbox: MailboxId): Promise<boolean> {
  try {
    const { segments, held } = await holdNewMail(mailbox, 'hold-new-mail', ports)
    telemetry.count('newMailHeld', held)
    telemetry.info('compared with open cases', { mailbox, segments, held })
    return true
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    telemetry.mailboxFailed(mailbox, error)
    telemetry[levelOf(error)]('new mail could not be compared with open cases', {
      mailbox,
      ...errorFields(error),
    })
    return false
  }
}
