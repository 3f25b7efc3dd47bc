import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigurationError, ERROR_CODES, type ErrorCode, IngestError } from '../shared/errors.ts'

describe('an ingest error', () => {
  test('knows its scope and remedy by its code, and keeps its cause', () => {
    const cause = new Error('ECONNRESET')

    const error = new IngestError('CONNECTION_LOST', 'invoices: the server hung up', { cause })

    assert.equal(error.scope, 'session')
    assert.equal(error.remedy, ERROR_CODES.CONNECTION_LOST.remedy)
    assert.equal(error.cause, cause)
    assert.equal(String(error), 'IngestError: invoices: the server hung up')
  })

  test('about credentials, certificates or the archive itself never lets a drain sign in again by itself', () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[]
    const suspending = codes.filter((code) =>
      /AUTHENTICATION|CREDENTIAL|CERTIFICATE|DENIED|MISSING|CONFLICT|CORRUPT|MISCONFIGURED/.test(code),
    )
    assert.ok(suspending.length >= 10)
    for (const code of suspending) assert.equal(ERROR_CODES[code].scope, 'mailbox', code)
  })

  test('that passes by itself ends the session alone', () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[]
    const passing = codes.filter((code) =>
      /LOST$|TIMED_OUT|THROTTLED|_UNAVAILABLE$|LOCKED|_FAILED$/.test(code),
    )
    for (const code of passing)
      if (!['AUTHENTICATION_FAILED', 'TLS_UNAVAILABLE'].includes(code))
        assert.equal(ERROR_CODES[code].scope, 'session', code)
  })

  for (const [code, { remedy }] of Object.entries(ERROR_CODES))
    test(`${code} tells the operator in one or two sentences what to do`, () => {
      assert.match(code, /^[A-Z0-9]+(_[A-Z0-9]+)*$/)
      assert.match(remedy, /^[A-Z`].{10,}\.$/)
      assert.ok(remedy.length <= 160, `${remedy.length} characters`)
    })

  test('has a code that the compiler knows', () => {
    // @ts-expect-error a code that is not in the table
    const error = () => new IngestError('NO_SUCH_CODE', 'x')
    assert.throws(error, TypeError)
  })
})

describe('a configuration error', () => {
  test('lists every mistake, one a line', () => {
    assert.equal(
      new ConfigurationError('mailsluice.yaml', ['queues: required', 'mailboxes: required']).message,
      'mailsluice.yaml: 2 mistakes\n  queues: required\n  mailboxes: required',
    )
    assert.equal(
      new ConfigurationError('--queue', ['x is unknown']).message,
      '--queue: 1 mistake\n  x is unknown',
    )
  })
})
