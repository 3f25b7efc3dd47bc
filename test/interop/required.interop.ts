import assert from 'node:assert/strict'
import { test } from 'node:test'
import { corpusMissing } from '../support/corpus.ts'
import * as courier from '../support/courier.ts'
import * as dovecot from '../support/dovecot.ts'
import { motoMissing } from './engines/aws-engine.ts'
import { versity } from './engines/s3-engine.ts'
import { elasticmqMissing } from './engines/sqs-engine.ts'
import { trinoMissing } from './engines/trino-engine.ts'

// Tests whose engine is not there are skipped by name. Where they are expected to run that must not pass unnoticed:
// MAILSLUICE_REQUIRE=dovecot,courier,… makes a missing one a failure.

const MISSING: Readonly<Record<string, () => string | undefined>> = {
  dovecot: dovecot.available,
  courier: courier.available,
  versitygw: () => (versity.binary ? undefined : versity.missing),
  elasticmq: elasticmqMissing,
  moto: motoMissing,
  trino: trinoMissing,
  corpus: corpusMissing,
}

const required = (process.env.MAILSLUICE_REQUIRE ?? '').split(',').filter((name) => name !== '')

for (const name of required)
  test(`${name} is there, as MAILSLUICE_REQUIRE says`, () => {
    const missing = MISSING[name]
    assert.ok(missing, `${name} is none of ${Object.keys(MISSING).join(', ')}`)
    assert.equal(missing(), undefined)
  })
