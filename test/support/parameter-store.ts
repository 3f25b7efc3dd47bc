import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

export interface ParameterStore {
  readonly endpoint: string
  /** A new version, for who rotates a secret. */
  put(name: string, value: string): void
  /** Names that were asked for. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

/** As much of AWS Systems Manager as reads a SecureString: GetParameter over JSON 1.1. */
export async function startParameterStore(
  parameters: Readonly<Record<string, string>>,
): Promise<ParameterStore> {
  const stored = new Map<string, { readonly Value: string; readonly Version: number }>()
  const put = (name: string, Value: string): void => {
    stored.set(name, { Value, Version: (stored.get(name)?.Version ?? 0) + 1 })
  }
  for (const [name, value] of Object.entries(parameters)) put(name, value)
  const asked: string[] = []
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { Name } = (await json(request)) as { Name: string }
    asked.push(Name)
    const found = request.headers['x-amz-target'] === 'AmazonSSM.GetParameter' && stored.get(Name)
    const content = found
      ? { Parameter: { Name, Type: 'SecureString', ...found } }
      : { __type: 'ParameterNotFound', message: Name }
    response.writeHead(found ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify(content))
  }

  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    put,
    asked,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
