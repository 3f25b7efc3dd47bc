import { request } from 'node:http'
import { pathToFileURL } from 'node:url'

// The runtime of a function, as far as a handler can tell: asks the Runtime API (2018-06-01) for an invocation, calls the handler, posts what came
// of it, and again. `node lambda-bootstrap.ts BUNDLE`; Lambda's own needs a native build.

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`
const [, , bundle = ''] = process.argv

interface Answer {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Without time limit: the next invocation may be long in coming. */
function call(method: 'GET' | 'POST', path: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${api}/${path}`, { method }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }),
      )
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const errorBody = (error: unknown): string =>
  JSON.stringify({
    errorType: error instanceof Error ? error.name : typeof error,
    errorMessage: error instanceof Error ? error.message : String(error),
    stackTrace: error instanceof Error ? error.stack?.split('\n') : [],
  })

type Handler = (event: unknown, context: object) => Promise<unknown>

async function load(): Promise<Handler> {
  try {
    const { handler } = (await import(pathToFileURL(bundle).href)) as { handler: Handler }
    return handler
  } catch (error) {
    await call('POST', 'init/error', errorBody(error))
    process.exit(1)
  }
}

const handler = await load()
while (true) {
  const { headers, body } = await call('GET', 'invocation/next')
  const id = String(headers['lambda-runtime-aws-request-id'])
  const deadlineMs = Number(headers['lambda-runtime-deadline-ms'])
  const context = {
    awsRequestId: id,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  }
  try {
    const result = await handler(JSON.parse(body), context)
    await call('POST', `invocation/${id}/response`, JSON.stringify(result ?? null))
  } catch (error) {
    await call('POST', `invocation/${id}/error`, errorBody(error))
  }
}
