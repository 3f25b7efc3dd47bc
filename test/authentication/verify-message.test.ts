import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { after, afterEach, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Dns } from '../../shared/authentication/dns.ts'
import { DnsRecord, recordedDns } from '../../shared/authentication/dns-record.ts'
import { openDnsResolver } from '../../shared/authentication/dns-resolver.ts'
import { openMessage } from '../../shared/authentication/header-section.ts'
import { type VerifyOptions, verifyMessage } from '../../shared/authentication/verify-message.ts'
import type { Verification } from '../../shared/contract/authentication.ts'
import { deadlineIn, never } from '../../shared/deadline.ts'
import { AUTHENTICATION } from '../../shared/limits.ts'
import { DnsServer } from '../support/dns-server.ts'
import { dkimKey, ed25519Key, forwarded, MESSAGE, signed, taken } from '../support/signed-mail.ts'

const VERIFY_LARGE = fileURLToPath(new URL('../support/verify-large.ts', import.meta.url))
const NOW = new Date('2026-11-30T12:00:00Z')
const KEY = dkimKey()
const ZONE = {
  'one._domainkey.sender.example TXT': [KEY.record],
  'sender.example TXT': ['v=spf1 ip4:192.0.2.0/24 -all'],
  '_dmarc.sender.example TXT': ['v=DMARC1; p=reject'],
}

let dns: DnsServer
before(async () => {
  dns = await DnsServer.open(ZONE)
})
after(() => dns[Symbol.asyncDispose]())
afterEach(() => {
  dns.silent = false
  dns.asked.length = 0
  dns.clear()
  dns.set(ZONE)
})

async function* inPieces(octets: Buffer, size = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size)
}

function verify(message: string | Buffer, options: Partial<VerifyOptions> = {}) {
  return verifyMessage(inPieces(Buffer.from(message)), {
    receivedBy: 'mx.receiver.example',
    dns: openDnsResolver([dns.address]),
    at: NOW,
    ...options,
  })
}

const resultsOf = ({ dkim, spf, dmarc, arc }: Verification): string[] => [
  ...dkim.map(({ result }) => `dkim ${result}`),
  `spf ${spf.result}`,
  `dmarc ${dmarc.result}`,
  `arc ${arc.result}`,
]

