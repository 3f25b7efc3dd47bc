import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { after, describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import type { MailboxHealth } from '../../shared/relay/health.ts'
import { type HealthEndpoint, serveHealth } from '../../shared/relay/health-endpoint.ts'

function mailbox(id: string, changes: Partial<MailboxHealth> = {}): MailboxHealth {
  return {
    mailbox: mailboxId(id),
    state: 'watching',
    provenAgoMs: 1000,
    provenAt: '2026-01-01T00:00:00.000Z',
    overdue: false,
    folders: [],
    canary: undefined,
    suspended: undefined,
    ...changes,
  }
}

describe('the health endpoint', () => {
  const endpoints: HealthEndpoint[] = []
  after(() => Promise.all(endpoints.map((endpoint) => endpoint.close())))
  async function ask(
    health: readonly MailboxHealth[],
    { path = '/health', method = 'GET' } = {},
  ): Promise<{ status: number; body: string }> {
    const endpoint = await serveHealth(0, () => health)
    endpoints.push(endpoint)
    const answer = await fetch(`http://127.0.0.1:${endpoint.port}${path}`, { method })
    return { status: answer.status, body: await answer.text() }
  }

  test('tells every mailbox and the sum of all', async () => {
    const away = mailbox('away', { state: 'reconnecting', provenAgoMs: undefined })
    const suspended = mailbox('old', { state: 'suspended', provenAgoMs: undefined })
    const old = mailbox('slow', { provenAgoMs: 200_000 })

    const { status, body } = await ask([mailbox('a'), away, suspended, old])

    assert.equal(status, 200)
    assert.deepEqual(JSON.parse(body), {
      ok: true,
      mailboxes: 4,
      watching: 2,
      polling: 0,
      reconnecting: 1,
      suspended: 1,
      overdue: 0,
      provenAgoMs: 200_000,
      detail: JSON.parse(JSON.stringify([mailbox('a'), away, suspended, old])),
    })
  })

  test('fails when a mailbox claims to be watched and nothing proves it, and not because a server is away', async () => {
    assert.equal((await ask([mailbox('a', { overdue: true })])).status, 503)
    assert.equal((await ask([mailbox('a', { state: 'reconnecting' })])).status, 200)
    assert.equal((await ask([])).status, 200)
  })

  test('answers at one place, to those who read', async () => {
    assert.equal((await ask([], { path: '/' })).status, 404)
    assert.equal((await ask([], { method: 'POST' })).status, 405)
    assert.deepEqual(await ask([], { method: 'HEAD' }), { status: 200, body: '' })
  })

  test('is not to be reached from another machine', async (context) => {
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address && !address.internal && address.family === 'IPv4')
    if (!outside) return context.skip('this machine has no other address')
    const endpoint = await serveHealth(0, () => [])
    endpoints.push(endpoint)

    await assert.rejects(fetch(`http://${outside.address}:${endpoint.port}/health`))
  })

  test('rejects when its port is taken', async () => {
    const endpoint = await serveHealth(0, () => [])
    endpoints.push(endpoint)

    await assert.rejects(
      serveHealth(endpoint.port, () => []),
      { code: 'EADDRINUSE' },
    )
  })
})
