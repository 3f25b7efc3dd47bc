import { type Fact, PROVIDER_IDS, type Provider, providerOf } from '../../shared/contract/providers.ts'
import { ERROR_CODES, type ErrorCode } from '../../shared/errors.ts'
import { FAILED_LOG_INS, failedLogIn } from '../../shared/failed-log-ins.ts'

const HEAD = `# Providers, OAuth 2.0 and refused log-ins

Written by \`npx node test/support/write-providers.ts\` from \`shared/contract/providers.ts\`, \`shared/errors.ts\` and
\`shared/failed-log-ins.ts\`; a test compares. What is not in the data stands in \`test/support/providers-markdown.ts\`.

\`npx mailsluice init ADDRESS\` finds the provider, says what to do there, tries the log-in and writes the mailbox. By hand,
\`provider: NAME\` fills in what this page says of it, and every setting that is written beside it wins:

    mailboxes:
      - { id: invoices, provider: fastmail, user: invoices@example.com, credential: "ssm:/mailsluice/invoices" }
      - id: orders
        provider: microsoft365
        user: orders@contoso.example
        credential: "secretsmanager:mailsluice/m365"
        oauth2: { tenant: contoso.example, clientId: 00000000-0000-0000-0000-000000000000 }

What a preset limits is kept to. A drain and a probe have one connection each, and the relay has what is left of \`limits.connections\`: one at least, six
at most; a canary needs one more for a moment. A drain stops fetching for the day (UTC) when \`limits.octetsPerDay\` are recorded, and up to what
it had asked for later; what was fetched and not recorded, and what other programs do with the mailbox, is not counted here, and counts at
the provider: hence four fifths.

## What the secret looks like

\`credential\` names where it is: \`env:NAME\`, \`file:PATH\` (refused when others may read it), \`ssm:NAME\` (SecureString) or
\`secretsmanager:ID\`. It is kept for five minutes, and read again at once after a refused log-in: a rotation needs no restart.

| \`auth\` and grant | The secret |
| --- | --- |
| password | the password (or app password) alone, or \`{"password": "…", "expires": "2027-01-31"}\`, beside other keys if need be: so the console of Secrets Manager makes it |
| oauth2, client-credentials with a secret | the client secret alone, or \`{"clientSecret": "…", "expires": "2027-01-31"}\` |
| oauth2, client-credentials with a certificate | private key and certificate in PEM, one after the other, or \`{"privateKey": "…", "certificate": "…"}\` |
| oauth2, service-account | the JSON key file, as Google gives it |
| oauth2, refresh-token | the refresh token alone, or \`{"refreshToken": "…", "clientSecret": "…", "expires": "…"}\` |

\`expires\` is optional. Where it is known (a certificate says it by itself) \`check\`, \`drain\` and \`relay\` tell it 30, 7 and 1 day ahead; in AWS the alarm
\`credential-expiring\` does.

An access token is kept until five minutes before it expires. Where a server ends a session when its token does (Gmail, Exchange Online), the
drain signs in with another one and goes on; so it does when a token is taken back in the middle of a session.

A refresh token that the provider replaces is written back before the access token that came with it is used:

| Store | How it is replaced only if nobody else has done so |
| --- | --- |
| \`secretsmanager:\` | a new version; the label AWSCURRENT is moved from the version that was read, which is refused when it is elsewhere. Needs \`secretsmanager:GetSecretValue\`, \`PutSecretValue\`, \`UpdateSecretVersionStage\` |
| \`file:\` | a new file, whose name says which one it follows; given by link, put in place by rename |
| \`ssm:\` | there is no conditional write: it is read just before; whoever writes in the same instant is overwritten (the history of the parameter keeps it). Needs \`ssm:GetParameter\`, \`PutParameter\`, \`DescribeParameters\` |
| \`env:\` | cannot be written: refused for this grant |
`

/** docs/providers.md. */
export function providersMarkdown(): string {
  return [HEAD, ...PROVIDER_IDS.map((id) => section(id, providerOf(id))), refusals()].join('\n')
}