describe('a message', () => {
  test('that its sender signed and sent passes DKIM, SPF and DMARC, and says by what', async () => {
    const { verification, answers, temporary } = await verify(taken(await signed(MESSAGE, { key: KEY })))

    assert.deepEqual(resultsOf(verification), ['dkim pass', 'spf pass', 'dmarc pass', 'arc none'])
    const [signature] = verification.dkim
    assert.equal(signature?.domain, 'sender.example')
    assert.equal(signature?.selector, 'one')
    assert.equal(signature?.aligned, true)
    assert.equal(verification.spf.clientAddress, '192.0.2.25')
    assert.equal(verification.spf.mailFrom, 'bounces@sender.example')
    assert.deepEqual(
      [verification.dmarc.domain, verification.dmarc.policyDomain, verification.dmarc.policy],
      ['sender.example', 'sender.example', 'reject'],
    )
    assert.equal(temporary, false)
    const key = answers.find(({ name }) => name === 'one._domainkey.sender.example')
    assert.deepEqual(key, {
      type: 'answer',
      name: 'one._domainkey.sender.example',
      rrtype: 'TXT',
      at: NOW.toISOString(),
      records: [KEY.record],
    })
  })

  test('is proven by what is kept of it when the key is gone, and its forgery is not', async () => {
    const message = taken(await signed(MESSAGE, { key: KEY }))
    const { verification, answers } = await verify(message)
    dns.clear()
    assert.deepEqual(resultsOf((await verify(message)).verification), [
      'dkim neutral',
      'spf none',
      'dmarc none',
      'arc none',
    ])
    dns.asked.length = 0

    const again = await verify(message, { dns: recordedDns(answers) })
    const forged = await verify(message.replace('42.00', '42000'), { dns: recordedDns(answers) })

    assert.deepEqual(again.verification, verification)
    assert.deepEqual(again.answers, answers)
    assert.equal(forged.verification.dkim[0]?.result, 'fail')
    assert.deepEqual(dns.asked, [])
  })

  test('whose body was changed fails', async () => {
    const message = taken(await signed(MESSAGE, { key: KEY }), { client: '198.51.100.1' })
    const { verification } = await verify(message.replace('42.00', '42000'))

    assert.deepEqual(resultsOf(verification), ['dkim fail', 'spf fail', 'dmarc fail', 'arc none'])
    assert.equal(verification.dkim[0]?.aligned, undefined)
    assert.equal(verification.dmarc.policy, 'reject')
  })

  test('whose subject was changed fails', async () => {
    const message = (await signed(MESSAGE, { key: KEY })).replace('Invoice 42', 'Invoice 43')
    const { verification } = await verify(taken(message))

    assert.equal(verification.dkim[0]?.result, 'fail')
  })

  test('whose signer has put another key in place fails', async () => {
    dns.set({ 'one._domainkey.sender.example TXT': [dkimKey().record] })
    const { verification } = await verify(taken(await signed(MESSAGE, { key: KEY })))

    assert.equal(verification.dkim[0]?.result, 'fail')
  })

  test('without a signature has none, and passes DMARC by SPF alone', async () => {
    const { verification } = await verify(taken(MESSAGE))

    assert.deepEqual(resultsOf(verification), ['dkim none', 'spf pass', 'dmarc pass', 'arc none'])
  })

  test('that is signed by Ed25519 passes', async () => {
    const key = ed25519Key()
    dns.set({ 'one._domainkey.sender.example TXT': [key.record] })
    const { verification } = await verify(taken(await signed(MESSAGE, { key })))

    assert.deepEqual(
      [verification.dkim[0]?.result, verification.dkim[0]?.algorithm],
      ['pass', 'ed25519-sha256'],
    )
  })

  test('that was forwarded and sealed has a chain that holds; DMARC fails all the same', async () => {
    dns.set({ 'arc._domainkey.forwarder.example TXT': [KEY.record] })
    const message = await forwarded(await signed(MESSAGE, { key: dkimKey() }), KEY)
    const { verification, answers } = await verify(taken(message, { client: '198.51.100.1' }))

    assert.deepEqual(resultsOf(verification), ['dkim fail', 'spf fail', 'dmarc fail', 'arc pass'])
    assert.equal(verification.arc.instance, 1)
    assert.ok(answers.some(({ name }) => name === 'arc._domainkey.forwarder.example'))
  })

  test('whose sealer’s key cannot be had now has a chain of which nothing is known', async () => {
    dns.set({ 'arc._domainkey.forwarder.example TXT': 'servfail' })
    const { verification, temporary } = await verify(taken(await forwarded(MESSAGE, KEY)))

    assert.equal(verification.arc.result, 'temperror')
    assert.equal(temporary, true)
  })

  test('that was changed after it was sealed has a chain that does not hold', async () => {
    dns.set({ 'arc._domainkey.forwarder.example TXT': [KEY.record] })
    const message = await forwarded(MESSAGE, KEY)
    for (const changed of [message.replace('42.00', '42000'), message.replace('dkim=pass', 'dkim=none')]) {
      const { verification } = await verify(taken(changed))
      assert.equal(verification.arc.result, 'fail')
    }
  })

  test('with lines that are not signed at its end says how many octets', async () => {
    const message = await signed(MESSAGE, { key: KEY, maxBodyLength: 10 })
    const { verification } = await verify(taken(message))

    assert.equal(verification.dkim[0]?.result, 'pass')
    assert.equal(verification.dkim[0]?.unsignedOctets, 36)
  })

  test('with two From fields has no DMARC result', async () => {
    const { verification } = await verify(taken(`From: other@other.example\r\n${MESSAGE}`))

    assert.equal(verification.dmarc.result, 'none')
    assert.equal(verification.dmarc.reason, 'multiple-from-fields')
  })
})

