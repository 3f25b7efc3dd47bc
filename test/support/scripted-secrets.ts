import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** What the store answers: status and JSON, or whatever is done to the response. */
export type SecretAnswer =
  | { readonly status: number; readonly content: object }
  | ((response: ServerResponse) => void)

export interface ScriptedSecrets {
  readonly endpoint: string
  /** The answers from now on, the last one for all that follow. */
  answer(...answers: readonly SecretAnswer[]): void
  /** Requests since the answers were set: `AmazonSSM.GetParameter {…}`. */
  readonly requests: readonly string[]
  close(): Promise<void>
}

/** A server of the AWS JSON 1.1 protocol that says what it is told to, whatever it is asked. */
export async function startScriptedSecrets(): Promise<ScriptedSecrets> {
  let answers: readonly SecretAnswer[] = []
  const requests: string[] = []
  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests.push(`${request.headers['x-amz-target']} ${JSON.stringify(await json(request))}`)
    const answer = answers[Math.min(requests.length, answers.length) - 1]
    if (typeof answer === 'function') answer(response)
    else {
      response.writeHead(answer?.status ?? 500, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(JSON.stringify(answer?.content ?? {}))
    }
  }
  const server = createServer((request, response) => void respond(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer(...next) {
      answers = next
      requests.length = 0
    },
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
