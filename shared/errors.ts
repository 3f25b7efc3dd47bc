/**
 * How much is given up when this happens: one message (skip it, leave a trace), this session (stop, come back later),
 * or the mailbox (do not sign in again by itself until somebody looks). Whatever is not an IngestError is a defect: nobody catches it.
 */
export type Scope = 'message' | 'session' | 'mailbox'

interface Meaning {
  readonly scope: Scope
  /** What the operator can do about it, one sentence; printed after the message. */
  readonly remedy: string
}

const MEANING = {
  MESSAGE_TOO_LARGE: {
    scope: 'message',
    remedy: 'Raise limits.messageOctets of the mailbox; the message is fetched by the next drain then.',
  },
  MESSAGE_GONE: {
    scope: 'message',
    remedy: 'Nothing: somebody else removed it from the server before it was fetched.',
  },
  MESSAGE_UNFETCHABLE: {
    scope: 'message',
    remedy: 'It is tried again by the next drains, then quarantined. Look at the message on the server.',
  },
  VERSION_PROTECTED: {
    scope: 'message',
    remedy:
      'A legal hold or a retention keeps it: `mailsluice archive retention show` says which, and until when.',
  },
  CONNECTION_FAILED: {
    scope: 'session',
    remedy: 'Check host and port, DNS, and that the network lets the connection through.',
  },
  CONNECTION_LOST: { scope: 'session', remedy: 'Nothing was lost; drain again.' },
  SESSION_EXPIRED: {
    scope: 'session',
    remedy: 'The server ended the session with the access token: nothing was lost, drain again.',
  },
  TIMED_OUT: {
    scope: 'session',
    remedy: 'Nothing was lost; drain again. If it repeats, the server or the network is slow.',
  },
  THROTTLED: {
    scope: 'session',
    remedy: 'The provider asks for a pause: drain less often or set limits.octetsPerDay.',
  },
  SERVER_UNAVAILABLE: {
    scope: 'session',
    remedy: 'The server says that it cannot serve the mailbox now; drain again later.',
  },
  TOO_MANY_CONNECTIONS: {
    scope: 'session',
    remedy:
      'Other clients of this mailbox count too: close some, or drain and watch fewer folders at a time.',
  },
  TOKEN_ENDPOINT_UNAVAILABLE: {
    scope: 'session',
    remedy: 'The token endpoint gives no answer of use: drain again; check oauth2.tokenUrl and the network.',
  },
  SECRET_STORE_UNAVAILABLE: {
    scope: 'session',
    remedy: 'The store of the secret does not answer; drain again when it does.',
  },
  MAILDROP_LOCKED: {
    scope: 'session',
    remedy: 'Another POP3 session holds the maildrop; drain again when it has ended.',
  },
  EPOCH_CHANGED: {
    scope: 'session',
    remedy: 'The folder was made anew during the drain; nothing was lost, drain again.',
  },
  PROTOCOL_VIOLATION: {
    scope: 'session',
    remedy:
      'The server does not speak the protocol as its standard says: check protocol, port and tls, then ask its operator.',
  },
  SPOOL_FAILED: {
    scope: 'session',
    remedy:
      'Free space in the folder for temporary files (TMPDIR), or allow writing to it, then drain again.',
  },
  LEDGER_RACE_LOST: {
    scope: 'session',
    remedy: 'Nothing: another drain of this mailbox is at work and has won.',
  },
  ARCHIVE_UNAVAILABLE: {
    scope: 'session',
    remedy: 'Nothing was acknowledged; drain again when the archive answers.',
  },
  STACK_UNREADABLE: {
    scope: 'session',
    remedy:
      'Check AWS_REGION and the credentials (cloudformation:DescribeStacks), or name archive.bucket and state.bucket.',
  },
  QUEUE_UNAVAILABLE: {
    scope: 'session',
    remedy: 'What was not announced is pending in the ledger and announced by the next drain.',
  },
  AUTHENTICATION_FAILED: {
    scope: 'mailbox',
    remedy: 'Check user and credential; many providers want an app password or OAuth.',
  },
  CREDENTIAL_EXPIRED: {
    scope: 'mailbox',
    remedy:
      'Password, client secret or certificate has run out: make a new one and put it where `credential` points to.',
  },
  CREDENTIAL_UNUSABLE: {
    scope: 'mailbox',
    remedy: 'What `credential` points to is not what this log-in needs: docs/providers.md has the formats.',
  },
  CREDENTIAL_UNSAVED: {
    scope: 'mailbox',
    remedy: 'The provider replaced the refresh token: let Mailsluice write where `credential` points to.',
  },
  TOKEN_REFUSED: {
    scope: 'mailbox',
    remedy:
      'Check clientId, tenant and secret against the registration of the application (docs/providers.md).',
  },
  GRANT_EXPIRED: {
    scope: 'mailbox',
    remedy: 'The consent was withdrawn or has run out: sign in once more and store the new refresh token.',
  },
  CONSENT_MISSING: {
    scope: 'mailbox',
    remedy:
      'An administrator has to permit the application: docs/providers.md says where, and which permission.',
  },
  ACCESS_TOKEN_REJECTED: {
    scope: 'mailbox',
    remedy:
      'The token is good and this mailbox does not take it: check user, and the right of the application to it.',
  },
  ACCESS_DISABLED: {
    scope: 'mailbox',
    remedy: 'Switch on IMAP or POP3 for this mailbox: docs/providers.md says where.',
  },
  ACCOUNT_RESTRICTED: {
    scope: 'mailbox',
    remedy: 'The provider blocks log-ins: sign in with a browser and look at what it asks for.',
  },
  MAILBOX_MISSING: { scope: 'mailbox', remedy: 'There is no such mailbox: check user.' },
  CREDENTIAL_MISSING: { scope: 'mailbox', remedy: 'Put the secret where `credential` points to.' },
  CERTIFICATE_REJECTED: {
    scope: 'mailbox',
    remedy:
      'Check host against the certificate; name a private CA with `ca`. Verification cannot be switched off.',
  },
  TLS_UNAVAILABLE: {
    scope: 'mailbox',
    remedy: 'The server offers no TLS here: use tls: implicit with its TLS port.',
  },
  FOLDER_MISSING: {
    scope: 'mailbox',
    remedy: 'Check `folders` and the target of afterArchive; `mailsluice check` lists what is there.',
  },
  ACKNOWLEDGEMENT_REFUSED: {
    scope: 'mailbox',
    remedy:
      'The server does not allow this afterArchive in this folder: give the account the right, or choose another.',
  },
  EPOCH_UNUSABLE: {
    scope: 'mailbox',
    remedy: 'The folder has no UIDVALIDITY, so its ids cannot be trusted; use POP3 if the server has it.',
  },
  ARCHIVE_MISCONFIGURED: {
    scope: 'mailbox',
    remedy:
      'A bucket needs versioning and Object Lock (the stack in infra/ makes one); the folder of --local has to be a folder, on one file system.',
  },
  ARCHIVE_MISSING: {
    scope: 'mailbox',
    remedy: 'Create the archive bucket, or correct archive.bucket and the region.',
  },
  ARCHIVE_DENIED: {
    scope: 'mailbox',
    remedy:
      'S3: allow the role s3:PutObject on raw/* and ledger/*, and the reads in docs/specifications.md. --local: allow writing to the folder.',
  },
  ARCHIVE_CONFLICT: {
    scope: 'mailbox',
    remedy: 'An object in the archive is not what its key says: run `mailsluice archive verify`.',
  },
  LEDGER_CORRUPT: {
    scope: 'mailbox',
    remedy: 'The ledger does not verify: run `mailsluice ledger verify` and keep everything as it is.',
  },
  CASE_CORRUPT: {
    scope: 'mailbox',
    remedy: 'A case of legal hold does not verify: keep everything as it is; its holds stay in force.',
  },
  CASE_STATE: {
    scope: 'message',
    remedy: '`mailsluice cases list` tells what is open and what is closed.',
  },
  EXPORT_FAILED: {
    scope: 'session',
    remedy: 'Free space in the folder, or allow writing to it; the same command goes on where it stopped.',
  },
  SEARCH_FAILED: {
    scope: 'session',
    remedy:
      'A ledger cannot be searched: run `mailsluice ledger verify`, which says where it is not as written.',
  },
  SEARCH_DENIED: {
    scope: 'mailbox',
    remedy:
      'Attach the policy SearcherPolicy of the archive stack to who searches; --engine duckdb reads the ledgers without Athena.',
  },
  SEARCH_MISSING: {
    scope: 'mailbox',
    remedy:
      'Deploy the archive stack again: it makes the workgroup, the database and the tables of a search.',
  },
  SEARCH_LIMITED: {
    scope: 'session',
    remedy:
      'Name mailboxes (--mailbox), whose ledgers alone are read then; raise aws.search.gigabytes, or take --engine duckdb.',
  },
  SEARCH_UNAVAILABLE: {
    scope: 'session',
    remedy: 'Search again; --engine duckdb reads the ledgers without Athena.',
  },
  SEAL_INVALID: {
    scope: 'mailbox',
    remedy:
      'A seal of the ledger is not what was signed: keep everything as it is, and look who may write to evidence/.',
  },
  PROOF_INVALID: {
    scope: 'message',
    remedy: 'It proves nothing: ask for message, proof and public key again, each from where it was made.',
  },
  NOT_SEALED: {
    scope: 'message',
    remedy: 'No seal covers the message yet: run `mailsluice ledger seal`, or wait for the daily one.',
  },
  SIGNING_UNAVAILABLE: { scope: 'session', remedy: 'Nothing was sealed; seal again when the key answers.' },
  SIGNING_KEY_UNUSABLE: {
    scope: 'mailbox',
    remedy:
      'Check seal.key: a file with a private Ed25519 or P-256 key (PEM), or an asymmetric KMS key (ECC_NIST_P256, SIGN_VERIFY) that may be used.',
  },
  TIMESTAMP_UNAVAILABLE: {
    scope: 'session',
    remedy: 'The seal stands without this timestamp; check seal.timestamps.',
  },
  EVENT_INVALID: {
    scope: 'message',
    remedy:
      'A consumer found no event of Mailsluice in it: look at it among the dead letters, and at who else writes to the queue.',
  },
  OBJECT_GONE: {
    scope: 'message',
    remedy:
      'It was deleted or has expired: what was derived of a message can be read out of the message itself.',
  },
  EVENT_UNDER_WAY: {
    scope: 'message',
    remedy:
      'Nothing: another consumer has begun with the event, and it comes again after its visibility timeout.',
  },
  QUEUE_MISSING: { scope: 'mailbox', remedy: 'Create the queue, or correct its name under `queues`.' },
  QUEUE_DENIED: {
    scope: 'mailbox',
    remedy: 'Allow the role sqs:SendMessage and sqs:GetQueueUrl on the queue.',
  },
} as const satisfies Record<string, Meaning>

