import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mailboxId } from '../shared/contract/ids.ts'
import { type Conditions, headerFieldsOf, type RouteConfig } from '../shared/contract/routes.ts'
import { PARSER } from '../shared/limits.ts'
import { trustedResults } from '../shared/mail/authentication-results.ts'
import { parseMessage } from '../shared/mail/parse-message.ts'
import type { Judgement } from '../shared/route-conditions.ts'
import { DEFAULT_QUEUE, explainRoutes, queuesTaken, routesTaken } from '../shared/routing.ts'

// Messages as they come, through the parser: what a route sees is what it read.

const ORDER = `From: "Berta Bote" <Berta@Supplier.Example>
To: Invoices <invoices+2026@acme.example>, orders@acme.example
Cc: Team: "An, Na" <anna@acme.example>, ben@acme.example;
Subject: =?utf-8?q?Rechnung_=C3=9Cberweisung?=
X-Ticket: 4711
Precedence: bulk
X-Ticket: =?utf-8?q?4712?=
`

const PDF = `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

see attached
--b
Content-Type: Application/PDF; name=a.pdf
Content-Disposition: attachment; filename=a.pdf

%PDF
--b--
`

async function routedMessage(header: string, routes: readonly RouteConfig[]) {
  const octets = Buffer.from(`${header}\n`.replaceAll('\n', '\r\n'))
  return { mailbox: mailboxId('invoices'), parsed: await parseMessage(octets, headerFieldsOf(routes)) }
}

/** The queues, joined by a space. */
async function routed(header: string, ...routes: RouteConfig[]): Promise<string> {
  return queuesTaken(routesTaken(routes, await routedMessage(header, routes))).join(' ')
}

/** Whether a message meets one condition. */
async function meets(header: string, when: RouteConfig['when']): Promise<boolean> {
  return (await routed(header, { queue: 'met', when })) === 'met'
}

