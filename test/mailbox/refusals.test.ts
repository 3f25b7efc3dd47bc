import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ERROR_CODES, type ErrorCode } from '../../shared/errors.ts'
import { parseStatus } from '../../shared/mailbox/pop3-wire.ts'
import { BY_WORDS_ALONE, loginMeaningOf, type Refusal } from '../../shared/mailbox/refusals.ts'

type Row = readonly [server: string, answer: string, means: ErrorCode, source: string]

/** Not one page: recorded many times in public code, where an exact search found it in 2026-11. */
const IN_PUBLIC_CODE = 'in public code'

/**
 * What servers answered a log-in with, as it was recorded in public, and where; pages were opened in 2026-11 and have it. A row that cites
 * source code has the code and the beginning that stand there.
 */
const IMAP: readonly Row[] = [
  [
    'Gmail',
    'NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)',
    'AUTHENTICATION_FAILED',
    'https://github.com/eikek/docspell/issues/520',
  ],
  [
    'Gmail',
    'NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)',
    'AUTHENTICATION_FAILED',
    'https://github.com/LukeSmithxyz/mutt-wizard/issues/831',
  ],
  [
    'Gmail',
    'NO [ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)',
    'ACCOUNT_RESTRICTED',
    'https://github.com/barbushin/php-imap/issues/87',
  ],
  [
    'Gmail',
    'NO [WEBALERT https://accounts.google.com/signin/continue?sarp=1&scc=1] Web login required.',
    'ACCOUNT_RESTRICTED',
    'https://github.com/pmengal/MailSystem.NET/issues/17',
  ],
  [
    'Gmail',
    'NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)',
    'ACCESS_DISABLED',
    'https://github.com/mozilla-b2g/gaia-email-libs-and-more/blob/b6d9a4aa403ebf6474502f7010645c24c94ed0a7/data/lib/mailapi/imap/probe.js',
  ],
  [
    'Google Workspace',
    'NO [ALERT] IMAP access is disabled for your domain. Please contact your domain administrator for questions about this feature. (Failure)',
    'ACCESS_DISABLED',
    'https://github.com/mozilla-b2g/gaia-email-libs-and-more/blob/b6d9a4aa403ebf6474502f7010645c24c94ed0a7/data/lib/mailapi/imap/probe.js',
  ],
  [
    'Gmail',
    'NO [ALERT] Too many simultaneous connections. (Failure)',
    'TOO_MANY_CONNECTIONS',
    'https://github.com/jstedfast/MailKit/issues/377',
  ],
  [
    'Gmail',
    'NO [OVERQUOTA] Account exceeded command or bandwidth limits.',
    'THROTTLED',
    'https://github.com/mailcow/mailcow-dockerized/issues/1554',
  ],
  [
    'Microsoft 365',
    'NO AUTHENTICATE failed.',
    'AUTHENTICATION_FAILED',
    'https://github.com/MicrosoftDocs/office-developer-exchange-docs/issues/87',
  ],
  [
    'Microsoft 365',
    'NO LOGIN failed.',
    'AUTHENTICATION_FAILED',
    'https://github.com/imapsync/imapsync/issues/395',
  ],
  [
    'Microsoft 365',
    'BAD User is authenticated but not connected.',
    'THROTTLED',
    'https://github.com/mscdex/node-imap/issues/523',
  ],
  [
    'Microsoft 365',
    'BAD Request is throttled. Suggested Backoff Time: 89117 milliseconds',
    'THROTTLED',
    'https://github.com/simonrob/email-oauth2-proxy/issues/191',
  ],
  [
    'Exchange',
    'NO Server Unavailable. 15',
    'SERVER_UNAVAILABLE',
    'https://github.com/lefcha/imapfilter/issues/146',
  ],
  [
    'Yahoo',
    'NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials',
    'AUTHENTICATION_FAILED',
    'https://github.com/Enough-Software/enough_mail/issues/245',
  ],
  [
    'Yahoo',
    'NO [AUTHENTICATIONFAILED] (#AUTH901) The provided OAuth2 access token is invalid',
    'AUTHENTICATION_FAILED',
    'https://github.com/jstedfast/MailKit/issues/221',
  ],
  [
    'Yahoo',
    'NO [LIMIT] CAPABILITY Rate limit hit.',
    'THROTTLED',
    'https://github.com/postalsys/imapflow/issues/75',
  ],
  [
    'Yahoo',
    'NO [SERVERBUG] UID SEARCH Server error',
    'SERVER_UNAVAILABLE',
    'https://github.com/smiley22/S22.Imap/issues/98',
  ],
  [
    'Yahoo',
    'NO [UNAVAILABLE] UID FETCH Service is temporarily not available',
    'SERVER_UNAVAILABLE',
    'https://github.com/LukeSmithxyz/mutt-wizard/issues/764',
  ],
  [
    'iCloud',
    'NO [AUTHENTICATIONFAILED] Authentication failed',
    'AUTHENTICATION_FAILED',
    'https://github.com/lefcha/imapfilter/issues/125',
  ],
  [
    'iCloud',
    'BAD [UNAVAILABLE] Service temporarily unavailable',
    'SERVER_UNAVAILABLE',
    'https://github.com/MailCore/mailcore2/pull/1642',
  ],
  [
    'Dovecot',
    'NO [UNAVAILABLE] Temporary authentication failure. [mailserver5:2020-06-11 13:56:19]',
    'SERVER_UNAVAILABLE',
    'https://github.com/docker-mailserver/docker-mailserver/issues/1534',
  ],
  [
    'Dovecot',
    'NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=16)',
    'TOO_MANY_CONNECTIONS',
    'https://github.com/mscdex/node-imap/issues/606',
  ],
  [
    'Dovecot',
    'NO [EXPIRED] Password expired.',
    'CREDENTIAL_EXPIRED',
    'https://github.com/dovecot/core/blob/main/src/imap-login/imap-login-client.c',
  ],
  [
    'Dovecot',
    'NO [CONTACTADMIN] Login is disabled.',
    'ACCOUNT_RESTRICTED',
    'https://github.com/dovecot/core/blob/main/src/imap-login/imap-login-client.c',
  ],
  [
    'Dovecot',
    'NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.',
    'TLS_UNAVAILABLE',
    'https://github.com/dovecot/core/blob/main/src/login-common/login-common.h',
  ],
  [
    'Cyrus',
    'NO Login failed: authentication failure',
    'AUTHENTICATION_FAILED',
    'https://github.com/cyrusimap/cyrus-imapd/blob/master/imap/imapd.c',
  ],
  [
    'Zoho',
    'NO [ALERT] You are yet to enable IMAP for your account. Please contact your administrator (Failure)',
    'ACCESS_DISABLED',
    IN_PUBLIC_CODE,
  ],
]

