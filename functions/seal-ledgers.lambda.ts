import { readSealLedgersEnvironment } from '../shared/contract/environment.ts'
import { mailboxesOf } from '../shared/ledger/mailboxes.ts'
import { LAMBDA } from '../shared/limits.ts'
import { sealLedgers } from '../shared/operations/seal.ts'
import { openKmsSigner } from '../shared/seal/signer-kms.ts'
import { openTimestampAuthority } from '../shared/seal/timestamp-http.ts'
import { openAwsArchive, openAwsState } from './aws-buckets.ts'
import { Configuration } from './lambda/configuration.ts'
import type { LambdaContext } from './lambda/events.ts'
import { Telemetry } from './lambda/telemetry.ts'
import { errorFields } from './telemetry.ts'

// Once a day: what the ledgers gained since the last seal is signed. A backlog becomes several seals; what does not fit into one invocation is sealed by the next.

const settings = readSealLedgersEnvironment(process.env)
const telemetry = new Telemetry('seal-ledgers', settings.deployment)
const archive = openAwsArchive(settings.archiveBucket, process.env)
const configuration = new Configuration(openAwsState(settings.stateBucket, process.env))
const signer = openKmsSigner(
  settings.sealKey,
  process.env.AWS_ENDPOINT_URL_KMS ?? process.env.AWS_ENDPOINT_URL,
)

/** Rejects with defects, with what keeps every ledger from being sealed, and, when all others are, for a ledger that does not verify. */
export async function handler(_: unknown, context: LambdaContext): Promise<void> {
  await telemetry.during(context, async () => {
    const applied = await configuration.current()
    const authorities = (applied?.config.seal.timestamps ?? []).map(openTimestampAuthority)
    const mailboxes = await Array.fromAsync(mailboxesOf(archive))
    const { seals, broken, unstamped } = await sealLedgers(
      mailboxes,
      { archive, signer, authorities },
      () => context.getRemainingTimeInMillis() > LAMBDA.sealMs,
    )
    const lines = seals.reduce((sum, { treeSize }) => sum + treeSize, 0)
    telemetry.count('linesSealed', lines)
    telemetry.info('sealed', { seals: seals.map(({ seq, root }) => ({ seq, root })), lines })
    for (const error of unstamped)
      telemetry.warn('a seal has no timestamp of this authority', errorFields(error))
    for (const { mailbox, error } of broken) {
      telemetry.mailboxFailed(mailbox, error)
      telemetry.error('a ledger is not what was sealed, and is not sealed further', {
        mailbox,
        ...errorFields(error),
      })
    }
    // Once a day is no rate: an invocation that failed is kept among the dead letters, and raises their alarm.
    if (broken[0]) throw broken[0].error
  })
}