describe('a condition', () => {
  const table: [when: RouteConfig['when'], met: boolean][] = [
    [{ mailbox: 'invoices' }, true],
    [{ mailbox: 'inv*' }, true],
    [{ mailbox: 'orders' }, false],
    [{ from: 'berta@supplier.example' }, true],
    [{ from: '*@SUPPLIER.example' }, true],
    [{ from: '*@supplier.example.evil' }, false],
    [{ from: 'Berta Bote' }, false],
    [{ to: 'invoices+2026@acme.example' }, true],
    [{ to: 'invoices@acme.example' }, true],
    [{ to: 'invoices+2027@acme.example' }, false],
    [{ to: 'nvoices@acme.example' }, false],
    [{ to: 'invoices*@acme.example' }, true],
    [{ to: 'orders@*' }, true],
    [{ to: 'anna@acme.example' }, true],
    [{ to: 'ben@acme.example' }, true],
    [{ to: 'berta@*' }, false],
    [{ to: ['nobody@*', 'ben@*'] }, true],
    [{ to: ['nobody@*', 'noone@*'] }, false],
    [{ subject: 'rechnung *' }, true],
    [{ subject: '*überweisung' }, true],
    [{ subject: 'rechnung' }, false],
    [{ attachment: '*' }, false],
    [{ class: 'ordinary' }, true],
    [{ class: ['bounce', 'auto-reply'] }, false],
    [{ label: 'bulk' }, true],
    [{ label: ['signed', 'list'] }, false],
    [{ header: { 'X-Ticket': '*' } }, true],
    [{ header: { 'x-ticket': ['4711', '4712'] } }, true],
    [{ header: { 'x-ticket': '471' } }, false],
    [{ header: { 'x-ticket': '4712', 'x-none': '*' } }, false],
    [{ header: { constructor: '*' } }, false],
    [{ not: { from: 'berta@*' } }, false],
    [{ not: { from: 'anna@*' } }, true],
    [{ not: { from: 'berta@*', subject: 'something else' } }, true],
    [{ not: {} }, false],
    [{ any: [{ from: 'anna@*' }, { to: 'orders@*' }] }, true],
    [{ any: [{ from: 'anna@*' }, { to: 'nobody@*' }] }, false],
    [{ all: [{ to: 'orders@*' }, { to: 'ben@*' }] }, true],
    [{ all: [{ to: 'orders@*' }, { to: 'nobody@*' }] }, false],
    [{ subject: 'rechnung*', any: [{ from: 'anna@*' }] }, false],
    [{ any: [{ all: [{ not: { to: 'orders@*' } }] }, { not: { any: [{ to: 'nobody@*' }] } }] }, true],
    [{}, true],
  ]
  for (const [when, met] of table)
    test(`${JSON.stringify(when)} is ${met ? '' : 'not '}met by the order`, async () => {
      assert.equal(await meets(ORDER, when), met)
    })

  for (const field of ['To', 'Cc', 'Bcc', 'Delivered-To', 'X-Original-To', 'Envelope-To'])
    for (const address of ['Box+tag@acme.example', '<Box+tag@acme.example>', ' <Box+tag@acme.example> '])
      test(`on the recipient sees ${field}: ${address}`, async () => {
        assert.equal(await meets(`${field}: ${address}\n`, { to: 'box+*@acme.example' }), true)
        assert.equal(await meets(`${field}: ${address}\n`, { to: 'box@acme.example' }), true)
        assert.equal(await meets(`${field}: ${address}\n`, { to: 'ox@acme.example' }), false)
        assert.equal(await meets(`${field}: ${address}\n`, { from: '*' }), false)
      })

  for (const field of ['From', 'Sender'])
    test(`on the sender sees ${field}`, async () => {
      assert.equal(await meets(`${field}: a@b.example\n`, { from: 'a@b.example' }), true)
      assert.equal(await meets(`${field}: a@b.example\n`, { to: '*' }), false)
    })

  test('on the sender does not see Reply-To, which may be anybody', async () => {
    assert.equal(await meets('From: a@b.example\nReply-To: c@d.example\n', { from: 'c@d.example' }), false)
  })

  test('on a subject of which there is none is met by * alone', async () => {
    assert.equal(await meets('From: a@b.example\n', { subject: '*' }), true)
    assert.equal(await meets('From: a@b.example\n', { subject: '?*' }), false)
  })

  test('on an address is not met by an empty group or by nothing', async () => {
    assert.equal(await meets('To: undisclosed-recipients:;\n', { to: '*' }), false)
    assert.equal(await meets('Subject: x\n', { to: '*' }), false)
  })

  test('on attachments sees the declared type of each, in any case', async () => {
    assert.equal(await meets(ORDER + PDF, { attachment: 'application/pdf' }), true)
    assert.equal(await meets(ORDER + PDF, { attachment: ['*/xml', 'APPLICATION/*'] }), true)
    assert.equal(await meets(ORDER + PDF, { attachment: 'text/plain' }), false)
  })

  test('on an attachment with several sides is met when one and the same has them all', async () => {
    const met = (attachment: Conditions['attachment']) => meets(ORDER + PDF, { attachment })
    assert.equal(await met({ type: 'application/*', name: '*.pdf', minOctets: 4, maxOctets: 4 }), true)
    assert.equal(await met({ minOctets: 5 }), false)
    assert.equal(await met({ maxOctets: 3 }), false)
    assert.equal(await met({ type: 'application/pdf', name: '*.xml' }), false)
    assert.equal(await met({}), true)
    assert.equal(await meets(ORDER, { attachment: {} }), false)
    assert.equal(await met({ kind: ['message', 'file'] }), true)
    assert.equal(await met({ kind: 'archive' }), false)
    assert.equal(await met({ invoice: false }), true)
    assert.equal(await met({ invoice: true }), false)
  })

  test('on attachments sees what the octets are when the sender says something else', async () => {
    const named = PDF.replace('Application/PDF; name=a.pdf', 'application/octet-stream').replace(
      '%PDF',
      '%PDF-1.7',
    )
    const xml =
      '<?xml version="1.0"?><Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>'
    assert.equal(await meets(ORDER + named, { attachment: 'application/pdf' }), true)
    assert.equal(await meets(ORDER + named, { attachment: { type: 'application/pdf' } }), true)
    assert.equal(await meets(ORDER + PDF.replace('%PDF', xml), { attachment: { invoice: true } }), true)
  })

  test('on a recipient with a tag is met with and without it, and a plus elsewhere is none', async () => {
    const met = (address: string, to: string) => meets(`To: ${address}\n`, { to })
    assert.equal(await met('a+b+c@d.example', 'a@d.example'), true)
    assert.equal(await met('a+b+c@d.example', 'a+b@d.example'), false)
    assert.equal(await met('+tag@d.example', '@d.example'), false)
    assert.equal(await met('a@d+e.example', 'a@d@*'), false)
    assert.equal(await met('a@d+e.example', 'a@d+e.example'), true)
  })
})

test('a condition on authentication is met by what the trusted server found, and by nothing that a sender wrote', async () => {
  const header = `Authentication-Results: mx.acme.example; dmarc=pass header.from=supplier.example; dkim=fail; dkim=pass
Authentication-Results: mx.evil.example; spf=pass; arc=pass
${ORDER}`
  const met = async (when: Conditions, authservId?: string): Promise<boolean> => {
    const route = { queue: 'met', when }
    const message = await routedMessage(header, [route])
    const trustedAuthentication = trustedResults(message.parsed.authentication, authservId)
    return routesTaken([route], { ...message, trustedAuthentication }).length > 0
  }
  const trusted = 'mx.acme.example'
  assert.equal(await met({ authentication: { dmarc: 'pass' } }, trusted), true)
  assert.equal(await met({ authentication: { dmarc: 'pass', dkim: 'fail' } }, trusted), true)
  assert.equal(await met({ authentication: { dmarc: ['fail', 'none'] } }, trusted), false)
  assert.equal(await met({ authentication: { spf: 'pass' } }, trusted), false)
  assert.equal(await met({ authentication: { dmarc: 'pass', arc: '*' } }, trusted), false)
  for (const authservId of [undefined, 'mx.other.example']) {
    assert.equal(await met({ authentication: { dmarc: '*' } }, authservId), false)
    assert.equal(await met({ not: { authentication: { dmarc: 'pass' } } }, authservId), true)
  }
})