const POP3: readonly Row[] = [
  [
    'GMX',
    '-ERR authentication failed',
    'AUTHENTICATION_FAILED',
    'https://github.com/jens-maus/yam/issues/638',
  ],
  ['Gmail', '-ERR [AUTH] Username and password not accepted.', 'AUTHENTICATION_FAILED', IN_PUBLIC_CODE],
  [
    'Gmail',
    '-ERR [AUTH] Application-specific password required: http://support.google.com/accounts/bin/answer.py?answer=185833',
    'AUTHENTICATION_FAILED',
    'https://github.com/mailman/mailman/issues/50',
  ],
  [
    'Gmail',
    '-ERR [AUTH] Web login required: https://support.google.com/mail/answer/78754',
    'ACCOUNT_RESTRICTED',
    IN_PUBLIC_CODE,
  ],
  [
    'Gmail',
    '-ERR [SYS/PERM] Your account is not enabled for POP access. Please visit your Gmail settings page and enable your account for POP access.',
    'ACCESS_DISABLED',
    IN_PUBLIC_CODE,
  ],
  [
    'Gmail',
    '-ERR [AUTH] Account exceeded pop command or bandwidth limits (Failure)',
    'THROTTLED',
    IN_PUBLIC_CODE,
  ],
  [
    'Microsoft 365',
    '-ERR Authentication failure: unknown user name or bad password.',
    'AUTHENTICATION_FAILED',
    'https://github.com/simonrob/email-oauth2-proxy/issues/244',
  ],
  [
    'Exchange',
    '-ERR Logon failure: unknown user name or bad password.',
    'AUTHENTICATION_FAILED',
    'https://github.com/mattnenterprise/rust-pop3/issues/17',
  ],
  [
    'Dovecot',
    '-ERR [AUTH] Authentication failed.',
    'AUTHENTICATION_FAILED',
    'https://github.com/dovecot/core/blob/main/src/pop3-login/client.c',
  ],
  [
    'Dovecot',
    '-ERR [SYS/TEMP] Temporary authentication failure. [mail:2026-01-01 00:00:00]',
    'SERVER_UNAVAILABLE',
    'https://github.com/dovecot/core/blob/main/src/pop3-login/client.c',
  ],
  [
    'Dovecot',
    '-ERR [SYS/TEMP] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)',
    'TOO_MANY_CONNECTIONS',
    'https://github.com/dovecot/core/blob/main/src/pop3-login/client.c',
  ],
  [
    'Dovecot, older',
    '-ERR [IN-USE] Temporary authentication failure.',
    'MAILDROP_LOCKED',
    'https://github.com/dovecot/core/blob/release-2.1/src/pop3-login/client.c',
  ],
  [
    'Cyrus',
    '-ERR [AUTH] Invalid login',
    'AUTHENTICATION_FAILED',
    'https://github.com/cyrusimap/cyrus-imapd/blob/master/imap/pop3d.c',
  ],
  [
    'Cyrus',
    '-ERR [IN-USE] Unable to lock maildrop: Mailbox is locked by POP server',
    'MAILDROP_LOCKED',
    'https://github.com/cyrusimap/cyrus-imapd/blob/master/imap/pop3d.c',
  ],
  [
    'Cyrus',
    '-ERR [SYS/PERM] Unable to locate maildrop: Mailbox does not exist',
    'MAILBOX_MISSING',
    'https://github.com/cyrusimap/cyrus-imapd/blob/master/imap/pop3d.c',
  ],
  [
    'RFC 1939',
    '-ERR maildrop already locked',
    'MAILDROP_LOCKED',
    'https://www.rfc-editor.org/rfc/rfc1939#section-7',
  ],
  [
    'RFC 2449',
    '-ERR [LOGIN-DELAY] minimum time between mail checks violation',
    'THROTTLED',
    'https://www.rfc-editor.org/rfc/rfc2449#section-8.1.1',
  ],
]

