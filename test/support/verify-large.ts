import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'
import { recordedDns } from '../../shared/authentication/dns-record.ts'
import { verifyMessage } from '../../shared/authentication/verify-message.ts'
import { dkimKey } from './signed-mail.ts'

// A process that signs and verifies a message of so many octets, which comes in pieces and is nowhere whole: `node verify-large.ts OCTETS`. It
// prints the result and the most memory that it had.

const HEADER = 'From: a@sender.example\r\nSubject: large\r\n\r\n'
const PIECE = Buffer.from(`${'x'.repeat(76)}\r\n`.repeat(800))

async function* message(octets: number, top = ''): AsyncGenerator<Buffer> {
  yield Buffer.from(top + HEADER)
  for (let sent = 0; sent < octets; sent += PIECE.length) yield PIECE
}

const octets = Number(process.argv[2])
const key = dkimKey()
const signature = { signingDomain: 'sender.example', selector: 'one', privateKey: key.privateKey }
const { signatures } = await dkimSign(Readable.from(message(octets)), {
  ...signature,
  signatureData: [{ ...signature, canonicalization: 'relaxed/relaxed' }],
})
const before = process.cpuUsage()
const { verification } = await verifyMessage(message(octets, signatures), {
  receivedBy: undefined,
  dns: recordedDns([
    { type: 'answer', name: 'one._domainkey.sender.example', rrtype: 'TXT', at: '', records: [key.record] },
  ]),
  at: new Date(),
})
const { user, system } = process.cpuUsage(before)
const result = verification.dkim[0]?.result
// Not getrusage: what that says begins with the memory of the process that started this one.
const peakKib = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
console.log(
  JSON.stringify({ result, peakMib: Math.ceil(peakKib / 1024), cpuMs: Math.round((user + system) / 1000) }),
)