describe('a signature that expires', () => {
  const dates = { signedAt: new Date('2026-11-30T09:00:00Z'), expiresAt: new Date('2026-11-30T11:00:00Z') }

  test('holds for mail that the server took before, though it is verified later', async () => {
    const { verification } = await verify(taken(await signed(MESSAGE, { key: KEY, ...dates })))

    assert.equal(verification.dkim[0]?.result, 'pass')
    assert.equal(verification.dkim[0]?.expiresAt, '2026-11-30T11:00:00.000Z')
  })

  test('does not for mail that it took afterwards', async () => {
    const message = taken(await signed(MESSAGE, { key: KEY, ...dates }), {
      at: 'Mon, 30 Nov 2026 11:00:01 +0000',
    })
    const { verification } = await verify(message)

    assert.notEqual(verification.dkim[0]?.result, 'pass')
    assert.match(verification.dkim[0]?.reason ?? '', /expired/)
  })

  test('does not when nobody says when the mail was taken', async () => {
    const { verification } = await verify(await signed(MESSAGE, { key: KEY, ...dates }), {
      receivedBy: undefined,
    })

    assert.notEqual(verification.dkim[0]?.result, 'pass')
  })
})

describe('DMARC', () => {
  const aligned = async (record: string, mailFrom: string, domain = 'mail.sender.example') => {
    dns.set({
      'one._domainkey.mail.sender.example TXT': [KEY.record],
      'one._domainkey.other.example TXT': [KEY.record],
      'mail.sender.example TXT': ['v=spf1 ip4:192.0.2.0/24 -all'],
      'other.example TXT': ['v=spf1 ip4:192.0.2.0/24 -all'],
      '_dmarc.sender.example TXT': [record],
    })
    return (await verify(taken(await signed(MESSAGE, { key: KEY, domain }), { mailFrom }))).verification
  }

  test('relaxed takes a signature and a sender of a subdomain', async () => {
    const found = await aligned('v=DMARC1; p=quarantine', 'a@mail.sender.example')

    assert.deepEqual(resultsOf(found), ['dkim pass', 'spf pass', 'dmarc pass', 'arc none'])
    assert.equal(found.dkim[0]?.aligned, true)
  })

  test('strict takes neither', async () => {
    const found = await aligned('v=DMARC1; p=quarantine; adkim=s; aspf=s', 'a@mail.sender.example')

    assert.deepEqual(resultsOf(found), ['dkim pass', 'spf pass', 'dmarc fail', 'arc none'])
    assert.equal(found.dkim[0]?.aligned, false)
    assert.equal(found.dmarc.policy, 'quarantine')
  })

  test('takes neither of another domain, whatever passes for it', async () => {
    const found = await aligned('v=DMARC1; p=none', 'a@other.example', 'other.example')

    assert.deepEqual(resultsOf(found), ['dkim pass', 'spf pass', 'dmarc fail', 'arc none'])
  })
})

describe('SPF', () => {
  test('is evaluated of HELO where the sender is empty', async () => {
    dns.set({ 'out.sender.example TXT': ['v=spf1 a -all'], 'out.sender.example A': ['192.0.2.25'] })
    const { verification } = await verify(taken(MESSAGE, { mailFrom: '' }))

    assert.deepEqual(
      [verification.spf.result, verification.spf.domain, verification.spf.mailFrom],
      ['pass', 'out.sender.example', ''],
    )
  })

  test('follows at most ten lookups', async () => {
    const hosts = Array.from({ length: 11 }, (_, index) => `n${index}.sender.example`)
    dns.set({
      'sender.example TXT': [`v=spf1 ${hosts.map((host) => `include:${host}`).join(' ')} -all`],
      ...Object.fromEntries(hosts.map((host) => [`${host} TXT`, ['v=spf1 ?all']])),
    })
    const { verification } = await verify(taken(MESSAGE))

    assert.equal(verification.spf.result, 'permerror')
    assert.equal(dns.asked.filter((key) => key.endsWith('.sender.example TXT')).length <= 12, true)
  })

  test('is not evaluated without receivedBy, and nobody is asked', async () => {
    const { verification } = await verify(taken(MESSAGE), { receivedBy: undefined })

    assert.deepEqual(verification.spf, { result: 'none', reason: 'no receivedBy is configured' })
    assert.deepEqual(
      dns.asked.filter((key) => !key.startsWith('_dmarc')),
      [],
    )
  })
})

