import { generateKeyPairSync } from 'node:crypto'
import { sealMessage } from 'mailauth/lib/arc/index.js'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'
import { present } from '../../shared/present.ts'

/** A sender's key, and its record in DNS. */
export interface DkimKey {
  readonly privateKey: string
  readonly record: string
}

export function dkimKey(modulusLength = 2048): DkimKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength })
  const der = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    record: `v=DKIM1; k=rsa; p=${der}`,
  }
}

/** RFC 8463. */
export function ed25519Key(): DkimKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64')
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    record: `v=DKIM1; k=ed25519; p=${raw}`,
  }
}

export interface SignOptions {
  readonly key: DkimKey
  readonly domain?: string
  readonly selector?: string
  readonly signedAt?: Date
  readonly expiresAt?: Date
  readonly maxBodyLength?: number
}

/** With a DKIM-Signature on top. */
export async function signed(
  message: string,
  { key, domain = 'sender.example', selector = 'one', signedAt, expiresAt, maxBodyLength }: SignOptions,
): Promise<string> {
  const signature = { signingDomain: domain, selector, privateKey: key.privateKey }
  const { signatures, errors } = await dkimSign(message, {
    ...signature,
    canonicalization: 'relaxed/relaxed',
    ...present({ signTime: signedAt, expires: expiresAt }),
    signatureData: [{ ...signature, ...present({ maxBodyLength }) }],
  })
  if (errors.length > 0) throw new Error(errors.map(({ err }) => err?.message).join())
  return signatures + message
}

/** With an ARC set of a forwarder on top (RFC 8617). */
export async function forwarded(message: string, key: DkimKey): Promise<string> {
  const set = await sealMessage(message, {
    signingDomain: 'forwarder.example',
    selector: 'arc',
    privateKey: key.privateKey,
    cv: 'none',
    authResults: 'forwarder.example; dkim=pass header.d=sender.example',
  })
  return set.toString() + message
}

/** What a server in front of the mailbox writes above a message from outside (RFC 5321, 4.4), as Postfix does. */
export function taken(
  message: string,
  {
    by = 'mx.receiver.example',
    client = '192.0.2.25',
    helo = 'out.sender.example',
    mailFrom = 'bounces@sender.example',
    at = 'Mon, 30 Nov 2026 10:00:00 +0000',
  } = {},
): string {
  return [
    `Return-Path: <${mailFrom}>`,
    `Received: from ${helo} (${helo} [${client}])`,
    ' (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))',
    ' (No client certificate requested)',
    `\tby ${by} (Postfix) with ESMTPS id 4XYZ`,
    `\tfor <inbox@receiver.example>; ${at}`,
    message,
  ].join('\r\n')
}

export const MESSAGE = [
  'From: Sender <invoices@sender.example>',
  'To: inbox@receiver.example',
  'Subject: Invoice 42',
  'Date: Mon, 30 Nov 2026 09:59:58 +0000',
  'Message-ID: <42@sender.example>',
  '',
  'Please find the invoice below.',
  'Total: 42.00',
  '',
].join('\r\n')
