import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ErrorCode, IngestError } from '../../shared/errors.ts'
import { toIngestError } from '../../shared/mailbox/imap-errors.ts'

/** An error as imapflow makes it for a tagged answer. */
function answered(status: 'NO' | 'BAD', text: string, code?: string): Error {
  const section = code === undefined ? undefined : [{ type: 'ATOM', value: code }]
  return Object.assign(new Error('Command failed'), {
    responseStatus: status,
    responseText: text,
    response: { attributes: [{ section }] },
  })
}

function signIn(text: string, code?: string): Error {
  return Object.assign(new Error('Command failed'), {
    responseStatus: 'NO',
    authenticationFailed: true,
    response: text,
    ...(code === undefined ? {} : { serverResponseCode: code }),
  })
}

function failing(code: string): Error {
  return Object.assign(new Error(`failed with ${code}`), { code })
}

const TABLE: readonly (readonly [string, Error, ErrorCode])[] = [
  ['log-in: NO without a code', signIn('Invalid credentials'), 'AUTHENTICATION_FAILED'],
  [
    'log-in: AUTHENTICATIONFAILED',
    signIn('Authentication failed.', 'AUTHENTICATIONFAILED'),
    'AUTHENTICATION_FAILED',
  ],
  ['log-in: AUTHORIZATIONFAILED', signIn('no', 'AUTHORIZATIONFAILED'), 'AUTHENTICATION_FAILED'],
  ['log-in: EXPIRED', signIn('Password expired', 'EXPIRED'), 'CREDENTIAL_EXPIRED'],
  ['log-in: PRIVACYREQUIRED', signIn('use TLS', 'PRIVACYREQUIRED'), 'TLS_UNAVAILABLE'],
  ['log-in: UNAVAILABLE', signIn('Temporary authentication failure.', 'UNAVAILABLE'), 'SERVER_UNAVAILABLE'],
  ['log-in: INUSE', signIn('in use', 'INUSE'), 'SERVER_UNAVAILABLE'],
  ['log-in: LIMIT', signIn('too many', 'LIMIT'), 'THROTTLED'],
  [
    'log-in: Gmail, too many connections',
    signIn('[ALERT] Too many simultaneous connections. (Failure)', 'ALERT'),
    'TOO_MANY_CONNECTIONS',
  ],
  [
    'Exchange: authenticated but not connected',
    signIn('User is authenticated but not connected.'),
    'THROTTLED',
  ],
  [
    'Exchange: back-off',
    answered('BAD', 'Request is throttled. Suggested Backoff Time: 92415 milliseconds'),
    'THROTTLED',
  ],
  ['imapflow: throttled', failing('ETHROTTLE'), 'THROTTLED'],
  [
    'command: OVERQUOTA',
    answered('NO', 'Account exceeded command or bandwidth limits', 'OVERQUOTA'),
    'THROTTLED',
  ],
  ['command: SERVERBUG, lower case', answered('NO', 'oops', 'serverbug'), 'SERVER_UNAVAILABLE'],
  ['command: TRYCREATE', answered('NO', 'no such mailbox', 'TRYCREATE'), 'FOLDER_MISSING'],
  ['command: NO without a code', answered('NO', 'no'), 'ACKNOWLEDGEMENT_REFUSED'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'].map(
    (code) => [`socket: ${code}`, failing(code), 'CONNECTION_FAILED'] as const,
  ),
  ...['ECONNRESET', 'EPIPE', 'NoConnection', 'EConnectionClosed'].map(
    (code) => [`socket: ${code}`, failing(code), 'CONNECTION_LOST'] as const,
  ),
  ...['CONNECT_TIMEOUT', 'GREETING_TIMEOUT', 'UPGRADE_TIMEOUT', 'ETIMEOUT'].map(
    (code) => [`time: ${code}`, failing(code), 'TIMED_OUT'] as const,
  ),
  ...[
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ].map((code) => [`certificate: ${code}`, failing(code), 'CERTIFICATE_REJECTED'] as const),
  ['TLS: not TLS at all', failing('ERR_SSL_WRONG_VERSION_NUMBER'), 'TLS_UNAVAILABLE'],
  [
    'TLS: no STARTTLS',
    Object.assign(new Error('Server does not support STARTTLS'), { tlsFailed: true }),
    'TLS_UNAVAILABLE',
  ],
  ['TLS: injection', Object.assign(failing('STARTTLS_INJECTION'), { tlsFailed: true }), 'PROTOCOL_VIOLATION'],
  ...[
    'LiteralTooLarge',
    'LineTooLarge',
    'ResponseTooLarge',
    'TooManyTokens',
    'ParserError11',
    'MissingTag',
  ].map((code) => [`protocol: ${code}`, failing(code), 'PROTOCOL_VIOLATION'] as const),
]

describe('what imapflow, the socket and the server fail with', () => {
  for (const [name, error, code] of TABLE)
    test(`${name} is ${code}`, () => {
      const translated = toIngestError(error, 'host (user): doing', 'ACKNOWLEDGEMENT_REFUSED')

      assert.ok(translated instanceof IngestError)
      assert.equal(translated.code, code)
      assert.equal(translated.cause, error)
      assert.match(translated.message, /^host \(user\): doing: ./)
    })

  test('anything else is a defect and stays what it is', () => {
    const defect = new TypeError('undefined is not a function')

    assert.equal(toIngestError(defect, 'doing'), defect)
    assert.equal(toIngestError('text', 'doing'), 'text')
  })

  test("the server's words are bounded and printable", () => {
    const translated = toIngestError(answered('NO', `a\r\nb\x1b[31m${'x'.repeat(5_000)}`), 'doing')

    assert.ok(translated instanceof IngestError)
    assert.match(translated.message, /a b \[31mxxx/)
    assert.ok(translated.message.length < 400)
  })
})