describe('DNS that does not answer', () => {
  test('gives temperror and never a failure, and is told to be looked at again', async () => {
    const message = taken(await signed(MESSAGE, { key: KEY }))
    for (const failing of ['servfail', 'refused'] as const) {
      dns.set({
        'one._domainkey.sender.example TXT': failing,
        'sender.example TXT': failing,
        '_dmarc.sender.example TXT': failing,
      })
      const { verification, temporary } = await verify(message)

      assert.deepEqual(resultsOf(verification), [
        'dkim temperror',
        'spf temperror',
        'dmarc temperror',
        'arc none',
      ])
      assert.equal(temporary, true)
    }
  })

  test('is not waited for beyond the time of a message', async () => {
    const silent: Dns = { servers: [], resolve: () => new Promise(() => {}) }
    const record = new DnsRecord(silent, deadlineIn(20), () => NOW)

    await assert.rejects(record.resolver('sender.example', 'TXT'), { code: 'ETIMEOUT' })
    await assert.rejects(record.resolver('other.example', 'TXT'), { code: 'ETIMEOUT' })
    assert.equal(record.temporary, true)
  })

  test('is asked each question once, and not more of them than a message may', async () => {
    const asked: string[] = []
    const counting: Dns = {
      servers: [],
      resolve: async (name) => {
        asked.push(name)
        return { failure: 'ENOTFOUND' }
      },
    }
    const record = new DnsRecord(counting, never, () => NOW)
    for (let index = 0; index < 2 * AUTHENTICATION.lookups; index++)
      for (const name of [`n${index}.example`, `N${index}.example`])
        await record.resolver(name, 'A').catch(() => {})

    assert.equal(asked.length, AUTHENTICATION.lookups)
    assert.equal(new Set(asked.map((name) => name.toLowerCase())).size, asked.length)
    assert.equal(record.temporary, false, 'another try would not end sooner')
  })
})

describe('hostile DNS', () => {
  test('an alias that leads to itself ends', async () => {
    dns.remove('one._domainkey.sender.example TXT')
    dns.set({
      'one._domainkey.sender.example CNAME': ['two._domainkey.sender.example'],
      'two._domainkey.sender.example CNAME': ['one._domainkey.sender.example'],
    })
    const { verification } = await verify(taken(await signed(MESSAGE, { key: KEY })))

    assert.notEqual(verification.dkim[0]?.result, 'pass')
  })

  test('an answer of 60,000 octets is not kept, and is not asked for again', async () => {
    dns.set({ 'one._domainkey.sender.example TXT': [`${KEY.record}; n=${'x'.repeat(60_000)}`] })
    const { verification, answers, temporary } = await verify(taken(await signed(MESSAGE, { key: KEY })))

    assert.equal(verification.dkim[0]?.result, 'temperror')
    assert.equal(temporary, false)
    assert.equal(answers.find(({ name }) => name.startsWith('one.'))?.failure, 'ANSWER_TOO_LARGE')
  })

  test('a key of 4,096 bits comes over TCP and is used', async () => {
    const long = dkimKey(4096)
    dns.set({ 'one._domainkey.sender.example TXT': [long.record] })
    const { verification } = await verify(taken(await signed(MESSAGE, { key: long })))

    assert.equal(verification.dkim[0]?.result, 'pass')
    assert.deepEqual(dns.asked.filter((key) => key.startsWith('one.')).length, 2)
  })

  test('a key that is none, of 512 bits, or revoked lets nothing pass', async () => {
    const message = taken(await signed(MESSAGE, { key: KEY }))
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 512 })
    const weak = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
    for (const record of ['v=DKIM1; p=AAAA', `v=DKIM1; p=${weak}`, 'v=DKIM1; p=', '\u0000'.repeat(200)]) {
      dns.set({ 'one._domainkey.sender.example TXT': [record] })
      assert.notEqual((await verify(message)).verification.dkim[0]?.result, 'pass', record)
    }
  })
})

test('a message of 64 MB takes hardly more memory than one of 1 MB', async () => {
  const alone = async (octets: number) => {
    const { stdout } = await promisify(execFile)(process.execPath, [VERIFY_LARGE, String(octets)])
    return JSON.parse(stdout) as { result: string; peakMib: number }
  }
  const small = await alone(1_000_000)
  const large = await alone(64_000_000)

  assert.deepEqual([small.result, large.result], ['pass', 'pass'])
  assert.ok(large.peakMib - small.peakMib < 32, `${small.peakMib} and ${large.peakMib} MiB`)
})

