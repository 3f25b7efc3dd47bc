import { join } from 'node:path'

// Folders of the file archive that are not keys: all begin with a dot, which no key does.
//
//   <root>/<key>                       an object
//   <root>/.metadata/<key>.json        its metadata (sidecar.ts)
//   <root>/.incoming/<put>.data|json   the same two before they got their names
//   <root>/.locks/<key>/               its legal hold and retention (file-locks.ts)

export interface FileLayout {
  readonly root: string
  readonly incoming: string
  object(key: string): string
  sidecar(key: string): string
  incomingData(put: string): string
  incomingSidecar(put: string): string
  locks(key: string): string
}

export function fileLayout(root: string): FileLayout {
  const incoming = join(root, '.incoming')
  return {
    root,
    incoming,
    object: (key) => join(root, key),
    sidecar: (key) => join(root, '.metadata', `${key}.json`),
    incomingData: (put) => join(incoming, `${put}.data`),
    incomingSidecar: (put) => join(incoming, `${put}.json`),
    locks: (key) => join(root, '.locks', key),
  }
}
