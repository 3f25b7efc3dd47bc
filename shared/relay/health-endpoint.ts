import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type MailboxHealth, summarize } from './health.ts'

export interface HealthEndpoint {
  readonly port: number
  close(): Promise<void>
}

/**
 * `GET /health` on loopback: what `health` tells, as JSON, and the sum of it. 200 while the relay does what it says; 503 when a mailbox is overdue,
 * for then starting it anew is the remedy. Servers that are away and passwords that are wrong are not: the answer tells them. `port` 0: any
 * that is free. Rejects with Node's error when the port is taken.
 */
export async function serveHealth(
  port: number,
  health: () => readonly MailboxHealth[],
): Promise<HealthEndpoint> {
  const server = createServer((request, response) => {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      response.end(request.method === 'HEAD' ? '' : `${JSON.stringify(body)}\n`)
    }
    if (request.url !== '/health') send(404, { error: 'expected /health' })
    else if (request.method !== 'GET' && request.method !== 'HEAD') send(405, { error: 'expected GET' })
    else {
      const detail = health()
      const summary = summarize(detail)
      const ok = summary.overdue === 0
      send(ok ? 200 : 503, { ok, ...summary, detail })
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