describe('a hostile message', () => {
  test('with a thousand signatures is not verified by them, and asks for no key', async () => {
    // Each would be good: of an empty body, and with a selector of its own.
    const body = 'bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    const signatures = Array.from(
      { length: 1000 },
      (_, index) =>
        `DKIM-Signature: v=1; a=rsa-sha256; d=e.example; s=s${index}; h=from; l=0; ${body}; b=AAAA\r\n`,
    )
    const { verification } = await verify(taken(signatures.join('') + MESSAGE))

    assert.deepEqual(verification.dkim, [{ result: 'policy', reason: 'it has 1000 signatures' }])
    assert.equal(verification.dmarc.result, 'pass', 'by SPF')
    assert.deepEqual(
      dns.asked.filter((key) => key.includes('_domainkey')),
      [],
    )
  })

  test('has as many signatures verified as it may have', async () => {
    let message = MESSAGE
    for (let count = 0; count < AUTHENTICATION.signatures; count++)
      message = await signed(message, { key: KEY })
    const { verification } = await verify(taken(message))

    assert.equal(verification.dkim.length, AUTHENTICATION.signatures)
    assert.ok(verification.dkim.every(({ result }) => result === 'pass'))
    assert.equal(dns.asked.filter((key) => key.includes('_domainkey')).length, 1)
  })

  for (const [what, message, reason] of [
    [
      'a header section of a megabyte',
      `Subject: ${'x'.repeat(1024 * 1024)}\r\n${MESSAGE}`,
      'its header section is too long',
    ],
    [
      'a field of ten thousand lines',
      `Subject: a\r\n${' b\r\n'.repeat(10_000)}${MESSAGE}`,
      'its header section has too many lines',
    ],
    [
      'no body and no end of the header section',
      'X: y\r\n'.repeat(200_000),
      'its header section is too long',
    ],
  ] as const)
    test(`with ${what} is not verified`, async () => {
      const { verification } = await verify(message)

      assert.deepEqual(verification, {
        dkim: [{ result: 'policy', reason }],
        spf: { result: 'none', reason },
        dmarc: { result: 'none', reason },
        arc: { result: 'none', reason },
      })
    })

  test('with a line of two megabytes is verified by SPF alone', async () => {
    const message = await signed(`${MESSAGE}${'x'.repeat(2 * AUTHENTICATION.lineOctets)}\r\n`, { key: KEY })
    const { verification } = await verify(taken(message))

    assert.deepEqual(verification.dkim, [{ result: 'policy', reason: 'it has a line that is too long' }])
    assert.deepEqual(resultsOf(verification), ['dkim policy', 'spf pass', 'dmarc pass', 'arc none'])
  })

  test('that is not read in its time is given up', async () => {
    const { header, octets } = await openMessage(inPieces(Buffer.from(MESSAGE.repeat(9))), deadlineIn(0))

    assert.match(header.toString(), /^From: .*\r\n\r\n$/s)
    await assert.rejects(Array.fromAsync(octets()), { name: 'Unverifiable', message: 'it takes too long' })
  })

  test('without any octets is no error', async () => {
    const { verification } = await verify('')

    assert.deepEqual(resultsOf(verification), ['dkim none', 'spf none', 'dmarc none', 'arc none'])
  })

  test('that names itself with what is no text is told on one short line', async () => {
    const message = `DKIM-Signature: v=1; a=rsa-sha256; d=${'\u0007é'.repeat(500)}; s=x; h=from; bh=; b=AAAA\r\n${MESSAGE}`
    const { verification } = await verify(taken(message))

    for (const text of Object.values(verification.dkim[0] ?? {}))
      if (typeof text === 'string') assert.match(text, /^[^\p{C}]{1,128}$/u)
  })
})

test('what reading the message failed with is passed on', async () => {
  const failing = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from(taken(MESSAGE))
    throw new Error('the store is gone')
  }
  await assert.rejects(
    verifyMessage(failing(), { receivedBy: undefined, dns: openDnsResolver([dns.address]), at: NOW }),
    /the store is gone/,
  )
})
