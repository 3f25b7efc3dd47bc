import { ArnFormat, Stack } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { type SecretReference, secretReference } from '../../shared/contract/deployment.ts'
import { MAILBOXES_KEY } from '../../shared/contract/object-key.ts'
import type { IMailArchive } from './mail-archive.ts'
import { type BucketNames, throughS3 } from './through-s3.ts'

// What each function may do, by the calls that its code makes. The CDK's grants are not used: bucket.grantPut() alone would let a drain
// release legal holds.

/** Which parameters and secrets the functions that sign in may read. */
export interface Secrets {
  /** As the configuration names them. */
  readonly credentials: readonly string[]
  /** Those that providers replace at a sign-in: refresh tokens. */
  readonly replaced: readonly string[]
  /** ARNs of keys that are not AWS's own. */
  readonly keys: readonly string[]
  /** Every parameter under it, instead of each by its name. */
  readonly parameterPrefix: string | undefined
}

/**
 * Reads the mailbox list. Listing is allowed without a prefix: S3 answers 404 for an object that is not there only to those who may list
 * the bucket, and asks for that right without naming a prefix; others are answered 403.
 */
export function readMailboxes(scope: Construct, archive: IMailArchive) {
  const { stateBucket } = archive
  return [
    allow('ReadTheMailboxList', ['s3:GetObject'], [stateBucket.arnForObjects(MAILBOXES_KEY)]),
    allow('TellAbsentStateFromDenied', ['s3:ListBucket'], [stateBucket.bucketArn]),
    ...useKey('DecryptState', ['kms:Decrypt'], archive, [stateBucket], scope),
  ]
}

/** Reads ledgers and their snapshots, and keeps account of log-ins that fail, which a compare-and-swap reads before it writes. */
function enterMailboxes({ archiveBucket, stateBucket }: IMailArchive): iam.PolicyStatement[] {
  return [
    allow('ReadLedgers', ['s3:GetObject'], [archiveBucket.arnForObjects('ledger/*')]),
    allow('ListLedgers', ['s3:ListBucket'], [archiveBucket.bucketArn, stateBucket.bucketArn]),
    allow(
      'ReadState',
      ['s3:GetObject'],
      [
        stateBucket.arnForObjects(MAILBOXES_KEY),
        stateBucket.arnForObjects('snapshots/*'),
        stateBucket.arnForObjects('suspensions/*'),
      ],
    ),
    allow('SuspendMailboxes', ['s3:PutObject'], [stateBucket.arnForObjects('suspensions/*')]),
  ]
}

export function probeRights(
  scope: Construct,
  archive: IMailArchive,
  secrets: Secrets,
): iam.PolicyStatement[] {
  const { archiveBucket, stateBucket } = archive
  return [
    ...enterMailboxes(archive),
    ...useKey('DecryptLedgers', ['kms:Decrypt'], archive, [archiveBucket, stateBucket], scope),
    ...useKey('EncryptState', ['kms:GenerateDataKey'], archive, [stateBucket], scope),
    ...useSecrets(scope, secrets),
  ]
}

/**
 * Signs in, keeps account of log-ins that fail, and asks for drains: neither mail nor a snapshot is its business. Of a mailbox with a canary
 * it reads the ledger, to see whether the canary came through.
 */
export function relayRights(
  scope: Construct,
  archive: IMailArchive,
  secrets: Secrets,
  mailboxes: readonly { readonly id: string; readonly canary?: unknown }[],
): iam.PolicyStatement[] {
  const { archiveBucket, stateBucket } = archive
  const ledgers = mailboxes.flatMap(({ id, canary }) =>
    canary === undefined ? [] : [archiveBucket.arnForObjects(`ledger/${id}/*`)],
  )
  const followed = ledgers.length > 0
  return [
    ...(followed
      ? [
          allow('ReadLedgersWithCanaries', ['s3:GetObject'], ledgers),
          allow('LookForCanaries', ['s3:ListBucket'], [archiveBucket.bucketArn]),
        ]
      : []),
    allow(
      'ReadState',
      ['s3:GetObject'],
      [stateBucket.arnForObjects(MAILBOXES_KEY), stateBucket.arnForObjects('suspensions/*')],
    ),
    allow('SuspendMailboxes', ['s3:PutObject'], [stateBucket.arnForObjects('suspensions/*')]),
    allow('TellAbsentStateFromDenied', ['s3:ListBucket'], [stateBucket.bucketArn]),
    ...useKey('UseTheKey', ['kms:Decrypt', 'kms:GenerateDataKey'], archive, [stateBucket], scope),
    ...(followed ? useKey('DecryptLedgers', ['kms:Decrypt'], archive, [archiveBucket], scope) : []),
    ...useSecrets(scope, secrets),
  ]
}

