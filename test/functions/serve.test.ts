import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { LOCAL_CREDENTIALS, LOCAL_REGION } from '../../shared/queue/local.ts'
import { temporaryFolder } from '../support/local-queues.ts'

const LAUNCH = fileURLToPath(new URL('../../functions/launch.mjs', import.meta.url))
const SENDER = fileURLToPath(new URL('../support/queue-sender.ts', import.meta.url))

function start(script: string, ...command: string[]) {
  const child = spawn(process.execPath, [script, ...command], { stdio: ['ignore', 'pipe', 'inherit'] })
  after(() => child.kill('SIGKILL'))
  return { child, lines: createInterface(child.stdout) }
}

test('events serve takes over when the process that served is killed, so that consumers go on at the same address', async () => {
  const folder = await temporaryFolder()
  const config = join(folder, 'mailsluice.yaml')
  const mailbox = { id: 'a', protocol: 'imap', host: 'imap.example', user: 'a', credential: 'env:A' }
  await writeFile(config, JSON.stringify({ queues: { default: 'events' }, mailboxes: [mailbox] }))
  const sender = start(SENDER, join(folder, 'queues'), 'a')
  await once(sender.lines, 'line')
  const serving = start(LAUNCH, 'events', 'serve', '--json', '--config', config, `--local=${folder}`)
  const [line] = (await once(serving.lines, 'line')) as [string]
  const { endpoint, queues } = JSON.parse(line) as { endpoint: string; queues: { default: string } }
  const client = new SQSClient({
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    // Longer than it takes to take over.
    maxAttempts: 9,
  })
  after(() => client.destroy())

  sender.child.kill('SIGKILL')
  await once(sender.child, 'exit')

  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({ QueueUrl: queues.default, WaitTimeSeconds: 5 }),
  )
  assert.equal(Messages.length, 1)
  serving.child.kill('SIGINT')
  const [status] = (await once(serving.child, 'exit')) as [number]
  assert.equal(status, 0)
})
