import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { SQSClient } from '@aws-sdk/client-sqs'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { SqsAddress } from '../contract/queue-address.ts'
import { QUEUE } from '../limits.ts'
import type { SqsOptions } from './sqs.ts'

/** One client for each region and endpoint that queues are in. */
export interface SqsClients {
  of(address: SqsAddress): SQSClient
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

export function openSqsClients(options: SqsOptions): SqsClients {
  const { requestMs = QUEUE.requestMs } = options
  const clients = new Map<string, SQSClient>()
  return {
    of(address) {
      const region = address.region ?? options.region
      const endpoint = options.endpoint ?? address.endpoint
      const key = `${region ?? ''} ${typeof endpoint === 'string' ? endpoint : ''}`
      let client = clients.get(key)
      if (!client) {
        client = new SQSClient({
          useQueueUrlAsEndpoint: false,
          // TLS guards the octets; without this a wrong MD5 in an answer is an Error without name or code.
          md5: false,
          maxAttempts: QUEUE.attempts,
          requestHandler: requestHandler(requestMs),
          ...(region === undefined ? {} : { region }),
          ...(endpoint === undefined
            ? {}
            : { endpoint: typeof endpoint === 'string' ? endpoint : endpointOf(endpoint) }),
          ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
        })
        clients.set(key, client)
      }
      return client
    },
    close() {
      for (const client of clients.values()) client.destroy()
    },
  }
}

function requestHandler(requestMs: number): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets: 4 * QUEUE.batchesInFlight }
  return new NodeHttpHandler({
    httpAgent: new HttpAgent(agent),
    httpsAgent: new HttpsAgent(agent),
    connectionTimeout: QUEUE.connectMs,
    requestTimeout: requestMs,
    throwOnRequestTimeout: true,
  })
}

/** The SDK asks it before each request. */
function endpointOf(current: () => Promise<string>) {
  return async () => ({ url: new URL(await current()) })
}
