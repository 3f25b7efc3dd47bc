import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { mailboxId, type Sha256 } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import { openProver } from '../../shared/operations/prove.ts'
import { verifyProof } from '../../shared/seal/proof.ts'
import { readStoredSeal } from '../../shared/seal/seals.ts'
import { LambdaScene } from '../support/lambda-scene.ts'
import { without } from '../support/programs.ts'
import { digestOf, draftOf, messageEntry } from '../support/segments.ts'

// The key service here signs by openssl.
describe('seal-ledgers, as Lambda runs it', { skip: without('openssl') }, () => {
  let scene: LambdaScene
  before(async () => {
    scene = await LambdaScene.open()
  })
  after(() => scene.close())

  async function append(id: string, ...texts: string[]): Promise<void> {
    const { archive } = scene.world
    const ledger = await openLedger(mailboxId(id), { archive, state: undefined })
    const entries = texts.map((text, index) => messageEntry(text, { id: ledger.nextSeq * 100 + index }))
    await ledger.commit(draftOf(entries), undefined)
  }

  test('seals every ledger, configured or not, by the key in KMS, once', async () => {
    const { archive, functions } = scene.world
    await scene.applyNone()
    await append('invoices', 'one', 'two')
    await append('left-long-ago', 'three')
    const first = await functions['seal-ledgers'].invoke({})
    const again = await functions['seal-ledgers'].invoke({})

    assert.deepEqual(
      [first, again].map(({ ok }) => ok),
      [true, true],
      JSON.stringify(first),
    )
    const { seal, signed } = await readStoredSeal(1, archive)
    assert.equal(seal.treeSize, 5)
    assert.equal((await Array.fromAsync(archive.list('evidence/seals/'))).length, 1)
    const message = { sha256: digestOf('three') as Sha256, octets: 'three'.length }
    const proof = await openProver(archive).prove(mailboxId('left-long-ago'), 1, message.sha256)
    verifyProof(message, proof, signed.publicKey)
  })
})
