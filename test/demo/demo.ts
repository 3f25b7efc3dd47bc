import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startImapServer } from '../support/imap-server.ts'
import { startPop3Server } from '../support/pop3-server.ts'
import { largeMessage, sampleMessages } from '../support/sample-messages.ts'

// The main job on one machine: a small IMAP and a small POP3 server with messages of our own, and the real command line that drains them.
// Everything it leaves is in one folder, so that a second run meets what the first one did.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = '.mailsluice-demo'
const LARGE_OCTETS = 20_000_000
const PASSWORD = 'demo'

const samples = sampleMessages()
const half = Math.ceil(samples.length / 2)
const imap = await startImapServer({
  user: 'orders@example.com',
  password: PASSWORD,
  messages: [
    ...samples.slice(0, half).map(({ octets }) => ({ raw: octets })),
    { raw: largeMessage(LARGE_OCTETS) },
  ],
})
const pop3 = await startPop3Server({
  user: 'invoices@example.com',
  password: PASSWORD,
  messages: samples.slice(half - 1).map(({ name, octets }) => ({ uidl: name, octets })),
})

const folder = resolve(FOLDER)
const config = join(folder, 'mailsluice.yaml')
mkdirSync(folder, { recursive: true })
writeFileSync(
  config,
  `# Written by the demo. The ports are those of its mail servers and change with every run.
queues:
  default: mail-events
  invoices: invoice-events
routes:
  - { queue: invoices, when: { attachment: application/pdf } }
mailboxes:
  - { id: orders, protocol: imap, host: 127.0.0.1, port: ${imap.port}, tls: none, user: ${imap.user}, credential: env:DEMO_PASSWORD, afterArchive: seen }
  - { id: invoices, protocol: pop3, host: 127.0.0.1, port: ${pop3.port}, tls: none, user: ${pop3.user}, credential: env:DEMO_PASSWORD }
`,
)

function say(text: string): void {
  console.log(`\n${text}`)
}

/** The command line as a user runs it; its exit status ends the demo when it is not 0. */
async function mailsluice(...command: string[]): Promise<void> {
  const shown = [...command, '--config', relative('.', config), `--local=${FOLDER}`]
  console.log(`$ npx mailsluice ${shown.join(' ')}`)
  const child = spawn(process.execPath, [join(ROOT, 'functions', 'launch.mjs'), ...shown], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEMO_PASSWORD: PASSWORD },
  })
  const status = await new Promise<number | null>((resolve) => child.on('exit', resolve))
  if (status !== 0) throw new Error(`mailsluice ${command.join(' ')} ended with status ${status}`)
}

try {
  say(
    `1. An IMAP mailbox with ${imap.messages('INBOX').length} messages (one of 20 MB) and a POP3 mailbox with ${pop3.maildrop.length}.`,
  )
  await mailsluice('check')
  say('2. Drain both: archive every message, announce it, record it.')
  await mailsluice('drain')
  say('3. What is archived and announced.')
  await mailsluice('archive', 'list')
  say('4. One event, as a consumer gets it.')
  await mailsluice('events', 'receive', '--queue', 'invoices', '--max', '1', '--full', '--keep')
  say('5. The ledger, verified against the archive.')
  await mailsluice('ledger', 'verify')
  say('6. Drain again: nothing is announced twice.')
  await mailsluice('drain')
  say('Look next:')
  console.log(`  ${FOLDER}/archive        raw messages by their SHA-256, and the ledger; npx mailsluice ledger show --config ${relative('.', config)} --local=${FOLDER}
  ${FOLDER}/queues         the queues: npx mailsluice events serve … gives any AWS SDK an endpoint
  README.md                your own mailbox: write mailsluice.yaml, then npx mailsluice check --local
Run the demo again and the first drain finds nothing new; remove ${FOLDER} to begin anew.`)
} finally {
  await imap.close()
  await pop3.close()
}