describe('a route', () => {
  const to = (queue: string, when: RouteConfig['when']): RouteConfig => ({ queue, when })

  test('is taken when every condition holds', async () => {
    const all = {
      mailbox: 'invoices',
      from: 'berta@*',
      to: 'orders@*',
      subject: 'rechnung*',
      attachment: '*/pdf',
    }
    assert.equal(await routed(ORDER + PDF, to('all', all)), 'all')
    for (const name of Object.keys(all) as (keyof typeof all)[])
      assert.equal(
        await routed(ORDER + PDF, to('all', { ...all, [name]: 'something else' })),
        DEFAULT_QUEUE,
        name,
      )
  })

  test('that comes first wins', async () => {
    const routes = [
      to('none', { to: 'nobody@*' }),
      to('first', { to: 'orders@*' }),
      to('second', { from: 'berta@*' }),
    ]
    assert.equal(await routed(ORDER, ...routes), 'first')
  })

  test('that continues has the next ones looked at, and each adds its queues once', async () => {
    const on = (queue: string | string[], when: RouteConfig['when']): RouteConfig => ({
      queue,
      when,
      continue: true,
    })
    const routes = [
      on(['audit', 'copies'], {}),
      on('none', { to: 'nobody@*' }),
      on('audit', { to: 'orders@*' }),
      to('orders', { to: 'orders@*' }),
      to('late', {}),
    ]
    assert.equal(await routed(ORDER, ...routes), 'audit copies orders')
    assert.equal(await routed('To: x@y.example\n', ...routes), 'audit copies late')
  })

  test('is explained: reached or not, taken or not, with what each condition found', async () => {
    const routes = [
      to('none', { to: ['nobody@*', 'noone@*'] }),
      to('taken', { any: [{ subject: '*x*' }, { header: { 'X-Ticket': '4712' } }] }),
      to('late', {}),
    ]
    const [none, taken, late] = explainRoutes(routes, await routedMessage(ORDER, routes))

    assert.deepEqual([none?.reached, none?.taken, taken?.reached, taken?.taken], [true, false, true, true])
    assert.deepEqual([late?.reached, late?.taken], [false, false])
    const [toNobody] = none?.conditions ?? []
    assert.deepEqual(toNobody?.wanted, ['nobody@*', 'noone@*'])
    assert.ok(toNobody?.found?.includes('orders@acme.example'))
    const subject = { condition: 'subject', holds: false, wanted: ['*x*'], found: ['Rechnung Überweisung'] }
    const ticket = { condition: 'header.x-ticket', holds: true, wanted: ['4712'], found: ['4712'] }
    const groups: Judgement[] = [
      { condition: 'any[0]', holds: false, parts: [subject] },
      { condition: 'any[1]', holds: true, parts: [ticket] },
    ]
    assert.deepEqual(taken?.conditions, [{ condition: 'any', holds: true, parts: groups }])
  })

  test('that nothing takes leaves the message to the default queue', async () => {
    assert.equal(await routed(ORDER, to('none', { to: 'nobody@*' })), 'default')
    assert.equal(await routed(ORDER), 'default')
  })

  test('is found for mail that nobody could parse', async () => {
    for (const octets of ['', '\n', '\0'.repeat(1000), 'no header at all'])
      assert.equal(await routed(octets, to('any', {})), 'any')
  })

  test('is found however hostile subject and recipients are', async () => {
    const many = `To: ${Array.from({ length: 20_000 }, (_, i) => `a${i}@b.example`).join(',\n ')}\n`
    const subject = `Subject: ${'a'.repeat(100_000)}\n`

    assert.equal(await routed(many + subject, to('met', { subject: `${'*a'.repeat(400)}*b` })), 'default')
    assert.equal(await routed(many, to('met', { to: `${'*a?'.repeat(100)}` })), 'default')
    const header = `X-Long: ${'a'.repeat(100_000)}\n`
    assert.equal(await routed(header, to('met', { header: { 'x-long': `${'a*'.repeat(400)}b` } })), 'default')
    const named = PDF.replace('filename=a.pdf', `filename="${'a'.repeat(900)}"`)
    assert.equal(await routed(named, to('met', { attachment: { name: `${'*a'.repeat(400)}*b` } })), 'default')
    // It looks at what the parser read.
    assert.equal(await routed(many, to('met', { to: `a${PARSER.addresses - 1}@b.example` })), 'met')
    assert.equal(await routed(many, to('met', { to: 'a19999@b.example' })), 'default')
  })
})