function section(id: string, provider: Provider): string {
  const { name, steps, notes = [], domains, mx } = provider
  const told = [...domains.map((domain) => `\`@${domain}\``), ...mx.map((end) => `MX \`*${end}\``)]
  const rows = factsOf(provider).map(
    ([what, value, { source, read }]) => `| ${what} | ${value} | ${source} (${read}) |`,
  )
  return `## ${name}: \`provider: ${id}\`

Told by ${told.join(', ') || 'its name alone'}.

${steps.map((step, index) => `${index + 1}. ${step}`).join('\n')}
${notes.map((note) => `\n- ${note}`).join('')}${notes.length > 0 ? '\n' : ''}
| Setting | Value | Source (read) |
| --- | --- | --- |
${rows.join('\n')}
`
}

type Row = readonly [what: string, value: string, fact: Fact<unknown>]

function factsOf({
  imap,
  pop3,
  auth,
  oauth2,
  user,
  connections,
  octetsPerDay,
  idleRenewal,
  skipFolders,
}: Provider): Row[] {
  const endpoint = (what: string, fact: Provider['imap']): Row[] =>
    fact ? [[what, `\`${fact.value.host}:${fact.value.port}\`, ${fact.value.tls}`, fact]] : []
  const plain = (what: string, fact: Fact<string | number> | undefined): Row[] =>
    fact ? [[what, String(fact.value), fact]] : []
  return [
    ...endpoint('IMAP', imap),
    ...endpoint('POP3', pop3),
    ...plain('auth', auth),
    ...(oauth2
      ? [
          [
            'oauth2',
            `${oauth2.value.grant}; \`${oauth2.value.tokenUrl}\`; \`${oauth2.value.scope}\``,
            oauth2,
          ] as const,
        ]
      : []),
    ...plain('user: the', user),
    ...plain('connections at most (the relay leaves two)', connections),
    ...plain('octets a day by IMAP (80 % are used)', octetsPerDay?.imap),
    ...plain('octets a day by POP3 (80 % are used)', octetsPerDay?.pop3),
    ...plain('IDLE renewed after (by the relay every 4 minutes in any case)', idleRenewal),
    ...(skipFolders
      ? [
          [
            'folders that wildcards skip',
            skipFolders.value.map((use) => `\`${use}\``).join(', '),
            skipFolders,
          ] as const,
        ]
      : []),
  ]
}

/** What a log-in ends with, beside what suspends: it passes by itself. */
const PASSING: readonly ErrorCode[] = [
  'THROTTLED',
  'TOO_MANY_CONNECTIONS',
  'SERVER_UNAVAILABLE',
  'MAILDROP_LOCKED',
  'TOKEN_ENDPOINT_UNAVAILABLE',
  'SECRET_STORE_UNAVAILABLE',
]

function refusals(): string {
  const suspending = (Object.keys(FAILED_LOG_INS) as ErrorCode[]).map((code) => {
    const { firstPauseMs, words } = failedLogIn(code)
    return `| ${code} | ${words} | ${firstPauseMs / 60_000} min, doubled up to 4 h | ${ERROR_CODES[code].remedy} |`
  })
  const passing = PASSING.map(
    (code) => `| ${code} | the next drain tries again | ${ERROR_CODES[code].remedy} |`,
  )
  return `## When a log-in is refused

The response code of the server decides, and never its words alone: words narrow down a code that says little, and without a code they can
only make something passing of a refusal ("User is authenticated but not connected", "Server Unavailable"). \`test/mailbox/refusals.test.ts\` has the recorded answers
of Gmail, Microsoft 365, Exchange, Yahoo, iCloud, Zoho, Dovecot and Cyrus, each with its source.

These suspend the mailbox, for \`relay\` and on AWS; \`check\` and a \`drain\` by hand always try the log-in. It is over by itself when a log-in succeeds; one is tried when the pause is over, or as soon as the secret or the settings change.

| Error | Said by check, relay and log | Pauses | What to do |
| --- | --- | --- | --- |
${suspending.join('\n')}

These pass:

| Error | What happens | What to do |
| --- | --- | --- |
${passing.join('\n')}
`
}
