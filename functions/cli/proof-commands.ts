import type { Command } from 'commander'
import { examples, type Offline, type Wrap } from './usage.ts'

/** Seals and proofs. */
export function addProofCommands(
  { archive, ledger }: { readonly archive: Command; readonly ledger: Command },
  command: Wrap,
  offline: Offline,
): void {
  ledger
    .command('seal')
    .description('sign what the ledgers gained since the last seal')
    .option('--public-key', 'print the public key that checks the seals (PEM), and seal nothing')
    .addHelpText('after', examples('ledger seal --local', 'ledger seal --public-key --local > seal-key.pem'))
    .action(
      command<{ publicKey?: boolean }>(async (run, options) =>
        (await import('./seal.command.ts')).sealCommand(run, options),
      ),
    )
  archive
    .command('prove')
    .description('write the proof that a message is under a seal')
    .argument('<id>', 'SHA-256 or its first 6 digits, <mailbox>/<sha256>, or a key')
    .option('--output <file>', 'to a file that is not there yet')
    .addHelpText('after', examples('archive prove 93b964c092a1 --output proof.json'))
    .action(
      command<{ output?: string }>(async (run, options, [id]) =>
        (await import('./seal.command.ts')).proveCommand(run, id as string, options),
      ),
    )
  archive
    .command('verify-proof')
    .description(
      'check a message, its proof and a public key against each other; needs no configuration and no network',
    )
    .argument('<message>', 'the message (.eml)')
    .argument('<proof>', 'what archive prove wrote')
    .requiredOption('--key <file>', 'the public key that you trust (PEM)')
    .addHelpText('after', examples('archive verify-proof message.eml proof.json --key seal-key.pem'))
    .action(
      offline<{ key: string }>(async (output, { key }, [message, proof]) =>
        (await import('./seal.command.ts')).verifyProofCommand(output, {
          message: message as string,
          proof: proof as string,
          key,
        }),
      ),
    )
}
