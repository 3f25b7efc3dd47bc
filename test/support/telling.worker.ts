import { parentPort } from 'node:worker_threads'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import type { Answer, Job } from '../../shared/parser/protocol.ts'

// Answers each job with what the worker knows of the process: its environment and arguments, as the subject.

parentPort?.on('message', async ({ id }: Job) => {
  const { env, argv, execArgv } = process
  const told = Buffer.from(`Subject: ${JSON.stringify({ env, arguments: argv.slice(2), execArgv })}\n\n`)
  parentPort?.postMessage({ kind: 'parsed', id, parsed: await parseMessage(told) } satisfies Answer)
})
parentPort?.postMessage({ kind: 'ready' } satisfies Answer)
