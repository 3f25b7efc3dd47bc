import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** What a query answers: names of its columns, and rows of texts. */
export interface AthenaAnswer {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
  readonly octetsScanned?: number
}

/** How a query ends that does not succeed. */
export interface AthenaFailure {
  readonly state: 'FAILED' | 'CANCELLED'
  readonly reason: string
  readonly type?: number
}

export interface AthenaQuery {
  readonly sql: string
  readonly parameters: readonly string[]
  readonly workgroup: string
  readonly database: string
}

export interface AthenaServerOptions {
  readonly workgroup?: string
  readonly execute: (query: AthenaQuery) => Promise<AthenaAnswer | AthenaFailure>
  /** Answered in place of an answer, by the name of the call. */
  readonly refuse?: Readonly<Record<string, { readonly status: number; readonly type: string }>>
  /** Looks that find a query still running. @default 1 */
  readonly looks?: number
  /** @default what the request asks for */
  readonly pageRows?: number
}

/**
 * Athena as far as a search uses it, over its own protocol (JSON 1.1), with what its API reference says of it: states, pages, the row of names in front of the
 * first, limits of texts and parameters. What a query answers is the test's.
 */
export interface AthenaServer {
  readonly endpoint: string
  readonly queries: readonly AthenaQuery[]
  /** Calls by name, in their order. */
  readonly calls: readonly string[]
  close(): Promise<void>
}

interface Execution {
  readonly outcome: AthenaAnswer | AthenaFailure
  looksLeft: number
  stopped: boolean
}

class Refusal extends Error {
  readonly type: string
  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

export async function startAthenaServer(options: AthenaServerOptions): Promise<AthenaServer> {
  const { workgroup = 'mailsluice', execute, refuse = {}, pageRows } = options
  const executions = new Map<string, Execution>()
  const queries: AthenaQuery[] = []
  const calls: string[] = []

  const execution = (id: unknown): Execution => {
    const found = executions.get(String(id))
    if (!found) throw new Refusal('InvalidRequestException', `QueryExecution ${id} was not found`)
    return found
  }

  const answers: Readonly<Record<string, (request: Record<string, unknown>) => Promise<object>>> = {
    async StartQueryExecution({ QueryString, ExecutionParameters, WorkGroup, QueryExecutionContext }) {
      const sql = String(QueryString)
      const parameters = (ExecutionParameters ?? []) as string[]
      const { Database = '' } = QueryExecutionContext as { Database?: string }
      if (WorkGroup !== workgroup) throw new Refusal('InvalidRequestException', 'WorkGroup is not found.')
      if (Buffer.byteLength(sql) > 262_144)
        throw new Refusal('InvalidRequestException', 'the query is too long')
      if (ExecutionParameters && parameters.length === 0)
        throw new Refusal('InvalidRequestException', 'ExecutionParameters: at least 1')
      for (const parameter of parameters)
        if (parameter.length < 1 || parameter.length > 1024)
          throw new Refusal('InvalidRequestException', 'a parameter has 1 to 1024 characters')
      const query = { sql, parameters, workgroup: String(WorkGroup), database: Database }
      queries.push(query)
      const id = randomUUID()
      executions.set(id, { outcome: await execute(query), looksLeft: options.looks ?? 1, stopped: false })
      return { QueryExecutionId: id }
    },
    async GetQueryExecution({ QueryExecutionId }) {
      const found = execution(QueryExecutionId)
      if (found.looksLeft-- > 0) return { QueryExecution: { Status: { State: 'RUNNING' } } }
      const { outcome } = found
      if ('state' in outcome)
        return {
          QueryExecution: {
            Status: {
              State: outcome.state,
              StateChangeReason: outcome.reason,
              ...(outcome.type !== undefined && {
                AthenaError: { ErrorCategory: 2, ErrorType: outcome.type },
              }),
            },
          },
        }
      const Statistics = { DataScannedInBytes: outcome.octetsScanned ?? 0 }
      return { QueryExecution: { Status: { State: 'SUCCEEDED' }, Statistics } }
    },
    async GetQueryResults({ QueryExecutionId, MaxResults, NextToken }) {
      const { outcome } = execution(QueryExecutionId)
      if ('state' in outcome)
        throw new Refusal('InvalidRequestException', 'Query did not finish successfully')
      const all = [outcome.columns, ...outcome.rows]
      const from = Number(NextToken ?? 0)
      const to = from + Math.min(pageRows ?? 1000, Number(MaxResults ?? 1000))
      return {
        ResultSet: {
          Rows: all.slice(from, to).map((row) => ({
            Data: row.map((value) => (value === null ? {} : { VarCharValue: value })),
          })),
        },
        ...(to < all.length && { NextToken: String(to) }),
      }
    },
    async StopQueryExecution({ QueryExecutionId }) {
      execution(QueryExecutionId).stopped = true
      return {}
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = String(request.headers['x-amz-target']).replace('AmazonAthena.', '')
    calls.push(call)
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
      response.end(JSON.stringify(body))
    }
    const refusal = refuse[call]
    if (refusal) return send(refusal.status, { __type: refusal.type, message: 'said Athena' })
    try {
      send(200, (await answers[call]?.(JSON.parse(await text(request)))) ?? {})
    } catch (error) {
      const type = error instanceof Refusal ? error.type : 'InternalServerException'
      send(error instanceof Refusal ? 400 : 500, { __type: type, message: String(error) })
    }
  }

  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    queries,
    calls,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
