import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { readPublicKey } from '../../shared/seal/seal.ts'
import type { Signer } from '../../shared/seal/signer.ts'
import { openFileSigner } from '../../shared/seal/signer-file.ts'
import { openKmsSigner } from '../../shared/seal/signer-kms.ts'
import { openTimestampAuthority } from '../../shared/seal/timestamp-http.ts'
import { type KmsServerOptions, startKmsServer } from '../support/kms-server.ts'
import { without } from '../support/programs.ts'
import { startTimestampServer } from '../support/timestamp-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailsluice-signers-'))
after(() => rmSync(folder, { recursive: true }))
const TEXT = Buffer.from('{"type":"seal"}')

describe('a key in a file', () => {
  test('is made once, for its owner alone, and signs what openssl verifies', {
    skip: without('openssl'),
  }, async () => {
    const file = join(folder, 'keys', 'seal.pem')
    const signer = openFileSigner(file, { create: true })
    const [signature, pem] = [await signer.sign(TEXT), await signer.publicKey()]

    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(await openFileSigner(file, { create: true }).publicKey(), pem)
    const name = (each: string): string => join(folder, each)
    writeFileSync(name('text'), TEXT)
    writeFileSync(name('signature'), signature)
    writeFileSync(name('public.pem'), pem)
    const words = [
      'pkeyutl',
      '-verify',
      '-pubin',
      '-inkey',
      name('public.pem'),
      '-rawin',
      '-in',
      name('text'),
    ]
    const said = execFileSync('openssl', [...words, '-sigfile', name('signature')], { encoding: 'utf8' })
    assert.match(said, /Verified Successfully/)
  })

  for (const [what, content] of [
    ['is not there', undefined],
    ['is no key', 'no key'],
    [
      'is of another kind',
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ],
    [
      'is on another curve',
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ],
  ] as const)
    test(`that ${what} is refused`, async () => {
      const file = join(folder, what.replaceAll(' ', '-'))
      if (content !== undefined) writeFileSync(file, content)

      await assert.rejects(openFileSigner(file).sign(TEXT), { code: 'SIGNING_KEY_UNUSABLE' })
    })
})

async function withKms(options: KmsServerOptions, work: (signer: Signer) => Promise<void>): Promise<void> {
  process.env.AWS_REGION ??= 'eu-central-1'
  process.env.AWS_ACCESS_KEY_ID ??= 'test'
  process.env.AWS_SECRET_ACCESS_KEY ??= 'test'
  const server = await startKmsServer(options)
  const signer = openKmsSigner('alias/seal', server.endpoint)
  try {
    await work(signer)
  } finally {
    signer.close()
    await server.close()
  }
}

describe('a key in KMS', () => {
  test('signs what its public key verifies', { skip: without('openssl') }, () =>
    withKms({}, async (signer) => {
      const key = readPublicKey(await signer.publicKey())
      assert.ok(key)
      assert.ok(verify('sha256', TEXT, key, await signer.sign(TEXT)))
    }),
  )

  for (const [what, fail, code] of [
    ['that is disabled', { status: 400, type: 'DisabledException' }, 'SIGNING_KEY_UNUSABLE'],
    ['that may not be used', { status: 400, type: 'AccessDeniedException' }, 'SIGNING_KEY_UNUSABLE'],
    ['that is throttled', { status: 400, type: 'ThrottlingException' }, 'SIGNING_UNAVAILABLE'],
    ['whose service fails', { status: 500, type: 'KMSInternalException' }, 'SIGNING_UNAVAILABLE'],
  ] as const)
    test(`${what} answers ${code}`, () =>
      withKms({ fail }, async (signer) => {
        await assert.rejects(signer.sign(TEXT), { code })
        await assert.rejects(signer.publicKey(), { code })
      }))

  test('of another kind is refused', () =>
    withKms({ keySpec: 'RSA_2048' }, async (signer) => {
      await assert.rejects(signer.publicKey(), { code: 'SIGNING_KEY_UNUSABLE' })
    }))

  test('that cannot be reached is tried again later', async () => {
    const signer = openKmsSigner('alias/seal', 'http://127.0.0.1:9')
    await assert.rejects(signer.sign(TEXT), { code: 'SIGNING_UNAVAILABLE' })
    signer.close()
  })
})

const authority = await startTimestampServer()
after(() => authority?.close())

describe('a timestamp', { skip: authority ? false : 'openssl is not installed' }, () => {
  const unavailable = { code: 'TIMESTAMP_UNAVAILABLE' }

  test('is what openssl verifies for the octets and no others', async () => {
    assert.ok(authority)
    const answer = await openTimestampAuthority(authority.url).stamp(TEXT)
    const name = (each: string): string => join(folder, each)
    writeFileSync(name('answer.tsr'), answer)
    writeFileSync(name('tsa.pem'), authority.certificate)
    writeFileSync(name('stamped'), TEXT)
    writeFileSync(name('other'), 'other')
    const check = (data: string) =>
      execFileSync(
        'openssl',
        ['ts', '-verify', '-data', name(data), '-in', name('answer.tsr'), '-CAfile', name('tsa.pem')],
        { encoding: 'utf8', stdio: 'pipe' },
      )

    assert.match(check('stamped'), /Verification: OK/)
    assert.throws(() => check('other'))
  })

  test('that is for other octets, refused, or no answer at all is not taken', async () => {
    assert.ok(authority)
    const stamp = () => openTimestampAuthority(authority.url).stamp(TEXT)
    await stamp()
    const granted = authority.responses.at(-1) as Buffer
    authority.answer(200, granted)
    await assert.rejects(stamp(), /another question/)
    authority.answer(200, Buffer.from('30053003020102', 'hex'))
    await assert.rejects(stamp(), /did not grant/)
    for (const body of ['', '30', '3080', '30850000000000', '<html>']) {
      authority.answer(200, Buffer.from(body, body.startsWith('<') ? 'utf8' : 'hex'))
      await assert.rejects(stamp(), unavailable)
    }
    authority.answer(503, granted)
    await assert.rejects(stamp(), /HTTP 503/)
    authority.answer(200, Buffer.alloc(200_000))
    await assert.rejects(stamp(), /more than 65536 octets/)
    await assert.rejects(openTimestampAuthority('http://127.0.0.1:9/').stamp(TEXT), unavailable)
  })
})