export function drainRights(
  scope: Construct,
  archive: IMailArchive,
  secrets: Secrets,
): iam.PolicyStatement[] {
  const { archiveBucket, stateBucket, derivedBucket } = archive
  const own = archive.ownRetentions.flatMap(({ mailbox }) => [
    archiveBucket.arnForObjects(`raw/${mailbox}/*`),
    archiveBucket.arnForObjects(`ledger/${mailbox}/*`),
  ])
  return [
    ...enterMailboxes(archive),
    allow(
      'AddMailAndLedgers',
      ['s3:PutObject'],
      [archiveBucket.arnForObjects('raw/*'), archiveBucket.arnForObjects('ledger/*')],
    ),
    // An object that is there already: its facts, and its octets when its announcement is repeated. Until when it is kept is part of the event.
    // Whether it is safe is asked before a message leaves the server that stayed there for some days: lock and hold.
    allow(
      'ReadMail',
      ['s3:GetObject', 's3:GetObjectRetention', 's3:GetObjectLegalHold'],
      [archiveBucket.arnForObjects('raw/*')],
    ),
    allow(
      'CheckTheArchive',
      ['s3:GetBucketVersioning', 's3:GetBucketObjectLockConfiguration'],
      [archiveBucket.bucketArn],
    ),
    allow(
      'StoreWhatIsDerived',
      ['s3:PutObject'],
      [derivedBucket.arnForObjects('attachments/*'), derivedBucket.arnForObjects('metadata/*')],
    ),
    allow('WriteSnapshots', ['s3:PutObject'], [stateBucket.arnForObjects('snapshots/*')]),
    // Guarded by the bucket's policy, which lets through just the retention of the mailbox.
    ...(own.length > 0 ? [allow('KeepMailboxesByTheirOwnRule', ['s3:PutObjectRetention'], own)] : []),
    ...useKey(
      'UseTheKey',
      ['kms:Decrypt', 'kms:GenerateDataKey'],
      archive,
      [archiveBucket, stateBucket],
      scope,
    ),
    ...useKey('EncryptWhatIsDerived', ['kms:GenerateDataKey'], archive, [derivedBucket], scope),
    ...useSecrets(scope, secrets),
  ]
}

/** Compares new segments with open cases and holds what matches: it sets holds and releases none, and reads no mail. */
export function holdRights(scope: Construct, archive: IMailArchive): iam.PolicyStatement[] {
  const { archiveBucket, stateBucket } = archive
  const cases = archiveBucket.arnForObjects('evidence/cases/*')
  return [
    allow('ReadLedgersAndCases', ['s3:GetObject'], [archiveBucket.arnForObjects('ledger/*'), cases]),
    allow('FindThem', ['s3:ListBucket'], [archiveBucket.bucketArn, stateBucket.bucketArn]),
    allow('RecordHolds', ['s3:PutObject'], [cases]),
    allow('HoldMail', ['s3:PutObjectLegalHold'], [archiveBucket.arnForObjects('raw/*')], {
      StringEquals: { 's3:object-lock-legal-hold': 'ON' },
    }),
    allow('KeepPlace', ['s3:GetObject', 's3:PutObject'], [stateBucket.arnForObjects('holds/*')]),
    ...useKey(
      'UseTheKey',
      ['kms:Decrypt', 'kms:GenerateDataKey'],
      archive,
      [archiveBucket, stateBucket],
      scope,
    ),
  ]
}

/** Reads new mail and adds what it found of it. */
export function verifyRights(scope: Construct, archive: IMailArchive): iam.PolicyStatement[] {
  const { archiveBucket, stateBucket } = archive
  const evidence = archiveBucket.arnForObjects('evidence/authentication/*')
  return [
    allow(
      'ReadMailAndEvidence',
      ['s3:GetObject'],
      [archiveBucket.arnForObjects('ledger/*'), archiveBucket.arnForObjects('raw/*'), evidence],
    ),
    allow('ReadSettings', ['s3:GetObject'], [stateBucket.arnForObjects(MAILBOXES_KEY)]),
    // S3 answers 404 for what is not there to those alone who may list.
    allow('TellAbsentFromDenied', ['s3:ListBucket'], [archiveBucket.bucketArn, stateBucket.bucketArn]),
    allow('KeepEvidence', ['s3:PutObject'], [evidence]),
    ...useKey('UseTheKey', ['kms:Decrypt'], archive, [archiveBucket, stateBucket], scope),
    ...useKey('EncryptEvidence', ['kms:GenerateDataKey'], archive, [archiveBucket], scope),
  ]
}

