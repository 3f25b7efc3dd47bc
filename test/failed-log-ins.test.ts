import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ERROR_CODES, type ErrorCode, IngestError } from '../shared/errors.ts'
import { FAILED_LOG_INS, failedLogIn, pauseMs, suspends } from '../shared/failed-log-ins.ts'

const HOUR_MS = 3_600_000
const CODES = (Object.keys(ERROR_CODES) as ErrorCode[]).filter((code) => suspends(new IngestError(code, 'x')))

describe('after a log-in that failed', () => {
  for (const code of CODES)
    test(`${code}: the pauses grow to four hours, and no more than four log-ins fail in an hour`, () => {
      const tries = [0]
      for (let failures = 1; failures <= 12; failures++)
        tries.push((tries.at(-1) ?? 0) + pauseMs(code, failures))

      for (const from of tries)
        assert.ok(tries.filter((at) => at >= from && at < from + HOUR_MS).length <= 4, `from ${from}`)
      assert.equal((tries.at(-1) ?? 0) - (tries.at(-2) ?? 0), 4 * HOUR_MS)
    })

  test('an account that the provider restricts is left alone for an hour, a missing permission for half of one', () => {
    assert.equal(pauseMs('ACCOUNT_RESTRICTED', 1), HOUR_MS)
    assert.equal(pauseMs('CONSENT_MISSING', 1), HOUR_MS / 2)
    assert.equal(pauseMs('AUTHENTICATION_FAILED', 1), HOUR_MS / 12)
  })
})

test('every refusal of a log-in has words of its own', () => {
  const about = CODES.filter((code) =>
    /^(AUTH|CREDENTIAL|TOKEN|GRANT|CONSENT|ACCESS|ACCOUNT|MAILBOX|CERTIFICATE|TLS)/.test(code),
  )
  assert.deepEqual(
    about.filter((code) => !(code in FAILED_LOG_INS)),
    [],
  )
  const words = about.map((code) => failedLogIn(code).words)
  assert.equal(new Set(words).size, words.length)
  for (const each of words) assert.match(each, /^\S.{10,90}[a-zS]$/)
})
