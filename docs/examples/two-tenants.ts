import { join } from 'node:path'
import { App, Stack } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { LedgerSearch } from '../../infra/constructs/ledger-search.ts'
import { MailArchive } from '../../infra/constructs/mail-archive.ts'
import { MailIngest } from '../../infra/constructs/mail-ingest.ts'
import { validateConfig } from '../../shared/contract/config.ts'

// Mailsluice as a part of a CDK app of your own: two tenants in one account, each with an archive, a key, a records officer and roles that
// know nothing of the other; the second one's mail is also copied to Ireland. `npm run bundle` makes the bundles in dist/.

/** Read from where your app keeps its tenants; checked by the schema of mailsluice.yaml. */
const TENANTS = [
  {
    name: 'acme',
    archive: { retention: { mode: 'governance', days: 2190 } },
    queues: { default: 'acme-mail' },
    mailboxes: [
      {
        id: 'invoices',
        protocol: 'imap',
        host: 'imap.example.com',
        user: 'invoices@acme.example',
        credential: 'ssm:/acme/invoices',
      },
    ],
  },
  {
    name: 'globex',
    archive: { retention: { mode: 'governance', days: 3650 } },
    queues: { default: 'globex-mail.fifo' },
    mailboxes: [
      {
        id: 'support',
        protocol: 'pop3',
        host: 'pop.example.com',
        user: 'support@globex.example',
        credential: 'secretsmanager:globex/support',
        every: '1m',
      },
    ],
  },
] as const

const IRELAND = 'eu-west-1'
/** What the stack with the copies tells when it is deployed. */
const COPIES = {
  bucket: 'arn:aws:s3:::globex-mail-copies',
  key: 'arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555',
}

const app = new App()
const bundles = (app.node.tryGetContext('bundles') as string | undefined) ?? 'dist'

for (const { name, ...written } of TENANTS) {
  const { config, problems } = validateConfig(written)
  if (!config?.archive.retention) throw new Error(`${name}: ${problems?.join('; ')}`)
  const stack = new Stack(app, `${name}-mail`, { terminationProtection: true })

  const archive = new MailArchive(stack, 'Archive', {
    retention: config.archive.retention,
    coldStorage: { afterDays: 180, class: 'glacier-instant-retrieval', minimumOctets: 131_072 },
    ...(name === 'globex' && { replication: { ...COPIES, region: IRELAND } }),
  })

  const { archiveBucket, derivedBucket, encryptionKey } = archive
  new LedgerSearch(stack, 'Search', {
    deployment: `${name}-mail`,
    archiveBucket,
    derivedBucket,
    encryptionKey,
  })

  new MailIngest(stack, 'Ingest', {
    deployment: `${name}-mail`,
    archive,
    mailboxes: config.mailboxes,
    queues: config.queues,
    code: (bundle) => lambda.Code.fromAsset(join(bundles, bundle)),
    alarmEmail: [`mail-operations@${name}.example`],
    drainsAtOnce: 5,
  })
}

// Deployed first: its bucket and key are COPIES above. In another account it also names the role that writes the copies (replicatesFrom).
const copies = new Stack(app, 'globex-mail-copies', { env: { region: IRELAND }, terminationProtection: true })
new MailArchive(copies, 'Archive', {
  bucketName: 'globex-mail-copies',
  retention: { mode: 'governance', days: 3650 },
})

app.synth()