export type ErrorCode = keyof typeof MEANING

/** Every code with its scope and remedy: for docs, tests and the command line. */
export const ERROR_CODES: Readonly<Record<ErrorCode, Meaning>> = MEANING

/** Codes of a session's end that one message can cause: a server that crashes over it, or a literal that never comes. */
export const CAUSED_BY_A_MESSAGE: ReadonlySet<ErrorCode> = new Set([
  'CONNECTION_LOST',
  'TIMED_OUT',
  'PROTOCOL_VIOLATION',
])

/**
 * The one error that a drain expects. Adapters translate what their library throws into it, once; outside adapters
 * nobody looks at errno, SDK names or message texts. `message` says what is wrong and where, and never a credential.
 */
export class IngestError extends Error {
  override readonly name = 'IngestError'
  readonly code: ErrorCode
  readonly scope: Scope
  readonly remedy: string

  constructor(code: ErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
    this.scope = MEANING[code].scope
    this.remedy = MEANING[code].remedy
  }
}

/** A mistake in configuration or usage (exit status 2): every problem at once, each with its path and what is allowed. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly problems: readonly string[]

  constructor(source: string, problems: readonly string[]) {
    super(
      `${source}: ${problems.length === 1 ? '1 mistake' : `${problems.length} mistakes`}\n${problems.map((p) => `  ${p}`).join('\n')}`,
    )
    this.problems = problems
  }
}
