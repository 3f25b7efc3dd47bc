import type { ObjectKey } from '../../shared/contract/ids.ts'
import { openFileState } from '../../shared/state/file.ts'

// A process that counts up in a state store of files: `node state-writer.ts FOLDER KEY`. It prints a dot for each increment that it was told to
// have made, and ends after SIGTERM.

const [folder = '', key = ''] = process.argv.slice(2)
const state = openFileState(folder)
let ending = false
process.on('SIGTERM', () => {
  ending = true
})

while (!ending) {
  const entry = await state.read(key as ObjectKey)
  if (!entry) throw new TypeError('there is nothing to count from')
  const next = Buffer.from(String(Number(String(entry.content)) + 1))
  if (await state.write(key as ObjectKey, next, entry.revision)) process.stdout.write('.')
}