function imapRefusal(answer: string): Refusal {
  const [, code = '', text = ''] = /^(?:NO|BAD) (?:\[([A-Z-]+)[^\]]*\] )?(.*)$/.exec(answer) ?? []
  return { code, text }
}

function pop3Refusal(answer: string): Refusal {
  const status = parseStatus(answer)
  assert.ok(status, answer)
  return status
}

describe('a refused log-in, as servers were seen to say it', () => {
  for (const [rows, read] of [
    [IMAP, imapRefusal],
    [POP3, pop3Refusal],
  ] as const)
    for (const [server, answer, means, source] of rows) {
      test(`${server}: ${answer.slice(0, 90)} is ${means}`, () => {
        assert.equal(loginMeaningOf(read(answer), 'password'), means)
        assert.match(source, /^(https:\/\/|in public code$)/)
      })

      test(`${server}: ${answer.slice(0, 60)} to an access token tells another thing only when it was the secret`, () => {
        const expected = means === 'AUTHENTICATION_FAILED' ? 'ACCESS_TOKEN_REJECTED' : means
        assert.equal(loginMeaningOf(read(answer), 'access token'), expected)
      })
    }

  test('every kind of refusal was seen', () => {
    const seen = new Set([...IMAP, ...POP3].map(([, , means]) => means))
    for (const code of [
      'AUTHENTICATION_FAILED',
      'CREDENTIAL_EXPIRED',
      'MAILBOX_MISSING',
      'ACCESS_DISABLED',
      'ACCOUNT_RESTRICTED',
      'THROTTLED',
      'TOO_MANY_CONNECTIONS',
      'SERVER_UNAVAILABLE',
    ] as const)
      assert.ok(seen.has(code), code)
  })
})

describe('words without a response code', () => {
  test('never suspend a mailbox', () => {
    assert.ok(BY_WORDS_ALONE.length >= 4)
    for (const code of BY_WORDS_ALONE) assert.equal(ERROR_CODES[code].scope, 'session', code)
  })

  const harmless = [
    'Your account is not enabled for IMAP use.',
    'Mailbox does not exist',
    'Please log in via your web browser',
    'the account is locked',
  ]
  for (const text of harmless)
    test(`"${text}" is a plain refusal of the log-in`, () => {
      assert.equal(loginMeaningOf({ code: '', text }, 'password'), 'AUTHENTICATION_FAILED')
    })

  test('do not make a wrong password of what the server says of itself', () => {
    const text = 'invalid password, authentication failed'
    assert.equal(loginMeaningOf({ code: 'UNAVAILABLE', text }, 'password'), 'SERVER_UNAVAILABLE')
    assert.equal(loginMeaningOf({ code: 'SYS/TEMP', text }, 'password'), 'SERVER_UNAVAILABLE')
  })
})
