import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface ScriptedStacks {
  readonly endpoint: string
  /** Stacks that were asked for. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

/** Outputs of a stack, or the error that it is answered with. */
export type ScriptedStack =
  | Readonly<Record<string, string>>
  | { readonly status: number; readonly code: string }

/** As much of CloudFormation as describes stacks, as its API reference documents it: the query protocol, a 400 for a stack that is not there. */
export async function startScriptedStacks(
  stacks: Readonly<Record<string, ScriptedStack>>,
): Promise<ScriptedStacks> {
  const asked: string[] = []
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = new URLSearchParams(await text(request)).get('StackName') ?? ''
    asked.push(name)
    const stack = stacks[name] ?? { status: 400, code: 'ValidationError' }
    const refused = 'code' in stack
    response.writeHead(refused ? Number(stack.status) : 200, { 'content-type': 'text/xml' })
    response.end(
      refused ? errorXml(String(stack.code), name) : stackXml(name, stack as Record<string, string>),
    )
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const NAMESPACE = 'xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"'

function stackXml(name: string, outputs: Readonly<Record<string, string>>): string {
  const members = Object.entries(outputs).map(
    ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
  )
  return `<DescribeStacksResponse ${NAMESPACE}><DescribeStacksResult><Stacks><member><StackName>${name}</StackName><CreationTime>2026-11-22T10:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>${members.join('')}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`
}

function errorXml(code: string, name: string): string {
  return `<ErrorResponse ${NAMESPACE}><Error><Type>Sender</Type><Code>${code}</Code><Message>Stack with id ${name} does not exist</Message></Error><RequestId>1</RequestId></ErrorResponse>`
}