/** Reads every ledger, also of mailboxes that are not configured any more, and adds seals: to nothing else has it a right. */
export function sealRights(scope: Construct, archive: IMailArchive): iam.PolicyStatement[] {
  const { archiveBucket, stateBucket, sealKey } = archive
  const seals = ['seals', 'coverage'].map((each) => archiveBucket.arnForObjects(`evidence/${each}/*`))
  return [
    allow('ReadLedgersAndSeals', ['s3:GetObject'], [archiveBucket.arnForObjects('ledger/*'), ...seals]),
    allow('ReadSettings', ['s3:GetObject'], [stateBucket.arnForObjects(MAILBOXES_KEY)]),
    allow('FindThem', ['s3:ListBucket'], [archiveBucket.bucketArn, stateBucket.bucketArn]),
    allow('AddSeals', ['s3:PutObject'], seals),
    allow('Sign', ['kms:Sign', 'kms:GetPublicKey'], [sealKey.keyArn]),
    ...useKey('UseTheKey', ['kms:Decrypt'], archive, [archiveBucket, stateBucket], scope),
    ...useKey('EncryptSeals', ['kms:GenerateDataKey'], archive, [archiveBucket], scope),
  ]
}

export function send(sid: string, queueArns: readonly string[]): iam.PolicyStatement {
  return allow(sid, ['sqs:SendMessage'], queueArns)
}

/** A queue's URL is asked for by its name. */
export function find(sid: string, queueArns: readonly string[]): iam.PolicyStatement {
  return allow(sid, ['sqs:GetQueueUrl'], queueArns)
}

/** A request comes back sooner than the queue would have it. */
export function postpone(queueArns: readonly string[]): iam.PolicyStatement {
  return allow('PostponeRequests', ['sqs:ChangeMessageVisibility'], queueArns)
}

/** Through S3 and for these buckets alone; nothing where S3 has the key. */
function useKey(
  sid: string,
  actions: string[],
  { encryptionKey }: IMailArchive,
  buckets: readonly BucketNames[],
  scope: Construct,
): iam.PolicyStatement[] {
  return encryptionKey ? [allow(sid, actions, [encryptionKey.keyArn], throughS3(scope, buckets))] : []
}

function useSecrets(
  scope: Construct,
  { credentials, replaced, keys, parameterPrefix }: Secrets,
): iam.PolicyStatement[] {
  const read = arnsOf(scope, credentials)
  const written = arnsOf(scope, replaced)
  const { region, urlSuffix } = Stack.of(scope)
  // SecureStrings under the account's key aws/ssm, whose policy lets every role of the account use it through Parameter Store.
  const parameters = parameterPrefix === undefined ? read.ssm : [parameterArn(scope, `${parameterPrefix}*`)]
  return [
    ...allowAny('ReadPasswords', ['ssm:GetParameter'], parameters),
    ...allowAny('ReadSecrets', ['secretsmanager:GetSecretValue'], read.secretsmanager),
    ...allowAny('ReplaceRefreshTokens', ['ssm:PutParameter'], written.ssm),
    ...(written.ssm.length > 0
      ? [
          // Which key encrypts it. Parameter Store knows no single parameter here, and tells names and no values.
          allow(
            'FindTheirKeys',
            ['ssm:DescribeParameters'],
            [Stack.of(scope).formatArn({ service: 'ssm', resource: '*' })],
          ),
        ]
      : []),
    ...allowAny(
      'ReplaceSecretRefreshTokens',
      ['secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage'],
      written.secretsmanager,
    ),
    ...(keys.length > 0
      ? [
          allow('UseTheirKeys', ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey'], keys, {
            StringEquals: {
              'kms:ViaService': ['ssm', 'secretsmanager', 'sqs'].map((it) => `${it}.${region}.${urlSuffix}`),
            },
          }),
        ]
      : []),
  ]
}

function arnsOf(
  scope: Construct,
  credentials: readonly string[],
): Record<SecretReference['kind'], readonly string[]> {
  const references = [...new Set(credentials)].flatMap((credential) => secretReference(credential) ?? [])
  const ofKind = (kind: SecretReference['kind']) => references.filter((reference) => reference.kind === kind)
  return {
    ssm: ofKind('ssm').map(({ name }) => parameterArn(scope, name)),
    secretsmanager: ofKind('secretsmanager').map((reference) => secretArn(scope, reference)),
  }
}

function parameterArn(scope: Construct, name: string): string {
  // A name with a path begins with / and an ARN does not repeat it.
  return Stack.of(scope).formatArn({
    service: 'ssm',
    resource: 'parameter',
    resourceName: name.replace(/^\//, ''),
  })
}

/** The ARN of a secret ends in six characters that Secrets Manager chooses. */
function secretArn(scope: Construct, { name }: SecretReference): string {
  if (name.startsWith('arn:')) return /-[A-Za-z0-9]{6}$/.test(name) ? name : `${name}-??????`
  return Stack.of(scope).formatArn({
    service: 'secretsmanager',
    resource: 'secret',
    resourceName: `${name}-??????`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })
}

/** No statement when there is no resource. */
function allowAny(sid: string, actions: string[], resources: readonly string[]): iam.PolicyStatement[] {
  return resources.length === 0 ? [] : [allow(sid, actions, resources)]
}

function allow(
  sid: string,
  actions: string[],
  resources: readonly string[],
  conditions: { [operator: string]: { [key: string]: string | string[] } } = {},
): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid, actions, resources: [...resources], conditions })
}
