import { NodeHttpHandler } from '@smithy/node-http-handler'
import { CREDENTIALS } from '../limits.ts'

/** How the stores of AWS are asked. The SDK itself waits for ever, and a drain waits for its secret. */
export function clientOptions(endpoint: string | undefined) {
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CREDENTIALS.storeConnectMs,
      requestTimeout: CREDENTIALS.storeRequestMs,
      throwOnRequestTimeout: true,
    }),
  }
}
