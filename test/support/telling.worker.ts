import { parentPort } from 'node:worker_threads'
import { parseHeaderOnly } from '../../shared/mail/message-header.ts'
import type { Answer, Job } from '../../shared/parser/protocol.ts'

// Answers each job with what the worker knows of the process: its environment and arguments, as the subject, and how it got the octets.

parentPort?.on('message', ({ id, octets }: Job) => {
  const { env, argv, execArgv } = process
  const shared = octets?.buffer instanceof SharedArrayBuffer
  const told = `Subject: ${JSON.stringify({ env, arguments: argv.slice(2), execArgv, shared })}\n\n`
  const parsed = parseHeaderOnly(Buffer.from(told), 'PARSER_FAILED')
  parentPort?.postMessage({ kind: 'parsed', id, parsed } satisfies Answer)
})
parentPort?.postMessage({ kind: 'ready' } satisfies Answer)
