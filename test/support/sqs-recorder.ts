import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface SqsRequest {
  /** `SendMessageBatch`, `ChangeMessageVisibility` … */
  readonly action: string
  readonly input: Readonly<Record<string, unknown>>
}

export interface SqsRecorder {
  readonly endpoint: string
  readonly requests: readonly SqsRequest[]
  close(): Promise<void>
}

/** Stands before an SQS server and keeps what was asked of it (JSON 1.0). The URLs of queues name this endpoint. */
export async function startSqsRecorder(behind: string): Promise<SqsRecorder> {
  const requests: SqsRequest[] = []
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    const action = String(request.headers['x-amz-target']).replace('AmazonSQS.', '')
    requests.push({ action, input: JSON.parse(body.toString('utf8')) as Record<string, unknown> })
    const { host, 'content-length': _, connection, ...headers } = request.headers
    const answer = await fetch(behind, { method: 'POST', body, headers: headers as Record<string, string> })
    const content = Buffer.from(await answer.arrayBuffer())
    response.writeHead(answer.status, {
      'content-type': answer.headers.get('content-type') ?? 'application/x-amz-json-1.0',
      'x-amzn-query-error': answer.headers.get('x-amzn-query-error') ?? '',
    })
    response.end(content.toString('utf8').replaceAll(behind, endpoint))
  }

  const server = createServer((request, response) => {
    // An end that was there when this began is gone: the test is over.
    pass(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    endpoint,
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
